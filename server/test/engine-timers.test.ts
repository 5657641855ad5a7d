import { type ConversationRecord, conversationSid, type Operation } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import type { EngineOptions } from '../src/commit/options.ts'
import type { Engine } from '../src/engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { Store } from '../src/store/store.ts'
import { Device, freshId, operation, post } from './support/device.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** A relay in virtual time, which can stop and start again on the same store. */
class TimedRelay {
  readonly store = openSqliteStore(':memory:')
  readonly loads: string[] = []
  now = 1_700_000_000_000
  engine: Engine
  readonly #options: Partial<EngineOptions>
  #timers = new Map<object, { at: number; run: () => void }>()

  constructor(options: Partial<EngineOptions> = {}) {
    this.#options = options
    this.engine = this.#start()
  }

  /** Timers that the engine waits for, beside the one that lets documents leave memory. */
  get timers(): number[] {
    return [...this.#timers.values()].map(({ at }) => at - this.now)
  }

  #start(): Engine {
    const store: Store = {
      ...this.store,
      load: (service, document) => {
        this.loads.push(document)
        return this.store.load(service, document)
      },
    }
    return createEngine({
      store,
      now: () => this.now,
      after: (milliseconds, run) => {
        const timer = {}
        this.#timers.set(timer, { at: this.now + milliseconds, run })
        return () => this.#timers.delete(timer)
      },
      // never in these tests: documents leave memory by a restart
      idleAfter: 1e12,
      ...this.#options,
    })
  }

  /** Time passes; what falls due is done. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds
    for (;;) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)
      if (!next || next[1].at > end) break
      this.#timers.delete(next[0])
      this.now = next[1].at
      next[1].run()
      await this.engine.idle()
    }
    this.now = end
    await this.engine.idle()
  }

  /** The relay is down for so long. */
  async restart(downFor: number): Promise<void> {
    await this.engine.drain()
    this.#timers.clear()
    this.now += downFor
    this.loads.length = 0
    this.engine = this.#start()
    await this.engine.idle()
  }
}

async function timed(relay: TimedRelay, timers: { inactive?: string; closed?: string }) {
  const ada = new Device(relay.engine, 'ada')
  const nonce = freshId()
  const sid = conversationSid('ada', nonce)
  await ada.open(sid, true)
  await ada.submit(
    sid,
    operation('conversation.create', { nonce, timers }),
    operation('conversation.join', {}),
  )
  return { ada, sid }
}

const stateOf = (device: Device, sid: string): string =>
  (device.doc(sid).getMap('conversation').get('state') as ConversationRecord['state'])?.current ?? 'active'
const update = (draft: Partial<Extract<Operation, { type: 'conversation.update' }>>) =>
  operation('conversation.update', draft)

describe('a conversation with timers', () => {
  it('becomes inactive after so long without a message, and is closed after so long as that', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { inactive: 'PT1H', closed: 'PT10M' })
    await relay.pass(10 * MINUTE - 1)
    expect(stateOf(ada, sid)).toBe('active')
    await relay.pass(1)
    expect(stateOf(ada, sid)).toBe('closed')

    const both = await timed(relay, { inactive: 'PT1M', closed: 'PT10M' })
    await relay.pass(MINUTE)
    expect(both.ada.doc(both.sid).getMap('conversation').get('state')).toEqual({
      current: 'inactive',
      dateUpdated: relay.now,
    })
    // counted from the change of state
    await relay.pass(10 * MINUTE - 1)
    expect(stateOf(both.ada, both.sid)).toBe('inactive')
    await relay.pass(1)
    expect(stateOf(both.ada, both.sid)).toBe('closed')
    await relay.pass(HOUR)
    expect(await relay.store.transitions(9)).toEqual([])
  })

  it('is kept active by messages, and woken by one', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { inactive: 'PT5M' })
    for (let i = 0; i < 4; i++) {
      await relay.pass(4 * MINUTE)
      await ada.submit(sid, post(`${i}`))
    }
    expect(stateOf(ada, sid)).toBe('active')
    await relay.pass(5 * MINUTE)
    expect(stateOf(ada, sid)).toBe('inactive')
    await ada.submit(sid, post('hello?'))
    expect(stateOf(ada, sid)).toBe('active')
    await relay.pass(5 * MINUTE)
    expect(stateOf(ada, sid)).toBe('inactive')
  })

  it('takes no message once a timer has closed it: the author is told why', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { closed: 'PT10M' })
    await ada.submit(sid, post('in time'))
    await relay.pass(10 * MINUTE)
    expect(await ada.submit(sid, post('too late'))).toMatchObject([{ verdict: 'refused', code: 50382 }])
    expect(ada.bodies(sid)).toEqual(['in time'])
  })

  it('goes by its timers as they are now: shorter, longer, removed', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { inactive: 'PT1H' })
    await relay.pass(30 * MINUTE)
    await ada.submit(sid, update({ timers: { inactive: 'PT1M' } }))
    await relay.pass(MINUTE)
    expect(stateOf(ada, sid)).toBe('inactive')
    await ada.submit(sid, update({ state: 'active' }))
    await ada.submit(sid, update({ timers: { inactive: 'PT2H' } }))
    await relay.pass(2 * HOUR - 1)
    expect(stateOf(ada, sid)).toBe('active')
    await ada.submit(sid, update({ timers: {} }))
    await relay.pass(100 * HOUR)
    expect(stateOf(ada, sid)).toBe('active')
    expect(await relay.store.transitions(9)).toEqual([])
  })

  it('that is deleted is forgotten', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { inactive: 'PT1H' })
    await ada.submit(sid, operation('conversation.delete', {}))
    expect(await relay.store.transitions(9)).toEqual([])
    await relay.pass(2 * HOUR)
  })

  it('stays as it is when a message arrives in the very turn in which its time is up', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { inactive: 'PT1M' })
    relay.now += MINUTE
    const posted = ada.submit(sid, post('just in time'))
    await Promise.all([posted, relay.pass(0)])
    expect(stateOf(ada, sid)).toBe('active')
    await relay.pass(MINUTE)
    expect(stateOf(ada, sid)).toBe('inactive')
  })
})

