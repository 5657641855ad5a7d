/** Who isn't a participant can't read, list, detect or write a conversation, by any route. */
import { randomBytes } from 'node:crypto'
import { Client, memory } from '@confab/client'
import {
  CHANNEL_USER,
  CLOSE_CODES,
  inviteHash,
  inviteSecretText,
  type Operation,
  outboxName,
  userDocument,
} from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { hostileUpdates } from '../packages/core/test/hostile-corpus.ts'
import { Witness } from './hostile/stage.ts'
import { createConversation } from './support/conversation.ts'
import { NativePeer, NOTHING } from './support/native-peer.ts'
import { memberSid, nobodysSid, operation, post } from './support/operations.ts'
import type { Closed, Peer } from './support/peer.ts'
import { ENDPOINTS, type Endpoint, openDocument, type Reader } from './support/reader.ts'
import { startRelay, type TestRelay, tokenFor } from './support/relay.ts'
import { step1, step2, updateMessage, YjsPeer } from './support/yjs-peer.ts'

const nonce = () => randomBytes(16).toString('hex')
const secret = () => inviteSecretText(new Uint8Array(randomBytes(32)))

/** What somebody may try to write to a conversation that isn't theirs. */
const ATTEMPTS: { [name: string]: () => Operation[] } = {
  nothing: () => [],
  'a message': () => [post('let me in')],
  'a join': () => [operation('conversation.join', {})],
  'a join, and messages behind it': () => [operation('conversation.join', {}), post('one'), post('two')],
  'a join with a forged invite': () => [operation('conversation.join', { invite: secret() })],
  'a join with a forged invite, and a message behind it': () => [
    operation('conversation.join', { invite: secret() }),
    post('hello'),
  ],
  'a creation over its sid': () => [operation('conversation.create', { nonce: nonce() })],
  'a creation over its sid, a join and a message': () => [
    operation('conversation.create', { nonce: nonce() }),
    operation('conversation.join', {}),
    post('mine'),
  ],
  'adding themselves': () => [operation('participant.add', { identity: 'mallory' })],
  'removing a member': () => [operation('participant.remove', { sid: `MB${'0'.repeat(32)}` })],
  'a new name': () => [operation('conversation.update', { friendlyName: 'mine now' })],
  'a deletion': () => [operation('conversation.delete', {})],
  'a read horizon': () => [operation('read.advance', { index: 0 })],
  'an invite of their own': () => [
    operation('invite.create', {
      hash: inviteHash(new Uint8Array(32)),
      roleSid: CHANNEL_USER,
      expiresAt: Date.now() + 60_000,
      maxUses: 1,
    }),
  ],
  'an operation that is none': () => [{ id: nonce(), type: 'message.post', body: 7 } as unknown as Operation],
}

/** All that a peer was told, as bytes. */
interface Transcript {
  messages: Uint8Array[]
  closed: Closed | null
}

const toBytes = (messages: Uint8Array[]) => Buffer.concat(messages)

function updateOf(identity: string, operations: readonly Operation[]): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = 77
  if (operations.length > 0) doc.getArray(outboxName(identity)).push([...operations])
  return Y.encodeStateAsUpdate(doc)
}

async function nativeAttempt(
  url: string,
  identity: string,
  document: string,
  operations: Operation[],
): Promise<Transcript> {
  const peer = await NativePeer.connect(url, identity)
  const welcomed = peer.received.length
  const open = (channel: number, clock: number) =>
    peer.say({
      type: 'open',
      entries: [{ channel, document, pending: true, epoch: 0, commitsId: clock && 99, clock }],
    })
  open(1, 0)
  await peer.frame('request', ({ channel }) => channel === 1)
  peer.say({ type: 'update', channel: 1, update: updateOf(identity, operations) })
  for (const { id } of operations) {
    await peer.frame('outcomes', ({ outcomes }) => outcomes.some((outcome) => outcome.id === id))
  }
  const awareness = new Awareness(new Y.Doc())
  awareness.setLocalState({ typing: true })
  peer.say({
    type: 'awareness',
    channel: 1,
    update: encodeAwarenessUpdate(awareness, [awareness.clientID]),
  })
  awareness.destroy()
  // once more, as one who claims to hold something of it
  peer.say({ type: 'close', channels: [1] })
  open(2, 3)
  await peer.frame('request', ({ channel }) => channel === 2)
  await peer.close()
  // what is told in one turn shares a message; the bytes of the frames are what counts
  return { messages: [toBytes(peer.received.slice(welcomed))], closed: null }
}

