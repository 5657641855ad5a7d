import { ConfabError, type Outcome } from '@confab/core'
import * as decoding from 'lib0/decoding'
import { describe, expect, it } from 'vitest'
import * as yjs from '../src/session/yjs-messages.ts'
import { YjsSession } from '../src/session/yjs-session.ts'
import { news } from './support/scripted-engine.ts'
import { ground } from './support/wire.ts'

const DOCUMENT = `CH${'0'.repeat(32)}`
const SYNC = ['step 1', 'step 2', 'update']

/** A message as a test says it: `step 2 0,1`, `awareness`, `100 [{…}]`. */
function said(message: Uint8Array): string {
  const decoder = decoding.createDecoder(message)
  const type = decoding.readVarUint(decoder)
  if (type === 0) {
    const kind = SYNC[decoding.readVarUint(decoder)]
    return `${kind} ${decoding.readVarUint8Array(decoder)}`
  }
  if (type === 1) return 'awareness'
  return `${type} ${decoding.readVarString(decoder)}`
}

function session(over: { outcomes?: boolean; token?: string } & Parameters<typeof ground>[0] = {}) {
  const on = ground(over)
  const stock = new YjsSession({
    ...on.options,
    document: DOCUMENT,
    token: over.token ?? 'alice',
    outcomes: over.outcomes ?? false,
  })
  const send = async (...messages: Uint8Array[]) => {
    for (const message of messages) stock.receive(message)
    await on.clock.turn()
  }
  const heard = () => on.wire.messages.splice(0).map(said)
  return { ...on, stock, send, heard }
}

const step1 = yjs.writeStep1(Uint8Array.of(0))
const step2 = yjs.writeStep2(Uint8Array.of(0, 0))
const member = (clock = 1, outcomes: Outcome[] = []) => ({
  status: 'news' as const,
  news: news(clock, outcomes),
  request: Uint8Array.of(9),
})
const accepted: Outcome = { id: 'a', verdict: 'accepted' }
const later: Outcome = { id: 'a', verdict: 'later', code: 70201, message: 'Not now' }

async function joined(over: Parameters<typeof session>[0] = {}) {
  const all = session(over)
  all.engine.onStateVector = () => member()
  await all.send(step1)
  all.heard()
  return all
}

