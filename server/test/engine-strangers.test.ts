import { CHANNEL_USER, conversationSid, inviteHash, outboxName } from '@confab/core'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createEngine } from '../src/commit/create-engine.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import type { DocumentCommit, Store } from '../src/store/store.ts'
import { Device, freshId, operation, post } from './support/device.ts'

function relay() {
  const store = openSqliteStore(':memory:')
  const commits: (readonly DocumentCommit[])[] = []
  const asked: string[] = []
  const watched = new Proxy(store, {
    get: (target, name: keyof Store) => {
      const method = target[name] as (...args: never[]) => unknown
      return (...args: never[]) => {
        asked.push(name)
        if (name === 'commit') commits.push(args[0] as unknown as DocumentCommit[])
        return method.apply(target, args)
      }
    },
  })
  return { engine: createEngine({ store: watched }), commits, asked }
}

const nowhere = `CH${'7'.repeat(32)}`

describe('to somebody who is no participant, a conversation is one that does not exist', () => {
  it('when they open it', async () => {
    const { engine } = relay()
    const sid = await new Device(engine, 'ada').create()
    const eve = new Device(engine, 'eve')
    for (const pending of [false, true]) {
      const [there, not] = await engine.open(
        eve,
        [sid, nowhere].map((document) => ({ document, pending, epoch: 0, commitsId: 0, clock: 0 })),
      )
      expect({ ...there, document: '' }).toEqual({ ...not, document: '' })
      expect(there?.status).toBe('absent')
    }
    expect((await engine.answerStateVector(eve, sid, Uint8Array.of(0))).status).toBe('absent')
  })

  it('when they upload, whatever it is: the same answer, after the same questions to the store, and nothing stored', async () => {
    const { engine, commits, asked } = relay()
    const sid = await new Device(engine, 'ada').create()
    commits.length = 0
    const message = post('let me in')
    const attempts: unknown[][] = [
      [message],
      [operation('conversation.leave', {}), message],
      [operation('conversation.join', {}), message],
      [operation('conversation.join', { invite: Buffer.alloc(32, 3).toString('base64url') }), message],
      [operation('conversation.create', { nonce: freshId() }), message],
      [{ id: freshId(), type: 'nonsense' }, message],
      [17],
    ]
    for (const attempt of attempts) {
      const answers = []
      for (const document of [sid, nowhere]) {
        const eve = new Device(engine, 'eve')
        await eve.open(document, true)
        asked.length = 0
        answers.push({
          answer: await eve.upload(document, eve.write(document, ...attempt)),
          asked: [...asked],
        })
        expect(eve.told).toEqual([])
      }
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]?.answer.kind).toBe('taken')
    }
    expect(commits).toEqual([])
  })

  it("a client id that they tried is still anybody's", async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const eve = new Device(engine, 'eve')
    const doc = new Y.Doc()
    doc.clientID = 4711
    eve.docs.set(sid, doc)
    await eve.submit(sid, post('squatting'))
    const own = new Device(engine, 'ada')
    await own.open(sid)
    own.doc(sid).clientID = 4711
    expect(await own.submit(sid, post('mine'))).toMatchObject([{ verdict: 'accepted' }])
  })

  it('gets "request" of nothing held, when the start of what they sent is missing', async () => {
    const { engine } = relay()
    const sid = await new Device(engine, 'ada').create()
    for (const document of [sid, nowhere]) {
      const eve = new Device(engine, 'eve')
      eve.write(document, post('one'))
      const update = eve.write(document, post('two'))
      expect(await engine.upload(eve, document, update)).toEqual({
        kind: 'request',
        stateVector: Uint8Array.of(0),
      })
    }
  })

  it('is closed on for what is no honest update', async () => {
    const { engine } = relay()
    const sid = await new Device(engine, 'ada').create()
    const eve = new Device(engine, 'eve')
    const doc = new Y.Doc()
    doc.getArray('messages').push([{ body: 'forged' }])
    expect((await engine.upload(eve, sid, Y.encodeStateAsUpdate(doc))).kind).toBe('violation')
    const other = new Y.Doc()
    other.getArray(outboxName('ada')).push([post('as ada')])
    expect((await engine.upload(eve, sid, Y.encodeStateAsUpdate(other))).kind).toBe('violation')
    expect((await engine.upload(eve, sid, Uint8Array.of(255, 1, 2))).kind).toBe('violation')
  })
})

