/** A fast reader moves the horizon for every message; the relay is told of few, and never misses the furthest. */
import { participantSid } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { memory } from '../../src/storage/memory.ts'
import type { JournalWrite, Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'
import { YRelay } from './y-relay.ts'

const MESSAGES = 100
const advanceTo = (index: number) => ({ type: 'read.advance' as const, index })
const setTo = (index: number | null) => ({ type: 'read.set' as const, index })

/** Somebody with a hundred messages to read. */
async function reader(storage: Storage = memory()) {
  const relay = new YRelay()
  const engine = engineFor('ada', storage, { transport: relay.transport('ada') })
  await engine.heard('connectionStateChanged connected')
  const { sid, draft } = engine.newConversation({ friendlyName: 'Trip' })
  await engine.submit(sid, [draft, { type: 'conversation.join' }])
  for (let i = 0; i < MESSAGES; i++) relay.system(sid, { type: 'message.post', body: `${i}`, author: 'bob' })
  await turns()
  relay.uploads = 0
  const horizon = () =>
    relay.replica(sid).read(participantSid(sid, { identity: 'ada' }))?.lastReadMessageIndex ?? null
  const seen = () => engine.conversation(sid)
  return { relay, engine, sid, horizon, seen }
}

const advanceOneByOne = async (engine: TestEngine, sid: string, from = 0, to = MESSAGES - 1) => {
  for (let index = from; index <= to; index++)
    await engine.submit(sid, [advanceTo(index)], { wait: 'durable' })
}

/** A storage that notes what is written to its journal. */
function noting(storage: Storage, writes: JournalWrite[]): Storage {
  return {
    ...storage,
    async open(owner) {
      const store = await storage.open(owner)
      const { journal } = store
      const write = (one: JournalWrite) => {
        if (one.append?.length) writes.push(one)
        return journal.write(one)
      }
      return { ...store, journal: { ...journal, write } }
    },
  }
}

describe('a horizon that is moved for each of a hundred messages', () => {
  it('offline, one after the other: one operation waits, and is all that the relay decides', async () => {
    const { relay, engine, sid, horizon, seen } = await reader()
    relay.goDown()
    await turns()
    await advanceOneByOne(engine, sid)
    expect(engine.pendingOperations()).toHaveLength(1)
    expect(seen()?.unreadCount).toBe(0)
    relay.comeUp()
    await turns()
    expect(horizon()).toBe(MESSAGES - 1)
    expect(relay.uploads).toBe(1)
    expect(engine.pendingOperations()).toEqual([])
  })

  it('while the relay decides on the first: the last follows, and none between', async () => {
    const { relay, engine, sid, horizon, seen } = await reader()
    relay.holdsUploads = true
    await advanceOneByOne(engine, sid)
    expect(engine.pendingOperations()).toHaveLength(2)
    expect(seen()?.unreadCount).toBe(0)
    expect(relay.uploads).toBe(1)
    relay.uploads = 0
    relay.decideHeld()
    await turns()
    expect(horizon()).toBe(MESSAGES - 1)
    expect(relay.uploads).toBe(2)
    expect(engine.pendingOperations()).toEqual([])
  })

  it('in one burst: two writes to the disk, and every caller is told the same', async () => {
    const writes: JournalWrite[] = []
    const { relay, engine, sid, horizon, seen } = await reader(noting(memory(), writes))
    writes.length = 0
    const burst = Array.from({ length: MESSAGES }, (_, index) =>
      engine.submit(sid, [advanceTo(index)], { wait: 'durable' }).then(() => seen()?.unreadCount),
    )
    expect(new Set(await Promise.all(burst))).toEqual(new Set([0]))
    await turns()
    expect(writes.length).toBeLessThanOrEqual(2)
    expect(horizon()).toBe(MESSAGES - 1)
    expect(relay.uploads).toBeLessThanOrEqual(2)
  })

  it('and the connection lost while the relay decided: the last arrives at the next one', async () => {
    const { relay, engine, sid, horizon } = await reader()
    relay.holdsUploads = true
    await advanceOneByOne(engine, sid, 0, 49)
    relay.goDown()
    await turns()
    await advanceOneByOne(engine, sid, 50, 75)
    expect(engine.pendingOperations()).toHaveLength(1)
    relay.decideHeld()
    relay.comeUp()
    await turns()
    expect(horizon()).toBe(75)
    expect(engine.pendingOperations()).toEqual([])
  })

  it('and the app closed while the relay decided: the last arrives from the disk', async () => {
    const storage = memory()
    const { relay, engine, sid, horizon } = await reader(storage)
    relay.holdsUploads = true
    await advanceOneByOne(engine, sid, 0, 75)
    await engine.shutdown()
    relay.decideHeld()
    const again = engineFor('ada', storage, { transport: relay.transport('ada') })
    await again.heard('connectionStateChanged connected')
    await turns()
    expect(horizon()).toBe(75)
    expect(again.pendingOperations()).toEqual([])
    await again.shutdown()
  })
})

describe('a horizon that is put back', () => {
  it('offline: what was advanced before needs no decision, what is advanced after it does', async () => {
    const { relay, engine, sid, horizon, seen } = await reader()
    await engine.submit(sid, [advanceTo(60)], { wait: 'durable' })
    await turns()
    expect(horizon()).toBe(60)
    relay.goDown()
    await turns()
    await engine.submit(sid, [advanceTo(70)], { wait: 'durable' })
    await engine.submit(sid, [setTo(5)], { wait: 'durable' })
    await engine.submit(sid, [advanceTo(7)], { wait: 'durable' })
    await engine.submit(sid, [advanceTo(9)], { wait: 'durable' })
    expect(engine.pendingOperations().map(({ operation }) => operation.type)).toEqual([
      'read.set',
      'read.advance',
    ])
    expect(seen()?.unreadCount).toBe(MESSAGES - 10)
    relay.comeUp()
    await turns()
    expect(horizon()).toBe(9)
  })

  it('in one burst: in the order of the calls', async () => {
    const { engine, sid, horizon } = await reader()
    await Promise.all([
      engine.submit(sid, [advanceTo(50)], { wait: 'durable' }),
      engine.submit(sid, [setTo(null)], { wait: 'durable' }),
      engine.submit(sid, [advanceTo(3)], { wait: 'durable' }),
      engine.submit(sid, [advanceTo(4)], { wait: 'durable' }),
    ])
    await turns()
    expect(horizon()).toBe(4)
    await Promise.all([
      engine.submit(sid, [advanceTo(50)], { wait: 'durable' }),
      engine.submit(sid, [setTo(null)], { wait: 'durable' }),
    ])
    await turns()
    expect(horizon()).toBeNull()
  })
})
