import { ConfabError, type DownFrame, decodeDown, encodeFrames, type UpFrame } from '@confab/core'
import { describe, expect, it } from 'vitest'
import type { OpenAnswer } from '../src/engine.ts'
import { NativeSession } from '../src/session/native-session.ts'
import type { Timing } from '../src/session/session.ts'
import { news } from './support/scripted-engine.ts'
import { ground } from './support/wire.ts'

const CH = (digit: number) => `CH${String(digit).padStart(32, '0')}`
const hello = (token = 'alice'): UpFrame => ({ type: 'hello', version: 1, token, agent: 'test' })
const entry = (channel: number, over: object = {}) => ({
  channel,
  document: CH(channel),
  epoch: 0,
  commitsId: 0,
  clock: 0,
  pending: false,
  ...over,
})
const open = (...channels: number[]): UpFrame => ({
  type: 'open',
  entries: channels.map((channel) => entry(channel)),
})
const update = (channel: number, size = 2): UpFrame => ({
  type: 'update',
  channel,
  update: new Uint8Array(size),
})

function session(overrides: Parameters<typeof ground>[0] = {}) {
  const on = ground(overrides)
  const native = new NativeSession(on.options)
  const taken: DownFrame[][] = []
  /** Frames since the last look, message by message. */
  const messages = () => {
    const fresh = on.wire.messages.splice(0).map((message) => decodeDown(message))
    taken.push(...fresh)
    return fresh
  }
  const frames = () => messages().flat()
  const send = async (...sent: UpFrame[]) => {
    native.receive(encodeFrames(sent))
    await on.clock.turn()
  }
  return { ...on, native, messages, frames, send }
}

async function ready(overrides: Parameters<typeof ground>[0] = {}, token = 'alice') {
  const all = session(overrides)
  await all.send(hello(token))
  expect(all.frames().map(({ type }) => type)).toEqual(['welcome'])
  return all
}

describe('a hello', () => {
  it('is answered with who one is, until when, and the limits', async () => {
    const { send, frames, clock } = session()
    await send(hello('alice@60'))
    const [welcome] = frames()
    expect(welcome).toMatchObject({
      type: 'welcome',
      identity: 'alice',
      now: clock.now(),
      expiresAt: clock.now() + 60_000,
    })
    expect(JSON.parse((welcome as { limits: string }).limits)).toHaveProperty('bodyBytes')
  })

  const refused: [what: string, frame: UpFrame, code: number][] = [
    ['of a stranger', hello('mallory'), 4401],
    ['with nothing for a token', hello(''), 4401],
    ['with a token that has expired', hello('alice@-1'), 4402],
    ['of another protocol version', { ...hello(), version: 2 } as UpFrame, 4426],
    ['that is no hello', { type: 'ping', nonce: 1 }, 4400],
  ]
  for (const [what, frame, code] of refused) {
    it(`${what} is closed with ${code} and not a byte more`, async () => {
      const { send, wire, clock } = session()
      await send(frame)
      expect(wire.closed?.code).toBe(code)
      expect(wire.messages).toEqual([])
      expect(clock.timers).toBe(0)
    })
  }

  it('must come within ten seconds', async () => {
    const { clock, wire } = session()
    await clock.advance(9999)
    expect(wire.closed).toBeNull()
    await clock.advance(1)
    expect(wire.closed?.code).toBe(4504)
  })

  it('is not said twice', async () => {
    const { send, wire } = await ready()
    await send(hello())
    expect(wire.closed?.code).toBe(4400)
  })

  it('gets "come back later" when authenticating breaks or takes too long', async () => {
    for (const authenticate of [
      () => Promise.reject(new Error('directory is down')),
      () => new Promise<never>(() => {}),
    ]) {
      const on = ground()
      const native = new NativeSession({ ...on.options, authenticate })
      native.receive(encodeFrames([hello()]))
      await on.clock.advance(10_000)
      expect(on.wire.closed?.code).toBe(4513)
    }
  })

  it('may be followed in the same message by what needs it', async () => {
    const { send, frames, engine } = session()
    await send(hello(), open(1), update(1))
    expect(frames().map(({ type }) => type)).toEqual(['welcome', 'opened'])
    expect(engine.calls).toEqual([`upload ${CH(1)}`, `open ${CH(1)}`])
  })
})

