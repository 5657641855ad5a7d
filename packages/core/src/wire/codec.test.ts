import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_LIMITS } from '../limits.ts'
import type { Outcome } from '../operations.ts'
import { FRAMES_PER_MESSAGE, upBounds } from './bounds.ts'
import { decodeDown, decodeUp, encodeFrames, type Frame, FrameBatch, protocolLayout } from './codec.ts'
import type { DownFrame, ResumePoint, UpFrame } from './frames.ts'
import { PROTOCOL_VERSION } from './frames.ts'
import { ProtocolViolation } from './reader.ts'

const bounds = upBounds(DEFAULT_LIMITS)

const uint = fc.maxSafeNat()
const uint32 = fc.nat({ max: 0xffffffff })
const bytes = fc.uint8Array({ maxLength: 40 })
const hash = bytes.map((bytes) => Buffer.from(bytes).toString('base64url'))
// grapheme units: well-formed, with emoji and combining marks, and a BOM now and then
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.constant('\uFEFFx'))
const point: fc.Arbitrary<ResumePoint> = fc.record({ epoch: uint, commitsId: uint32, clock: uint })
const error = { code: uint, message: text }
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ id: text, verdict: fc.constant('accepted' as const) }),
  fc.record({
    id: text,
    verdict: fc.constant('accepted' as const),
    warnings: fc.array(fc.record(error), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ id: text, verdict: fc.constantFrom('refused' as const, 'later' as const), ...error }),
)
const outcomes = fc.array(outcome, { maxLength: 3 })
const updates = fc.array(bytes, { maxLength: 3 })
const named = <const Type extends Frame['type']>(type: Type) => fc.constant(type)

const upFrame: fc.Arbitrary<UpFrame> = fc.oneof(
  fc.record({ type: named('hello'), version: uint, token: text, agent: text }),
  fc.record({
    type: named('open'),
    entries: fc.array(
      fc.record({
        channel: uint32,
        document: text,
        epoch: uint,
        commitsId: uint32,
        clock: uint,
        pending: fc.boolean(),
      }),
      { maxLength: 5 },
    ),
  }),
  fc.record({ type: named('close'), channels: fc.array(uint32, { maxLength: 5 }) }),
  fc.record({ type: named('update'), channel: uint32, update: bytes }),
  fc.record({ type: named('awareness'), channel: uint32, update: bytes }),
  fc.record({ type: named('token'), token: text }),
  fc.record({ type: named('ping'), nonce: uint }),
  fc.record({ type: named('getPage'), channel: uint32, hash, deflate: fc.boolean() }),
)

const downFrame: fc.Arbitrary<DownFrame> = fc.oneof(
  fc.record({
    type: named('welcome'),
    version: uint,
    identity: text,
    accountSid: text,
    serviceSid: text,
    now: uint,
    expiresAt: uint,
    heartbeat: uint,
    limits: text,
  }),
  fc.record({
    type: named('opened'),
    entries: fc.array(
      fc.record({
        channel: uint32,
        status: fc.constantFrom(
          'current' as const,
          'changes' as const,
          'snapshot' as const,
          'absent' as const,
        ),
      }),
      { maxLength: 5 },
    ),
  }),
  fc.record({
    type: named('snapshot'),
    channel: uint32,
    replace: fc.boolean(),
    lost: fc.boolean(),
    point,
    updates,
    outcomes,
  }),
  fc.record({ type: named('changes'), channel: uint32, point, updates, outcomes }),
  fc.record({ type: named('outcomes'), channel: uint32, outcomes }),
  fc.record({ type: named('request'), channel: uint32, stateVector: bytes }),
  fc.record({ type: named('absent'), channel: uint32 }),
  fc.record({ type: named('awareness'), channel: uint32, update: bytes }),
  fc.record({ type: named('nack'), channel: uint32, ...error, retryAfter: uint }),
  fc.record({ type: named('tokenExpiring'), expiresAt: uint }),
  fc.record({ type: named('pong'), nonce: uint, now: uint }),
  fc.record({ type: named('page'), channel: uint32, hash, deflated: fc.boolean(), bytes }),
)

