/** Honest and hostile bytes, damaged at random, thrown at a relay: variants of everything, by the thousand. */
import { encodeFrames, RELAY_ROOTS } from '@confab/core'
import { expect } from 'vitest'
import * as Y from 'yjs'
import { hostileUpdates } from '../../packages/core/test/hostile-corpus.ts'
import { type Random, seeded } from '../../packages/core/test/relay-model.ts'
import { damaged } from '../fuzz/damage.ts'
import { memberSid, operation, post } from '../support/operations.ts'
import { type Endpoint, openDocument, type Reader } from '../support/reader.ts'
import type { TestRelay } from '../support/relay.ts'
import { step1, updateMessage } from '../support/yjs-peer.ts'
import { stage, Witness } from './stage.ts'

/** Where the damage is: inside of an update, or anywhere in a message of the protocol. */
export type Layer = 'update' | 'message'

/** What a participant who is no admin may never change, however the bytes fall. */
function others(doc: Y.Doc, sid: string) {
  const messages = doc.getArray('messages').toJSON() as { author: string }[]
  return {
    conversation: doc.getMap('conversation').toJSON(),
    participants: doc.getMap('participants').toJSON(),
    messages: messages.filter(({ author }) => author !== 'mallory'),
    reads: (doc.getArray('reads').toJSON() as { participantSid: string }[]).filter(
      ({ participantSid }) => participantSid !== memberSid(sid, 'mallory'),
    ),
    strange: [...doc.share.keys()].filter(
      (name) => !name.startsWith('outbox/') && !(name in RELAY_ROOTS.conversation),
    ),
    isComplete: doc.store.pendingStructs === null && doc.store.pendingDs === null,
  }
}

/**
 * @param count damaged messages to throw
 * @returns how many of them ended a connection
 */
export async function throwMutations(
  relay: TestRelay,
  options: { endpoint: Endpoint; layer: Layer; seed: number; count: number },
): Promise<number> {
  const { endpoint, layer, seed, count } = options
  const random = seeded(seed)
  const { sid, victim, pending, aim } = await stage(relay.url)
  const alice = await Witness.of(relay.url, 'alice', sid)
  const doc = await alice.look()
  const before = others(doc, sid)
  const hostile = hostileUpdates(aim(doc)).map(({ update }) => update)
  const small = hostile.filter(({ length }) => length < 3000)
  let mallory: Reader | null = null
  let ended = 0
  for (let i = 0; i < count; i++) {
    if (!mallory || mallory.peer.closed) {
      if (mallory) ended++
      mallory = await openDocument(endpoint, relay.url, 'mallory', sid)
    }
    const base =
      random.int(3) === 0 ? (small[random.int(small.length)] as Uint8Array) : honest(mallory, random)
    if (layer === 'update') mallory.upload(damaged(base, small, random, 1 + random.int(4)))
    else mallory.peer.send(damaged(inMessage(base, endpoint, sid, random), small, random, 1 + random.int(4)))
    if (i % 100 === 99) expect(others(await alice.look(), sid)).toEqual(before)
    // what it is answered, if anything, is in by then more often than not: a closed connection is replaced
    else if (i % 2 === 1) await alice.look()
  }
  if (mallory && !mallory.peer.closed) await mallory.peer.close()
  expect(others(await alice.look(), sid)).toEqual(before)
  // the victim goes on from where they were: under a fresh copy if theirs was replaced by another epoch
  victim.upload(pending)
  await victim.peer.when(() => victim.outcomes.length > 0 || victim.nacks.length > 0)
  const again = await openDocument('native', relay.url, 'alice', sid)
  await again.accepted(post('served'))
  expect(again.bodies.at(-1)).toBe('served')
  expect(relay.failures).toEqual([])
  await Promise.all([again.peer.close(), victim.peer.close()])
  return ended
}

function honest(mallory: Reader, random: Random): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = random.int(4) === 0 ? mallory.doc.clientID : random.int(2 ** 31) * 2 + 1
  const outbox = doc.getArray(`outbox/${mallory.identity}`)
  const count = 1 + random.int(4)
  for (let i = 0; i < count; i++) outbox.push([post(`message ${i}`), operation('read.advance', { index: i })])
  if (random.int(2) === 0) outbox.delete(random.int(outbox.length), 1)
  return Y.encodeStateAsUpdate(doc)
}

function inMessage(update: Uint8Array, endpoint: Endpoint, sid: string, random: Random): Uint8Array {
  if (endpoint === 'yjs')
    return random.int(4) === 0 ? step1(Y.encodeStateVectorFromUpdate(EMPTY)) : updateMessage(update)
  return encodeFrames([
    { type: 'ping', nonce: random.int(1000) },
    { type: 'update', channel: 1, update },
    {
      type: 'open',
      entries: [{ channel: 1, document: sid, pending: true, epoch: 0, commitsId: random.int(99), clock: 1 }],
    },
    { type: 'awareness', channel: 1, update: Uint8Array.of(1, 9, 1, 2, 123, 125) },
  ])
}

const EMPTY = Uint8Array.of(0, 0)
