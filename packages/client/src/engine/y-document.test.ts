import type { Operation } from '@confab/core'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { Replica } from './replica.ts'
import { RELAY } from './y-document.ts'

const post = (id: string): Operation => ({ id, type: 'message.post', body: id, dateWritten: 1 })

/** A copy of one conversation in a tab of ann's, and the updates that it made. */
function tab(clientId: number): { replica: Replica; made: Uint8Array[] } {
  const replica = new Replica(1, clientId, 'ann')
  replica.attach()
  const made: Uint8Array[] = []
  replica.doc.on('update', (update: Uint8Array) => void made.push(update))
  return { replica, made }
}

/** What a relay says that has given a message its index. */
function relaySays(): Uint8Array {
  const doc = new Y.Doc()
  doc.getArray('messages').push([{ sid: 'IM1', index: 0, author: 'ben', dateCreated: 1 }])
  return Y.encodeStateAsUpdate(doc)
}

test('a copy that hears of an operation without the one it stands on waits for neither, and goes on telling', () => {
  const [one, other] = [tab(1), tab(2)]
  other.replica.outbox.write([post('first')])
  other.replica.outbox.write([post('second')])

  expect(one.replica.applyOwn(other.made.slice(1))).toBe(false)
  expect(one.replica.complete).toBe(true)
  expect([...one.replica.outbox.live()]).toEqual([])
  one.replica.apply([relaySays()], RELAY)
  expect([...one.replica.takeChanges().messages.keys()]).toEqual(['IM1'])
  // heard in order, both are there
  expect(one.replica.applyOwn(other.made)).toBe(true)
  expect([...one.replica.outbox.live()]).toEqual(['first', 'second'])
})

test('a copy that waits for more of what the relay said goes on waiting for it', () => {
  const relay = new Y.Doc()
  const said: Uint8Array[] = []
  relay.on('update', (update: Uint8Array) => void said.push(update))
  for (const index of [0, 1])
    relay.getArray('messages').push([{ sid: `IM${index}`, index, author: 'ben', dateCreated: 1 }])
  const [one, other] = [tab(1), tab(2)]
  one.replica.apply(said.slice(1), RELAY)
  other.replica.outbox.write([post('first')])

  expect(one.replica.applyOwn(other.made)).toBe(true)
  expect(one.replica.complete).toBe(false)
  one.replica.apply(said.slice(0, 1), RELAY)
  expect([...one.replica.takeChanges().messages.keys()]).toEqual(['IM0', 'IM1'])
})
