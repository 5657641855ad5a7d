import { ConfabError, decodeInvite } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { createInvite, joinByInvite } from '../../src/invites.ts'
import { memory } from '../../src/storage/memory.ts'
import type { JournalWrite, Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, tokenFor, turns } from './harness.ts'
import { VirtualTime } from './virtual-time.ts'
import { YRelay } from './y-relay.ts'

const post = (body: string) => ({ type: 'message.post' as const, body })
const noToken = async (): Promise<string> => {
  throw new Error('the token server is out of reach')
}

async function create(engine: TestEngine, friendlyName = 'Trip'): Promise<string> {
  await engine.ready
  const { sid, draft } = engine.newConversation({ friendlyName })
  await engine.submit(sid, [draft, { type: 'conversation.join' }], { wait: 'durable' })
  return sid
}

const bodies = async (engine: TestEngine, sid: string) =>
  (await engine.messages(sid, { count: 100, direction: 'backwards' })).items.map(({ record }) => record.body)

/** The storage with something between the engine and its journal's writes. */
function withWrites(storage: Storage, before: (write: JournalWrite) => void): Storage {
  return {
    ...storage,
    async open(owner) {
      const store = await storage.open(owner)
      const { journal } = store
      return {
        ...store,
        journal: {
          load: () => journal.load(),
          kept: (document) => journal.kept(document),
          close: () => journal.close(),
          write: async (write) => {
            before(write)
            return journal.write(write)
          },
        },
      }
    },
  }
}

describe('starting', () => {
  it('without a token opens the store of whoever used this relay last', async () => {
    const storage = memory()
    const first = engineFor('alice', storage)
    const sid = await create(first)
    await first.submit(sid, [post('one')])
    await first.shutdown()
    const second = engineFor('alice', storage, { token: noToken })
    await second.ready
    expect(second.owner.identity).toBe('alice')
    expect(await bodies(second, sid)).toEqual(['one'])
  })

  it('waits for no token when the app says who it is and this device knows them', async () => {
    const storage = memory()
    await (async () => {
      const first = engineFor('alice', storage)
      await first.ready
      await first.shutdown()
    })()
    const second = engineFor('alice', storage, { identity: 'alice', token: () => new Promise(() => {}) })
    await second.ready
  })

  it('fails with a clear error when nobody can be known', async () => {
    const engine = engineFor('alice', memory(), { token: noToken })
    await expect(engine.ready).rejects.toMatchObject({ code: 20003 })
    await turns()
    expect(engine.news()).toEqual(['initFailed'])
  })

  it('with another identity opens another store', async () => {
    const storage = memory()
    const alice = engineFor('alice', storage)
    await create(alice)
    await alice.shutdown()
    const bob = engineFor('bob', storage)
    await bob.ready
    expect(bob.conversations()).toEqual([])
  })
})

describe('a store that fails', () => {
  it('rejects with 70501, and nothing is shown or sent', async () => {
    let broken = false
    const storage = withWrites(memory(), (write) => {
      if (broken && write.append?.length) throw new ConfabError(70501)
    })
    const relay = new YRelay()
    const engine = engineFor('alice', storage, { transport: relay.transport('alice') })
    const sid = await create(engine)
    await turns()
    engine.news()
    broken = true
    await expect(engine.submit(sid, [post('one')])).rejects.toMatchObject({ code: 70501 })
    broken = false
    await engine.submit(sid, [post('two')])
    await turns()
    expect(await bodies(engine, sid)).toEqual(['two'])
    expect(relay.bodies(sid)).toEqual(['0 two'])
    expect(engine.news().filter((one) => one.startsWith('message'))).toEqual(['messageAdded 0 two'])
  })
})

describe('limits and rules', () => {
  it('are reported at once, with their codes, offline too', async () => {
    const engine = engineFor('alice', memory(), { limits: { bodyBytes: 10, pendingOperations: 5 } })
    const sid = await create(engine)
    await expect(engine.submit(sid, [post('x'.repeat(11))])).rejects.toMatchObject({ code: 70101 })
    await engine.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await expect(engine.submit(sid, [{ type: 'participant.add', identity: 'bob' }])).rejects.toMatchObject({
      code: 50433,
    })
    await engine.submit(sid, [post('1'), post('2')])
    await expect(engine.submit(sid, [post('3')])).rejects.toMatchObject({ code: 70107 })
    await expect(engine.submit(`CH${'0'.repeat(32)}`, [post('4')])).rejects.toMatchObject({ code: 20404 })
  })

  it('mend text that is not well-formed before it is stored', async () => {
    const engine = engineFor('alice', memory())
    const sid = await create(engine)
    await engine.submit(sid, [post('a\ud800b')])
    expect(await bodies(engine, sid)).toEqual(['a\ufffdb'])
  })

  it('store nothing for what changes nothing', async () => {
    const engine = engineFor('alice', memory())
    const sid = await create(engine)
    const before = engine.pendingOperations().length
    expect(await engine.submit(sid, [{ type: 'read.advance', index: 5 }])).toEqual([])
    expect(await engine.submit(sid, [{ type: 'conversation.update', friendlyName: 'Trip' }])).toEqual([])
    expect(engine.pendingOperations()).toHaveLength(before)
  })
})

