/** The engine, the native transport and a real relay over real sockets: what was done apart becomes one. */
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { afterEach, describe, expect, it } from 'vitest'
import { createInvite, joinByInvite } from '../../packages/client/src/invites.ts'
import { memory } from '../../packages/client/src/storage/memory.ts'
import type { Storage } from '../../packages/client/src/storage/storage.ts'
import { native } from '../../packages/client/src/transport/native.ts'
import { engineFor, type TestEngine } from '../../packages/client/test/engine/harness.ts'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }

const relays: Relay[] = []
const engines: TestEngine[] = []
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.shutdown()))
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})

async function startRelay(): Promise<Relay> {
  const relay = await createRelay({
    port: 0,
    database: ':memory:',
    accessKeys: { [ACCESS.key]: ACCESS.secret },
  })
  relays.push(relay)
  return relay
}

function clientOf(relay: Relay, identity: string, storage: Storage = memory()): TestEngine {
  const engine = engineFor(identity, storage, {
    url: relay.url,
    transport: native(),
    token: () => createAccessToken({ ...ACCESS, identity }),
  })
  engines.push(engine)
  return engine
}

const post = (body: string) => ({ type: 'message.post' as const, body })

async function create(engine: TestEngine, friendlyName: string, ...others: string[]): Promise<string> {
  await engine.ready
  const { sid, draft } = engine.newConversation({ friendlyName })
  await engine.submit(sid, [
    draft,
    { type: 'conversation.join' },
    ...others.map((identity) => ({ type: 'participant.add' as const, identity })),
  ])
  return sid
}

const shown = async (engine: TestEngine, sid: string) =>
  (await engine.messages(sid, { count: 100, direction: 'backwards' })).items.map(
    ({ record, status }) =>
      `${record.index} ${record.author}: ${record.body}${status === 'pending' ? ' …' : ''}`,
  )