describe('opening', () => {
  it('answers a thousand resumed documents out of one question, in one message', async () => {
    const { send, messages, engine } = await ready()
    const entries = Array.from({ length: 1000 }, (_, at) => entry(at, { commitsId: 7, clock: 1 }))
    await send({ type: 'open', entries })
    expect(engine.openQueries.map((queries) => queries.length)).toEqual([1000])
    const [first, ...more] = messages()
    expect(first).toHaveLength(1)
    expect(first?.[0]).toMatchObject({ type: 'opened' })
    expect(more).toEqual([])
  })

  it('sends what each document has, and asks for what is pending', async () => {
    const { send, frames, engine } = await ready()
    const answers: { [document: string]: object } = {
      [CH(1)]: { status: 'current', request: null },
      [CH(2)]: { status: 'changes', news: news(5), request: Uint8Array.of(0) },
      [CH(3)]: { status: 'snapshot', replace: true, news: news(6), request: null },
      [CH(4)]: { status: 'absent', request: Uint8Array.of(0) },
    }
    engine.onOpen = ({ document }) => ({ document, ...answers[document] }) as OpenAnswer
    await send(open(1, 2, 3, 4))
    expect(frames()).toEqual([
      {
        type: 'opened',
        entries: [
          { channel: 1, status: 'current' },
          { channel: 2, status: 'changes' },
          { channel: 3, status: 'snapshot' },
          { channel: 4, status: 'absent' },
        ],
      },
      { type: 'changes', channel: 2, ...news(5) },
      { type: 'request', channel: 2, stateVector: Uint8Array.of(0) },
      { type: 'snapshot', channel: 3, replace: true, lost: false, ...news(6) },
      { type: 'request', channel: 4, stateVector: Uint8Array.of(0) },
    ])
  })

  it('holds what happens meanwhile back until the answer is out', async () => {
    const { send, frames, engine, clock } = await ready()
    const answer = Promise.withResolvers<OpenAnswer>()
    engine.onOpen = () => answer.promise
    await send(open(1))
    engine.subscriber?.changes(CH(1), news(2))
    await clock.turn()
    expect(frames()).toEqual([])
    answer.resolve({ document: CH(1), status: 'changes', news: news(1), request: null })
    await clock.turn()
    expect(frames().map((frame) => ('point' in frame ? frame.point.clock : frame.type))).toEqual([
      'opened',
      1,
      2,
    ])
  })

  it('shows nothing of a document that was lost while it was read, but for what became of one’s operations', async () => {
    const { send, frames, engine, clock } = await ready()
    const outcome = { id: 'a', verdict: 'accepted' as const }
    const answer = Promise.withResolvers<OpenAnswer>()
    engine.onOpen = () => answer.promise
    await send(open(1))
    engine.subscriber?.changes(CH(1), news(2))
    engine.subscriber?.absent(CH(1))
    answer.resolve({
      document: CH(1),
      status: 'changes',
      news: news(1, [outcome]),
      request: Uint8Array.of(0),
    })
    await clock.turn()
    expect(frames()).toEqual([
      { type: 'opened', entries: [{ channel: 1, status: 'absent' }] },
      { type: 'outcomes', channel: 1, outcomes: [outcome] },
      { type: 'absent', channel: 1 },
    ])
  })

  it('again on the same channel reads again from the new point', async () => {
    const { send, frames, engine } = await ready()
    await send(open(1))
    await send({ type: 'open', entries: [entry(1, { commitsId: 7, clock: 3 })] })
    expect(engine.calls).toEqual([`open ${CH(1)}`, `close ${CH(1)}`, `open ${CH(1)}`])
    expect(frames().map(({ type }) => type)).toEqual(['opened', 'opened'])
  })

  it('a document on two channels, or two documents on one, is a violation', async () => {
    for (const second of [entry(2, { document: CH(1) }), entry(1, { document: CH(2) })]) {
      const { send, wire } = await ready()
      await send(open(1))
      await send({ type: 'open', entries: [second] })
      expect(wire.closed?.code).toBe(4400)
    }
  })

  it('ends a subscription that came behind the back of a channel that was closed, or a connection that went', async () => {
    const { send, engine, clock } = await ready()
    const answer = Promise.withResolvers<OpenAnswer>()
    engine.onOpen = () => answer.promise
    await send(open(1))
    await send({ type: 'close', channels: [1] })
    expect(engine.calls).toEqual([`open ${CH(1)}`])
    answer.resolve({ document: CH(1), status: 'current', request: null })
    await clock.turn()
    expect(engine.calls).toEqual([`open ${CH(1)}`, `close ${CH(1)}`])

    const other = await ready()
    const late = Promise.withResolvers<OpenAnswer>()
    other.engine.onOpen = () => late.promise
    await other.send(open(1))
    other.native.ended()
    late.resolve({ document: CH(1), status: 'current', request: null })
    await other.clock.turn()
    expect(other.engine.calls).toEqual([`open ${CH(1)}`, 'leave', 'leave'])
  })

  it('more documents than the limit refuses those, and what is uploaded there', async () => {
    const { send, frames, engine, wire } = await ready({ limits: { openDocuments: 2 } })
    await send(open(1, 2))
    await send(open(3))
    await send(update(3))
    const [opened, ...nacks] = frames()
    expect(opened).toMatchObject({ entries: [{ channel: 1 }, { channel: 2 }] })
    expect(nacks).toMatchObject([
      { type: 'nack', channel: 3, code: 20429 },
      { type: 'nack', channel: 3, code: 20429 },
    ])
    expect(engine.uploads).toEqual([])
    await send({ type: 'close', channels: [1, 3] })
    await send(open(3))
    expect(frames()).toMatchObject([{ type: 'opened', entries: [{ channel: 3 }] }])
    await send(open(4, 5))
    await send(open(6))
    expect(wire.closed?.code).toBe(4529)
  })
})

