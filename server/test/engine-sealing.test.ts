/** Sealed history through the engine: what a stock Y.Doc and the pages say is what the relay has. */
import { messageSidOf, participantSid } from '@confab/core'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createEngine } from '../src/commit/create-engine.ts'
import { weightOf } from '../src/commit/history.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { Store } from '../src/store/store.ts'
import { Device, freshId, operation, post, principalOf, SERVICE } from './support/device.ts'
import { edit, everyMessage, manifestOf, pagesFor, remove, sealed, tiny } from './support/history.ts'

/** mulberry32 */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const posts = (count: number) => Array.from({ length: count }, (_, i) => post(`message ${i}`, freshId()))

async function stored(store: Store, sid: string) {
  const loaded = await store.load(SERVICE, sid)
  if (!loaded) throw new Error('no such document')
  const { head } = loaded
  const rows = await store.messageRange(head.key, 0, 1e9)
  return { head, rows, records: rows.map(({ record }) => record) }
}

describe('a long conversation', () => {
  it('keeps its newest messages live and the others in pages that say the same', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    for (let i = 0; i < 6; i++) await ada.submit(sid, ...posts(10))
    await sealed(ada, sid, tiny.messages)
    const { records, head } = await stored(store, sid)
    expect(records).toHaveLength(60)
    expect(await everyMessage(ada.doc(sid), pagesFor(engine, ada, sid))).toEqual(records)
    const { pages, end } = manifestOf(ada.doc(sid))
    expect(end).toBeGreaterThanOrEqual(50)
    expect(end).toBe(head.history.sealedTo)
    for (const { first, last } of pages) expect(last - first + 1).toBeLessThanOrEqual(tiny.pageMessages)
    const late = new Device(engine, 'ada')
    await late.open(sid)
    expect(await everyMessage(late.doc(sid), pagesFor(engine, late, sid))).toEqual(records)
    expect(late.messages(sid)).toEqual(ada.messages(sid))
  })

  it('is sealed by bytes, one message at least staying live', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    for (let i = 0; i < 3; i++) await ada.submit(sid, post('x'.repeat(5000)))
    await sealed(ada, sid, 1)
    const { records, head } = await stored(store, sid)
    expect(head.history).toMatchObject({ live: 1, sealedTo: 2 })
    expect(manifestOf(ada.doc(sid)).pages.map(({ count }) => count)).toEqual([1, 1])
    expect(await everyMessage(ada.doc(sid), pagesFor(engine, ada, sid))).toEqual(records)
  })

  it('comes to a joiner without what is sealed, however lately it was', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const { head } = await stored(store, sid)
    for (let i = 0; i < 4; i++) await ada.submit(sid, ...posts(8))
    await sealed(ada, sid, tiny.messages)
    const joins = async () => {
      const query = { document: sid, pending: false, epoch: 0, commitsId: 0, clock: 0 }
      const [answer] = await engine.open(new Device(engine, 'ada'), [query])
      if (answer?.status !== 'snapshot') throw new Error(`not a snapshot: ${answer?.status}`)
      return Buffer.concat(answer.news.updates).toString('latin1')
    }
    const snapshotSeq = async () => (await store.snapshot(head.key, 'ada')).snapshot?.seq ?? 0
    const before = await snapshotSeq()
    for (const bytes of [await joins(), await joins()])
      expect(bytes.match(/message \d+/g)).toEqual(ada.messages(sid).map(({ body }) => body))
    // the first of them has a newer snapshot made
    while ((await snapshotSeq()) <= before) await new Promise((resolve) => setImmediate(resolve))
    await engine.drain()
  })

  it('begins no other of those that a crash left when the relay is closed: they are for the next start', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    for (let many = 0; many < 9; many++) {
      const sid = await ada.create()
      for (let i = 0; i < 4; i++) await ada.submit(sid, ...posts(8))
      await sealed(ada, sid, tiny.messages)
    }
    const stale = await store.stale(99)
    expect(stale).toHaveLength(9)
    // each look at the clock is later than a relay takes to close
    let now = Date.now()
    const closing = createEngine({ store, sealing: tiny, now: () => (now += 5000) })
    await closing.drain()
    // but for one that had begun
    expect((await store.stale(99)).length).toBeGreaterThanOrEqual(stale.length - 1)
  })

  for (const isClosed of [true, false])
    it(`comes as it is stored from a relay that starts ${isClosed ? 'after one that was closed' : 'after a crash, once it had a moment'}`, async () => {
      const store = openSqliteStore(':memory:')
      let engine = createEngine({ store, sealing: tiny })
      const ada = new Device(engine, 'ada')
      const sid = await ada.create()
      for (let i = 0; i < 4; i++) await ada.submit(sid, ...posts(8))
      await sealed(ada, sid, tiny.messages)
      const { head } = await stored(store, sid)
      const stale = { key: head.key }
      expect(await store.stale(9)).toEqual([stale])
      if (isClosed) await engine.drain()
      engine = createEngine({ store, sealing: tiny })
      while ((await store.stale(9)).length > 0) await new Promise((resolve) => setImmediate(resolve))
      const query = { document: sid, pending: false, epoch: 0, commitsId: 0, clock: 0 }
      const [answer] = await engine.open(new Device(engine, 'ada'), [query])
      if (answer?.status !== 'snapshot') throw new Error(`not a snapshot: ${answer?.status}`)
      const { snapshot } = await store.snapshot(head.key, 'ada')
      expect(answer.news.updates[0]).toEqual(snapshot?.update)
      const bytes = Buffer.concat(answer.news.updates).toString('latin1')
      expect(bytes.match(/message \d+/g)).toEqual(ada.messages(sid).map(({ body }) => body))
    })

  it('is left as it is without sealing, and caught up with by the next relay that seals', async () => {
    const store = openSqliteStore(':memory:')
    const before = createEngine({ store, sealing: false })
    const author = new Device(before, 'ada')
    const sid = await author.create()
    await author.submit(sid, ...posts(100))
    await before.drain()
    expect(manifestOf(author.doc(sid)).pages).toEqual([])
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    await ada.open(sid)
    await sealed(ada, sid, tiny.messages)
    const { records } = await stored(store, sid)
    expect(records).toHaveLength(100)
    expect(await everyMessage(ada.doc(sid), pagesFor(engine, ada, sid))).toEqual(records)
    await engine.drain()
  })
})

