/** A long conversation: opened from the device's store, its last page shown, against the bare reading of its bytes. */
import { Client, memory } from '@confab/client'
import * as Y from 'yjs'
import { unreachable } from '../../../packages/client/test/engine/harness.ts'
import { longDocument, relayOf, sidOf, token } from './long-document.ts'

/** Messages of the page that is shown. */
export const PAGE = 30

export interface Opening {
  /** Milliseconds of each run: to the page, and of `Y.applyUpdate` of the same bytes. */
  opened: number[]
  bare: number[]
}

/** Opens the conversation again and again, each time in a client of its own, each time beside the bare reading. */
export async function openAgainAndAgain(messages: number, runs: number): Promise<Opening> {
  const sid = sidOf(0)
  const update = longDocument(sid, messages)
  const storage = memory()
  const url = 'ws://relay.test'
  const clientWith = (transport: unknown) =>
    new Client(token, {
      url,
      storage,
      transport: transport as ReturnType<typeof import('@confab/client').native>,
    })
  const filling = clientWith(relayOf(new Map([[sid, update]])))
  await new Promise((resolve) => filling.on('conversationJoined', resolve))
  await filling.shutdown()
  const opening: Opening = { opened: [], bare: [] }
  for (let run = 0; run < runs; run++) {
    const client = clientWith(unreachable)
    const { items } = await client.getSubscribedConversations()
    globalThis.gc?.()
    const began = performance.now()
    const page = await items[0]?.getMessages(PAGE)
    opening.opened.push(performance.now() - began)
    if (page?.items.at(-1)?.index !== messages - 1 || page.items.length !== PAGE || items[0]?.sid !== sid)
      throw new Error('The page is wrong')
    await client.shutdown()
    globalThis.gc?.()
    opening.bare.push(bareReading(update))
  }
  return opening
}

function bareReading(update: Uint8Array): number {
  const began = performance.now()
  Y.applyUpdate(new Y.Doc(), update)
  return performance.now() - began
}