describe('news', () => {
  it('of one turn leaves in one message', async () => {
    const { send, messages, engine, clock } = await ready()
    await send(open(1, 2))
    messages()
    engine.subscriber?.changes(CH(1), news(1))
    engine.subscriber?.awareness(CH(2), Uint8Array.of(0))
    engine.subscriber?.changes(CH(1), news(2))
    await clock.turn()
    const fresh = messages()
    expect(fresh).toHaveLength(1)
    expect(fresh[0]?.map(({ type }) => type)).toEqual(['changes', 'awareness', 'changes'])
  })

  it('that waits is taken back by a removal in the same turn', async () => {
    const { send, frames, engine, clock } = await ready()
    await send(open(1, 2))
    frames()
    const outcome = { id: 'a', verdict: 'accepted' as const }
    engine.subscriber?.changes(CH(1), news(1, [outcome]))
    engine.subscriber?.changes(CH(2), news(1))
    engine.subscriber?.awareness(CH(1), Uint8Array.of(0))
    engine.subscriber?.absent(CH(1))
    await clock.turn()
    expect(frames()).toEqual([
      { type: 'outcomes', channel: 1, outcomes: [outcome] },
      { type: 'changes', channel: 2, ...news(1) },
      { type: 'absent', channel: 1 },
    ])
  })

  it('of another epoch is a snapshot for a new document', async () => {
    const { send, frames, engine, clock } = await ready()
    await send(open(1))
    frames()
    engine.subscriber?.replaced(CH(1), news(1))
    await clock.turn()
    expect(frames()).toEqual([{ type: 'snapshot', channel: 1, replace: true, lost: false, ...news(1) }])
  })

  it('cuts a reader off that takes nothing, and tells it to resume', async () => {
    const { send, wire, engine, clock } = await ready({ limits: { sendBufferBytes: 1000 } })
    await send(open(1))
    wire.isReading = false
    const big = { ...news(1), updates: [new Uint8Array(600)] }
    engine.subscriber?.changes(CH(1), big)
    await clock.turn()
    expect(wire.closed).toBeNull()
    engine.subscriber?.changes(CH(1), big)
    await clock.turn()
    expect(wire.closed?.code).toBe(4508)
    expect(engine.calls.at(-1)).toBe('leave')
  })

  it('doesn’t cut a reader off over what it asked for itself, but reads on only as fast as it does', async () => {
    const { send, wire, engine, clock } = await ready({ limits: { sendBufferBytes: 1000 } })
    engine.onOpen = ({ document }) => ({
      document,
      status: 'snapshot',
      replace: false,
      news: { ...news(1), updates: [new Uint8Array(600)] },
      request: null,
    })
    wire.isReading = false
    await send(open(...Array.from({ length: 40 }, (_, at) => at)))
    expect(wire.closed).toBeNull()
    expect(engine.openQueries.map((queries) => queries.length)).toEqual([16])
    wire.read()
    await clock.turn()
    expect(engine.openQueries.map((queries) => queries.length)).toEqual([16, 16, 8])
  })

  it('that was asked for and is not read for a minute ends the connection', async () => {
    const { send, wire, engine, clock, native } = await ready({ limits: { sendBufferBytes: 1000 } })
    engine.onOpen = ({ document }) => ({
      document,
      status: 'snapshot',
      replace: false,
      news: { ...news(1), updates: [new Uint8Array(600)] },
      request: null,
    })
    wire.isReading = false
    await send(open(...Array.from({ length: 40 }, (_, at) => at)))
    await clock.advance(50_000)
    native.heard('pong')
    await clock.advance(10_000)
    expect(wire.closed?.code).toBe(4508)
  })
})

