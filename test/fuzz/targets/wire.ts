/** Everything else that is decoded from a stranger's bytes: frames, y-websocket's messages, awareness, names. */
import { isDeepStrictEqual } from 'node:util'
import * as encoding from 'lib0/encoding'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import {
  ConfabError,
  DEFAULT_LIMITS,
  decodeDown,
  decodeInvite,
  decodePage,
  decodeStateVector,
  decodeUp,
  encodeFrames,
  encodeInvite,
  encodePage,
  type Frame,
  type Json,
  type MessageRecord,
  ProtocolViolation,
  parseDocumentName,
  UpdateViolation,
  upBounds,
  type WireBounds,
} from '../../../packages/core/src/index.ts'
import { encodeStateVector } from '../../../packages/core/src/update/state-vector.ts'
import { Presence } from '../../../server/src/commit/presence.ts'
import type { Subscriber } from '../../../server/src/engine.ts'
import { routeOf } from '../../../server/src/gateway/routes.ts'
import {
  readYjsMessage,
  writeAwareness,
  writeStep1,
  writeStep2,
  writeUpdate,
} from '../../../server/src/session/yjs-messages.ts'
import { Choices, someText, someValue } from '../choices.ts'
import { damaged } from '../damage.ts'
import { Finding, type Target, toHex } from '../target.ts'

const BOUNDS = upBounds(DEFAULT_LIMITS)
/** So small that they are met. */
const SMALL = Object.fromEntries(Object.keys(BOUNDS).map((key) => [key, 8])) as unknown as WireBounds
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

/** What it reads; null when it throws the one error that it may. */
function orNull<T>(read: () => T, mayThrow: (error: unknown) => boolean): T | null {
  try {
    return read()
  } catch (error) {
    if (mayThrow(error)) return null
    throw error
  }
}

const isViolation = (error: unknown) => error instanceof ProtocolViolation && error.code === 70601

function frames(read: () => Frame[], message: Uint8Array): void {
  const taken = orNull(read, isViolation)
  if (!taken) return
  if (!same(encodeFrames(taken), message)) throw new Finding('a message with a second encoding', taken)
}

function yjsMessage(bytes: Uint8Array): void {
  const read = orNull(() => readYjsMessage(bytes, 4096), isViolation)
  if (!read) return
  const again =
    read.type === 'step1'
      ? writeStep1(read.stateVector)
      : read.type === 'awareness'
        ? writeAwareness(read.update)
        : read.type === 'queryAwareness'
          ? Uint8Array.of(3)
          : read.isAnswer
            ? writeStep2(read.update)
            : writeUpdate(read.update)
  if (!same(again, bytes)) throw new Finding('a message with a second encoding', read)
}

/** Of what the relay passes on, stock readers see the sender's own entries as they were, and nothing else. */
function awareness(updates: readonly Uint8Array[]): void {
  const presence = new Presence()
  const reader = new Awareness(new Y.Doc())
  reader.setLocalState(null)
  const people = ['mallory', 'ada'].map((identity) => ({ principal: { identity } }) as unknown as Subscriber)
  const [mallory, ada] = people as [Subscriber, Subscriber]
  const ids = new Map([
    [1, 'ada'],
    [2, 'mallory'],
  ])
  const ownerOf = (client: number) => ids.get(client)
  const told = presence.receive(
    ada,
    awarenessOf([
      [1, 1, '{"user":"ada"}'],
      [77, 3, '{}'],
    ]),
    ownerOf,
  )
  if (!told) throw new Finding('an honest entry was dropped')
  applyAwarenessUpdate(reader, told, null)
  for (const update of updates) {
    const news = presence.receive(mallory, update, ownerOf)
    if (!news) continue
    if (news.length > update.length + 16) throw new Finding('more is passed on than came')
    applyAwarenessUpdate(reader, news, null)
    for (const client of [1, 77]) {
      if (!reader.states.has(client)) throw new Finding("somebody else's presence is gone", { client })
      if (!isDeepStrictEqual(reader.states.get(client), client === 1 ? { user: 'ada' } : {}))
        throw new Finding("somebody else's presence is changed", reader.states.get(client))
    }
    for (const [client, state] of reader.states) {
      if (client > 0xffff_ffff) throw new Finding('presence of an impossible client id', { client })
      if (client !== 1 && client !== 77) expectOwn(state)
    }
    if (reader.states.size > 2 + 16) throw new Finding('more ids than one connection may have')
  }
  const everybody = presence.all(ada)
  const late = new Awareness(new Y.Doc())
  late.setLocalState(null)
  if (everybody) applyAwarenessUpdate(late, everybody, null)
  const theirs = [...reader.states].filter(([client]) => client !== 1 && client !== 77)
  const shown = [...late.states]
  if (!isDeepStrictEqual(new Map(theirs), new Map(shown)))
    throw new Finding('a newcomer sees other presence', { theirs, shown })
  const gone = presence.leave(mallory)
  if (gone) applyAwarenessUpdate(reader, gone, null)
  if (reader.states.size !== 2) throw new Finding('somebody who left is still here', [...reader.states])
  for (const one of [reader, late]) {
    one.destroy()
    one.doc.destroy()
  }
}

