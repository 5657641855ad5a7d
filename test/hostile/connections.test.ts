/** Hostile connections: bytes that are no frames, frames out of place, too much of everything, and sockets that don't read. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  CLOSE_CODES,
  encodeFrames,
  NATIVE_PATH,
  outboxName,
  PROTOCOL_VERSION,
  type UpFrame,
} from '@confab/core'
import * as encoding from 'lib0/encoding'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { NativePeer, NOTHING } from '../support/native-peer.ts'
import { nobodysSid, post } from '../support/operations.ts'
import { ENDPOINTS, openDocument, type Reader, resume } from '../support/reader.ts'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { step1, updateMessage, YjsPeer } from '../support/yjs-peer.ts'
import { Witness } from './stage.ts'

const hello = async (identity: string): Promise<UpFrame> => ({
  type: 'hello',
  version: PROTOCOL_VERSION,
  token: await tokenFor(identity),
  agent: 'test',
})
const open = (channel: number, document: string): UpFrame => ({
  type: 'open',
  entries: [{ channel, document, pending: false, ...NOTHING }],
})
/** Who never stops sending may be cut off before it can read why. */
const CUT_OFF: readonly number[] = [CLOSE_CODES.tooManyRequests, 1008, 1006]
const ping = encodeFrames([{ type: 'ping', nonce: 1 }])

let relay: TestRelay
let sid: string
let alice: Reader
let witness: Witness

beforeAll(async () => {
  // floods are read out of the live document
  relay = await startRelay({ sealing: false })
  const made = await createConversation(relay.url, ['alice', 'bob', 'mallory'])
  sid = made.sid
  alice = made.creator
  await alice.accepted(post('hello'))
  witness = await Witness.of(relay.url, 'bob', sid)
})
afterAll(() => relay?.close())

/** Nothing happened to anybody, and who comes next is served. */
async function expectUnharmed(before: Uint8Array): Promise<void> {
  expect(await witness.bytes()).toEqual(before)
  const next = await openDocument('native', relay.url, 'bob', sid)
  expect(next.bodies[0]).toBe('hello')
  await next.peer.close()
  expect(relay.failures).toEqual([])
}

describe('a native connection is closed', () => {
  /** Said by a stranger to the relay. */
  const unwelcome: { [name: string]: { code: number; say(peer: NativePeer): Promise<void> | void } } = {
    'for a document before hello': { code: 4400, say: (peer) => peer.say(open(1, sid)) },
    'for an update before hello': {
      code: 4400,
      say: (peer) => peer.say({ type: 'update', channel: 1, update: Uint8Array.of(0, 0) }),
    },
    'for a ping before hello': { code: 4400, say: (peer) => peer.send(ping) },
    'for a ping in front of hello': {
      code: 4400,
      say: async (peer) => peer.say({ type: 'ping', nonce: 1 }, await hello('mallory')),
    },
    'for no bytes at all': { code: 4400, say: (peer) => peer.send(new Uint8Array()) },
    'for noise': { code: 4400, say: (peer) => peer.send(new Uint8Array(randomBytes(5000))) },
    'for half a hello': {
      code: 4400,
      say: async (peer) => peer.send(encodeFrames([await hello('mallory')]).slice(0, 40)),
    },
    'for a token that nobody signed': {
      code: 4401,
      say: async (peer) => {
        const token = await tokenFor('mallory')
        const forged = token.slice(0, -4) + (token.endsWith('AAAA') ? 'BBBB' : 'AAAA')
        peer.say({ ...(await hello('mallory')), token: forged } as UpFrame)
      },
    },
    'for a version that there is not': {
      code: 4426,
      say: async (peer) => peer.say({ ...(await hello('mallory')), version: 99 } as UpFrame),
    },
  }
  it.each(Object.keys(unwelcome))('%s', async (name) => {
    const before = await witness.bytes()
    const peer = await NativePeer.dial(relay.url)
    await unwelcome[name]?.say(peer)
    expect((await peer.ended()).code).toBe(unwelcome[name]?.code)
    expect(peer.frames).toEqual([])
    await expectUnharmed(before)
  })

  /** Said by somebody who was welcomed. Each is a violation. */
  const said: { [name: string]: (peer: NativePeer) => Promise<void> | void } = {
    'for half a frame': (peer) => peer.send(encodeFrames([open(1, sid)]).slice(0, 20)),
    'for a frame and a half': (peer) => {
      const frame = encodeFrames([open(1, sid)])
      peer.send(Uint8Array.of(...frame, ...frame.slice(0, 20)))
    },
    'for bytes left over in a frame': (peer) => peer.send(Uint8Array.of(3, 7, 1, 0)),
    'for an unknown frame': (peer) => peer.send(Uint8Array.of(2, 99, 0)),
    "for a frame of the relay's": (peer) => peer.send(encodeFrames([{ type: 'absent', channel: 1 }])),
    'for a second hello': async (peer) => peer.say(await hello('alice')),
    'for text': (peer) => peer.socket.send('{"type":"open"}'),
    'for an update on no channel': (peer) =>
      peer.say({ type: 'update', channel: 9, update: Uint8Array.of(0, 0) }),
    'for presence on no channel': (peer) =>
      peer.say({ type: 'awareness', channel: 9, update: Uint8Array.of(0) }),
    'for one document on two channels': (peer) => peer.say(open(1, sid), open(2, sid)),
    'for two documents on one channel': (peer) => peer.say(open(1, sid), open(1, nobodysSid())),
    'for more frames in a message than there may be': (peer) =>
      peer.send(Buffer.concat(new Array(4097).fill(ping))),
    'for ten thousand opens in one frame': (peer) =>
      peer.say({
        type: 'open',
        entries: Array.from({ length: 10_000 }, (_, i) => ({
          channel: i,
          document: nobodysSid(),
          pending: true,
          ...NOTHING,
        })),
      }),
    'for a claim of 2^50 entries': (peer) =>
      peer.send(Uint8Array.of(9, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02)),
    'for a number in a longer form': (peer) => peer.send(Uint8Array.of(3, 7, 0x80, 0)),
  }
  it.each(Object.keys(said))('%s', async (name) => {
    const before = await witness.bytes()
    const peer = await NativePeer.connect(relay.url, 'mallory')
    await said[name]?.(peer)
    const { code, reason } = await peer.ended()
    expect(code).toBe(CLOSE_CODES.violation)
    expect(reason).not.toBe('')
    await expectUnharmed(before)
  })
})