describe('changing what is sealed', () => {
  async function sealedConversation(count = 40) {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const posted = posts(count)
    await ada.submit(sid, ...posted)
    await sealed(ada, sid, tiny.messages)
    const check = async () => {
      const { records } = await stored(store, sid)
      expect(await everyMessage(ada.doc(sid), pagesFor(engine, ada, sid))).toEqual(records)
      return records
    }
    return { store, engine, ada, sid, sids: posted.map(({ id }) => messageSidOf(id)), check }
  }

  it('an edited message is live again under its index, until its page is made anew', async () => {
    const { ada, sid, sids, check, store } = await sealedConversation()
    await ada.submit(sid, edit(sids[2] as string, 'edited'))
    expect(ada.messages(sid).find(({ index }) => index === 2)?.body).toBe('edited')
    expect((await check())[2]?.body).toBe('edited')
    expect((await stored(store, sid)).head.history.edited).toBe(1)
    await ada.submit(sid, edit(sids[2] as string, 'again'))
    for (const index of [0, 1, 3]) await ada.submit(sid, edit(sids[index] as string, `edited ${index}`))
    await ada.until(() => ada.messages(sid).every(({ index }) => index > 3))
    expect((await check()).slice(0, 4).map(({ body }) => body)).toEqual([
      'edited 0',
      'edited 1',
      'again',
      'edited 3',
    ])
    expect((await stored(store, sid)).head.history).toMatchObject({ edited: 0, editedBytes: 0 })
  })

  it('a removed one is gone at once: its bit is set, its page has no bytes until it is made anew', async () => {
    const { engine, ada, sid, sids, check, store } = await sealedConversation()
    const first = () => manifestOf(ada.doc(sid)).pages[0]
    const hash = first()?.hash as string
    expect(await engine.page(ada.principal, sid, hash)).not.toBeNull()
    await ada.submit(sid, edit(sids[1] as string, 'edited before'), remove(sids[1] as string))
    expect(await engine.page(ada.principal, sid, hash)).toBeNull()
    expect(first()).toMatchObject({ count: 3, gone: 'Ag' })
    await sealed(ada, sid, tiny.messages)
    const records = await check()
    expect(records.map(({ index }) => index).slice(0, 3)).toEqual([0, 2, 3])
    expect((await stored(store, sid)).head).toMatchObject({
      messageCount: 39,
      history: { unmade: 0, edited: 0, editedBytes: 0 },
    })
  })

  it('a page with nothing left has no hash and counts nothing; the next index follows the last all the same', async () => {
    const { ada, sid, sids, check, store } = await sealedConversation(12)
    await ada.submit(sid, ...sids.map(remove))
    expect(await check()).toEqual([])
    for (const { count, hash } of manifestOf(ada.doc(sid)).pages)
      expect({ count, hash }).toEqual({ count: 0, hash: '' })
    const { head } = await stored(store, sid)
    expect(head).toMatchObject({
      highestIndex: 11,
      messageCount: 0,
      history: { live: 0, liveBytes: 0, unmade: 0 },
    })
    const late = new Device(ada.engine, 'ada')
    await late.open(sid)
    expect(late.doc(sid).getMap('conversation').get('highestIndex')).toBe(11)
    await ada.submit(sid, post('afterwards'))
    expect((await check()).map(({ index }) => index)).toEqual([12])
  })

  it('goes with its conversation', async () => {
    const { engine, ada, sid, store } = await sealedConversation()
    const { head } = await stored(store, sid)
    const hashes = manifestOf(ada.doc(sid)).pages.map(({ hash }) => hash)
    await engine.submit(SERVICE, sid, operation('conversation.delete', {}), 'rest')
    for (const hash of hashes) {
      expect(await store.page(head.key, hash)).toBeNull()
      expect(await engine.page(ada.principal, sid, hash)).toBeNull()
    }
  })
})