describe('a verdict', () => {
  async function waiting() {
    const time = new VirtualTime()
    const relay = new YRelay()
    const engine = engineFor('alice', memory(), { transport: relay.transport('alice'), platform: time })
    await engine.heard('connectionStateChanged connected')
    const sid = await create(engine)
    await turns()
    relay.holdsUploads = true
    let settled = false
    const submitted = engine.submit(sid, [post('one')]).then(() => {
      settled = true
    })
    await turns()
    return { time, relay, engine, submitted, isSettled: () => settled }
  }

  it('is waited for two seconds and no longer', async () => {
    const { time, submitted, isSettled } = await waiting()
    time.advance(1999)
    await turns()
    expect(isSettled()).toBe(false)
    time.advance(1)
    await submitted
  })

  it('is waited for until the connection is lost', async () => {
    const { relay, submitted, isSettled } = await waiting()
    expect(isSettled()).toBe(false)
    relay.goDown()
    await submitted
  })

  it('is waited for until the client is shut down, which rejects what comes after', async () => {
    const { engine, submitted } = await waiting()
    await Promise.all([engine.shutdown(), submitted])
    await expect(engine.submit('CH', [post('two')])).rejects.toMatchObject({ code: 70701 })
    await engine.shutdown()
  })
})

describe('an invite that nobody knows', () => {
  it('is tried again and again until it expires; then all that was written behind it is held', async () => {
    const time = new VirtualTime()
    const relay = new YRelay()
    const alice = engineFor('alice', memory())
    const sid = await create(alice)
    const invite = await createInvite(alice, sid, { expiresIn: 3600 })
    const bob = engineFor('bob', memory(), { transport: relay.transport('bob'), platform: time })
    await bob.heard('connectionStateChanged connected')
    const joined = joinByInvite(bob, invite)
    await turns()
    time.advance(2000)
    await joined
    await bob.submit(sid, [post('hello?')], { wait: 'durable' })
    const uploads = relay.uploads
    for (let minute = 0; minute < 59; minute++) {
      relay.now += 60_000
      time.advance(60_000)
      await turns()
    }
    expect(relay.uploads).toBeGreaterThan(uploads + 10)
    expect(bob.heldOperations()).toEqual([])
    for (let minute = 0; minute < 4; minute++) {
      time.advance(60_000)
      await turns()
    }
    expect(bob.heldOperations().map(({ operation, error }) => `${operation.type} ${error.code}`)).toEqual([
      'conversation.join 70202',
      'message.post 70402',
    ])
    expect(bob.conversations()).toEqual([])
    expect(bob.news()).toContain('conversationRemoved undefined')
    await expect(joinByInvite(bob, invite)).rejects.toMatchObject({ code: 70202 })
    await expect(joinByInvite(bob, 'nonsense')).rejects.toMatchObject({ code: 70203 })
  })
})

describe('a device whose clock is a day wrong', () => {
  const DAY = 86_400_000
  for (const [how, off] of [
    ['ahead', DAY],
    ['behind', -DAY],
  ] as const) {
    it(`${how}, makes invites by the relay's clock, after a restart with no network too`, async () => {
      const relay = new YRelay()
      const storage = memory()
      const platform = new VirtualTime(relay.now + off)
      const online = engineFor('alice', storage, { transport: relay.transport('alice'), platform })
      await online.heard('connectionStateChanged connected')
      const began = relay.now
      const sid = await create(online)
      await online.shutdown()
      const offline = engineFor('alice', storage, { platform })
      await offline.ready
      const invite = await createInvite(offline, sid, { expiresIn: 3600 })
      expect(decodeInvite(invite).expiresAt).toBe(began + 3600_000)
      await offline.shutdown()
    })
  }

  it('takes an invite that has ended by its own clock alone; the relay, once heard, says whether it has', async () => {
    const relay = new YRelay()
    const alice = engineFor('alice', memory(), { platform: new VirtualTime(relay.now) })
    const sid = await create(alice)
    const invite = await createInvite(alice, sid, { expiresIn: 3600 })
    const platform = new VirtualTime(relay.now + DAY)
    const storage = memory()
    const bob = engineFor('bob', storage, { platform })
    await bob.ready
    expect((await joinByInvite(bob, invite)).status).toBe('joined')
    await bob.shutdown()
    const ended = await createInvite(alice, sid, { expiresIn: 0.001 })
    relay.now += 3600_000
    const late = engineFor('eve', memory(), {
      transport: relay.transport('eve'),
      platform: new VirtualTime(relay.now - DAY),
    })
    await late.heard('connectionStateChanged connected')
    await expect(joinByInvite(late, ended)).rejects.toMatchObject({ code: 70202 })
    await late.shutdown()
  })
})