describe('a y-websocket connection is closed', () => {
  const said: { [name: string]: (peer: YjsPeer) => void } = {
    'for no bytes at all': (peer) => peer.send(new Uint8Array()),
    'for an unknown message': (peer) => peer.send(Uint8Array.of(7, 0)),
    'for an unknown sync message': (peer) => peer.send(Uint8Array.of(0, 3, 0)),
    'for half a message': (peer) => peer.send(updateMessage(new Uint8Array(100)).slice(0, 50)),
    'for bytes left over': (peer) => peer.send(Uint8Array.of(...step1(Uint8Array.of(0)), 0)),
    'for text': (peer) => peer.socket.send('hello'),
    "for an outcome, which is the relay's to say": (peer) => peer.send(Uint8Array.of(100, 2, 91, 93)),
    'for a state vector that is none': (peer) => peer.send(step1(Uint8Array.of(5, 1, 1))),
    'for a state vector that claims 2^40 clients': (peer) =>
      peer.send(step1(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x20))),
  }
  it.each(Object.keys(said))('%s', async (name) => {
    const before = await witness.bytes()
    const peer = await YjsPeer.connect(relay.url, 'mallory', sid)
    said[name]?.(peer)
    expect((await peer.ended()).code).toBe(CLOSE_CODES.violation)
    await expectUnharmed(before)
  })

  it.each(['', 'nonsense', 'a.b.c'])('for the token %j', async (token) => {
    const peer = await NativePeer.dialPath(relay.url, `/yjs/${sid}?token=${token}`)
    expect((await peer.ended()).code).toBe(CLOSE_CODES.unauthenticated)
    expect(peer.received).toEqual([])
  })
})

