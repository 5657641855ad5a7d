import { ConfabError, messageSidOf, participantSid } from '@confab/core'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/commit/create-engine.ts'
import type { EngineOptions } from '../src/commit/options.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { DocumentCommit, Store } from '../src/store/store.ts'
import { Device, freshId, operation, post, SERVICE } from './support/device.ts'

/** A real store whose commits are counted and can be made to fail. */
function watched() {
  const store = openSqliteStore(':memory:')
  const commits: DocumentCommit[][] = []
  const failing = { times: 0 }
  const loads: string[] = []
  const seen: Store = {
    ...store,
    load: (service, document) => {
      loads.push(document)
      return store.load(service, document)
    },
    commit: async (batch) => {
      if (failing.times > 0) {
        failing.times--
        throw new ConfabError(70502, 'the disk is full')
      }
      commits.push([...batch])
      return store.commit(batch)
    },
  }
  return { store: seen, commits, failing, loads }
}

const engineOn = (store: Store, options: Partial<EngineOptions> = {}) => createEngine({ store, ...options })

describe('group commit', () => {
  it('stores the uploads of one turn, to whichever documents, in one transaction', async () => {
    const { store, commits } = watched()
    const engine = engineOn(store)
    const people = ['ada', 'bob', 'cem'].map((identity) => new Device(engine, identity))
    const sids = await Promise.all(people.map((person) => person.create()))
    commits.length = 0
    await Promise.all(
      people.flatMap((person, i) => [1, 2, 3].map((n) => person.submit(sids[i] as string, post(`${n}`)))),
    )
    expect(commits.map((batch) => batch.length)).toEqual([3])
    expect(people.map((person, i) => person.bodies(sids[i] as string))).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3'],
      ['1', '2', '3'],
    ])
  })

  it('changes the private documents in the same transaction', async () => {
    const { store, commits } = watched()
    const ada = new Device(engineOn(store), 'ada')
    const sid = await ada.create('bob')
    expect(commits[0]?.map(({ head }) => head.document).sort()).toEqual([sid, 'user/ada', 'user/bob'].sort())
  })
})

describe('a store that fails', () => {
  it('shows nothing to anybody, and takes the same upload afterwards', async () => {
    const { store, failing } = watched()
    const engine = engineOn(store)
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    const told = [ada.told.length, bob.told.length]
    failing.times = 1
    const update = ada.write(sid, post('once'))
    const nack = await ada.upload(sid, update)
    // and without what the database said, which may name what others wrote
    expect(nack).toMatchObject({
      kind: 'nack',
      error: { code: 70502, message: 'The relay could not store it' },
    })
    expect(nack.kind === 'nack' && nack.retryAfter).toBeGreaterThan(0)
    expect([ada.told.length, bob.told.length]).toEqual(told)
    expect(await ada.upload(sid, update)).toEqual({ kind: 'taken', outcomes: [] })
    expect(bob.bodies(sid)).toEqual(['once'])
    await bob.submit(sid, post('and on'))
    expect(ada.messages(sid).map(({ index }) => index)).toEqual([0, 1])
  })

  it('fails a system operation with 70502', async () => {
    const { store, failing } = watched()
    const engine = engineOn(store)
    const sid = await new Device(engine, 'ada').create()
    failing.times = 1
    await expect(engine.submit(SERVICE, sid, post('x'), 'rest')).rejects.toMatchObject({ code: 70502 })
    expect(await engine.submit(SERVICE, sid, post('x'), 'rest')).toMatchObject({ verdict: 'accepted' })
  })
})

describe('an operation id is accepted once', () => {
  it('for the same author in another upload: the recorded outcome, and one message', async () => {
    const { store } = watched()
    const engine = engineOn(store)
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const message = post('once')
    await ada.submit(sid, message)
    const again = new Device(engine, 'ada')
    await again.open(sid)
    expect(await again.submit(sid, message)).toEqual([{ id: message.id, verdict: 'accepted' }])
    expect(again.bodies(sid)).toEqual(['once'])
    expect(again.outbox(sid)).toEqual([])
    expect(await again.submit(sid, message, message)).toEqual(
      Array(2).fill({ id: message.id, verdict: 'accepted' }),
    )
    expect(again.bodies(sid)).toEqual(['once'])
  })

  it('replays a refusal as it was', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const wrong = operation('message.edit', { sid: messageSidOf(freshId()), body: 'x' })
    const [first] = await ada.submit(sid, wrong)
    expect(first).toMatchObject({ verdict: 'refused', code: 20404 })
    expect(await ada.submit(sid, wrong)).toEqual([first])
    expect(ada.outbox(sid)).toEqual([])
  })

  it('is refused to anybody else', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    const message = post('mine')
    await ada.submit(sid, message)
    expect(await bob.submit(sid, message)).toMatchObject([{ verdict: 'refused', code: 70105 }])
    expect(bob.bodies(sid)).toEqual(['mine'])
  })
})

