/** Sealed history on a device: what is read of it, fetched ahead, kept by policy, let go of and fetched again. */
import { describe, expect, it } from 'vitest'
import { memory } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'
import { VirtualTime } from './virtual-time.ts'
import { YRelay } from './y-relay.ts'

const COUNT = 24
/** Messages of a page: six pages of the first twenty-four. */
const PAGE = 4

type More = Parameters<typeof engineFor>[2]

/** Time passes until this has settled. */
async function pass<T>(time: VirtualTime, promise: Promise<T>): Promise<T> {
  let done = false
  const watched = promise.finally(() => {
    done = true
  })
  watched.catch(() => {})
  while (!done) {
    await turns()
    time.advance(100)
  }
  return watched
}

/** Long enough for whatever is done in the background. */
async function quiet(time: VirtualTime): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await turns()
    time.advance(250)
  }
  await turns()
}

/** Alice's conversations with bob, of sealed messages and one that is live. */
async function stage(conversations = 1) {
  const relay = new YRelay()
  const time = new VirtualTime(relay.now)
  const clientOf = (identity: string, storage: Storage = memory(), more: More = {}): TestEngine =>
    engineFor(identity, storage, { transport: relay.transport(identity), platform: time, ...more })
  const alice = clientOf('alice')
  await alice.heard('connectionStateChanged connected')
  const sids: string[] = []
  for (let n = 0; n < conversations; n++) {
    const { sid, draft } = alice.newConversation({ friendlyName: `talk ${n}` })
    sids.push(sid)
    await alice.submit(sid, [
      draft,
      { type: 'conversation.join' },
      { type: 'participant.add', identity: 'bob' },
    ])
    for (let i = 0; i <= COUNT; i++) await alice.submit(sid, [{ type: 'message.post', body: `${n}:${i}` }])
    relay.seal(sid, COUNT, PAGE)
  }
  await pass(time, alice.shutdown())
  relay.asked = []
  const pagesOf = (sid: string) => relay.manifest(sid).pages
  /** Which pages were asked for since this was called last, by their numbers. */
  const asked = (sid = sids[0] as string) => {
    const numbers = pagesOf(sid).flatMap(({ hash, number }) => (relay.asked.includes(hash) ? number : []))
    return numbers
  }
  const bobs = async (storage?: Storage, more?: More) => {
    const bob = clientOf('bob', storage, more)
    await pass(time, bob.heard(relay.up ? 'connectionStateChanged connected' : 'conversationJoined'))
    await quiet(time)
    return bob
  }
  const stored = async (storage: Storage, sid = sids[0] as string): Promise<number[]> => {
    const owner = await storage.lastOwner('ws://relay.test')
    if (!owner) throw new Error('Nobody was here')
    const store = await storage.open(owner)
    const hashes = new Set((await store.pages.list()).map(({ hash }) => hash))
    await store.close()
    return pagesOf(sid).flatMap(({ hash, number }) => (hashes.has(hash) ? number : []))
  }
  const read = (engine: TestEngine, anchor?: number, count = 3, sid = sids[0] as string) =>
    pass(
      time,
      engine.messages(sid, { count, direction: 'backwards', ...(anchor !== undefined && { anchor }) }),
    )
  return { relay, time, sids, sid: sids[0] as string, asked, bobs, stored, read }
}

const indices = (page: Awaited<ReturnType<TestEngine['messages']>>) =>
  page.items.map(({ record }) => record.index)

describe('reading sealed history', () => {
  it('fetches the page that is read, the one ahead of it, and no other', async () => {
    const { relay, time, bobs, read, asked } = await stage()
    const bob = await bobs()
    expect(asked()).toEqual([])
    expect(indices(await read(bob, 21))).toEqual([19, 20, 21])
    await quiet(time)
    // 19 is in the fifth page, 20 and 21 in the sixth; three further down is 16, in the fifth
    expect(asked()).toEqual([4, 5])
    relay.asked = []
    expect(indices(await read(bob, 18))).toEqual([16, 17, 18])
    await quiet(time)
    expect(asked()).toEqual([3])
    relay.asked = []
    expect(indices(await read(bob, 15))).toEqual([13, 14, 15])
    // it came ahead; three further down is 10
    await quiet(time)
    expect(asked()).toEqual([2])
    await pass(time, bob.shutdown())
  })

  it('says which range is absent with no network, and gives it when there is one', async () => {
    const { relay, time, bobs, read } = await stage()
    const bob = await bobs()
    relay.goDown()
    await turns()
    const page = await read(bob, undefined, 10)
    expect(indices(page)).toEqual([24])
    expect(page.absent).toEqual({ from: 20, to: 23 })
    expect(page.hasOlder).toBe(true)
    // nothing of it waits for the network: the same again
    expect((await read(bob, 23, 10)).absent).toEqual({ from: 20, to: 23 })
    expect((await read(bob, 21, 10)).absent).toEqual({ from: 20, to: 21 })
    relay.comeUp()
    await quiet(time)
    const all = await read(bob, undefined, 100)
    expect(all.absent).toBeNull()
    expect(indices(all)).toEqual(Array.from({ length: COUNT + 1 }, (_, i) => i))
    await pass(time, bob.shutdown())
  })

  it('reads offline, after a restart, what was read before, up to what was not', async () => {
    const { relay, time, bobs, read } = await stage()
    const storage = memory()
    const first = await bobs(storage)
    await read(first, 23, 4)
    await quiet(time)
    await pass(time, first.shutdown())
    relay.up = false
    const second = await bobs(storage)
    const page = await read(second, undefined, 100)
    expect(indices(page).at(0)).toBe(16)
    expect(page.absent).toEqual({ from: 12, to: 15 })
    expect(page.items.map(({ record }) => record.body)).toEqual(indices(page).map((index) => `0:${index}`))
    await pass(time, second.shutdown())
  })

  it('takes no page whose bytes are others than its name says', async () => {
    const { relay, time, bobs, read, stored } = await stage()
    const storage = memory()
    const warnings: string[] = []
    const bob = await bobs(storage, {
      log: (level, message) => void (level === 'warn' && warnings.push(message)),
    })
    relay.damages = true
    expect((await read(bob, 23)).absent).toEqual({ from: 20, to: 23 })
    expect(warnings).toContain('A page of history could not be read')
    relay.damages = false
    expect(indices(await read(bob, 23))).toEqual([21, 22, 23])
    await quiet(time)
    await pass(time, bob.shutdown())
    expect(await stored(storage)).toEqual([4, 5])
  })
})