async function yjsAttempt(
  url: string,
  identity: string,
  document: string,
  operations: Operation[],
): Promise<Transcript> {
  const peer = await YjsPeer.connect(url, identity, document, true)
  peer.send(step1(Uint8Array.of(0)))
  await peer.message('step1')
  if (operations.length > 1) peer.send(updateMessage(updateOf(identity, operations.slice(0, 1))))
  peer.send(step2(updateOf(identity, operations)))
  const closed = await peer.ended()
  return { messages: peer.received, closed }
}

/** What a stranger is told after these bytes, until the connection ends or a join behind them was answered. */
async function strangerSays(
  endpoint: Endpoint,
  url: string,
  document: string,
  update: Uint8Array,
): Promise<Transcript> {
  const reader = await openDocument(endpoint, url, 'mallory', document)
  const from = reader.peer.received.length
  reader.upload(update)
  const last = { ...operation('conversation.join', {}), id: '0'.repeat(32) }
  reader.upload(updateOf('mallory', [last]))
  await reader.peer.when(() => reader.peer.closed ?? reader.outcomes.find(({ id }) => id === last.id))
  // at the stock endpoint the answer to a stranger is the end
  if (endpoint === 'yjs') await reader.peer.ended()
  const { closed } = reader.peer
  if (!closed) await reader.peer.close()
  return { messages: [toBytes(reader.peer.received.slice(from))], closed }
}

const attempt = { native: nativeAttempt, yjs: yjsAttempt } satisfies {
  [Name in Endpoint]: typeof nativeAttempt
}

