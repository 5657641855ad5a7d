import { conversationSid, participantSid } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import type { EngineOptions } from '../src/commit/options.ts'
import type { CommittedOperation, OperationRequest } from '../src/hooks.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { Device, freshId, operation, post, SERVICE } from './support/device.ts'

const relay = (options: Partial<EngineOptions>) =>
  createEngine({ store: openSqliteStore(':memory:'), ...options })

/** A hook that answers when it is told to. */
function held<Answer>() {
  const asked: { request: OperationRequest; answer: (answer: Answer) => void }[] = []
  let notice: (() => void) | null = null
  return {
    asked,
    hook: (request: OperationRequest) =>
      new Promise<Answer>((answer) => {
        asked.push({ request, answer })
        notice?.()
      }),
    async called(times: number): Promise<void> {
      while (asked.length < times) await new Promise<void>((resume) => (notice = resume))
    },
  }
}

const isPost = ({ operation }: OperationRequest) => operation.type === 'message.post'

describe('authorize', () => {
  it('denies with a reason what the roles would allow', async () => {
    const engine = relay({
      hooks: {
        authorize: (request) => (isPost(request) ? { allow: false, reason: 'Read only' } : undefined),
      },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    expect(await ada.submit(sid, post('x'))).toMatchObject([
      { verdict: 'refused', code: 20403, message: 'Read only' },
    ])
    expect(ada.bodies(sid)).toEqual([])
  })

  it('allows what the roles would not', async () => {
    const allowed = new Set<string>()
    const engine = relay({
      hooks: { authorize: ({ operation }) => (allowed.has(operation.id) ? { allow: true } : undefined) },
    })
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    const rename = () => operation('conversation.update', { friendlyName: 'ours' })
    expect(await bob.submit(sid, rename())).toMatchObject([{ verdict: 'refused', code: 20403 }])
    const second = rename()
    allowed.add(second.id)
    expect(await bob.submit(sid, second)).toMatchObject([{ verdict: 'accepted' }])
  })

  it('is never asked of somebody who only guesses', async () => {
    const asked: string[] = []
    const engine = relay({
      hooks: { authorize: ({ principal }) => void asked.push(principal?.identity ?? '') },
    })
    const sid = await new Device(engine, 'ada').create()
    asked.length = 0
    const eve = new Device(engine, 'eve')
    await eve.submit(sid, post('let me in'))
    await eve.submit(sid, operation('conversation.join', { invite: Buffer.alloc(32).toString('base64url') }))
    expect(asked).toEqual([])
  })
})

describe('beforeCommit', () => {
  it('refuses with a reason, at once or by a promise', async () => {
    for (const answer of [{ refuse: 'Please stay kind' }, Promise.resolve({ refuse: 'Please stay kind' })]) {
      const engine = relay({ hooks: { beforeCommit: (request) => (isPost(request) ? answer : undefined) } })
      const ada = new Device(engine, 'ada')
      const sid = await ada.create()
      expect(await ada.submit(sid, post('x'))).toMatchObject([{ code: 70301, message: 'Please stay kind' }])
    }
  })

  it('amends: what is committed is the amended operation', async () => {
    const engine = relay({
      hooks: {
        beforeCommit: async ({ operation }) =>
          operation.type === 'message.post'
            ? { amend: { ...operation, body: operation.body?.toUpperCase() ?? '' } }
            : undefined,
      },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    expect(await ada.submit(sid, post('one'), post('two'))).toMatchObject([
      { verdict: 'accepted' },
      { verdict: 'accepted' },
    ])
    expect(ada.bodies(sid)).toEqual(['ONE', 'TWO'])
  })

  it('sees the state before the operation, with what is ahead of it committed', async () => {
    const seen: number[] = []
    const engine = relay({
      hooks: {
        beforeCommit: async ({ state, operation }) =>
          void (operation.type === 'message.post' && seen.push(state.highestIndex)),
      },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    await ada.submit(sid, post('a'), post('b'), post('c'))
    expect(seen).toEqual([-1, 0, 1])
  })

  it('holds up its own conversation only', async () => {
    const waiting = held<undefined>()
    const engine = relay({
      hooks: { beforeCommit: (request) => (isPost(request) ? waiting.hook(request) : undefined) },
    })
    const ada = new Device(engine, 'ada')
    const [slow, quick] = [await ada.create(), await ada.create()]
    const posted = ada.submit(slow, operation('conversation.update', { friendlyName: 'first' }), post('x'))
    await waiting.called(1)
    await ada.submit(quick, operation('conversation.update', { friendlyName: 'quick' }))
    // what was ahead of it is committed already
    expect(ada.doc(slow).getMap('conversation').get('friendlyName')).toBe('first')
    expect(ada.bodies(slow)).toEqual([])
    waiting.asked[0]?.answer(undefined)
    expect(await posted).toMatchObject([{ verdict: 'accepted' }, { verdict: 'accepted' }])
    expect(ada.bodies(slow)).toEqual(['x'])
  })

  it('while it decides, the same upload again changes nothing and is answered after it', async () => {
    const waiting = held<undefined>()
    const engine = relay({
      hooks: { beforeCommit: (request) => (isPost(request) ? waiting.hook(request) : undefined) },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const message = post('once')
    const update = ada.write(sid, message)
    const first = ada.upload(sid, update)
    await waiting.called(1)
    let answered = false
    const second = ada.upload(sid, update).then((answer) => {
      answered = true
      return answer
    })
    const other = new Device(engine, 'ada')
    await other.open(sid)
    const third = other.submit(sid, message)
    expect(answered).toBe(false)
    waiting.asked[0]?.answer(undefined)
    expect(await first).toEqual({ kind: 'taken', outcomes: [] })
    expect(await second).toEqual({ kind: 'taken', outcomes: [] })
    expect(await third).toMatchObject([{ verdict: 'accepted' }])
    expect(ada.bodies(sid)).toEqual(['once'])
    expect(waiting.asked.length).toBe(1)
  })

  it('that has not answered by its deadline counts as a refusal, 70302, and a late answer as nothing', async () => {
    const waiting = held<undefined>()
    const timers: (() => void)[] = []
    const engine = relay({
      hooks: { beforeCommit: (request) => (isPost(request) ? waiting.hook(request) : undefined) },
      after: (milliseconds, run) => {
        if (milliseconds === 5000) timers.push(run)
        return () => {}
      },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const posted = ada.submit(sid, post('x'))
    await waiting.called(1)
    timers[0]?.()
    expect(await posted).toMatchObject([{ verdict: 'refused', code: 70302 }])
    waiting.asked[0]?.answer(undefined)
    await engine.idle()
    expect(ada.bodies(sid)).toEqual([])
  })

  it('that fails is one that has not answered', async () => {
    const engine = relay({
      hooks: {
        beforeCommit: (request) => {
          if (isPost(request)) throw new Error('a bug in the app')
          return undefined
        },
      },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    expect(await ada.submit(sid, post('x'))).toMatchObject([{ code: 70302 }])
  })

  it('decides about the membership that stands when it has answered', async () => {
    const waiting = held<undefined>()
    const engine = relay({
      hooks: { beforeCommit: (request) => (isPost(request) ? waiting.hook(request) : undefined) },
    })
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    const posted = bob.submit(sid, post('while I still can'))
    await waiting.called(1)
    // arrives later, so it is decided later
    const removed = ada.submit(
      sid,
      operation('participant.remove', { sid: participantSid(sid, { identity: 'bob' }) }),
    )
    waiting.asked[0]?.answer(undefined)
    expect(await posted).toMatchObject([{ verdict: 'accepted' }])
    expect(await removed).toMatchObject([{ verdict: 'accepted' }])
    expect(ada.bodies(sid)).toEqual(['while I still can'])
    expect(bob.told.at(-1)).toBe(`absent ${sid}`)
  })

  it('also has its say about who comes in', async () => {
    const engine = relay({
      hooks: {
        beforeCommit: async ({ operation }) =>
          operation.type === 'conversation.create' ? { refuse: 'closed' } : undefined,
      },
    })
    const ada = new Device(engine, 'ada')
    const nonce = freshId()
    const sid = conversationSid('ada', nonce)
    await ada.open(sid, true)
    const outcomes = await ada.submit(sid, operation('conversation.create', { nonce }), post('x'))
    expect(outcomes).toMatchObject([
      { verdict: 'refused', code: 70301 },
      { verdict: 'refused', code: 70402 },
    ])
  })
})

describe('afterCommit', () => {
  it('is told of what was accepted, after everybody was, and breaks nothing by failing', async () => {
    const told: CommittedOperation[] = []
    const logged: string[] = []
    const engine = relay({
      hooks: {
        afterCommit: (committed) => {
          told.push(committed)
          throw new Error('the search index is down')
        },
      },
      logger: { info() {}, warn() {}, error: (_, message) => void logged.push(message) },
    })
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    await ada.submit(sid, post('x'), operation('participant.add', {}))
    await engine.submit(SERVICE, sid, post('y'), 'rest')
    expect(told.map(({ operation }) => operation.type)).toEqual([
      'conversation.create',
      'conversation.join',
      'message.post',
      'message.post',
    ])
    expect(told.at(-1)?.principal).toBe(null)
    expect(new Set(logged)).toEqual(new Set(['afterCommit failed']))
    expect(ada.bodies(sid)).toEqual(['x', 'y'])
  })
})
