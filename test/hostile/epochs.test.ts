import { outboxName } from '@confab/core'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import type { NativePeer } from '../support/native-peer.ts'
import { operation, post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { startRelay } from '../support/relay.ts'

/** More client ids than an outbox may have before the relay opens a new epoch. */
const IDS = 250

/** One operation from each of so many pages that nobody ever loaded. */
function manyPages(identity: string): Uint8Array {
  const pages = Array.from({ length: IDS }, (_, index) => {
    const doc = new Y.Doc()
    doc.getArray(outboxName(identity)).push([operation('read.set', { index: index % 7 })])
    return Y.encodeStateAsUpdate(doc)
  })
  return Y.mergeUpdates(pages)
}

it('a member who piles up client ids makes the others load the conversation once a minute at most', async () => {
  const relay = await startRelay()
  try {
    const { sid, creator: alice } = await createConversation(relay.url, ['alice', 'bob', 'mallory'])
    await alice.accepted(...Array.from({ length: 50 }, (_, i) => post(`${i} ${'x'.repeat(1000)}`)))
    const bob = await openDocument('native', relay.url, 'bob', sid)
    const mallory = await openDocument('native', relay.url, 'mallory', sid)
    for (let i = 0; i < 10; i++) mallory.upload(manyPages('mallory'))
    // what is taken of them is taken by the time that somebody who asks later is answered
    const other = await openDocument('native', relay.url, 'bob', sid)
    await other.accepted(post('served'))
    await bob.peer.when(() => bob.bodies.includes('served') || bob.updates.length > 0)
    const replaced = (bob.peer as NativePeer).frames.filter(
      (frame) => frame.type === 'snapshot' && frame.replace,
    )
    expect(replaced.length).toBeLessThanOrEqual(1)
    const fresh = await openDocument('yjs', relay.url, 'alice', sid)
    expect(fresh.bodies.length).toBe(51)
    expect(relay.failures).toEqual([])
  } finally {
    await relay.close()
  }
})
