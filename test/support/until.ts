import type { Client } from '@confab/client'

const NEWS = [
  'messageAdded',
  'messageUpdated',
  'messageRemoved',
  'operationRefused',
  'operationsChanged',
  'conversationUpdated',
  'connectionStateChanged',
] as const

/** Resolves once it holds: asked at once, and again whenever the client tells of something. */
export async function until(client: Client, test: () => boolean | Promise<boolean>): Promise<void> {
  let wake = () => {}
  const told = () => wake()
  for (const event of NEWS) client.on(event, told)
  try {
    for (;;) {
      const more = new Promise<void>((resolve) => {
        wake = resolve
      })
      if (await test()) return
      await more
    }
  } finally {
    for (const event of NEWS) client.off(event, told)
  }
}
