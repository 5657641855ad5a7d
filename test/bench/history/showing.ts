/** A device that shows the newest messages of its one conversation, in Node and in a page alike. */
import { Client, type ClientStorage, type Conversation } from '@confab/client'
import type { Where } from '../client/device.ts'

/** Messages that show. */
export const SHOWN = 30

/** Resolves with the milliseconds from `new Client` until they show. */
export async function show({ url, token }: Where, storage: ClientStorage, newest: number): Promise<number> {
  const began = performance.now()
  const client = new Client(token, { url, storage })
  const conversation = await new Promise<Conversation>((resolve) => client.on('conversationJoined', resolve))
  const { items } = await conversation.getMessages(SHOWN)
  const took = performance.now() - began
  if (items.length !== SHOWN || items.at(-1)?.index !== newest) throw new Error('Other messages show')
  if (client.connectionState !== 'connected')
    await new Promise<void>((resolve) => {
      client.on('connectionStateChanged', (state) => state === 'connected' && resolve())
    })
  await client.shutdown()
  return took
}
