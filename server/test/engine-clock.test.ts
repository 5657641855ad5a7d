/** What a relay does when somebody sets its clock. */
import { conversationSid, DEFAULT_LIMITS, type MessageRecord } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import type { EngineOptions } from '../src/commit/options.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, freshId, operation, post } from './support/device.ts'

const DAY = 86_400_000

function ground(options: Partial<EngineOptions> = {}) {
  const clock = { now: 1_700_000_000_000 }
  const store = openSqliteStore(':memory:')
  const start = () => createEngine({ store, now: () => clock.now, ...options })
  return { clock, store, start }
}

async function conversation(ada: Device, others: readonly string[] = []): Promise<string> {
  const nonce = freshId()
  const sid = conversationSid('ada', nonce)
  await ada.open(sid, true)
  await ada.submit(
    sid,
    operation('conversation.create', { nonce }),
    operation('conversation.join', {}),
    ...others.map((identity) => operation('participant.add', { identity })),
  )
  return sid
}

const messages = (device: Device, sid: string): MessageRecord[] =>
  (device.doc(sid).getArray('messages').toJSON() as MessageRecord[]).sort((a, b) => a.index - b.index)

describe.each([-DAY, DAY])('a clock that is set by %i ms', (jump) => {
  it('leaves messages dated in the order of their index, before and after a restart', async () => {
    const { clock, start } = ground()
    const engine = start()
    const ada = new Device(engine, 'ada')
    const sid = await conversation(ada)
    await ada.submit(sid, post('one'))
    clock.now += jump
    await ada.submit(sid, post('two'), post('three'))
    clock.now -= jump / 2
    await engine.drain()
    const again = new Device(start(), 'ada')
    await again.open(sid)
    await again.submit(sid, post('four'))
    const all = messages(again, sid)
    expect(all.map(({ body }) => body)).toEqual(['one', 'two', 'three', 'four'])
    const dates = all.map(({ dateCreated }) => dateCreated)
    expect(dates).toEqual([...dates].sort((a, b) => a - b))
    // the author's clock stays what the author said
    expect(all.map(({ dateWritten }) => dateWritten)).toEqual([5, 5, 5, 5])
  })

  it("doesn't keep a person waiting whose client ids make a new epoch due", async () => {
    const limits = { ...DEFAULT_LIMITS, outboxClients: 2 }
    const { clock, start, store } = ground({ limits, epochInterval: 60_000 })
    const engine = start()
    const ada = new Device(engine, 'ada')
    const sid = await conversation(ada)
    const epoch = async () => (await store.load(ada.principal.serviceSid, sid))?.head.epoch
    const devices = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const device = new Device(engine, 'ada')
        await device.open(sid)
        await device.submit(sid, post('from another device'))
      }
      await engine.idle()
    }
    await devices(3)
    expect(await epoch()).toBe(2)
    clock.now += jump
    await devices(3)
    expect(await epoch()).toBe(3)
  })
})

it('documents leave memory although the clock was set back', async () => {
  const timers: (() => void)[] = []
  const loads: string[] = []
  const { clock, store } = ground()
  const engine = createEngine({
    store: {
      ...store,
      load: (service, document) => {
        loads.push(document)
        return store.load(service, document)
      },
    },
    now: () => clock.now,
    after: (_, run) => {
      timers.push(run)
      return () => {}
    },
    idleAfter: 60_000,
  })
  const ada = new Device(engine, 'ada')
  const sid = await conversation(ada)
  clock.now -= DAY
  for (const run of timers.splice(0)) run()
  loads.length = 0
  await new Device(engine, 'ada').open(sid, true)
  expect(loads).toContain(sid)
})

it('a timer that was set before the clock was goes by the new time, and runs out once', async () => {
  const timers = new Set<{ delay: number; run: () => void }>()
  const { clock, start } = ground({
    after: (delay, run) => {
      const timer = { delay, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    idleAfter: 1e12,
  })
  const fire = async () => {
    const due = [...timers].filter(({ delay }) => delay < 1e12)
    for (const timer of due) {
      timers.delete(timer)
      timer.run()
    }
    await engine.idle()
    return due.map(({ delay }) => delay)
  }
  const engine = start()
  const ada = new Device(engine, 'ada')
  const sid = await conversation(ada)
  await ada.submit(sid, operation('conversation.update', { timers: { inactive: 'P2D' } }))
  const state = () => (ada.doc(sid).getMap('conversation').get('state') as { current: string })?.current
  // back: what was to come in two days comes in three; the relay looks once an hour
  clock.now -= DAY
  expect(await fire()).toEqual([3_600_000])
  expect(state()).not.toBe('inactive')
  // forward: it is found overdue within the hour
  clock.now += 3 * DAY
  expect(await fire()).toEqual([3_600_000])
  expect(state()).toBe('inactive')
  expect(await fire()).toEqual([])
})