describe('typing', () => {
  it('ends six seconds after it was last heard of', async () => {
    const time = new VirtualTime()
    const relay = new YRelay()
    const alice = engineFor('alice', memory(), { transport: relay.transport('alice'), platform: time })
    const bob = engineFor('bob', memory(), { transport: relay.transport('bob') })
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice)
    await alice.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await bob.heard('conversationJoined')
    bob.typing(sid)
    await alice.heard('typingStarted bob')
    time.advance(5000)
    bob.typing(sid)
    await turns()
    time.advance(5999)
    await turns()
    expect((await alice.participants(sid)).map(({ typing }) => typing)).toEqual([false, true])
    time.advance(1)
    await alice.heard('typingEnded bob')
  })
})

describe('a token', () => {
  it('that has expired is said so at each attempt to connect, and the client keeps working', async () => {
    const relay = new YRelay()
    let attempts = 0
    const engine = engineFor('alice', memory(), {
      token: async () => tokenFor('alice', 1000),
      transport: (options) => {
        const transport = relay.transport('alice')(options)
        return {
          ...transport,
          start(events) {
            const attempt = async () => {
              attempts++
              events.connecting()
              await options.token()
              events.disconnected({ code: 4402, reason: 'expired', permanent: attempts > 1 })
              if (attempts === 1) await attempt()
            }
            void attempt()
          },
        }
      },
    })
    const sid = await create(engine)
    await engine.submit(sid, [post('still here')])
    await turns()
    expect(attempts).toBe(2)
    expect(engine.news().filter((one) => one === 'tokenExpired')).toHaveLength(2)
    expect(engine.connectionState).toBe('denied')
    expect(await bodies(engine, sid)).toEqual(['still here'])
  })

  it('of somebody else is refused', async () => {
    const engine = engineFor('alice', memory())
    await expect(engine.updateToken(tokenFor('bob'))).rejects.toMatchObject({ code: 20003 })
    await engine.updateToken(tokenFor('alice'))
  })
})

describe('many conversations', () => {
  it('keep open only the documents used last, and read the others again when asked', async () => {
    const time = new VirtualTime()
    const relay = new YRelay()
    const open = new Set<string>()
    const storage = memory()
    const counting: Storage = {
      ...storage,
      async open(owner) {
        const store = await storage.open(owner)
        const { documents } = store
        return {
          ...store,
          documents: {
            remove: (document, epoch) => documents.remove(document, epoch),
            open(document, epoch, doc) {
              open.add(document)
              const stored = documents.open(document, epoch, doc)
              return { ...stored, close: () => stored.close().finally(() => open.delete(document)) }
            },
          },
        }
      },
    }
    const engine = engineFor('alice', counting, { transport: relay.transport('alice'), platform: time })
    await engine.heard('connectionStateChanged connected')
    const sids: string[] = []
    for (let i = 0; i < 60; i++) {
      const sid = await create(engine, `c${i}`)
      await engine.submit(sid, [post(`in ${i}`)])
      sids.push(sid)
      time.advance(1)
    }
    await turns()
    expect(open.size).toBe(61)
    time.advance(30_000)
    await turns()
    // fifty conversations and the directory
    expect(open.size).toBe(51)
    expect(engine.conversations()).toHaveLength(60)
    expect(await bodies(engine, sids[0] as string)).toEqual(['in 0'])
    relay.by('alice', sids[1] as string, { type: 'message.post', body: 'from elsewhere' })
    await engine.heard('messageAdded 1 from elsewhere')
    expect(await bodies(engine, sids[1] as string)).toEqual(['in 1', 'from elsewhere'])
  })
})
