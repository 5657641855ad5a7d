import { DEFAULT_LIMITS, type DownFrame, decodeUp, encodeFrames, type UpFrame, upBounds } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { NativeSession } from './session.ts'

const HEARTBEAT = 30_000
const limits = { ...DEFAULT_LIMITS, updateBytes: 100 }

const welcome: DownFrame = {
  type: 'welcome',
  version: 1,
  identity: 'ada',
  accountSid: 'AC1',
  serviceSid: 'IS1',
  now: 1_700_000_000_000,
  expiresAt: 1_700_000_100_000,
  heartbeat: HEARTBEAT,
  limits: JSON.stringify(limits),
}
const point = { epoch: 1, commitsId: 7, clock: 3 }

const said = (session: NativeSession): UpFrame[] =>
  session.takeMessages().flatMap((message) => decodeUp(message, upBounds(DEFAULT_LIMITS)))

const hear = (session: NativeSession, frames: DownFrame[], now = 0) => {
  session.received(encodeFrames(frames), now)
  return session.takeEvents()
}

function welcomed(): NativeSession {
  const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
  said(session)
  hear(session, [welcome])
  return session
}

/** A session with CH1 on channel 1 and CH2 on channel 2. */
function opened(): NativeSession {
  const session = welcomed()
  session.open([
    { document: 'CH1', point, pending: false },
    { document: 'CH2', point, pending: true },
  ])
  said(session)
  return session
}

describe('greeting', () => {
  test('the first frame is hello with the token', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    expect(said(session)).toEqual([{ type: 'hello', version: 1, token: 'secret', agent: 'test/1' }])
    expect(session.takeMessages()).toEqual([])
  })

  test('the welcome tells the engine who it is', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    const { identity, accountSid, serviceSid, now, expiresAt } = welcome as Extract<
      DownFrame,
      { type: 'welcome' }
    >
    expect(hear(session, [welcome])).toEqual([
      { type: 'connected', welcome: { identity, accountSid, serviceSid, now, expiresAt, limits } },
    ])
  })

  test('nothing is said of documents before the welcome', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    said(session)
    session.open([{ document: 'CH1', point, pending: false }])
    session.update('CH1', new Uint8Array([0, 0]))
    session.setToken('other')
    expect(said(session)).toEqual([])
  })

  test('a relay that never says welcome is given up after 20 s, however much it says otherwise', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    session.tick(19_999)
    expect(session.givenUp).toBeNull()
    session.tick(session.nextTick)
    expect(session.givenUp).toMatchObject({ code: 4504 })
  })

  test('a relay of another version is given up for good', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    hear(session, [{ ...welcome, version: 2 } as DownFrame])
    expect(session.givenUp).toMatchObject({ code: 4426 })
  })
})