describe('creating', () => {
  it('over a sid that is not theirs is refused, with everything behind it', async () => {
    const { engine } = relay()
    const eve = new Device(engine, 'eve')
    const sid = await new Device(engine, 'ada').create()
    expect(
      await eve.submit(
        sid,
        operation('conversation.create', { nonce: freshId() }),
        operation('conversation.join', {}),
        post('x'),
      ),
    ).toMatchObject([{ code: 20001 }, { code: 70402 }, { code: 70402 }])
  })

  it('again with the same operation gives the recorded outcome, also to who has left', async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const nonce = freshId()
    const sid = conversationSid('ada', nonce)
    const create = operation('conversation.create', { nonce })
    await ada.open(sid, true)
    await ada.submit(sid, create, operation('conversation.join', {}), operation('conversation.leave', {}))
    const again = new Device(engine, 'ada')
    expect(await again.submit(sid, create)).toMatchObject([{ verdict: 'accepted' }])
  })

  it('a deleted conversation again is refused: its sid was used', async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const nonce = freshId()
    const sid = conversationSid('ada', nonce)
    await ada.open(sid, true)
    await ada.submit(sid, operation('conversation.create', { nonce }), operation('conversation.delete', {}))
    const again = new Device(engine, 'ada')
    expect(await again.submit(sid, operation('conversation.create', { nonce }))).toMatchObject([
      { code: 70105 },
    ])
    expect((await again.open(sid)).status).toBe('absent')
  })
})

describe('an invite', () => {
  const secret = Buffer.alloc(32, 9)
  const invite = secret.toString('base64url')
  const hash = inviteHash(secret)

  it('lets its holder in, with what was queued behind it, and brings them everything', async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    await ada.submit(
      sid,
      post('earlier'),
      operation('invite.create', { hash, roleSid: CHANNEL_USER, expiresAt: Date.now() + 60_000, maxUses: 1 }),
    )
    const bob = new Device(engine, 'bob')
    expect((await bob.open(sid, true)).status).toBe('absent')
    const outcomes = await bob.submit(sid, operation('conversation.join', { invite }), post('here I am'))
    expect(outcomes).toMatchObject([{ verdict: 'accepted' }, { verdict: 'accepted' }])
    expect(bob.bodies(sid)).toEqual(['earlier', 'here I am'])
    expect(bob.outbox(sid)).toEqual([])
    await ada.submit(sid, post('welcome'))
    expect(bob.messages(sid)).toEqual(ada.messages(sid))
    const late = new Device(engine, 'cem')
    expect(await late.submit(sid, operation('conversation.join', { invite }), post('me too'))).toMatchObject([
      { verdict: 'later', code: 70201 },
      { verdict: 'later', code: 70201 },
    ])
  })

  it('that has not arrived is "not now", and works once it has', async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const sid = await ada.create()
    const bob = new Device(engine, 'bob')
    await bob.open(sid, true)
    const update = bob.write(sid, operation('conversation.join', { invite }), post('hello'))
    expect(await bob.upload(sid, update)).toMatchObject({
      outcomes: [{ verdict: 'later' }, { verdict: 'later' }],
    })
    await ada.submit(
      sid,
      operation('invite.create', { hash, roleSid: CHANNEL_USER, expiresAt: Date.now() + 60_000, maxUses: 1 }),
    )
    await bob.upload(sid, update)
    expect(bob.bodies(sid)).toEqual(['hello'])
    expect(ada.participants(sid)).toEqual(['ada', 'bob'])
  })
})

describe('a client id', () => {
  it('belongs to whose connection it first came on: 70602 for anybody else', async () => {
    const { engine } = relay()
    const ada = new Device(engine, 'ada')
    const bob = new Device(engine, 'bob')
    const sid = await ada.create('bob')
    await bob.open(sid)
    bob.doc(sid).clientID = ada.doc(sid).clientID
    const answer = await engine.upload(bob, sid, bob.write(sid, post('x')))
    expect(answer).toMatchObject({ kind: 'nack', error: { code: 70602 } })
    expect(ada.bodies(sid)).toEqual([])
  })
})