function expectOwn(state: Record<string, unknown>): void {
  if (state === null || typeof state !== 'object' || Array.isArray(state))
    throw new Finding('presence that is no object', state)
  const { identity, user } = state
  const claimed = [
    identity,
    typeof user === 'string' ? user : (user as { identity?: unknown } | null)?.identity,
  ]
  if (claimed.some((claim) => claim !== undefined && claim !== 'mallory'))
    throw new Finding('a forged presence', state)
}

const awarenessOf = (entries: readonly [client: number, clock: number, state: string][]): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length)
    for (const [client, clock, state] of entries) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, clock)
      encoding.writeVarString(encoder, state)
    }
  })

function stateVector(bytes: Uint8Array): void {
  const clocks = orNull(
    () => decodeStateVector(bytes, 100),
    (error) => error instanceof UpdateViolation,
  )
  if (!clocks) return
  if (!isDeepStrictEqual(clocks, Y.decodeStateVector(bytes)))
    throw new Finding('another state vector than Yjs reads')
  if (!isDeepStrictEqual(decodeStateVector(encodeStateVector(clocks), 100), clocks))
    throw new Finding('a state vector that is not written as it was read')
}

function invite(text: string): void {
  const read = orNull(
    () => decodeInvite(text),
    (error) => error instanceof ConfabError,
  )
  if (read && encodeInvite(read) !== text)
    throw new Finding('an invite with a second encoding', { text, read })
}

function names(text: string): void {
  const named = parseDocumentName(text)
  if (named && !text.endsWith(named.id)) throw new Finding('a name of something else', { text, named })
  routeOf(text)
  routeOf(`/yjs/${text}`)
}

const WRITERS = [writtenFrames, writtenPresence, writtenPage]

const READERS: readonly ((bytes: Uint8Array) => void)[] = [
  (bytes) => frames(() => decodeUp(bytes, BOUNDS), bytes),
  (bytes) => frames(() => decodeUp(bytes, SMALL), bytes),
  (bytes) => frames(() => decodeDown(bytes), bytes),
  yjsMessage,
  (bytes) => awareness([bytes]),
  stateVector,
  (bytes) => invite(Buffer.from(bytes).toString('latin1')),
  (bytes) => names(Buffer.from(bytes).toString()),
]

const NUMBERS = [0, 1, 127, 128, 2 ** 31, 2 ** 32 - 1]
const uint32 = (choices: Choices) => (choices.once(3) ? choices.int(2 ** 32) : choices.pick(NUMBERS))
const uint = (choices: Choices) => (choices.once(5) ? choices.pick([2 ** 32, 2 ** 53 - 1]) : uint32(choices))
const listOf = <T>(choices: Choices, make: () => T): T[] => Array.from({ length: choices.int(4) }, make)