describe('to somebody who is not a participant', () => {
  let relay: TestRelay
  let sid: string
  let alice: Reader
  let bob: Witness

  beforeAll(async () => {
    relay = await startRelay()
    const made = await createConversation(relay.url, ['alice', 'bob', 'eve'], { friendlyName: 'ours' })
    sid = made.sid
    alice = made.creator
    await alice.accepted(
      post('a secret between us'),
      operation('invite.create', {
        hash: inviteHash(new Uint8Array(32).fill(5)),
        roleSid: CHANNEL_USER,
        expiresAt: Date.now() + 60_000,
        maxUses: 1,
      }),
      operation('participant.remove', { sid: memberSid(sid, 'eve') }),
    )
    bob = await Witness.of(relay.url, 'bob', sid)
  })
  afterAll(() => relay?.close())

  describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
    describe.each(['mallory', 'eve'])('%s (eve was a member once)', (stranger) => {
      it.each(Object.keys(ATTEMPTS))(
        'a conversation of others answers %s as one that is not there, and is not changed',
        async (name) => {
          const operations = ATTEMPTS[name]?.() ?? []
          const before = await bob.bytes()
          const told = alice.peer.received.length
          const theirs = await attempt[endpoint](relay.url, stranger, sid, operations)
          const nobodys = await attempt[endpoint](relay.url, stranger, nobodysSid(), operations)
          expect(theirs).toEqual(nobodys)
          expect(toBytes(theirs.messages).includes('secret between')).toBe(false)
          if (endpoint === 'yjs') expect(theirs.closed?.code).toBe(CLOSE_CODES.absent)
          expect(await bob.bytes()).toEqual(before)
          expect(alice.peer.received.length).toBe(told)
        },
      )
    })

    it("the private documents of others look like nobody's, and can't be written", async () => {
      const operations = [post('into your directory')]
      const theirs = await attempt[endpoint](relay.url, 'mallory', userDocument('alice'), operations)
      const nobodys = await attempt[endpoint](relay.url, 'mallory', userDocument('nobody'), operations)
      expect(theirs).toEqual(nobodys)
      expect(toBytes(theirs.messages).includes(sid)).toBe(false)
    })
  })

  describe.each(ENDPOINTS)('a hostile update of a stranger over the %s endpoint', (endpoint) => {
    it('is answered as for what is not there, whatever client ids it names', async () => {
      const doc = await bob.look()
      const item = doc.getArray('messages')._start as Y.Item
      const known = {
        client: alice.doc.clientID,
        clock: Y.getState(alice.doc.store, alice.doc.clientID),
      }
      const rows = hostileUpdates({
        outbox: outboxName('mallory'),
        fresh: 99,
        own: { client: 98, clock: 1 },
        victim: { outbox: outboxName('alice'), ...known },
        messages: { client: item.id.client, clock: item.length },
        map: { root: 'participants', key: memberSid(sid, 'alice'), client: item.id.client, clock: 0 },
        operation: post('smuggled'),
      })
      const before = await bob.bytes()
      for (const { name, update } of rows) {
        if (update.length > 100_000 || /^the first \d+ bytes/.test(name)) continue
        const theirs = await strangerSays(endpoint, relay.url, sid, update)
        const nobodys = await strangerSays(endpoint, relay.url, nobodysSid(), update)
        expect(theirs, name).toEqual(nobodys)
      }
      expect(await bob.bytes()).toEqual(before)
    })
  })

  it("a profile is its owner's alone to change, whatever document it is tried through", async () => {
    const named = operation('user.update', { friendlyName: 'Alice' })
    const own = await openDocument('native', relay.url, 'alice', userDocument('alice'))
    await own.accepted(named)
    await own.peer.close()
    const attempts = () => [
      operation('user.update', { friendlyName: 'taken over' }),
      operation('user.update', { identity: 'alice', friendlyName: 'taken over' }),
    ]
    for (const document of ['profile/alice', userDocument('alice')]) {
      const there = await openDocument('native', relay.url, 'mallory', document)
      for (const outcome of await there.submit(...attempts())) expect(outcome.verdict).not.toBe('accepted')
      await there.peer.close()
    }
    const mallory = await openDocument('native', relay.url, 'mallory', userDocument('mallory'))
    const answers: unknown[] = []
    for (const identity of ['alice', 'nobody']) {
      const [outcome] = await mallory.submit(
        operation('user.update', { identity, friendlyName: 'taken over' }),
      )
      answers.push({ ...outcome, id: '' })
    }
    expect(answers[0]).toMatchObject({ verdict: 'refused', code: 20403 })
    expect(answers[0]).toEqual(answers[1])
    await mallory.peer.close()
    const profile = await openDocument('native', relay.url, 'bob', 'profile/alice')
    expect(profile.doc.getMap('profile').get('friendlyName')).toBe('Alice')
    await profile.peer.close()
  })

  it('a setting about a conversation of others is answered as one about none', async () => {
    const mallory = await openDocument('native', relay.url, 'mallory', userDocument('mallory'))
    const answers: unknown[] = []
    for (const conversationSid of [sid, nobodysSid()]) {
      const [outcome] = await mallory.submit(
        operation('setting.set', { conversationSid, notificationLevel: 'muted' }),
      )
      answers.push({ ...outcome, id: '' })
    }
    expect(answers[0]).toEqual(answers[1])
    await mallory.peer.close()
  })

  it('a member is told something else by the same questions, so these tests would see a difference', async () => {
    const members = await attempt.native(relay.url, 'bob', sid, [])
    const nobodys = await attempt.native(relay.url, 'bob', nobodysSid(), [])
    expect(members).not.toEqual(nobodys)
    expect(toBytes(members.messages).includes('secret between')).toBe(true)
  })

  it('who held a copy once learns nothing by showing how far it went', async () => {
    const eves = { client: 0, clock: 0 }
    const doc = await bob.look()
    const last = doc.getArray('commits')._start as Y.Item
    eves.client = last.id.client
    eves.clock = 1
    const vector = Y.encodeStateVector(new Map([[eves.client, eves.clock]]))
    const answers: Transcript[] = []
    for (const document of [sid, nobodysSid()]) {
      const peer = await YjsPeer.connect(relay.url, 'eve', document, true)
      peer.send(step1(vector))
      peer.send(step2(updateOf('eve', [])))
      const closed = await peer.ended()
      answers.push({ messages: peer.received, closed })
    }
    expect(answers[0]).toEqual(answers[1])
  })

  it('plain HTTP says the same of every sid', async () => {
    // the REST API asks who it is before it looks for anything
    const statuses = { '/yjs/': 404, '/v1/sync/': 401, '/': 404, '/v1/Conversations/': 401 }
    for (const [path, status] of Object.entries(statuses)) {
      const answers = []
      for (const name of [sid, nobodysSid()]) {
        const response = await fetch(relay.httpUrl + path + name)
        answers.push({ status: response.status, body: (await response.text()).replaceAll(name, 'sid') })
      }
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]?.status).toBe(status)
    }
  })

  it('their own list does not name it, and the SDK finds nothing by its sid', async () => {
    const mallory = new Client(await tokenFor('mallory'), { url: relay.url, storage: memory() })
    try {
      const connected = new Promise<void>((resolve) =>
        mallory.on('connectionStateChanged', (state) => {
          if (state === 'connected') resolve()
        }),
      )
      await connected
      expect((await mallory.getSubscribedConversations()).items).toEqual([])
      for (const name of [sid, nobodysSid()]) {
        await expect(mallory.getConversationBySid(name)).rejects.toMatchObject({ code: 20404 })
      }
    } finally {
      await mallory.shutdown()
    }
  })

  it('a real invite lets in, once', async () => {
    const join = () =>
      operation('conversation.join', { invite: inviteSecretText(new Uint8Array(32).fill(5)) })
    const guest = await openDocument('native', relay.url, 'guest', sid)
    await guest.accepted(join())
    expect(guest.bodies).toContain('a secret between us')
    const operations = [join()]
    const late = await attempt.native(relay.url, 'mallory', sid, operations)
    expect(late).toEqual(await attempt.native(relay.url, 'mallory', nobodysSid(), operations))
    await guest.peer.close()
  })

  it('none of it made the relay fail', () => expect(relay.failures).toEqual([]))
})