const violationOf = (read: () => unknown): ProtocolViolation => {
  try {
    read()
  } catch (error) {
    if (error instanceof ProtocolViolation) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('the codec', () => {
  it('reads back every frame of a client as it was', () => {
    fc.assert(
      fc.property(fc.array(upFrame, { minLength: 1, maxLength: 8 }), (frames) => {
        expect(decodeUp(encodeFrames(frames), bounds)).toEqual(frames)
      }),
    )
  })

  it('reads back every frame of a relay as it was', () => {
    fc.assert(
      fc.property(fc.array(downFrame, { minLength: 1, maxLength: 8 }), (frames) => {
        expect(decodeDown(encodeFrames(frames))).toEqual(frames)
      }),
    )
  })

  it('throws nothing but a violation for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
        for (const read of [() => decodeUp(noise, bounds), () => decodeDown(noise)]) {
          try {
            read()
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolViolation)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('throws nothing but a violation for a message with a byte changed, and never reads past a cut', () => {
    fc.assert(
      fc.property(upFrame, fc.nat(), fc.nat({ max: 255 }), (frame, at, byte) => {
        const message = encodeFrames([frame])
        const cut = message.subarray(0, at % message.length)
        expect(violationOf(() => decodeUp(cut, bounds)).code).toBe(70601)
        message[at % message.length] = byte
        try {
          decodeUp(message, bounds)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolViolation)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('has one encoding per message: what it reads, it would write', () => {
    fc.assert(
      fc.property(upFrame, fc.nat(), fc.nat({ max: 255 }), (frame, at, byte) => {
        const message = encodeFrames([frame])
        message[at % message.length] = byte
        let frames: UpFrame[]
        try {
          frames = decodeUp(message, bounds)
        } catch {
          return
        }
        expect(encodeFrames(frames)).toEqual(message)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a violation is', () => {
  const refused: [name: string, message: number[]][] = [
    ['an empty message', []],
    ['an empty frame', [0]],
    ['an unknown frame type', [1, 99]],
    ['a frame of the other direction', [2, 38, 1]],
    ['bytes left over in a frame', [3, 7, 1, 0]],
    ['half a frame', [5, 7]],
    ['a number in a longer form', [3, 7, 0x81, 0x00]],
    ['a number above 2^53', [10, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a channel above 2^32', [9, 4, 0x80, 0x80, 0x80, 0x80, 0x20, 1, 0, 0]],
    ['a count of 32 million in a few bytes', [6, 3, 0x80, 0xc8, 0xa1, 0x0f, 1]],
    ['a flag that is neither 0 nor 1', [8, 2, 1, 1, 0, 0, 0, 0, 2]],
    ['text that is not UTF-8', [4, 6, 2, 0xc3, 0x28]],
    ['an encoded lone surrogate', [5, 6, 3, 0xed, 0xa0, 0x80]],
  ]
  for (const [name, message] of refused) {
    it(name, () => {
      violationOf(() => decodeUp(Uint8Array.from(message), bounds))
    })
  }

  it('a token, a name, an update, a hash or a list beyond its bound', () => {
    const small = { token: 3, text: 3, update: 3, hash: 3, entries: 3 }
    const frames: UpFrame[] = [
      { type: 'token', token: 'four' },
      { type: 'hello', version: 1, token: '', agent: 'four' },
      { type: 'update', channel: 1, update: new Uint8Array(4) },
      { type: 'close', channels: [1, 2, 3, 4] },
      { type: 'getPage', channel: 1, hash: 'four', deflate: true },
    ]
    for (const frame of frames) {
      violationOf(() => decodeUp(encodeFrames([frame]), small))
      expect(decodeUp(encodeFrames([frame]), bounds)).toEqual([frame])
    }
  })

  it('more frames than one message may hold', () => {
    const ping = encodeFrames([{ type: 'ping', nonce: 1 }])
    const many = new Uint8Array(ping.length * (FRAMES_PER_MESSAGE + 1))
    for (let at = 0; at < many.length; at += ping.length) many.set(ping, at)
    violationOf(() => decodeUp(many, bounds))
    expect(decodeUp(many.subarray(ping.length), bounds)).toHaveLength(FRAMES_PER_MESSAGE)
  })
})

describe('a batch', () => {
  const update = (size: number): UpFrame => ({ type: 'update', channel: 1, update: new Uint8Array(size) })

  it('makes one message of everything that was added, and starts afresh', () => {
    const batch = new FrameBatch()
    expect(batch.isEmpty).toBe(true)
    batch.add(update(3))
    batch.add({ type: 'ping', nonce: 7 })
    expect(batch.isEmpty).toBe(false)
    const messages = batch.take()
    expect(messages.map((message) => decodeUp(message, bounds))).toEqual([
      [update(3), { type: 'ping', nonce: 7 }],
    ])
    expect(batch.isEmpty).toBe(true)
    expect(batch.take()).toEqual([])
  })

  it('begins another message where one would be larger than its receiver takes, in order', () => {
    const batch = new FrameBatch(100)
    const frames = [update(40), update(30), update(30), update(300), update(1)]
    for (const frame of frames) batch.add(frame)
    const messages = batch.take()
    expect(messages.map((message) => decodeUp(message, bounds).length)).toEqual([2, 1, 1, 1])
    expect(messages.flatMap((message) => decodeUp(message, bounds))).toEqual(frames)
  })

  it('begins another message after as many frames as one may hold', () => {
    const batch = new FrameBatch()
    for (let nonce = 0; nonce <= FRAMES_PER_MESSAGE; nonce++) batch.add({ type: 'ping', nonce })
    expect(batch.take().map((message) => decodeUp(message, bounds).length)).toEqual([FRAMES_PER_MESSAGE, 1])
  })

  it('refuses a number that the wire has no bytes for', () => {
    for (const nonce of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => new FrameBatch().add({ type: 'ping', nonce })).toThrow(RangeError)
    }
  })
})

it('a change of the wire is a change of its version', () => {
  const hash = createHash('sha256').update(protocolLayout()).digest('hex').slice(0, 16)
  // Another hash? Then raise PROTOCOL_VERSION in frames.ts, write docs/protocol.md, and pin both here.
  expect({ version: PROTOCOL_VERSION, hash }).toEqual({ version: 1, hash: '12a8f2a271d15622' })
})
