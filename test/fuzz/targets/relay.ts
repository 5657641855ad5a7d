/**
 * A relay on a socket. Mallory, a participant, says anything on either endpoint and below it; Alice and Bob must be
 * able to go on, and must see the same as somebody who comes anew. The relay must live, and keep nothing of it.
 */
import { isDeepStrictEqual } from 'node:util'
import { encodeFrames, NATIVE_PATH, RELAY_ROOTS, type UpFrame } from '@confab/core'
import * as Y from 'yjs'
import { type HostileContext, hostileUpdates } from '../../../packages/core/test/hostile-corpus.ts'
import { aimAt, Witness } from '../../hostile/stage.ts'
import { createConversation } from '../../support/conversation.ts'
import { NativePeer, NOTHING } from '../../support/native-peer.ts'
import { memberSid, operation, post } from '../../support/operations.ts'
import { ENDPOINTS, type Endpoint, openDocument, type Reader } from '../../support/reader.ts'
import { tokenFor } from '../../support/relay.ts'
import { awarenessMessage, step1, step2, updateMessage, YjsPeer } from '../../support/yjs-peer.ts'
import { Choices } from '../choices.ts'
import { damaged } from '../damage.ts'
import { RelayUnderFire } from '../relay-under-fire.ts'
import type { Stage } from '../stage.ts'
import { Finding, type Target } from '../target.ts'
import { bytesOfPlan, planOf } from '../update-plan.ts'
import { frameOf, presenceOf } from './wire.ts'

const ACTIONS = [
  'an honest post',
  'a damaged update',
  'an update by its grammar',
  'a damaged message',
  'any frame',
  'any bytes',
  'presence',
  'a text message',
  'raw WebSocket bytes',
  'HTTP',
  'a stranger',
  'Alice posts',
  'another connection',
] as const

/** Milliseconds after which somebody who waits waits in vain. Nothing is paced by it. */
const PATIENCE = 60_000
const EMPTY = Uint8Array.of(0)
const CHANNEL = 1

/** Aimed at the first document only, because making them takes long; plans aim at each. */
let hostile: readonly Uint8Array[] = []

class Fight {
  readonly choices: Choices
  readonly #fire: RelayUnderFire
  readonly trace: string[] = []
  #sid = ''
  #alice!: Reader
  #bob!: Reader
  #mallory!: Reader
  #endpoint: Endpoint = 'native'
  #aim!: HostileContext
  /** Above what other pings say. */
  #nonce = 2 ** 40

  constructor(choices: Choices, fire: RelayUnderFire) {
    this.choices = choices
    this.#fire = fire
  }

