import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import type { EngineOptions } from '../src/commit/options.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { Store } from '../src/store/store.ts'
import { Device, post, SERVICE } from './support/device.ts'

/** A relay whose time is turned by hand, and that says what it loads. */
function relay(options: Partial<EngineOptions> = {}) {
  const store = openSqliteStore(':memory:')
  const loads: string[] = []
  const timers: (() => void)[] = []
  let now = 1_000_000
  const counting: Store = {
    ...store,
    load: (service, document) => {
      loads.push(document)
      return store.load(service, document)
    },
  }
  const engine = createEngine({
    store: counting,
    now: () => now,
    after: (_, run) => {
      timers.push(run)
      return () => {}
    },
    ...options,
  })
  const later = (milliseconds: number) => {
    now += milliseconds
    for (const run of timers.splice(0)) run()
  }
  return { store, engine, loads, later, timers }
}

describe('documents in memory', () => {
  it('leave it when nobody has used them for a while, and come back when somebody does', async () => {
    const { engine, loads, later, timers } = relay({ idleAfter: 60_000 })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    loads.length = 0
    await ada.submit(sid, post('one'))
    later(60_000)
    await ada.submit(sid, post('two'))
    expect(loads).toEqual([])
    later(60_001)
    later(60_001)
    await ada.submit(sid, post('three'))
    expect(loads).toContain(sid)
    expect(ada.bodies(sid)).toEqual(['one', 'two', 'three'])
    later(60_001)
    later(60_001)
    // nothing is left to wait for
    expect(timers).toEqual([])
  })

  it('are no more than allowed', async () => {
    const { engine, loads } = relay({ maxLoaded: 4 })
    const ada = new Device(engine, 'ada')
    const sids: string[] = []
    for (let i = 0; i < 6; i++) sids.push(await ada.create())
    loads.length = 0
    await ada.submit(sids[5] as string, post('x'))
    expect(loads).toEqual([])
    await ada.submit(sids[0] as string, post('x'))
    expect(loads).toEqual([sids[0]])
  })

  it('go on under the same ids within one run of the relay', async () => {
    const { engine, store, later } = relay()
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const before = await store.load(SERVICE, sid)
    later(120_000)
    await ada.submit(sid, post('x'))
    const after = await store.load(SERVICE, sid)
    const idOf = (loaded: typeof before) => loaded?.head.roots.find(({ root }) => root === 'commits')?.client
    expect(idOf(after)).toBe(idOf(before))
  })
})