describe('a refused operation', () => {
  it('is taken out of the outbox, told to the author alone and kept in their private document', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await Promise.all([ada.open('user/ada'), bob.open(sid)])
    const long = post('x'.repeat(40_000))
    expect(await ada.submit(sid, long)).toMatchObject([{ verdict: 'refused', code: 70101 }])
    expect(ada.outbox(sid)).toEqual([])
    expect(bob.outcomes.size).toBe(0)
    expect(ada.doc('user/ada').getArray('refusals').toArray()).toMatchObject([
      { id: long.id, document: sid, code: 70101 },
    ])
    expect(JSON.stringify(bob.doc(sid).toJSON())).not.toContain('xxxx')
  })

  it('leaves the newest hundred refusals', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const wrong = Array.from({ length: 130 }, () => operation('participant.add', {}))
    await ada.submit(sid, ...wrong.slice(0, 50))
    await ada.submit(sid, ...wrong.slice(50))
    await ada.open('user/ada')
    const kept = ada.doc('user/ada').getArray<{ id: string }>('refusals').toArray()
    expect(kept.map(({ id }) => id)).toEqual(wrong.slice(30).map(({ id }) => id))
  })

  it('without a readable id only goes away, and the connection lives', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    expect(await ada.upload(sid, ada.write(sid, 17, { type: 'message.post' }, null))).toEqual({
      kind: 'taken',
      outcomes: [],
    })
    expect(ada.outbox(sid)).toEqual([])
  })
})

describe('removal', () => {
  it('takes the document away in the same turn: an outcome for their own, and not a byte of the commit', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    await bob.submit(sid, post('before'))
    const { bytes } = bob
    const told = bob.told.length
    const last = post('last words')
    // decided in this order, in one turn and one commit
    const words = bob.upload(sid, bob.write(sid, last))
    const removal = ada.submit(
      sid,
      operation('participant.remove', { sid: participantSid(sid, { identity: 'bob' }) }),
    )
    await Promise.all([words, removal])
    expect(bob.told.slice(told)).toEqual(['changes 0 accepted', `absent ${sid}`])
    expect(bob.bytes).toBe(bytes)
    expect(bob.outcomes.get(last.id)).toMatchObject({ verdict: 'accepted' })
    expect(ada.bodies(sid)).toEqual(['before', 'last words'])
    await ada.submit(sid, post('among us'))
    expect(bob.bytes).toBe(bytes)
    expect(bob.told.length).toBe(told + 2)
  })

  it('answers what they upload afterwards with "not now", and stores nothing of it', async () => {
    const { store, commits } = watched()
    const engine = engineOn(store)
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    const text = bob.write(sid, post('one'), post('two'))
    const removal = ada.submit(
      sid,
      operation('participant.remove', { sid: participantSid(sid, { identity: 'bob' }) }),
    )
    const answer = bob.upload(sid, text)
    await removal
    expect(await answer).toMatchObject({
      kind: 'taken',
      outcomes: [
        { verdict: 'later', code: 70201 },
        { verdict: 'later', code: 70201 },
      ],
    })
    commits.length = 0
    const another = new Device(engine, 'bob')
    expect((await another.submit(sid, post('three'))).map((outcome) => outcome?.verdict)).toEqual(['later'])
    expect(commits).toEqual([])
    expect(ada.bodies(sid)).toEqual([])
  })

  it('and being added again brings the whole document to whoever waits for it', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    await ada.submit(
      sid,
      operation('participant.remove', { sid: participantSid(sid, { identity: 'bob' }) }),
      post('unheard'),
    )
    await ada.submit(sid, operation('participant.add', { identity: 'bob' }))
    await bob.until(() => bob.bodies(sid).length === 1)
    await ada.submit(sid, post('welcome'))
    expect(bob.bodies(sid)).toEqual(['unheard', 'welcome'])
  })
})

describe('a system actor', () => {
  it('goes through the same commit, and has no outbox', async () => {
    const engine = engineOn(watched().store)
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const notice = operation('message.post', { body: 'maintenance at noon', author: 'ops' })
    expect(await engine.submit(SERVICE, sid, notice, 'rest')).toEqual({ id: notice.id, verdict: 'accepted' })
    expect(await engine.submit(SERVICE, sid, notice, 'rest')).toEqual({ id: notice.id, verdict: 'accepted' })
    expect(ada.messages(sid)).toMatchObject([{ author: 'ops', body: 'maintenance at noon' }])
    expect(await engine.submit(SERVICE, `CH${'0'.repeat(32)}`, post('x'), 'rest')).toMatchObject({
      code: 20404,
    })
  })
})