describe('two members and a relay', () => {
  it('post offline at the same time, and both keep their messages, each in its author’s order', async () => {
    const relay = await startRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    await alice.goOffline()
    await bob.goOffline()
    for (const body of ['a1', 'a2', 'a3']) await alice.submit(sid, [post(body)])
    for (const body of ['b1', 'b2', 'b3']) await bob.submit(sid, [post(body)])
    expect(await shown(bob, sid)).toEqual(['0 bob: b1 …', '1 bob: b2 …', '2 bob: b3 …'])
    await alice.goOnline()
    await bob.heard('messageAdded 2 b3')
    await alice.heard('messageUpdated 2 a3')
    await bob.goOnline()
    await alice.heard('messageAdded 5 b3')
    await bob.heard('messageAdded 5 b3')
    const all = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'].map(
      (body, i) => `${i} ${body.startsWith('a') ? 'alice' : 'bob'}: ${body}`,
    )
    expect(await shown(alice, sid)).toEqual(all)
    expect(await shown(bob, sid)).toEqual(all)
    expect(alice.pendingOperations()).toEqual([])
    expect(bob.pendingOperations()).toEqual([])
  })

  it('restart offline with what was pending, and merge', async () => {
    const relay = await startRelay()
    const storage = memory()
    let alice = engineFor('alice', storage, {
      url: relay.url,
      token: () => createAccessToken({ ...ACCESS, identity: 'alice' }),
    })
    const sid = await create(alice, 'Trip', 'bob')
    await alice.submit(sid, [post('one')])
    await alice.shutdown()
    alice = clientOf(relay, 'alice', storage)
    await alice.heard('messageUpdated 0 one')
    const bob = clientOf(relay, 'bob')
    await bob.heard('conversationJoined Trip')
    expect(await shown(bob, sid)).toEqual(['0 alice: one'])
    await bob.submit(sid, [post('two')])
    await alice.heard('messageAdded 1 two')
    await alice.submit(sid, [{ type: 'conversation.update', friendlyName: 'The trip' }])
    await bob.heard('conversationUpdated The trip (dateUpdated, friendlyName)')
    bob.typing(sid)
    await alice.heard('typingStarted bob')
  })

  it('are one until one is removed, who keeps what they wrote', async () => {
    const relay = await startRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    await bob.goOffline()
    for (const body of ['x', 'y', 'z']) await bob.submit(sid, [post(body)])
    const member = (await alice.participants(sid)).find(({ record }) => record.identity === 'bob')
    await alice.submit(sid, [{ type: 'participant.remove', sid: member?.record.sid ?? '' }])
    await bob.goOnline()
    await bob.heard('conversationRemoved Trip')
    expect(
      bob.heldOperations().map(({ operation, error }) => [(operation as { body?: string }).body, error.code]),
    ).toEqual([
      ['x', 70401],
      ['y', 70401],
      ['z', 70401],
    ])
    await alice.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await bob.heard('conversationJoined Trip')
    await bob.resend(bob.heldOperations()[0]?.operation.id ?? '')
    expect(await shown(bob, sid)).toEqual(['0 bob: x'])
    await alice.heard('messageAdded 0 x')
    expect(await shown(alice, sid)).toEqual(['0 bob: x'])
  })

  it('meet by an invite that was made offline and used offline, whoever meets the relay first', async () => {
    const relay = await startRelay()
    const token = (identity: string) => () => createAccessToken({ ...ACCESS, identity })
    const [hers, his] = [memory(), memory()]
    const alice = engineFor('alice', hers, { url: relay.url, token: token('alice') })
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('from alice')])
    const invite = await createInvite(alice, sid, {})
    const bob = engineFor('bob', his, { url: relay.url, token: token('bob') })
    await bob.ready
    await joinByInvite(bob, invite)
    await bob.submit(sid, [post('from bob')])
    await alice.shutdown()
    await bob.shutdown()

    const bobOnline = clientOf(relay, 'bob', his)
    await bobOnline.heard('connectionStateChanged connected')
    const aliceOnline = clientOf(relay, 'alice', hers)
    await aliceOnline.heard('messageUpdated 0 from alice')
    await aliceOnline.heard('messageAdded 1 from bob')
    await bobOnline.heard('messageAdded 1 from bob')
    for (const engine of [aliceOnline, bobOnline]) {
      expect(await shown(engine, sid)).toEqual(['0 alice: from alice', '1 bob: from bob'])
      expect(engine.pendingOperations()).toEqual([])
      expect(engine.heldOperations()).toEqual([])
    }
  })

  it('choose the same unique name offline: the later one’s conversation is made without it, and its creator is told', async () => {
    const relay = await startRelay()
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const hers = alice.newConversation({ uniqueName: 'trip' })
    await alice.submit(hers.sid, [hers.draft, { type: 'conversation.join' }])
    const bob = clientOf(relay, 'bob')
    await bob.heard('connectionStateChanged connected')
    const his = bob.newConversation({ uniqueName: 'trip', friendlyName: 'Trip' })
    await bob.submit(his.sid, [his.draft, { type: 'conversation.join' }])
    await bob.heard('operationRefused conversation.update 50353')
    expect(bob.conversation(his.sid)).toMatchObject({ status: 'joined', record: { friendlyName: 'Trip' } })
    expect(bob.conversation(his.sid)?.record.uniqueName).toBeUndefined()
    expect(bob.heldOperations()).toMatchObject([
      { operation: { uniqueName: 'trip' }, error: { code: 50353 } },
    ])
    expect((await alice.findConversation('trip'))?.sid).toBe(hers.sid)
  })

  it('find what they are in by its sid, and nothing that isn’t theirs', async () => {
    const relay = await startRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Private')
    expect(await bob.findConversation(sid)).toBeUndefined()
    expect(await bob.findConversation(`CH${'0'.repeat(32)}`)).toBeUndefined()
    expect(await bob.findConversation('no such name')).toBeUndefined()
    await alice.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await bob.heard('conversationJoined Private')
    expect((await bob.findConversation(sid))?.sid).toBe(sid)
  })
})