describe('an upload', () => {
  it('is answered with what became of it', async () => {
    const { send, frames, engine } = await ready()
    await send(open(1))
    frames()
    const later = { id: 'a', verdict: 'later' as const, code: 70201, message: 'Not now' }
    engine.onUpload = () => ({ kind: 'taken', outcomes: [later] })
    await send(update(1))
    engine.onUpload = () => ({ kind: 'nack', error: new ConfabError(70602), retryAfter: 0.5 })
    await send(update(1))
    engine.onUpload = () => ({ kind: 'request', stateVector: Uint8Array.of(1, 2, 3) })
    await send(update(1))
    expect(frames()).toEqual([
      { type: 'outcomes', channel: 1, outcomes: [later] },
      { type: 'nack', channel: 1, code: 70602, message: expect.any(String), retryAfter: 1 },
      { type: 'request', channel: 1, stateVector: Uint8Array.of(1, 2, 3) },
    ])
  })

  it('that lacks something is asked for at most once a second, and then for the newest', async () => {
    const { send, frames, engine, clock } = await ready()
    await send(open(1))
    frames()
    for (const byte of [1, 2, 3]) {
      engine.onUpload = () => ({ kind: 'request', stateVector: Uint8Array.of(byte) })
      await send(update(1))
    }
    expect(frames()).toMatchObject([{ type: 'request', stateVector: Uint8Array.of(1) }])
    await clock.advance(1000)
    expect(frames()).toMatchObject([{ type: 'request', stateVector: Uint8Array.of(3) }])
    await clock.advance(5000)
    expect(frames()).toEqual([])
  })

  it('that is dishonest closes the connection, and says why', async () => {
    const { send, engine, wire } = await ready()
    engine.onUpload = () => ({ kind: 'violation', message: `a GC struct ${'…'.repeat(100)}` })
    await send(open(1), update(1))
    expect(wire.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('a GC struct') })
    expect(new TextEncoder().encode(wire.closed?.reason).length).toBeLessThanOrEqual(123)
  })

  it('that the relay fails over closes the connection with "come back later"', async () => {
    const { send, engine, wire } = await ready()
    engine.onUpload = () => Promise.reject(new ConfabError(70502))
    await send(open(1), update(1))
    expect(wire.closed?.code).toBe(4513)
  })

  it('on a channel that is not open is a violation', async () => {
    const { send, wire } = await ready()
    await send(update(9))
    expect(wire.closed?.code).toBe(4400)
  })

  it('beyond the budget is put off, and beyond reason cut off', async () => {
    const { send, frames, engine, wire, clock } = await ready({ limits: { operationsPerSecond: 2 } })
    await send(open(1))
    frames()
    for (let i = 0; i < 25; i++) await send(update(1))
    const nacks = frames().filter((frame) => frame.type === 'nack')
    expect(engine.uploads.length).toBeLessThan(20)
    expect(nacks.length).toBe(25 - engine.uploads.length)
    expect(nacks[0]).toMatchObject({ code: 20429, retryAfter: expect.any(Number) })
    const taken = engine.uploads.length
    await clock.advance(10_000)
    await send(update(1))
    expect(engine.uploads.length).toBe(taken + 1)
    for (let i = 0; i < 60; i++) await send(update(1))
    expect(wire.closed?.code).toBe(4529)
  })

  it('of too many bytes is put off likewise', async () => {
    const { send, frames, engine } = await ready({ limits: { bytesPerSecond: 100 } })
    await send(open(1), update(1, 1500))
    await send(update(1, 1))
    expect(engine.uploads).toEqual([])
    expect(frames().filter((frame) => frame.type === 'nack')).toHaveLength(2)
  })
})