describe('a page is given', () => {
  it('to participants only, and by its own conversation: to others like one that never was', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, sealing: tiny })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create('bob')
    const other = await ada.create()
    await ada.submit(sid, ...posts(30))
    await sealed(ada, sid, tiny.messages)
    const hash = manifestOf(ada.doc(sid)).pages[0]?.hash as string
    const bob = principalOf('bob')
    expect(await engine.page(bob, sid, hash)).not.toBeNull()
    expect(await engine.page(principalOf('eve'), sid, hash)).toBeNull()
    expect(await engine.page({ ...bob, serviceSid: `IS${'9'.repeat(32)}` }, sid, hash)).toBeNull()
    expect(await engine.page(ada.principal, other, hash)).toBeNull()
    for (const guess of ['', hash.slice(1), `${hash}A`, 'x'.repeat(64)])
      expect(await engine.page(bob, sid, guess)).toBeNull()
    for (const document of ['', 'CH', `user/ada`, 'profile/ada', sid.toUpperCase()])
      expect(await engine.page(ada.principal, document, hash)).toBeNull()
    await ada.submit(sid, operation('participant.remove', { sid: participantSid(sid, { identity: 'bob' }) }))
    expect(await engine.page(bob, sid, hash)).toBeNull()
  })
})

describe('messages are read from their rows', () => {
  it('from any index in both directions, sealed or not, and nothing where there is nothing', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:'), sealing: tiny })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const posted = posts(450)
    await ada.submit(sid, ...posted)
    await ada.submit(sid, ...[3, 200, 449].map((index) => remove(messageSidOf(posted[index]?.id as string))))
    const read = async (query?: Parameters<typeof engine.readMessages>[2]) => {
      const indices: number[] = []
      for await (const { index } of engine.readMessages(SERVICE, sid, query)) indices.push(index)
      return indices
    }
    const all = Array.from({ length: 450 }, (_, i) => i).filter((i) => ![3, 200, 449].includes(i))
    expect(await read()).toEqual(all)
    expect(await read({ direction: 'backward' })).toEqual([...all].reverse())
    expect(await read({ from: 2, limit: 3 })).toEqual([2, 4, 5])
    expect(await read({ from: 201, direction: 'backward', limit: 2 })).toEqual([201, 199])
    expect(await read({ from: 100, limit: 250 })).toEqual(all.filter((i) => i >= 100).slice(0, 250))
    expect(await read({ limit: 0 })).toEqual([])
    const nobodys: number[] = []
    for await (const { index } of engine.readMessages(SERVICE, `CH${'0'.repeat(32)}`)) nobodys.push(index)
    expect(nobodys).toEqual([])
  })
})