describe('a removal', () => {
  let relay: TestRelay
  beforeAll(async () => {
    relay = await startRelay()
  })
  afterAll(() => relay?.close())

  const AFTER = 'said after the removal'
  const holds = (peer: Peer, text: string) => toBytes(peer.received).includes(text)

  it.each(ENDPOINTS)('takes effect on a live %s connection at once: no byte follows', async (endpoint) => {
    const { sid, creator: alice } = await createConversation(relay.url, ['alice', 'bob', 'carol'])
    await alice.accepted(post('before'))
    const bob = await openDocument(endpoint, relay.url, 'bob', sid)
    const carol = await openDocument('native', relay.url, 'carol', sid)
    expect(bob.bodies).toEqual(['before'])
    // one update: the removal and what is said behind it are decided in one turn
    await alice.accepted(operation('participant.remove', { sid: memberSid(sid, 'bob') }), post(AFTER))
    await carol.peer.when(() => carol.bodies.includes(AFTER))
    if (endpoint === 'yjs') {
      expect((await bob.peer.ended()).code).toBe(CLOSE_CODES.absent)
    } else {
      const peer = bob.peer as NativePeer
      await peer.frame('absent')
      // everything that he asks now is answered as to a stranger
      const [refused] = await bob.submit(post('still here?'))
      expect(refused).toMatchObject({ verdict: 'later', code: 70201 })
      const from = peer.frames.findIndex(({ type }) => type === 'absent')
      expect(peer.frames.slice(from + 1).map(({ type }) => type)).toEqual(['outcomes'])
    }
    await alice.accepted(post(AFTER))
    await carol.peer.when(() => carol.bodies.filter((body) => body === AFTER).length === 2)
    expect(carol.bodies).not.toContain('still here?')
    expect(holds(carol.peer, AFTER)).toBe(true)
    expect(holds(bob.peer, AFTER)).toBe(false)

    const again = await NativePeer.connect(relay.url, 'bob')
    again.say({
      type: 'open',
      entries: [
        { channel: 1, document: sid, pending: false, ...NOTHING },
        { channel: 2, document: nobodysSid(), pending: false, ...NOTHING },
      ],
    })
    const { entries } = await again.frame('opened')
    expect(entries.map(({ status }) => status)).toEqual(['absent', 'absent'])
    expect(holds(again, AFTER)).toBe(false)
    await Promise.all([again.close(), alice.peer.close(), carol.peer.close()])
  })

  it('ends a reader who had just asked for the whole document', async () => {
    const { sid, creator: alice } = await createConversation(relay.url, ['alice', 'bob'])
    for (let i = 0; i < 50; i++) {
      const bob = await NativePeer.connect(relay.url, 'bob')
      bob.say({ type: 'open', entries: [{ channel: 1, document: sid, pending: false, ...NOTHING }] })
      const text = `${AFTER} ${i}`
      await alice.accepted(operation('participant.remove', { sid: memberSid(sid, 'bob') }), post(text))
      await bob.when(
        () =>
          bob.frames.some(({ type }) => type === 'absent') ||
          bob.frames.some(
            (frame) => frame.type === 'opened' && frame.entries.some(({ status }) => status === 'absent'),
          ),
      )
      expect(holds(bob, text)).toBe(false)
      await bob.close()
      await alice.accepted(operation('participant.add', { identity: 'bob' }))
    }
    expect(relay.failures).toEqual([])
  })
})
