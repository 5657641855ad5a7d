/** Resume points and state vectors that nobody was given: what they bring, and that nobody else notices. */
import { CLOSE_CODES, type ResumePoint } from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { NativePeer } from '../support/native-peer.ts'
import { nobodysSid, post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { step1, step2, YjsPeer } from '../support/yjs-peer.ts'
import { Onlookers, recordsOf } from './onlookers.ts'

const HUGE = Number.MAX_SAFE_INTEGER
let relay: TestRelay
let honest: Onlookers
/** Where the document really stands. */
let point: ResumePoint

beforeAll(async () => {
  relay = await startRelay()
  honest = await Onlookers.of(relay.url, ['mallory'])
  await honest.alice.accepted(post('one'), post('two'))
  await honest.reached(honest.alice)
  point = (honest.alice as unknown as { point: ResumePoint }).point
})
afterAll(() => relay?.close())

/** Nothing was said to anybody, and nothing they hold has changed. */
async function undisturbed(attack: () => Promise<void>): Promise<void> {
  const before = await honest.bytes()
  const told = [honest.alice, honest.bob].map(({ peer }) => peer.received.length)
  await attack()
  expect(await honest.bytes()).toEqual(before)
  expect([honest.alice, honest.bob].map(({ peer }) => peer.received.length)).toEqual(told)
}

/** A whole copy for a new document, or what follows on the point. */
const POINTS: {
  [name: string]: [point: () => Partial<ResumePoint>, answer: 'whole' | 'changes' | 'current']
} = {
  'its own, now': [() => ({}), 'current'],
  'a clock that is ahead': [() => ({ clock: point.clock + 1 }), 'whole'],
  'a clock that is far ahead': [() => ({ clock: HUGE }), 'whole'],
  'no clock': [() => ({ clock: 0 }), 'whole'],
  'the first commit': [() => ({ clock: 1 }), 'changes'],
  'an epoch to come': [() => ({ epoch: point.epoch + 1 }), 'whole'],
  'an epoch far away': [() => ({ epoch: HUGE }), 'whole'],
  'no epoch': [() => ({ epoch: 0 }), 'whole'],
  'a commits id that there is not': [() => ({ commitsId: (point.commitsId ^ 1) >>> 0 }), 'whole'],
  'the largest commits id': [() => ({ commitsId: 0xffff_ffff }), 'whole'],
  'the id of a message': [
    () => ({ commitsId: honest.alice.doc.getArray('messages')._start?.id.client ?? 1, clock: 1 }),
    'whole',
  ],
  'the id of an outbox': [() => ({ commitsId: honest.alice.doc.clientID, clock: 1 }), 'whole'],
}

describe('a member who resumes from', () => {
  it.each(Object.entries(POINTS))('%s', async (_, [invented, answer]) => {
    await undisturbed(async () => {
      const peer = await NativePeer.connect(relay.url, 'mallory')
      const entry = { channel: 1, document: honest.sid, pending: true, ...point, ...invented() }
      peer.say({ type: 'open', entries: [entry] })
      await peer.frame('request')
      const status = peer.frames.flatMap((frame) => (frame.type === 'opened' ? frame.entries : []))
      expect(status).toEqual([{ channel: 1, status: answer === 'whole' ? 'snapshot' : answer }])
      if (answer === 'whole') {
        const { replace, updates, point: stands } = await peer.frame('snapshot')
        expect({ replace, stands }).toEqual({ replace: true, stands: point })
        const doc = new Y.Doc()
        for (const update of updates) Y.applyUpdate(doc, update)
        expect(recordsOf(doc)).toEqual(recordsOf(honest.bob.doc))
      }
      await peer.close()
    })
  })

  it('a state vector of their own making over the stock endpoint', async () => {
    const client = point.commitsId
    const vectors: [Map<number, number>, code: number | null][] = [
      [new Map([[client, 1]]), null],
      [new Map([[client, 1_000_000]]), CLOSE_CODES.replaced],
      [new Map([[12345, 1_000_000]]), null],
      [new Map([[honest.alice.doc.clientID, 1_000_000]]), null],
      [new Map(Array.from({ length: 10_000 }, (_, i) => [i + 1, 1])), null],
    ]
    for (const [vector, code] of vectors) {
      await undisturbed(async () => {
        const peer = await YjsPeer.connect(relay.url, 'mallory', honest.sid)
        peer.send(step1(Y.encodeStateVector(vector)))
        if (code === null) {
          await peer.message('step2')
          await peer.close()
        } else {
          expect((await peer.ended()).code).toBe(code)
          expect(peer.received).toEqual([])
        }
      })
    }
  })
})

describe('a stranger who resumes from', () => {
  it.each(Object.keys(POINTS))('%s is answered as for what is not there', async (name) => {
    await undisturbed(async () => {
      const entry = { pending: true, ...point, ...POINTS[name]?.[0]() }
      const answers = []
      for (const document of [honest.sid, nobodysSid()]) {
        const peer = await NativePeer.connect(relay.url, 'stranger')
        const from = peer.received.length
        peer.say({ type: 'open', entries: [{ channel: 1, document, ...entry }] })
        await peer.frame('request')
        await peer.close()
        answers.push(Buffer.concat(peer.received.slice(from)))
      }
      expect(answers[0]).toEqual(answers[1])
    })
  })

  it('a state vector of a member’s is answered as for what is not there', async () => {
    const vector = Y.encodeStateVector(honest.bob.doc)
    await undisturbed(async () => {
      const answers = []
      for (const document of [honest.sid, nobodysSid()]) {
        const peer = await YjsPeer.connect(relay.url, 'stranger', document)
        peer.send(step1(vector))
        peer.send(step2(Uint8Array.of(0, 0)))
        answers.push({ closed: await peer.ended(), messages: peer.received })
      }
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]?.closed.code).toBe(CLOSE_CODES.absent)
    })
  })
})

it('none of it made the relay fail, and the members go on', async () => {
  await honest.alice.accepted(post('three'))
  await honest.reached(honest.alice)
  const next = await openDocument('native', relay.url, 'mallory', honest.sid)
  expect(next.bodies).toEqual(['one', 'two', 'three'])
  expect(relay.failures).toEqual([])
})