describe('whatever happens in whatever order', () => {
  it.each([1, 2, 3, 4, 5, 6])('live documents and pages say what the relay has (seed %i)', async (seed) => {
    const random = seeded(seed)
    const store = openSqliteStore(':memory:')
    const sealing = { ...tiny, messages: 4 + random(12), pageMessages: 1 + random(6), edited: random(4) }
    const make = () => createEngine({ store, sealing, compactAfter: 30, epochInterval: 0 })
    let engine = make()
    let devices = ['ada', 'bob', 'cem'].map((identity) => new Device(engine, identity))
    const sid = await (devices[0] as Device).create('bob', 'cem')
    await Promise.all(devices.slice(1).map((device) => device.open(sid)))
    // one that is away from here on
    const sleeper = devices.pop() as Device
    engine.leave(sleeper)
    const posted: string[] = []
    const message = () => posted[random(posted.length)] ?? messageSidOf('0'.repeat(32))
    const anything = () => {
      const kind = random(10)
      if (kind === 0) return remove(message())
      if (kind < 3) return edit(message(), `edited ${random(1000)}`)
      const made = post('word '.repeat(random(30)), freshId())
      posted.push(messageSidOf(made.id))
      return made
    }
    for (let turn = 0; turn < 50; turn++) {
      if (random(20) === 0) {
        await engine.drain()
        engine = make()
        devices = devices.map((before) => {
          const device = new Device(engine, before.identity)
          for (const [name, doc] of before.docs) device.docs.set(name, doc)
          for (const [name, point] of before.points) device.points.set(name, point)
          return device
        })
        await Promise.all(devices.map((device) => device.open(sid)))
      }
      await Promise.all(
        devices.map((device) => {
          const operations = Array.from({ length: 1 + random(4) }, anything)
          return device.upload(sid, device.write(sid, ...operations))
        }),
      )
      if (random(3) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const [ada] = devices as [Device]
    await sealed(ada, sid, sealing.messages + sealing.edited)
    await engine.drain()
    const { head, rows, records } = await stored(store, sid)
    expect(head.history.sealedTo).toBeGreaterThan(0)
    const reading = createEngine({ store, sealing: false })
    const late = new Device(reading, 'ada')
    await late.open(sid)
    const woken = new Device(reading, 'cem')
    woken.docs.set(sid, sleeper.doc(sid))
    woken.points.set(sid, sleeper.points.get(sid) as NonNullable<ReturnType<typeof sleeper.points.get>>)
    await woken.open(sid)
    for (const device of [...devices, late, woken]) {
      const doc = device.doc(sid)
      expect(await everyMessage(doc, pagesFor(reading, device, sid))).toEqual(records)
      expect(device.messages(sid)).toEqual(late.messages(sid))
    }
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(ada.doc(sid)))
    expect(await everyMessage(copy, pagesFor(reading, ada, sid))).toEqual(records)
    // the books are kept
    const { sealedTo } = head.history
    const live = rows.filter(({ record }) => record.index >= sealedTo)
    const edited = rows.filter(({ record, item }) => record.index < sealedTo && item)
    const bytes = (some: typeof rows) => some.reduce((sum, { record }) => sum + weightOf(record), 0)
    expect(head.history).toEqual({
      sealedTo: manifestOf(copy).end,
      live: live.length,
      liveBytes: bytes(live),
      edited: edited.length,
      editedBytes: bytes(edited),
      unmade: 0,
    })
    expect(live.length + edited.length).toBe(late.messages(sid).length)
  })
})
