import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limitsWith } from '@confab/core'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createEngine } from '../src/commit/create-engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { Store } from '../src/store/store.ts'
import { Device, operation, post, SERVICE } from './support/device.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  folders.push(folder)
  return join(folder, 'relay.db')
}

/** Another engine's reader of the same device: its documents and points, as after a reconnection. */
function reconnect(device: Device, engine = device.engine): Device {
  device.engine.leave(device)
  const again = new Device(engine, device.identity)
  for (const [name, doc] of device.docs) again.docs.set(name, doc)
  for (const [name, point] of device.points) again.points.set(name, point)
  return again
}

describe('resuming', () => {
  it('says current to who has everything, the missing commits to who was away, all to who has nothing', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:') })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create('bob')
    let bob = new Device(engine, 'bob')
    expect((await bob.open(sid)).status).toBe('snapshot')
    bob = reconnect(bob)
    expect((await bob.open(sid)).status).toBe('current')
    bob = reconnect(bob)
    await ada.submit(sid, post('one'))
    await ada.submit(sid, post('two'))
    const answer = await bob.open(sid)
    expect(answer.status).toBe('changes')
    expect(answer.status === 'changes' && answer.news.updates.length).toBe(2)
    expect(bob.bodies(sid)).toEqual(['one', 'two'])
    await ada.submit(sid, post('three'))
    expect(bob.bodies(sid)).toEqual(['one', 'two', 'three'])
  })

  it('replays to the author the outcomes that they missed', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:') })
    let ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const [good, bad] = [post('x'), operation('participant.add', {})]
    const update = ada.write(sid, good, bad)
    const deaf = reconnect(ada)
    await deaf.upload(sid, update)
    expect(deaf.outcomes.size).toBe(2)
    ada = reconnect(ada)
    await ada.open(sid)
    expect(ada.outcomes.get(good.id)).toMatchObject({ verdict: 'accepted' })
    expect(ada.outcomes.get(bad.id)).toMatchObject({ verdict: 'refused' })
    expect(ada.outbox(sid)).toEqual([])
  })

  it('gives a snapshot to who was away for longer than the log reaches, into the same document', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, compactAfter: 40 })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create('bob')
    let bob = new Device(engine, 'bob')
    await bob.open(sid)
    engine.leave(bob)
    for (let i = 0; i < 700; i++) await ada.submit(sid, post(`${i}`))
    await engine.drain()
    const next = createEngine({ store })
    bob = reconnect(bob, next)
    const answer = await bob.open(sid)
    expect(answer).toMatchObject({ status: 'snapshot', replace: false })
    expect(bob.bodies(sid).length).toBe(700)
    const late = new Device(next, 'ada')
    await late.open(sid)
    expect(late.messages(sid)).toEqual(ada.messages(sid))
  })

  it('finds nothing to compact at a start: the relay before it has done so when it was closed', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    for (let i = 0; i < 200; i++) await ada.submit(sid, post(`${i}`))
    const key = (await store.keyOf(SERVICE, sid)) ?? 0
    expect((await store.compactionInput(key)).entries.length).toBeGreaterThan(200)
    await engine.drain()
    expect((await store.compactionInput(key)).entries).toEqual([])
    const late = new Device(createEngine({ store }), 'ada')
    await late.open(sid)
    expect(late.messages(sid)).toEqual(ada.messages(sid))
  })

  it('goes on after a restart of the relay, under new ids', async () => {
    const store = openSqliteStore(':memory:')
    const first = createEngine({ store })
    let ada = new Device(first, 'ada')
    const sid = await ada.create('bob')
    await ada.submit(sid, post('before'))
    const before = ada.points.get(sid)
    const second = createEngine({ store })
    ada = reconnect(ada, second)
    const bob = new Device(second, 'bob')
    await bob.open(sid)
    expect((await ada.open(sid)).status).toBe('current')
    await bob.submit(sid, post('after'))
    expect(ada.bodies(sid)).toEqual(['before', 'after'])
    expect(ada.points.get(sid)?.commitsId).not.toBe(before?.commitsId)
    ada = reconnect(ada, second)
    ada.points.set(sid, before as NonNullable<typeof before>)
    expect((await ada.open(sid)).status).toBe('changes')
  })

  it('replaces the document of who holds what a restored backup does not', async () => {
    const [path, backup] = [file(), file()]
    let store = openSqliteStore(path)
    let engine = createEngine({ store })
    let ada = new Device(engine, 'ada')
    let bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    await ada.submit(sid, post('kept'))
    await store.close()
    copyFileSync(path, backup)
    store = openSqliteStore(path)
    engine = createEngine({ store })
    ada = reconnect(ada, engine)
    await ada.open(sid)
    await ada.submit(sid, post('lost'))
    await store.close()

    store = openSqliteStore(backup)
    engine = createEngine({ store })
    bob = reconnect(bob, engine)
    expect((await bob.open(sid)).status).toBe('current')
    await bob.submit(sid, post('another history'))
    ada = reconnect(ada, engine)
    expect(await ada.open(sid)).toMatchObject({ status: 'snapshot', replace: true, lost: true })
    expect(ada.messages(sid)).toEqual(bob.messages(sid))
    expect(ada.bodies(sid)).toEqual(['kept', 'another history'])
    await store.close()
  })

  it('asks for what a device has to say, above what the relay has', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:') })
    let ada = new Device(engine, 'ada')
    const sid = await ada.create()
    ada.write(sid, post('written offline'))
    ada = reconnect(ada)
    const answer = await ada.open(sid, true)
    expect(answer.status).toBe('current')
    await ada.upload(sid, Y.encodeStateAsUpdate(ada.doc(sid), answer.request as Uint8Array))
    expect(ada.bodies(sid)).toEqual(['written offline'])
  })

  it('answers a private document that nobody has written to as an empty one', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:') })
    const ada = new Device(engine, 'ada')
    expect((await ada.open('user/ada')).status).toBe('current')
    expect((await ada.open('profile/nobody')).status).toBe('current')
    expect((await ada.open('user/bob')).status).toBe('absent')
    const sid = await ada.create()
    expect([...ada.doc('user/ada').getMap('conversations').keys()]).toEqual([sid])
  })

  it('loses and doubles no commit between the answer and the first news', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:') })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create('bob')
    const bob = Array.from({ length: 20 }, () => new Device(engine, 'bob'))
    const posting = Promise.all(Array.from({ length: 20 }, (_, i) => ada.submit(sid, post(`${i}`))))
    // opened all through the turns in which the posts are decided, stored and told
    const opening = bob.map(async (device, i) => {
      for (let ticks = 0; ticks < i; ticks++)
        await (ticks % 3 === 2 ? new Promise(setImmediate) : Promise.resolve())
      await device.open(sid)
    })
    await Promise.all([posting, ...opening])
    await ada.submit(sid, post('end'))
    for (const device of bob) {
      await device.until(() => device.bodies(sid).includes('end'))
      expect(device.messages(sid)).toEqual(ada.messages(sid))
    }
  })
})