describe('how much history stays', () => {
  it("'all': everything comes in the background, the newest first, and reading asks for nothing", async () => {
    const { relay, time, sid, bobs, read, stored } = await stage()
    const storage = memory()
    const bob = await bobs(storage, { history: 'all' })
    const hashes = relay.manifest(sid).pages.map(({ hash }) => hash)
    expect(relay.asked).toEqual(hashes.toReversed())
    relay.asked = []
    relay.goDown()
    await turns()
    expect((await read(bob, undefined, 100)).items).toHaveLength(COUNT + 1)
    expect(relay.asked).toEqual([])
    await pass(time, bob.shutdown())
    expect(await stored(storage)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it("'all': what the relay seals later is made here, and nothing more is fetched", async () => {
    const { relay, time, sid, bobs, stored } = await stage()
    const storage = memory()
    const bob = await bobs(storage, { history: 'all' })
    relay.asked = []
    for (let i = 0; i < PAGE; i++)
      await pass(time, bob.submit(sid, [{ type: 'message.post', body: `more ${i}` }]))
    relay.seal(sid, COUNT + PAGE, PAGE)
    await quiet(time)
    expect(relay.asked).toEqual([])
    await pass(time, bob.shutdown())
    expect(await stored(storage)).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('{ pages }: those used least recently go, are asked for again when they are read, and offline are absent', async () => {
    const { relay, time, bobs, read, stored } = await stage()
    const storage = memory()
    const bob = await bobs(storage, { history: { pages: 2 } })
    await read(bob, 23, 100)
    await quiet(time)
    expect(await stored(storage)).toHaveLength(2)
    await pass(time, bob.shutdown())
    const again = await bobs(storage, { history: { pages: 2 } })
    relay.asked = []
    expect(indices(await read(again, 3, 4))).toEqual([0, 1, 2, 3])
    await quiet(time)
    expect(await read(again, 23, 4).then(indices)).toEqual([20, 21, 22, 23])
    await quiet(time)
    const left = await stored(storage)
    expect(left).toHaveLength(2)
    expect(left).toContain(5)
    await pass(time, again.shutdown())
    relay.up = false
    const offline = await bobs(storage, { history: { pages: 2 } })
    expect((await read(offline, 11, 4)).absent).toEqual({ from: 8, to: 11 })
    expect(indices(await read(offline, 23, 4))).toEqual([20, 21, 22, 23])
    await pass(time, offline.shutdown())
  })

  it('{ pages: 0 }: nothing is stored, and everything can be read while there is a network', async () => {
    const { relay, time, bobs, read, stored } = await stage()
    const storage = memory()
    const bob = await bobs(storage, { history: { pages: 0 } })
    expect((await read(bob, undefined, 100)).items).toHaveLength(COUNT + 1)
    await quiet(time)
    await pass(time, bob.shutdown())
    expect(await stored(storage)).toEqual([])
    expect(relay.asked).not.toEqual([])
  })

  it('a pinned conversation is here whole whatever the policy, over a restart, until it is let go', async () => {
    const { time, sids, bobs, read, stored } = await stage(2)
    const [pinned, other] = sids as [string, string]
    const storage = memory()
    const history = { pages: 1 }
    const bob = await bobs(storage, { history })
    await pass(time, bob.pinHistory(pinned, true))
    await quiet(time)
    expect(await stored(storage, pinned)).toEqual([0, 1, 2, 3, 4, 5])
    await read(bob, 23, 100, other)
    await quiet(time)
    expect(await stored(storage, other)).toHaveLength(1)
    expect(await stored(storage, pinned)).toHaveLength(6)
    await pass(time, bob.shutdown())
    const again = await bobs(storage, { history })
    await read(again, 11, 4, other)
    await quiet(time)
    expect(await stored(storage, pinned)).toHaveLength(6)
    await pass(time, again.pinHistory(pinned, false))
    await quiet(time)
    const all = [...(await stored(storage, pinned)), ...(await stored(storage, other))]
    expect(all).toHaveLength(1)
    await pass(time, again.shutdown())
  })
})