/** A frame with anything in its fields. */
export function frameOf(choices: Choices): { frame: Frame; isUp: boolean } {
  const channel = uint32(choices)
  const text = () => someText(choices)
  const bytes = () => choices.bytes(choices.int(30))
  const bool = () => choices.int(2) === 1
  const point = { epoch: uint(choices), commitsId: uint32(choices), clock: uint(choices) }
  const outcome = () => {
    const id = text()
    const against = { code: uint(choices), message: text() }
    const warnings = listOf(choices, () => ({ code: uint(choices), message: text() }))
    return choices.pick([
      { id, verdict: 'accepted' as const, ...(warnings.length > 0 ? { warnings } : {}) },
      { id, verdict: 'refused' as const, ...against },
      { id, verdict: 'later' as const, ...against },
    ])
  }
  const news = () => ({ channel, point, updates: listOf(choices, bytes), outcomes: listOf(choices, outcome) })
  const up = (frame: Frame) => ({ frame, isUp: true })
  const down = (frame: Frame) => ({ frame, isUp: false })
  switch (choices.int(19)) {
    case 0:
      return up({ type: 'ping', nonce: uint(choices) })
    case 1:
      return up({ type: 'hello', version: uint(choices), token: text(), agent: 'a' })
    case 2: {
      const entry = () => ({
        channel: uint32(choices),
        document: 'CH',
        ...point,
        pending: choices.int(2) === 1,
      })
      return up({ type: 'open', entries: listOf(choices, entry) })
    }
    case 3:
      return up({ type: 'close', channels: listOf(choices, () => uint32(choices)) })
    case 4:
      return up({ type: 'update', channel, update: bytes() })
    case 5:
      return up({ type: 'awareness', channel, update: bytes() })
    case 6:
      return up({ type: 'token', token: text() })
    case 7: {
      const times = { now: uint(choices), expiresAt: uint(choices), heartbeat: uint(choices) }
      const who = { identity: text(), accountSid: text(), serviceSid: text(), limits: text() }
      return down({ type: 'welcome', version: 1, ...who, ...times })
    }
    case 8: {
      const status = () => choices.pick(['current', 'changes', 'snapshot', 'absent'] as const)
      return down({
        type: 'opened',
        entries: listOf(choices, () => ({ channel: uint32(choices), status: status() })),
      })
    }
    case 9:
      return down({ type: 'snapshot', replace: bool(), lost: bool(), ...news() })
    case 10:
      return down({ type: 'changes', ...news() })
    case 11:
      return down({ type: 'outcomes', channel, outcomes: listOf(choices, outcome) })
    case 12:
      return down({ type: 'request', channel, stateVector: bytes() })
    case 13:
      return down({ type: 'absent', channel })
    case 14:
      return down({ type: 'nack', channel, code: uint(choices), message: text(), retryAfter: uint(choices) })
    case 15:
      return down({ type: 'tokenExpiring', expiresAt: uint(choices) })
    case 16:
      return up({ type: 'getPage', channel, hash: text().slice(0, 10), deflate: bool() })
    case 17:
      return down({ type: 'page', channel, hash: text(), deflated: bool(), bytes: bytes() })
    default:
      return down({ type: 'pong', nonce: uint(choices), now: uint(choices) })
  }
}

/** Frames that mean something, read back as they were; then damaged. */
function writtenFrames(choices: Choices): void {
  const wounds = choices.int(3)
  const all = [frameOf(choices)]
  while (!choices.isSpent && all.length < 20) all.push(frameOf(choices))
  const direction = (isUp: boolean) => all.filter((one) => one.isUp === isUp).map(({ frame }) => frame)
  for (const isUp of [true, false]) {
    const written = direction(isUp)
    if (written.length === 0) continue
    const message = encodeFrames(written)
    const read = (bytes: Uint8Array) => (isUp ? decodeUp(bytes, BOUNDS) : decodeDown(bytes))
    const taken = orNull(() => read(message), isViolation)
    // a text beyond its bound
    if (taken && !taken.every((frame, at) => says(frame, written[at] as Frame)))
      throw new Finding('frames come out otherwise', { taken, written })
    if (!taken && !isUp) throw new Finding("a relay's frames are not read", written)
    const hurt = damaged(message, [], choices, wounds)
    frames(() => read(hurt), hurt)
  }
}

