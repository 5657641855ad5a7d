/**
 * Whether "not yours" and "doesn't exist" can be told apart by time. Both are asked of one relay, interleaved in random
 * order, and the ranks of their answers' times are compared. The same is done with the answers of one kind, cut in two
 * at random, and with a difference that there is: what is seen must be of the size of the first, and far from the second.
 *
 * The relay is a process of its own with its database in a file, and the conversations of others are large, so that
 * whatever is done for one that exists shows.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inviteSecretText, type Operation, outboxName, userDocument } from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { nobodysSid, operation, post } from '../support/operations.ts'
import { type RelayProcess, runRelay } from '../support/relay-process.ts'
import { step1, YjsPeer } from '../support/yjs-peer.ts'
import { median, rankDistance } from './ranks.ts'

const SAMPLES = 2500
const CONVERSATIONS = 8
/** Deviations that chance alone passes once in fifteen thousand times. */
const BY_CHANCE = 4
/**
 * How far from a half the chance may be that one kind takes longer than the other. What is left of a difference
 * (docs/security.md has what was measured) is told by thousands of questions and not by one.
 */
const SMALL = 0.08

let relay: RelayProcess
let folder: string
const theirs: string[] = []
const nobodys = Array.from({ length: CONVERSATIONS }, nobodysSid)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'confab-'))
  relay = await runRelay({
    database: join(folder, 'relay.sqlite'),
    limits: { operationsPerSecond: 1e9, bytesPerSecond: 1e12, openDocuments: 100_000 },
  })
  for (let i = 0; i < CONVERSATIONS; i++) {
    const crowd = Array.from({ length: 100 }, (_, n) => `member ${n}`)
    const { sid, creator } = await createConversation(relay.url, ['alice', ...crowd], {
      friendlyName: 'ours',
    })
    await creator.accepted(...Array.from({ length: 100 }, (_, n) => post(`${n}`)))
    await creator.peer.close()
    theirs.push(sid)
  }
})
afterAll(async () => {
  await relay?.kill()
  rmSync(folder, { recursive: true })
})

/** Milliseconds from a question about a document to its answer. */
type Ask = (document: string) => Promise<number>

/** The time until a frame comes for which the test holds. */
function timed(peer: NativePeer, isAnswer: (type: string) => boolean, ask: () => void): Promise<number> {
  return new Promise((resolve) => {
    peer.onFrame = (frame) => {
      if (!isAnswer(frame.type)) return
      const at = performance.now()
      peer.frames.length = 0
      peer.received.length = 0
      resolve(at - from)
    }
    const from = performance.now()
    ask()
  })
}

async function opening(point: typeof NOTHING, identity = 'mallory'): Promise<Ask> {
  const peer = await NativePeer.connect(relay.url, identity)
  let channel = 0
  return async (document) => {
    channel++
    const time = await timed(
      peer,
      (type) => type === 'opened',
      () => peer.say({ type: 'open', entries: [{ channel, document, pending: false, ...point }] }),
    )
    peer.say({ type: 'close', channels: [channel] })
    return time
  }
}

async function uploading(documents: readonly string[], make: () => Operation[]): Promise<Ask> {
  const peer = await NativePeer.connect(relay.url, 'mallory')
  const channels = new Map(documents.map((document, i) => [document, i + 1]))
  for (const [document, channel] of channels) {
    await timed(
      peer,
      (type) => type === 'opened',
      () => peer.say({ type: 'open', entries: [{ channel, document, pending: false, ...NOTHING }] }),
    )
  }
  return (document) => {
    const doc = new Y.Doc()
    doc.clientID = 77
    doc.getArray(outboxName('mallory')).push(make())
    const update = Y.encodeStateAsUpdate(doc)
    return timed(
      peer,
      (type) => type === 'outcomes',
      () => peer.say({ type: 'update', channel: channels.get(document) as number, update }),
    )
  }
}

const guess = () => inviteSecretText(crypto.getRandomValues(new Uint8Array(32)))
const WAYS: {
  [name: string]: { pair: () => [string[], string[]]; ask: () => Promise<Ask>; samples?: number }
} = {
  'opening a conversation': { pair: () => [theirs, nobodys], ask: () => opening(NOTHING) },
  'resuming a conversation': {
    pair: () => [theirs, nobodys],
    ask: () => opening({ epoch: 1, commitsId: 99, clock: 5 }),
  },
  'posting to a conversation': {
    pair: () => [theirs, nobodys],
    ask: () => uploading([...theirs, ...nobodys], () => [post('let me in')]),
  },
  'joining by a guessed invite': {
    pair: () => [theirs, nobodys],
    ask: () =>
      uploading([...theirs, ...nobodys], () => [
        operation('conversation.join', { invite: guess() }),
        post('x'),
      ]),
  },
  'creating over a conversation': {
    pair: () => [theirs, nobodys],
    ask: () =>
      uploading([...theirs, ...nobodys], () => [
        operation('conversation.create', { nonce: '0123456789abcdef'.repeat(2) }),
      ]),
  },
  'opening a private document': {
    pair: () => [['alice'].map(userDocument), ['malle'].map(userDocument)],
    ask: () => opening(NOTHING),
  },
  'writing to a private document': {
    pair: () => [['alice'].map(userDocument), ['malle'].map(userDocument)],
    ask: () => uploading([userDocument('alice'), userDocument('malle')], () => [post('x')]),
  },
  'a state vector at the stock endpoint': {
    pair: () => [theirs, nobodys],
    samples: 1000,
    ask: async () => async (document) => {
      const peer = await YjsPeer.connect(relay.url, 'mallory', document)
      const from = performance.now()
      peer.send(step1(Uint8Array.of(0)))
      await peer.message('step1')
      const time = performance.now() - from
      peer.socket.terminate()
      return time
    },
  },
}

const half = () => Math.random() < 0.5

/** Asks about both in random order, after a while that nobody counts. */
async function compare(ask: Ask, [first, second]: [string[], string[]], samples: number) {
  const times: [number[], number[]] = [[], []]
  const any = (documents: string[]) => documents[Math.floor(Math.random() * documents.length)] as string
  for (let i = -200; i < 2 * samples; i++) {
    const kind = half() ? 0 : 1
    const time = await ask(any(kind === 0 ? first : second))
    if (i >= 0) times[kind].push(time)
  }
  const halves: [number[], number[]] = [[], []]
  for (const time of times[0]) halves[half() ? 0 : 1].push(time)
  return {
    seen: rankDistance(...times),
    control: rankDistance(...halves),
    medians: times.map((list) => Math.round(median(list) * 1000)),
  }
}

describe('the time of the answer tells nothing to who is no participant:', () => {
  it.each(Object.entries(WAYS))('%s', async (name, { pair, ask, samples = SAMPLES }) => {
    const { seen, control, medians } = await compare(await ask(), pair(), samples)
    const line = [seen, control].map(
      ({ chance, deviations }) => `${chance.toFixed(4)} (${deviations.toFixed(1)} deviations)`,
    )
    console.log(`${name}: ${line[0]}, of one kind ${line[1]}, medians ${medians.join(' and ')} µs`)
    expect(Math.abs(control.deviations)).toBeLessThan(BY_CHANCE)
    expect(Math.abs(seen.chance - 0.5)).toBeLessThan(SMALL)
  })

  it('and a difference that there is would be seen: a member’s own conversation', async () => {
    const { seen } = await compare(await opening(NOTHING, 'alice'), [theirs, nobodys], 500)
    expect(Math.abs(seen.chance - 0.5)).toBeGreaterThan(4 * SMALL)
  })
})
