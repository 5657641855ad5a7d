/** Bounds on what one person, one conversation and one outbox may hold, over both endpoints. */
import { CHANNEL_USER, inviteHash, type Operation, outboxName } from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { createConversation } from '../support/conversation.ts'
import { freshId, newConversation, operation, post } from '../support/operations.ts'
import { ENDPOINTS, openDocument } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'
import { Onlookers } from './onlookers.ts'

const invite = () =>
  operation('invite.create', {
    hash: inviteHash(new TextEncoder().encode(freshId())),
    roleSid: CHANNEL_USER,
    expiresAt: Date.now() + 60_000,
    maxUses: 1,
  })

describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
  let relay: TestRelay
  beforeAll(async () => {
    relay = await startRelay({
      limits: { conversationsPerIdentity: 6, participants: 5, invites: 2, pendingOperations: 10 },
    })
  })
  afterAll(() => relay?.close())

  it('a person has so many conversations, whoever makes them or brings them in', async () => {
    const outcomes = []
    for (let i = 0; i < 8; i++) {
      const { sid, operations } = newConversation('mallory')
      const maker = await openDocument(endpoint, relay.url, 'mallory', sid)
      maker.upload(maker.write(...operations))
      outcomes.push(await maker.outcomeOf((operations[0] as Operation).id))
    }
    expect(outcomes).toMatchObject([
      ...Array.from({ length: 6 }, () => ({ verdict: 'accepted' })),
      ...Array.from({ length: 2 }, () => ({ verdict: 'refused', code: 50422 })),
    ])
    const { creator } = await createConversation(relay.url, ['alice'])
    expect(await creator.submit(operation('participant.add', { identity: 'mallory' }))).toMatchObject([
      { verdict: 'refused', code: 50422 },
    ])
  })

  it('a conversation has so many people and invites: more are refused, and nobody loses their place', async () => {
    const honest = await Onlookers.of(relay.url, [`mallory ${endpoint}`])
    const mallory = await openDocument(endpoint, relay.url, `mallory ${endpoint}`, honest.sid)
    const crowd = Array.from({ length: 6 }, (_, i) =>
      operation('participant.add', { identity: `${honest.sid} ${i}` }),
    )
    expect((await mallory.submit(...crowd)).map(({ verdict }) => verdict)).toEqual([
      ...Array(2).fill('accepted'),
      ...Array(4).fill('refused'),
    ])
    expect(mallory.outcomes.filter((outcome) => 'code' in outcome)).toMatchObject(
      Array(4).fill({ code: 50417 }),
    )
    await honest.reached(mallory)
    const before = await honest.records()
    const [first, second, third] = await mallory.submit(invite(), invite(), invite())
    expect([first, second]).toMatchObject([{ verdict: 'accepted' }, { verdict: 'accepted' }])
    expect(third).toMatchObject({ verdict: 'refused', code: 20001 })
    await honest.reached(mallory)
    const after = await honest.records()
    expect(Object.keys(after.bob.conversation.invites).length).toBe(2)
    expect(after.bob.participants).toEqual(before.bob.participants)
    await honest.alice.accepted(post('we are still here'))
  })

  it('an upload holds so many operations: the rest is asked for, and taken in its order', async () => {
    const honest = await Onlookers.of(relay.url, [`many ${endpoint}`])
    const many = await openDocument(endpoint, relay.url, `many ${endpoint}`, honest.sid)
    const posts = Array.from({ length: 25 }, (_, i) => post(`${i}`))
    const before = many.requests
    many.upload(many.write(...posts))
    await many.peer.when(() => many.requests > before)
    expect(many.outcomes.length).toBe(10)
    for (let round = 0; round < 2; round++) {
      const asked = many.requests
      many.upload(Y.encodeStateAsUpdate(many.doc))
      if (round === 0) await many.peer.when(() => many.requests > asked)
    }
    await Promise.all(posts.map(({ id }) => many.outcomeOf(id)))
    await honest.reached(many)
    expect(honest.bob.bodies).toEqual(posts.map(({ body }) => body))
  })

  it('a unique name says of itself only that it is taken: by whom and where is the same to everybody', async () => {
    const uniqueName = `name ${endpoint}`
    const { sid, operations } = newConversation(`owner ${endpoint}`)
    const owner = await openDocument(endpoint, relay.url, `owner ${endpoint}`, sid)
    await owner.accepted({ ...operations[0], uniqueName } as Operation)
    const answers: unknown[] = []
    for (const identity of [`owner ${endpoint}`, `prober ${endpoint}`]) {
      const made = newConversation(identity)
      const reader = await openDocument(endpoint, relay.url, identity, made.sid)
      const [outcome] = await reader.submit({ ...made.operations[0], uniqueName } as Operation)
      expect(reader.doc.getMap('conversation').has('uniqueName')).toBe(false)
      answers.push({ ...outcome, id: '' })
    }
    expect(answers[0]).toMatchObject({ verdict: 'accepted', warnings: [{ code: 50353 }] })
    expect(answers[1]).toEqual(answers[0])
    expect(JSON.stringify(answers)).not.toContain(sid)
  })

  it('an operation of somebody else’s in an update that has no room for it stays somebody else’s', async () => {
    const honest = await Onlookers.of(relay.url, [`stuffed ${endpoint}`])
    const before = await honest.bytes()
    const stuffed = await openDocument(endpoint, relay.url, `stuffed ${endpoint}`, honest.sid)
    const doc = new Y.Doc()
    doc.getArray(outboxName(`stuffed ${endpoint}`)).push(Array.from({ length: 20 }, () => post('much')))
    doc.getArray(outboxName('alice')).push([post('in her name')])
    stuffed.upload(Y.encodeStateAsUpdate(doc))
    expect((await stuffed.peer.ended()).code).toBe(4400)
    expect(await honest.bytes()).toEqual(before)
  })

  it('none of it made the relay fail', () => expect(relay.failures).toEqual([]))
})