describe('a participant at the stock endpoint', () => {
  it('is answered with everything above what they have, the last of it as step 2, and is asked for the rest', async () => {
    const { send, heard, engine } = session()
    engine.onStateVector = () => ({
      ...member(),
      news: { ...news(), updates: [Uint8Array.of(1), Uint8Array.of(2)] },
    })
    await send(step1)
    expect(heard()).toEqual(['update 1', 'step 2 2', 'step 1 9'])
  })

  it('who has everything is told that they are synced', async () => {
    const { send, heard, engine } = session()
    engine.onStateVector = () => ({ ...member(), news: { ...news(), updates: [] } })
    await send(step1)
    expect(heard()).toEqual(['step 2 0,0', 'step 1 9'])
  })

  it('uploads by step 2 and by update, in order, without one waiting for the other', async () => {
    const { send, engine } = await joined()
    const first = Promise.withResolvers<{ kind: 'taken'; outcomes: Outcome[] }>()
    engine.onUpload = () => first.promise
    await send(yjs.writeStep2(Uint8Array.of(1)), yjs.writeUpdate(Uint8Array.of(2)))
    expect(engine.uploads.map(({ update }) => [...update])).toEqual([[1], [2]])
  })

  it('hears updates and awareness, and no word that y-websocket doesn’t know', async () => {
    const { heard, engine, clock } = await joined()
    engine.subscriber?.changes(DOCUMENT, news(5, [accepted]))
    engine.subscriber?.awareness(DOCUMENT, Uint8Array.of(0))
    await clock.turn()
    expect(heard()).toEqual(['update 0,5', 'awareness'])
  })

  it('hears outcomes behind the update that they are about, when it asked for them', async () => {
    const { send, heard, engine, clock } = session({ outcomes: true })
    engine.onStateVector = () => member(3, [accepted])
    await send(step1)
    expect(heard()).toEqual([
      'step 2 0,3',
      `100 ${JSON.stringify([accepted])}`,
      `101 ${JSON.stringify(news(3).point)}`,
      'step 1 9',
    ])
    engine.subscriber?.changes(DOCUMENT, news(4, [accepted]))
    await clock.turn()
    expect(heard()).toEqual(['update 0,4', `100 ${JSON.stringify([accepted])}`])
    engine.onUpload = () => ({ kind: 'nack', error: new ConfabError(70602, 'Taken'), retryAfter: 0 })
    await send(step2)
    expect(heard()).toEqual(['102 {"code":70602,"message":"Taken","retryAfter":0}'])
  })

  it('is asked again for what an upload lacks', async () => {
    const { send, heard, engine, clock } = await joined()
    engine.onUpload = () => ({ kind: 'request', stateVector: Uint8Array.of(4) })
    await send(yjs.writeUpdate(Uint8Array.of(1)), yjs.writeUpdate(Uint8Array.of(2)))
    expect(heard()).toEqual(['step 1 4'])
    // somebody sets the clock back: a second stays a second
    clock.set(-86_400_000)
    await clock.advance(1000)
    expect(heard()).toEqual(['step 1 4'])
    await send(yjs.writeUpdate(Uint8Array.of(3)))
    await clock.advance(1000)
    expect(heard()).toEqual(['step 1 4'])
  })

  it('loses the document with their membership, and what waited to be sent with it', async () => {
    const { heard, engine, wire, clock } = await joined({ outcomes: true })
    engine.subscriber?.changes(DOCUMENT, news(5, [accepted]))
    engine.subscriber?.absent(DOCUMENT)
    await clock.turn()
    expect(heard()).toEqual([`100 ${JSON.stringify([accepted])}`])
    expect(wire.closed?.code).toBe(4404)
  })

  it('hears something at least every fifteen seconds, as y-websocket needs', async () => {
    const { heard, clock, stock } = await joined()
    for (let beat = 0; beat < 4; beat++) {
      await clock.advance(15_000)
      stock.heard('pong')
      expect(heard()).toEqual(['awareness'])
    }
  })

  const closings: [what: string, code: number, end: (on: Awaited<ReturnType<typeof joined>>) => unknown][] = [
    [
      'a dishonest update',
      4400,
      async ({ send, engine }) => {
        engine.onUpload = () => ({ kind: 'violation', message: 'no' })
        await send(step2)
      },
    ],
    [
      'a client id of somebody else',
      4409,
      async ({ send, engine }) => {
        engine.onUpload = () => ({ kind: 'nack', error: new ConfabError(70602), retryAfter: 0 })
        await send(step2)
      },
    ],
    [
      'a store that failed',
      4513,
      async ({ send, engine }) => {
        engine.onUpload = () => ({ kind: 'nack', error: new ConfabError(70502), retryAfter: 0 })
        await send(step2)
      },
    ],
    ['another epoch', 4410, ({ engine }) => engine.subscriber?.replaced(DOCUMENT, news())],
    [
      'another epoch, at a resync',
      4410,
      async ({ send, engine }) => {
        engine.onStateVector = () => ({ status: 'replaced' })
        await send(step1)
      },
    ],
    [
      'an expired token',
      4402,
      async ({ clock, stock }) => {
        for (let i = 0; i < 240; i++) {
          stock.heard('pong')
          await clock.advance(15_000)
        }
      },
    ],
    ['a text message', 4400, ({ stock }) => stock.receiveText()],
    ['an unknown message', 4400, ({ send }) => send(Uint8Array.of(2, 0))],
    ['an unknown sync message', 4400, ({ send }) => send(Uint8Array.of(0, 3, 0))],
    ['bytes left over', 4400, ({ send }) => send(Uint8Array.of(3, 0))],
    ['no message for two heartbeats', 4504, ({ clock }) => clock.advance(30_000)],
  ]
  for (const [what, code, end] of closings) {
    it(`is closed with ${code} over ${what}`, async () => {
      const all = await joined()
      await end(all)
      await all.clock.turn()
      expect(all.wire.closed?.code).toBe(code)
      expect(all.engine.calls.at(-1)).toBe('leave')
      expect(all.clock.timers).toBe(0)
    })
  }
})