describe('too much', () => {
  it('a message above the bound is not read: 1009', async () => {
    const before = await witness.bytes()
    const peer = await NativePeer.connect(relay.url, 'mallory')
    peer.send(new Uint8Array(64 * 1024 * 1024))
    // it may be cut off while it is still sending
    expect([1009, 1006]).toContain((await peer.ended()).code)
    await expectUnharmed(before)
  })

  it('a message in thousands of pieces ends the connection', async () => {
    const before = await witness.bytes()
    const peer = await NativePeer.connect(relay.url, 'mallory')
    for (let i = 0; i < 5000; i++) peer.socket.send(Uint8Array.of(0), { fin: false })
    expect([1008, 1006]).toContain((await peer.ended()).code)
    await expectUnharmed(before)
  })

  it.each(['native', 'yjs'] as const)(
    'tiny frames without end over the %s endpoint end the connection',
    async (endpoint) => {
      const before = await witness.bytes()
      const mallory = await openDocument(endpoint, relay.url, 'mallory', sid)
      const tiny = endpoint === 'native' ? ping : Uint8Array.of(3)
      for (let i = 0; i < 20_000; i++) mallory.peer.send(tiny)
      expect(CUT_OFF).toContain((await mallory.peer.ended()).code)
      await expectUnharmed(before)
    },
  )

  it.each(['ping', 'pong'] as const)('WebSocket %s frames without end', async (kind) => {
    const peer = await NativePeer.connect(relay.url, 'mallory')
    for (let i = 0; i < 20_000; i++) peer.socket[kind]()
    if (kind === 'ping') {
      expect(CUT_OFF).toContain((await peer.ended()).code)
    } else {
      // they cost nothing, and are taken
      peer.send(ping)
      await peer.frame('pong')
      await peer.close()
    }
  })

  it('documents beyond the bound are not opened, and who opens on and on is closed: 4529', async () => {
    const before = await witness.bytes()
    const peer = await NativePeer.connect(relay.url, 'mallory')
    for (let frame = 0; frame < 5; frame++) {
      const entries = Array.from({ length: 2000 }, (_, i) => ({
        channel: frame * 2000 + i,
        document: nobodysSid(),
        pending: true,
        ...NOTHING,
      }))
      peer.say({ type: 'open', entries })
    }
    expect((await peer.ended()).code).toBe(CLOSE_CODES.tooManyRequests)
    const opened = peer.frames.flatMap((frame) => (frame.type === 'opened' ? frame.entries : []))
    expect(opened.length).toBeLessThanOrEqual(2000)
    expect(new Set(opened.map(({ status }) => status))).toEqual(
      opened.length > 0 ? new Set(['absent']) : new Set(),
    )
    await expectUnharmed(before)
  })

  it('uploads beyond the budget are not taken, and what was acknowledged stands', async () => {
    const mallory = await openDocument('native', relay.url, 'mallory', sid)
    const sent: string[] = []
    while (sent.length < 6000) {
      const operation = post('flood')
      sent.push(operation.id)
      mallory.upload(mallory.write(operation))
    }
    expect(CUT_OFF).toContain((await mallory.peer.ended()).code)
    const accepted = mallory.outcomes.filter(({ verdict }) => verdict === 'accepted')
    expect(accepted.length).toBeLessThan(sent.length)
    const there = (await witness.look()).getArray('messages').toJSON() as { sid: string }[]
    const sids = new Set(there.map(({ sid }) => sid))
    for (const { id } of accepted) expect(sids.has(`IM${id}`)).toBe(true)
    await expectUnharmed(await witness.bytes())
  })
})