describe('timers and the relay', () => {
  it('one timer waits for the soonest of all', async () => {
    const relay = new TimedRelay({ idleAfter: 1e13 })
    await timed(relay, { inactive: 'PT3H' })
    await timed(relay, { inactive: 'PT1H' })
    await timed(relay, { inactive: 'PT2H' })
    expect(relay.timers.filter((left) => left < 1e12)).toEqual([HOUR])
  })

  it('what fell due while the relay was down is done when it starts; what is not due is not even loaded', async () => {
    const relay = new TimedRelay()
    const soon = await timed(relay, { inactive: 'PT1M', closed: 'PT10M' })
    const later = await timed(relay, { inactive: 'PT2H' })
    const never = await timed(relay, {})
    await relay.restart(HOUR)
    expect(relay.loads).toEqual([soon.sid])
    const device = new Device(relay.engine, 'ada')
    await device.open(soon.sid)
    expect(stateOf(device, soon.sid)).toBe('inactive')
    relay.loads.length = 0
    await relay.pass(HOUR)
    expect(relay.loads).toEqual([later.sid])
    await device.open(later.sid)
    await device.open(never.sid)
    expect([later.sid, never.sid, soon.sid].map((sid) => stateOf(device, sid))).toEqual([
      'inactive',
      'active',
      'closed',
    ])
  })

  it('hundreds that are overdue are all done', async () => {
    const relay = new TimedRelay()
    const sids: string[] = []
    for (let i = 0; i < 150; i++) sids.push((await timed(relay, { closed: 'PT10M' })).sid)
    await relay.restart(HOUR)
    expect(new Set(relay.loads)).toEqual(new Set(sids))
    expect(await relay.store.transitions(9)).toEqual([])
  })

  it('an app may refuse what a timer brings: it is asked again after as long', async () => {
    let asked = 0
    let refuse = true
    const relay = new TimedRelay({
      hooks: {
        beforeCommit: ({ operation: { type }, principal }) => {
          if (principal !== null || type !== 'conversation.close') return undefined
          asked++
          return refuse ? { refuse: 'Not yet' } : undefined
        },
      },
    })
    const { ada, sid } = await timed(relay, { closed: 'PT10M' })
    await relay.pass(10 * MINUTE)
    expect([asked, stateOf(ada, sid)]).toEqual([1, 'active'])
    refuse = false
    await relay.pass(10 * MINUTE)
    expect([asked, stateOf(ada, sid)]).toEqual([2, 'closed'])
  })

  it('a store that fails is asked again', async () => {
    const relay = new TimedRelay()
    const { ada, sid } = await timed(relay, { closed: 'PT10M' })
    const { transitions } = relay.store
    let failures = 0
    const failing: Store = {
      ...relay.store,
      transitions: async (limit) => {
        if (failures++ === 0) throw new Error('the disk is away')
        return transitions(limit)
      },
    }
    const timers: (() => void)[] = []
    const engine = createEngine({
      store: failing,
      now: () => relay.now + HOUR,
      after: (_, run) => {
        timers.push(run)
        return () => {}
      },
    })
    await engine.idle()
    expect((await transitions(9)).length).toBe(1)
    for (const run of timers.splice(0)) run()
    await engine.idle()
    expect(await transitions(9)).toEqual([])
    await ada.open(sid)
  })
})