describe('a stranger at the stock endpoint', () => {
  it('is asked for all they have, and told nothing else', async () => {
    const { send, heard, engine } = session()
    await send(step1)
    expect(heard()).toEqual(['step 1 0'])
    expect(engine.calls).toEqual([`state vector ${DOCUMENT}`])
  })

  it('goes on as a participant when what they have makes them one', async () => {
    const { send, heard, engine, wire } = session()
    await send(step1)
    heard()
    engine.onUpload = () => {
      engine.onStateVector = () => member()
      return { kind: 'taken', outcomes: [accepted] }
    }
    await send(step2)
    expect(heard()).toEqual(['step 2 0,1', 'step 1 9'])
    expect(wire.closed).toBeNull()
  })

  it('who is let in is shown the document, and then what became of their operations', async () => {
    const { send, heard, engine, clock } = session({ outcomes: true })
    await send(step1)
    heard()
    engine.onStateVector = () => member()
    engine.subscriber?.changes(DOCUMENT, news(1, [accepted]))
    await clock.turn()
    expect(heard()).toEqual([
      'step 2 0,1',
      `100 ${JSON.stringify([accepted])}`,
      `101 ${JSON.stringify(news(1).point)}`,
      'step 1 9',
    ])
  })

  it('who creates hears so behind the document: what they made is never gone in between', async () => {
    const { send, heard, engine } = session({ outcomes: true })
    await send(step1)
    heard()
    engine.onUpload = () => {
      engine.onStateVector = () => member()
      return { kind: 'taken', outcomes: [accepted] }
    }
    await send(step2)
    expect(heard().map((one) => one.slice(0, 6))).toEqual(['step 2', '100 [{', '101 {"', 'step 1'])
  })

  it('may have to be asked twice, when a keystroke comes before the rest', async () => {
    const { send, heard, engine, wire } = session()
    await send(step1)
    heard()
    engine.onUpload = () => ({ kind: 'request', stateVector: Uint8Array.of(0) })
    await send(yjs.writeUpdate(Uint8Array.of(1)))
    expect(heard()).toEqual(['step 1 0'])
    expect(wire.closed).toBeNull()
  })

  for (const [what, outcomes] of [
    ['nothing', []],
    ['an invite that is not good', [later]],
  ] as [string, Outcome[]][]) {
    it(`who has ${what} is closed with 4404`, async () => {
      const { send, heard, engine, wire } = session()
      await send(step1)
      heard()
      engine.onUpload = () => ({ kind: 'taken', outcomes })
      await send(step2)
      expect(heard()).toEqual([])
      expect(wire.closed).toEqual({ code: 4404, reason: 'Not found' })
    })
  }

  it('who says nothing is closed with 4404', async () => {
    const { send, wire, clock } = session()
    await send(step1)
    await clock.advance(10_000)
    expect(wire.closed).toEqual({ code: 4404, reason: 'Not found' })
  })

  it('sends no awareness on, and hears none', async () => {
    const { send, heard, engine, clock } = session()
    await send(step1)
    heard()
    await send(yjs.writeAwareness(Uint8Array.of(0)))
    engine.subscriber?.awareness(DOCUMENT, Uint8Array.of(0))
    await clock.turn()
    expect(heard()).toEqual([])
    expect(engine.calls).toEqual([`state vector ${DOCUMENT}`])
  })

  it('whose token isn’t trusted hears nothing of the document', async () => {
    const { send, wire, engine } = session({ token: 'mallory' })
    await send(step1)
    expect(wire.closed?.code).toBe(4401)
    expect(wire.messages).toEqual([])
    expect(engine.calls).toEqual(['leave'])
  })
})