describe('half of a WebSocket frame', () => {
  /** A WebSocket connection of which only the handshake is done for us. */
  async function upgraded(url: string): Promise<Socket> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write(
      `GET ${NATIVE_PATH} HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    )
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toContain('101')
    return socket
  }

  it.each([
    [
      'a frame of a megabyte, of which ten bytes come',
      Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4, 9, 9, 9, 9, 9, 9]),
    ],
    ['half a header', Buffer.from([0x82])],
  ])('%s: the connection is given up, and the others are served', async (_, bytes) => {
    const hasty = await startRelay({ timing: { hello: 200 } })
    try {
      const socket = await upgraded(hasty.url)
      socket.write(bytes)
      // a close frame with 4504 comes, or the socket just ends
      const [said] = await once(socket, 'data')
      expect((said as Buffer).readUInt16BE(2)).toBe(CLOSE_CODES.silent)
      socket.destroy()
      const { creator } = await createConversation(hasty.url, ['alice'])
      await creator.accepted(post('served'))
    } finally {
      await hasty.close()
    }
  })

  it('a frame that claims 2^60 bytes is refused by its header', async () => {
    const socket = await upgraded(relay.url)
    socket.write(Buffer.from([0x82, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]))
    const [said] = await once(socket, 'data')
    expect([1009, 1002]).toContain((said as Buffer).readUInt16BE(2))
    socket.destroy()
    await expectUnharmed(await witness.bytes())
  })
})

describe('presence', () => {
  const presence = (...entries: [client: number, clock: number, state: object | null | string][]) =>
    encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, entries.length)
      for (const [client, clock, state] of entries) {
        encoding.writeVarUint(encoder, client)
        encoding.writeVarUint(encoder, clock)
        encoding.writeVarString(encoder, typeof state === 'string' ? state : JSON.stringify(state))
      }
    })

  it.each(['native', 'yjs'] as const)(
    'entries for other ids or identities are dropped over the %s endpoint, one own among them is shown',
    async (endpoint) => {
      const { sid, creator: alice } = await createConversation(relay.url, ['alice', 'bob', 'mallory'])
      await alice.accepted(post('hi'))
      const bob = await openDocument('native', relay.url, 'bob', sid)
      const mallory = await openDocument(endpoint, relay.url, 'mallory', sid)
      const awarenessId = 4_000_000_001
      alice.sendAwareness(presence([awarenessId, 5, { typing: true }]))
      await bob.peer.when(() => bob.presence.length === 1)
      const relayId = bob.doc.getArray('messages')._start?.id.client as number

      const attacks: [number, number, object | null | string][] = [
        // somebody's awareness id, and the client id of their outbox
        [awarenessId, 6, { typing: false }],
        [awarenessId, 999, null],
        [alice.doc.clientID, 1, { typing: true }],
        [relayId, 1, { typing: true }],
        // an id of one's own under another's name
        [41, 1, { identity: 'alice' }],
        [42, 1, { user: 'alice' }],
        [43, 1, { user: { identity: 'alice', typing: true } }],
        // no state, or none that is one's to have
        [44, 1, 'not JSON'],
        [45, 1, '"text"'],
        [46, 1, '[1]'],
        [47, 1, { text: 'x'.repeat(10_000) }],
        [2 ** 32, 1, { typing: true }],
        [2 ** 53 - 1, 1, { typing: true }],
      ]
      for (const attack of attacks) mallory.sendAwareness(presence(attack))
      mallory.sendAwareness(presence(...attacks, [48, 1, { typing: 'honestly' }]))
      mallory.sendAwareness(Uint8Array.of(3, 1))
      mallory.sendAwareness(new Uint8Array())
      await bob.peer.when(() => bob.presence.length === 2)
      expect(bob.presence[1]).toEqual(presence([48, 1, { typing: 'honestly' }]))
      // the victim goes on as if nothing had been
      alice.sendAwareness(presence([awarenessId, 6, { typing: false }]))
      await bob.peer.when(() => bob.presence.length === 3)
      expect(bob.presence[2]).toEqual(presence([awarenessId, 6, { typing: false }]))
      // an id seen in presence first is its owner's in documents, too
      const doc = new Y.Doc()
      doc.clientID = awarenessId
      doc.getArray(outboxName('mallory')).push([post('as alice')])
      mallory.upload(Y.encodeStateAsUpdate(doc))
      await mallory.peer.when(() => mallory.nacks.length > 0)
      expect(mallory.nacks).toEqual([70602])
      await alice.accepted(post('still here'))
      await bob.peer.when(() => bob.bodies.includes('still here'))
      expect(bob.bodies).toEqual(['hi', 'still here'])
      expect(bob.presence.length).toBe(3)
      expect(relay.failures).toEqual([])
    },
  )
})

describe('a socket that never reads', () => {
  it.each(ENDPOINTS)(
    'is cut off with 4508 over the %s endpoint while the others read on, and resumes from where it stands',
    async (endpoint) => {
      const small = await startRelay({
        sealing: false,
        limits: { sendBufferBytes: 256 * 1024, bytesPerSecond: 1e9, operationsPerSecond: 1e6 },
      })
      try {
        const { sid, creator: alice } = await createConversation(small.url, ['alice', 'bob', 'carol'])
        const carol = await openDocument('native', small.url, 'carol', sid)
        const bob = await openDocument(endpoint, small.url, 'bob', sid)
        // whoever is gone has their presence withdrawn: that is how the others learn of it
        bob.sendAwareness(Uint8Array.of(1, 7, 1, 2, 123, 125))
        await alice.peer.when(() => alice.presence.length === 1)
        bob.peer.socket.pause()
        let posts = 0
        const isGone = () => alice.presence.length > 1
        // the kernel's buffers take some megabytes first
        while (!isGone() && posts < 2000) {
          await alice.accepted(post(`${posts++} ${'x'.repeat(30_000)}`))
        }
        expect(isGone()).toBe(true)
        bob.peer.socket.resume()
        expect((await bob.peer.ended()).code).toBe(CLOSE_CODES.slowReader)
        expect(bob.doc.getArray('messages').length).toBeLessThan(posts)
        await carol.peer.when(() => carol.bodies.length === posts)

        const held = bob.doc.getArray('messages').length
        const again = await resume(bob, small.url)
        await again.peer.when(() => again.doc.getArray('messages').length === posts)
        // what it held wasn't sent again
        const resent = again.updates.reduce((sum, update) => sum + update.length, 0)
        expect(resent).toBeLessThan((posts - held + 5) * 31_000)
        const text = (doc: Y.Doc) => JSON.stringify(doc.getArray('messages').toJSON())
        expect(text(again.doc)).toBe(text(carol.doc))
        expect(small.failures).toEqual([])
      } finally {
        await small.close()
      }
    },
  )
})