/** A page of history holds its messages as they were. */
function writtenPage(choices: Choices): void {
  const records: MessageRecord[] = []
  const maybe = <T>(make: () => T): T | undefined => (choices.int(2) === 1 ? make() : undefined)
  let index = 0
  while (!choices.isSpent && records.length < 30) {
    index += 1 + choices.int(3)
    const record = {
      sid: `IM${index}`,
      index,
      author: someText(choices),
      participantSid: maybe(() => someText(choices)),
      body: maybe(() => someText(choices)),
      attributes: maybe(() => someValue(choices) as Json),
      dateCreated: 1_700_000_000_000 + choices.int(99_999),
      dateWritten: maybe(() => uint(choices)),
      lastUpdatedBy: maybe(() => someText(choices)),
      restored: maybe(() => true as const),
    }
    records.push(Object.fromEntries(Object.entries(record).filter(([, one]) => one !== undefined)) as never)
  }
  const read = decodePage(encodePage(records))
  if (!isDeepStrictEqual(read, records)) throw new Finding('a page with other messages', { read, records })
}

/** Whether a frame says all that was written. */
const says = (frame: Frame, written: Frame): boolean =>
  Object.entries(written).every(([key, value]) => isDeepStrictEqual(frame[key as keyof Frame], value))

/** Presence with entries that mean something. */
function writtenPresence(choices: Choices): void {
  const updates: Uint8Array[] = []
  while (!choices.isSpent && updates.length < 10) updates.push(presenceOf(choices))
  awareness(updates)
}

/** An awareness update with entries that mean something, of one's own and of others. */
export function presenceOf(choices: Choices): Uint8Array {
  const entries = Array.from({ length: 1 + choices.int(4) }, (): [number, number, string] => [
    choices.once(4) ? uint(choices) : choices.pick([2, 1, 77, 3, 4, 5]),
    choices.once(9) ? uint(choices) : choices.int(6),
    choices.pick(STATES),
  ])
  const update = awarenessOf(entries)
  return choices.once(6) ? damaged(update, [], choices, 1) : update
}

const STATES = [
  '{}',
  'null',
  '{"user":"mallory"}',
  '{"user":"ada"}',
  '{"identity":"ada"}',
  '{"identity":"mallory","typing":true}',
  '{"user":{"identity":"ada"}}',
  '{"user":{"name":"Mallory"}}',
  '{"user":null}',
  '{"__proto__":{"identity":"ada"}}',
  '{"identity":"mallory","identity":"ada"}',
  '[]',
  '1',
  '',
  '{',
]

const KINDS = READERS.length + WRITERS.length

function describe(input: Uint8Array): string {
  return `reader ${(input[0] ?? 0) % KINDS}: ${toHex(input.subarray(1))}`
}

export const wireTarget: Target = {
  name: 'wire',
  about:
    "native frames, y-websocket's messages, awareness, state vectors, invites, names: read back or refused",
  bytes: 80,
  sources: [
    '/packages/core/src/wire/',
    '/server/src/',
    '/packages/core/src/invite',
    '/packages/core/src/update/state-v',
  ],
  seeds() {
    const reader = new Awareness(new Y.Doc())
    const secret = new Uint8Array(32).fill(7)
    const sid = 'ab'.repeat(16)
    const text = encodeInvite({
      conversationSid: `CH${sid}`,
      secret,
      expiresAt: 9,
      roleSid: `RL${sid}`,
      friendlyName: 'ä',
    })
    const seeds = [
      Uint8Array.of(
        0,
        ...encodeFrames([
          { type: 'ping', nonce: 300 },
          { type: 'close', channels: [1, 2] },
        ]),
      ),
      Uint8Array.of(4, ...encodeAwarenessUpdate(reader, [reader.clientID])),
      Uint8Array.of(5, ...Y.encodeStateVector(reader.doc)),
      Uint8Array.of(6, ...Buffer.from(text)),
      Uint8Array.of(7, ...Buffer.from('/yjs/user%2Fada?token=a&outcomes=1')),
    ]
    reader.destroy()
    return seeds
  },
  run(input) {
    const kind = (input[0] ?? 0) % KINDS
    const rest = input.slice(1)
    const reader = READERS[kind]
    if (reader) reader(rest)
    else WRITERS[kind - READERS.length]?.(new Choices(rest))
  },
  describe,
}