  get #url(): string {
    return this.#fire.relay.url
  }

  async begin(): Promise<void> {
    const { sid, creator } = await createConversation(this.#url, ['alice', 'bob', 'mallory'])
    this.#sid = sid
    this.#alice = creator
    await creator.accepted(post('good morning'), post('how are you?'))
    this.#bob = await openDocument('yjs', this.#url, 'bob', sid)
    await this.#bob.accepted(post('well'))
    this.#endpoint = this.choices.pick(ENDPOINTS)
    await this.#reconnect()
    await this.#mallory.accepted(post('mine'), post('mine, too'))
    await this.#alice.peer.when(() => this.#alice.bodies.length === 5, 'five messages')
    this.#aim = aimAt(this.#alice, this.#mallory, sid)
  }

  async #reconnect(): Promise<void> {
    this.#mallory = await openDocument(this.#endpoint, this.#url, 'mallory', this.#sid)
  }

  async act(): Promise<void> {
    const { choices } = this
    if (this.#mallory.peer.closed) await this.#reconnect()
    const action = choices.pick(ACTIONS)
    this.trace.push(action)
    const mallory = this.#mallory
    switch (action) {
      case 'an honest post':
        mallory.upload(mallory.write(post(`message ${choices.int(100)}`)))
        break
      case 'a damaged update':
        mallory.upload(this.#damaged(this.#update()))
        break
      case 'an update by its grammar':
        mallory.upload(bytesOfPlan(planOf(choices, this.#stage)))
        break
      case 'a damaged message':
        mallory.peer.send(this.#damaged(this.#message(this.#update())))
        break
      case 'any frame':
        mallory.peer.send(encodeFrames([this.#frame()]))
        break
      case 'any bytes':
        mallory.peer.send(choices.bytes(choices.int(40)))
        break
      case 'presence':
        mallory.sendAwareness(presenceOf(choices))
        break
      case 'a text message':
        if (!mallory.peer.closed) mallory.peer.socket.send('hello')
        break
      case 'raw WebSocket bytes':
        await this.#raw()
        break
      case 'HTTP':
        await this.#http()
        break
      case 'a stranger':
        await this.#stranger()
        break
      case 'Alice posts':
        await this.#alice.accepted(post('from Alice'))
        break
      case 'another connection':
        await this.#settled()
        this.#mallory.peer.socket.terminate()
        this.#endpoint = choices.pick(ENDPOINTS)
        await this.#mallory.peer.ended()
    }
  }

  /** All that Mallory has sent was taken, or her connection is gone. */
  async #settled(): Promise<void> {
    const { peer } = this.#mallory
    const heard = peer.received.length
    this.#nonce++
    if (peer instanceof NativePeer) peer.say({ type: 'ping', nonce: this.#nonce })
    else peer.send(Uint8Array.of(3))
    await peer.when(() => {
      if (peer.closed) return true
      if (peer instanceof NativePeer)
        return peer.frames.some(
          ({ type, ...rest }) => type === 'pong' && 'nonce' in rest && rest.nonce === this.#nonce,
        )
      return peer.received.length > heard
    })
  }

  get #stage(): Stage {
    const { own, fresh, victim, messages } = this.#aim
    const { doc } = this.#mallory
    const clocks = Y.decodeStateVector(Y.encodeStateVector(doc))
    return {
      updates: [],
      aim: this.#aim,
      clients: [
        own.client,
        fresh,
        (fresh ^ 1) >>> 0,
        (own.client ^ 1) >>> 0,
        7,
        victim.client,
        messages.client,
      ],
      knowledge: {
        outbox: this.#aim.outbox,
        clock: (client) => clocks.get(client) ?? 0,
        owner: () => null,
        room: 0,
      },
    }
  }

  #update(): Uint8Array {
    const { choices } = this
    if (choices.int(3) === 0) {
      if (hostile.length === 0)
        hostile = hostileUpdates(this.#aim).flatMap(({ update }) => (update.length < 3000 ? [update] : []))
      return choices.pick(hostile)
    }
    const doc = new Y.Doc()
    doc.clientID = choices.int(4) === 0 ? this.#aim.own.client : choices.int(2 ** 32)
    const outbox = doc.getArray(this.#aim.outbox)
    for (let left = 1 + choices.int(4); left > 0; left--)
      outbox.push([post(`message ${left}`), operation('read.advance', { index: left })])
    if (choices.int(2) === 0) outbox.delete(choices.int(outbox.length), 1)
    const update = Y.encodeStateAsUpdate(doc)
    doc.destroy()
    return update
  }

  #message(update: Uint8Array): Uint8Array {
    const { choices } = this
    if (this.#endpoint === 'yjs')
      return choices.pick([
        updateMessage(update),
        step2(update),
        step1(EMPTY),
        awarenessMessage(presenceOf(choices)),
      ])
    return encodeFrames([
      { type: 'ping', nonce: choices.int(1000) },
      { type: 'update', channel: CHANNEL, update },
      {
        type: 'open',
        entries: [
          {
            ...NOTHING,
            channel: CHANNEL,
            document: this.#sid,
            pending: true,
            commitsId: choices.int(99),
            clock: 1,
          },
        ],
      },
      { type: 'awareness', channel: CHANNEL, update: presenceOf(choices) },
    ])
  }

  #frame(): UpFrame {
    const { frame, isUp } = frameOf(this.choices)
    if (!isUp) return { type: 'ping', nonce: 1 }
    const up = frame as UpFrame
    // half of them on a channel that there is
    if ('channel' in up && this.choices.int(2) === 0) return { ...up, channel: CHANNEL }
    return up
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    return damaged(bytes, hostile, this.choices, 1 + this.choices.int(3))
  }

  /** Below the WebSocket: frames that `ws` would not write. */
  async #raw(): Promise<void> {
    const { choices } = this
    const peer = choices.int(2)
      ? await NativePeer.dial(this.#url)
      : await YjsPeer.connect(this.#url, 'mallory', this.#sid)
    const { _socket: socket } = peer.socket as unknown as { _socket: { write(bytes: Uint8Array): void } }
    const base = choices.pick([
      [0x82, 0x81, 1, 2, 3, 4, 5],
      [0x02, 0x80, 0, 0, 0, 0],
      [0x80, 0x80, 0, 0, 0, 0],
      [0x89, 0x80, 0, 0, 0, 0],
      [0x88, 0x82, 0, 0, 0, 0, 3, 232],
      [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0],
      [0x82, 0x03, 1, 2, 3],
      [0xc2, 0x80, 0, 0, 0, 0],
      [0x8f, 0x80, 0, 0, 0, 0],
    ])
    socket.write(damaged(Uint8Array.from(base), [], choices, choices.int(3)))
    peer.socket.close()
    // it may wait for the rest of a frame that never comes
    peer.socket.terminate()
    await peer.ended()
  }

  async #http(): Promise<void> {
    const { choices } = this
    const path = choices.pick([
      '/',
      '/health',
      NATIVE_PATH,
      `/yjs/${this.#sid}`,
      '/yjs/%ff',
      '/yjs/',
      '//',
      '*',
      '/v1/pages/x/y',
      `/v1/pages/${this.#sid}/abc`,
    ])
    const query = choices.pick([
      '',
      '?token=',
      '?token=%',
      `?token=${await tokenFor('mallory')}`,
      '?outcomes=1&token[]=1',
      '?',
    ])
    const upgrade = choices.pick([
      '',
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
      'Connection: Upgrade\r\nUpgrade: h2c\r\n',
      'Connection: Upgrade\r\nUpgrade: websocket\r\n',
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      'Expect: 100-continue\r\nContent-Length: 3\r\n',
      `Authorization: Bearer ${await tokenFor('mallory')}\r\n`,
      'Origin: null\r\nRange: bytes=0-\r\nIf-None-Match: *\r\n',
    ])
    const method = choices.pick(['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'CONNECT', 'TRACE', 'get'])
    const text = `${method} ${path}${query} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`
    const bytes = damaged(Buffer.from(text), [Buffer.from('\r\n\r\n')], choices, choices.int(4))
    const answer = await this.#fire.send(bytes)
    this.trace.push(
      `  ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}: ${JSON.stringify(answer.slice(0, 80))}`,
    )
    if (answer !== '' && !/^HTTP\/1\.1 (1|2|4|503)/.test(answer))
      throw new Finding('an answer that is none', answer)
    if (/\n\s+at |node:|\.ts:\d/.test(answer))
      throw new Finding('an answer that tells of our insides', answer)
  }

  /** Somebody who isn't in the conversation uploads the same. */
  async #stranger(): Promise<void> {
    const { choices } = this
    const eve = await openDocument(choices.pick(ENDPOINTS), this.#url, 'eve', this.#sid)
    const update = choices.int(2) ? bytesOfPlan(planOf(choices, this.#stage)) : this.#update()
    eve.upload(update)
    eve.sendAwareness(presenceOf(choices))
    if (eve.doc.store.clients.size > 0) throw new Finding('a stranger is shown something')
    eve.peer.socket.close()
    await eve.peer.ended()
  }

  /** The honest ones go on. */
  async judge(before: unknown): Promise<void> {
    if (!this.#mallory.peer.closed) await this.#settled()
    const [alice, bob] = [this.#alice, this.#bob]
    await alice.accepted(post('served'))
    const count = () => bob.bodies.filter((body) => body === 'served').length
    await bob.peer.when(() => count() === 1, "Alice's message at Bob's")
    await bob.accepted(post('served, too'))
    await alice.peer.when(() => alice.bodies.includes('served, too'), "Bob's message at Alice's")
    for (const [identity, reader] of [
      ['alice', alice],
      ['bob', bob],
    ] as const) {
      const witness = await Witness.of(this.#url, identity, this.#sid)
      const fresh = await witness.look()
      await witness.close()
      // who was there all along holds byte for byte what a newcomer gets
      expectSame(
        `${identity} and a newcomer: structs and deletions`,
        snapshotOf(reader.doc),
        snapshotOf(fresh),
      )
      expectSame(`${identity} and a newcomer: records`, recordsOf(reader.doc), recordsOf(fresh))
      expectSame(`what is not Mallory's at ${identity}'s`, this.others(reader.doc), before)
      if (reader.outbox.length > 0)
        throw new Finding('an operation is left undecided', reader.outbox.toJSON())
    }
    expectSame('Alice and Bob: records', recordsOf(alice.doc), recordsOf(bob.doc))
    const health = await fetch(`${this.#url.replace('ws', 'http')}/health`)
    if (!health.ok) throw new Finding('the relay says that it is not well', health.status)
  }

  /** What a participant who is no admin may never change. */
  others(doc = this.#alice.doc) {
    const messages = doc.getArray('messages').toJSON() as { author: string; body: string }[]
    const mine = new Set(['from Alice', 'served', 'served, too'])
    return {
      conversation: doc.getMap('conversation').toJSON(),
      participants: doc.getMap('participants').toJSON(),
      messages: messages.filter(({ author, body }) => author !== 'mallory' && !mine.has(body)),
      reads: (doc.getArray('reads').toJSON() as { participantSid: string }[]).filter(
        ({ participantSid }) => participantSid !== memberSid(this.#sid, 'mallory'),
      ),
      strange: [...doc.share.keys()].filter(
        (name) => !name.startsWith('outbox/') && !(name in RELAY_ROOTS.conversation),
      ),
      isComplete: doc.store.pendingStructs === null && doc.store.pendingDs === null,
    }
  }

  async end(): Promise<void> {
    for (const reader of [this.#alice, this.#bob, this.#mallory]) {
      reader?.peer.socket.terminate()
      await reader?.peer.ended()
      reader?.doc.destroy()
    }
  }
}

const snapshotOf = (doc: Y.Doc): string => Buffer.from(Y.encodeSnapshot(Y.snapshot(doc))).toString('hex')

const recordsOf = (doc: Y.Doc) =>
  Object.entries(RELAY_ROOTS.conversation).map(([name, type]) => [
    name,
    (type === 'map' ? doc.getMap(name) : doc.getArray(name)).toJSON(),
  ])

function expectSame(what: string, one: unknown, other: unknown): void {
  if (!isDeepStrictEqual(one, other)) throw new Finding(`not the same: ${what}`, { one, other })
}

let fire: RelayUnderFire | null = null
let lastTrace: string[] = []

async function play(input: Uint8Array): Promise<void> {
  if (!fire?.isAlive) fire = await RelayUnderFire.start()
  const fight = new Fight(new Choices(input), fire)
  lastTrace = fight.trace
  try {
    await fight.begin()
    const before = fight.others()
    while (!fight.choices.isSpent && fight.trace.length < 400) await fight.act()
    await fight.judge(before)
    await fire.expectWell()
  } catch (error) {
    // that it died says more than that somebody's connection ended
    if (!(error instanceof Finding)) await fire.expectWell()
    throw error
  } finally {
    await fight.end()
  }
}

export const relayTarget: Target = {
  name: 'relay',
  about:
    'a relay over sockets, both endpoints and HTTP: it lives, and its honest members go on and see the same',
  bytes: 250,
  sources: [],
  shrinkTries: 150,
  async run(input) {
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Finding('somebody waits in vain', lastTrace)), PATIENCE)
    try {
      await Promise.race([play(input), promise])
    } finally {
      clearTimeout(timer)
    }
  },
  describe: () => lastTrace.join('\n'),
  async close() {
    await fire?.kill()
    fire = null
  },
}