describe('a token', () => {
  const timing: Partial<Timing> = { heartbeat: 3_600_000 }

  it('is announced to end three minutes ahead, and cut off at its end', async () => {
    const { frames, wire, clock } = await ready({ timing }, 'alice@600')
    const expiresAt = clock.now() + 600_000
    await clock.advance(419_999)
    expect(frames()).toEqual([])
    await clock.advance(1)
    expect(frames()).toEqual([{ type: 'tokenExpiring', expiresAt }])
    await clock.advance(179_999)
    expect(wire.closed).toBeNull()
    await clock.advance(1)
    expect(wire.closed?.code).toBe(4402)
  })

  it('of a short life is announced halfway', async () => {
    const { frames, clock } = await ready({ timing }, 'alice@60')
    await clock.advance(30_000)
    expect(frames()).toMatchObject([{ type: 'tokenExpiring' }])
  })

  it('is replaced by another of the same identity, and the connection lives on', async () => {
    const { send, frames, wire, clock } = await ready({ timing }, 'alice@600')
    await clock.advance(420_000)
    await send({ type: 'token', token: 'alice@1200' })
    frames()
    await clock.advance(900_000)
    expect(wire.closed).toBeNull()
    expect(frames()).toEqual([])
    await clock.advance(300_000)
    expect(frames()).toMatchObject([{ type: 'tokenExpiring' }])
    expect(wire.closed?.code).toBe(4402)
  })

  it('of somebody else closes the connection, one that isn’t trusted too', async () => {
    for (const [token, code] of [
      ['bob', 4403],
      ['mallory', 4401],
      ['alice@-5', 4402],
    ] as const) {
      const { send, wire } = await ready()
      await send({ type: 'token', token })
      expect(wire.closed?.code).toBe(code)
    }
  })
})

describe('a connection', () => {
  it('answers pings with the relay’s clock', async () => {
    const { send, frames, clock } = await ready()
    await send({ type: 'ping', nonce: 99 })
    expect(frames()).toEqual([{ type: 'pong', nonce: 99, now: clock.now() }])
  })

  it('is pinged, and closed when nothing is heard for two heartbeats', async () => {
    const { native, wire, clock } = await ready()
    await clock.advance(30_000)
    expect(wire.pings).toBe(1)
    native.heard('pong')
    await clock.advance(30_000)
    expect(wire.closed).toBeNull()
    await clock.advance(30_000)
    expect(wire.closed?.code).toBe(4504)
  })

  it.each([-86_400_000, 86_400_000])('lives on when somebody sets the clock by %i ms', async (jump) => {
    const { native, send, frames, wire, clock } = await ready()
    clock.set(jump)
    await send({ type: 'ping', nonce: 1 })
    expect(frames()).toEqual([{ type: 'pong', nonce: 1, now: clock.now() }])
    await clock.advance(30_000)
    expect(wire.closed).toBeNull()
    native.heard('pong')
    await clock.advance(60_000)
    expect(wire.closed?.code).toBe(4504)
  })

  it('is closed with 4400 over a text message, or bytes that are no frames', async () => {
    const text = await ready()
    text.native.receiveText()
    expect(text.wire.closed?.code).toBe(4400)
    const noise = await ready()
    noise.native.receive(Uint8Array.of(200, 1))
    expect(noise.wire.closed?.code).toBe(4400)
  })

  it('applies nothing of a message that holds a malformed frame', async () => {
    const { native, wire, engine, clock } = await ready()
    const good = encodeFrames([open(1)])
    native.receive(Uint8Array.of(...good, 1, 99))
    await clock.turn()
    expect(wire.closed?.code).toBe(4400)
    expect(engine.calls).toEqual(['leave'])
  })

  it('sends what is queued before it closes, leaves the engine, and keeps no timer', async () => {
    const { send, native, frames, wire, engine, clock } = await ready()
    await send(open(1))
    frames()
    engine.subscriber?.changes(CH(1), news(1))
    native.close(4500, 'Restarting')
    expect(frames().map(({ type }) => type)).toEqual(['changes'])
    expect(wire.closed).toEqual({ code: 4500, reason: 'Restarting' })
    expect(engine.calls.at(-1)).toBe('leave')
    expect(clock.timers).toBe(0)
    await send(update(1))
    expect(engine.uploads).toEqual([])
  })
})