describe('documents', () => {
  test('any number of them open in one frame, each on a channel of its own', () => {
    const session = welcomed()
    session.open([
      { document: 'CH1', point, pending: false },
      { document: 'CH2', point, pending: true },
    ])
    expect(said(session)).toEqual([
      {
        type: 'open',
        entries: [
          { channel: 1, document: 'CH1', pending: false, ...point },
          { channel: 2, document: 'CH2', pending: true, ...point },
        ],
      },
    ])
  })

  test('one that is opened again keeps its channel, one that was closed gets a fresh one', () => {
    const session = opened()
    session.open([{ document: 'CH1', point, pending: false }])
    session.close(['CH2', 'CH9'])
    session.open([{ document: 'CH2', point, pending: false }])
    expect(said(session)).toMatchObject([
      { type: 'open', entries: [{ channel: 1, document: 'CH1' }] },
      { type: 'close', channels: [2] },
      { type: 'open', entries: [{ channel: 3, document: 'CH2' }] },
    ])
  })

  test('what the relay answers reaches the engine by the document’s name, in order', () => {
    const session = opened()
    const outcomes = [{ id: 'a', verdict: 'accepted' as const }]
    const updates = [new Uint8Array([1]), new Uint8Array([2])]
    expect(
      hear(session, [
        {
          type: 'opened',
          entries: [
            { channel: 1, status: 'current' },
            { channel: 2, status: 'changes' },
          ],
        },
        { type: 'changes', channel: 2, point, updates, outcomes },
        { type: 'request', channel: 2, stateVector: new Uint8Array([0]) },
        { type: 'snapshot', channel: 1, replace: true, lost: true, point, updates, outcomes: [] },
        { type: 'outcomes', channel: 1, outcomes },
        { type: 'awareness', channel: 1, update: new Uint8Array([9]) },
        { type: 'absent', channel: 1 },
        { type: 'nack', channel: 2, code: 70602, message: 'Taken', retryAfter: 5 },
        { type: 'tokenExpiring', expiresAt: 6 },
      ]),
    ).toEqual([
      { type: 'current', document: 'CH1' },
      { type: 'received', document: 'CH2', news: { replace: false, point, updates, outcomes } },
      { type: 'requested', document: 'CH2', stateVector: new Uint8Array([0]) },
      {
        type: 'received',
        document: 'CH1',
        news: { replace: true, lost: true, point, updates, outcomes: [] },
      },
      { type: 'outcomes', document: 'CH1', outcomes },
      { type: 'awareness', document: 'CH1', update: new Uint8Array([9]) },
      { type: 'absent', document: 'CH1' },
      { type: 'nack', document: 'CH2', error: { code: 70602, message: 'Taken', retryAfter: 5 } },
      { type: 'tokenExpiring', expiresAt: 6 },
    ])
  })

  test('an absent document can still be written to', () => {
    const session = opened()
    expect(hear(session, [{ type: 'opened', entries: [{ channel: 1, status: 'absent' }] }])).toEqual([
      { type: 'absent', document: 'CH1' },
    ])
    session.update('CH1', new Uint8Array([0, 0]))
    expect(said(session)).toEqual([{ type: 'update', channel: 1, update: new Uint8Array([0, 0]) }])
  })

  test('what arrives for a document that was closed meanwhile is dropped', () => {
    const session = opened()
    session.close(['CH1'])
    expect(hear(session, [{ type: 'absent', channel: 1 }])).toEqual([])
    expect(session.givenUp).toBeNull()
  })

  test('bytes that the engine gets are its own, not views of the message', () => {
    const session = opened()
    const message = encodeFrames([{ type: 'awareness', channel: 1, update: new Uint8Array([9]) }])
    session.received(message, 0)
    const [event] = session.takeEvents()
    message.fill(0)
    expect(event).toEqual({ type: 'awareness', document: 'CH1', update: new Uint8Array([9]) })
  })

  test('an update that is larger than the relay takes isn’t sent: the engine is told to split it', () => {
    const session = opened()
    session.update('CH1', new Uint8Array(101))
    expect(said(session)).toEqual([])
    expect(session.takeEvents()).toMatchObject([{ type: 'nack', document: 'CH1', error: { code: 70106 } }])
  })

  test('what is said in one turn leaves in one message', () => {
    const session = opened()
    for (let i = 0; i < 50; i++) session.update('CH1', new Uint8Array([0, 0]))
    session.awareness('CH2', new Uint8Array([0]))
    session.setToken('fresh')
    const messages = session.takeMessages()
    expect(messages).toHaveLength(1)
    expect(messages.flatMap((message) => decodeUp(message, upBounds(DEFAULT_LIMITS)))).toHaveLength(52)
  })
})

describe('silence', () => {
  test('the client pings after a heartbeat of silence, and gives up after another', () => {
    const session = welcomed()
    expect(session.nextTick).toBe(HEARTBEAT)
    session.tick(HEARTBEAT)
    expect(said(session)).toEqual([{ type: 'ping', nonce: 1 }])
    expect(session.nextTick).toBe(2 * HEARTBEAT)
    session.tick(2 * HEARTBEAT)
    expect(session.givenUp).toMatchObject({ code: 4504 })
  })

  test('anything heard is a sign of life', () => {
    const session = welcomed()
    session.tick(HEARTBEAT)
    hear(session, [{ type: 'pong', nonce: 1, now: 5 }], HEARTBEAT + 50)
    expect(session.nextTick).toBe(2 * HEARTBEAT + 50)
    session.tick(2 * HEARTBEAT)
    expect(session.givenUp).toBeNull()
  })

  test('a tick that comes late, from a device that slept, asks before it gives up', () => {
    const session = welcomed()
    session.tick(100 * HEARTBEAT)
    expect(session.givenUp).toBeNull()
    expect(said(session)).toEqual([{ type: 'ping', nonce: 1 }])
  })

  test('when the network may have changed, an answer must come within 5 s', () => {
    const session = welcomed()
    session.probe(1000)
    session.probe(2000)
    expect(said(session)).toMatchObject([{ type: 'ping' }, { type: 'ping' }])
    expect(session.nextTick).toBe(6000)
    session.tick(6000)
    expect(session.givenUp).not.toBeNull()
  })
})

describe('a relay that breaks the protocol', () => {
  test.each([
    ['bytes that are no frame', new Uint8Array([3, 99, 1, 1])],
    ['an empty message', new Uint8Array()],
    ['a second welcome', encodeFrames([welcome])],
  ])('%s: the connection is given up, and tried again later', (_, message) => {
    const session = welcomed()
    session.received(message, 0)
    expect(session.givenUp).toMatchObject({ code: 4513 })
  })

  test('another frame before the welcome: the same', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    hear(session, [{ type: 'pong', nonce: 1, now: 1 }])
    expect(session.givenUp).toMatchObject({ code: 4513 })
  })

  test('limits that are not JSON: the same', () => {
    const session = new NativeSession({ agent: 'test/1', token: 'secret', now: 0 })
    hear(session, [{ ...welcome, limits: '{' } as DownFrame])
    expect(session.givenUp).toMatchObject({ code: 4513 })
  })
})