describe('a thousand quiet conversations', () => {
  it('resume by one question to the store, and none of them is loaded', async () => {
    const store = openSqliteStore(':memory:')
    const writing = createEngine({ store })
    let ada = new Device(writing, 'ada')
    const sids = await Promise.all(Array.from({ length: 1000 }, () => ada.create()))
    const asked: Record<string, number> = {}
    const counting = new Proxy(store, {
      get: (target, name: keyof Store) => {
        const method = target[name] as (...args: never[]) => unknown
        return (...args: never[]) => {
          asked[name] = (asked[name] ?? 0) + 1
          return method.apply(target, args)
        }
      },
    })
    const engine = createEngine({ store: counting })
    await engine.idle()
    // at its start it asks which timers run
    delete asked.transitions
    ada = reconnect(ada, engine)
    const query = (document: string) => ({
      document,
      pending: false,
      ...(ada.points.get(document) as { epoch: number; commitsId: number; clock: number }),
    })
    const answers = await engine.open(ada, sids.map(query))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['current']))
    expect(asked).toEqual({ points: 1 })
  })
})

describe('a state vector of the stock transport', () => {
  it('is a resume point, and the answer names what of the own outbox is held', async () => {
    const engine = createEngine({ store: openSqliteStore(':memory:') })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create('bob')
    await ada.submit(sid, post('one'))
    const doc = new Y.Doc()
    const bob = new Device(engine, 'bob')
    bob.docs.set(sid, doc)
    const first = await engine.answerStateVector(bob, sid, Y.encodeStateVector(doc))
    if (first.status !== 'news') throw new Error(first.status)
    for (const update of first.news.updates) Y.applyUpdate(doc, update)
    expect(bob.bodies(sid)).toEqual(['one'])
    expect(Y.decodeStateVector(first.request)).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)))
    engine.leave(bob)
    await ada.submit(sid, post('two'))
    const second = await engine.answerStateVector(bob, sid, Y.encodeStateVector(doc))
    expect(second.status === 'news' && second.news.updates.length).toBe(1)
    await new Promise(setImmediate)
    await ada.submit(sid, post('three'))
    if (second.status === 'news') for (const update of second.news.updates) Y.applyUpdate(doc, update)
    expect(bob.bodies(sid)).toEqual(['one', 'two', 'three'])
    expect((await engine.answerStateVector(new Device(engine, 'eve'), sid, Uint8Array.of(0))).status).toBe(
      'absent',
    )
  })

  it('of another epoch can not be continued', async () => {
    const engine = createEngine({
      store: openSqliteStore(':memory:'),
      limits: limitsWith({ outboxClients: 2 }),
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    await ada.submit(sid, post('one'))
    const old = Y.encodeStateVector(ada.doc(sid))
    for (let i = 0; i < 3; i++) {
      const device = new Device(engine, 'ada')
      await device.open(sid)
      await device.submit(sid, post('more'))
    }
    await ada.until(() => ada.told.includes('replaced'))
    expect(await engine.answerStateVector(ada, sid, old)).toEqual({ status: 'replaced' })
  })
})

describe('an epoch', () => {
  it('opens when client ids pile up: everybody goes on in a fresh document with the same records', async () => {
    const store = openSqliteStore(':memory:')
    const engine = createEngine({ store, limits: limitsWith({ outboxClients: 3 }) })
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    const before = ada.points.get(sid)
    for (let i = 0; i < 4; i++) {
      const device = new Device(engine, 'ada')
      await device.open(sid)
      await device.submit(sid, post(`${i}`))
      engine.leave(device)
    }
    await Promise.all([ada, bob].map((device) => device.until(() => device.told.includes('replaced'))))
    await bob.submit(sid, post('and on'))
    expect(ada.bodies(sid)).toEqual(['0', '1', '2', '3', 'and on'])
    expect(ada.messages(sid)).toEqual(bob.messages(sid))
    expect(ada.points.get(sid)?.epoch).toBe(2)
    // the ids of the old epoch are gone; whoever wrote since then has one
    expect((await store.load(SERVICE, sid))?.outboxClients.length).toBeLessThanOrEqual(2)
    const away = new Device(engine, 'ada')
    away.points.set(sid, before as NonNullable<typeof before>)
    expect(await away.open(sid)).toMatchObject({ status: 'snapshot', replace: true })
    expect(away.messages(sid)).toEqual(bob.messages(sid))
  })
})
