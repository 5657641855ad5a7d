import { describe, expect, it } from 'vitest'
import { createInvite, joinByInvite } from '../../src/invites.ts'
import { memory } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { engineFor, type TestEngine, turns } from './harness.ts'
import { YRelay } from './y-relay.ts'

const post = (body: string) => ({ type: 'message.post' as const, body })

function clientOf(relay: YRelay, identity: string, storage: Storage = memory()): TestEngine {
  return engineFor(identity, storage, { transport: relay.transport(identity) })
}

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
    ({ record, status }) => `${record.index} ${record.body}${status === 'pending' ? ' …' : ''}`,
  )

describe('with a relay', () => {
  it('a conversation made offline is accepted in the order it was written, and tells so once', async () => {
    const relay = new YRelay()
    relay.up = false
    const alice = clientOf(relay, 'alice')
    const sid = await create(alice, 'Trip', 'bob')
    await alice.submit(sid, [post('one')])
    await alice.submit(sid, [post('two')])
    await turns()
    alice.news()
    relay.comeUp()
    await turns()
    expect(alice.news()).toEqual([
      'connectionStateChanged connected',
      'participantUpdated alice (dateCreated)',
      'participantUpdated bob (dateCreated)',
      'messageUpdated 0 one (dateCreated)',
      'messageUpdated 1 two (dateCreated)',
      'conversationUpdated Trip (dateCreated)',
    ])
    expect(alice.pendingOperations()).toEqual([])
    expect(relay.bodies(sid)).toEqual(['0 one', '1 two'])
    expect(await shown(alice, sid)).toEqual(['0 one', '1 two'])
  })

  it('two members who posted offline both keep their messages, and each sees the other’s before their own', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    relay.goDown()
    await turns()
    await alice.submit(sid, [post('a1')])
    await alice.submit(sid, [post('a2')])
    await bob.submit(sid, [post('b1')])
    await bob.submit(sid, [post('b2')])
    await turns()
    expect(await shown(bob, sid)).toEqual(['0 b1 …', '1 b2 …'])
    alice.news()
    bob.news()
    relay.comeUp()
    await turns()
    const both = relay.bodies(sid)
    expect(await shown(alice, sid)).toEqual(both)
    expect(await shown(bob, sid)).toEqual(both)
    expect(both).toEqual(['0 a1', '1 a2', '2 b1', '3 b2'])
    // both were accepted before the next task: that they were, and where, is told as one
    expect(bob.news()).toEqual([
      'connectionStateChanged connecting',
      'connectionStateChanged connected',
      'messageRemoved 0 b1',
      'messageRemoved 1 b2',
      'messageAdded 0 a1',
      'messageAdded 1 a2',
      'messageAdded 2 b1',
      'messageAdded 3 b2',
      'conversationUpdated Trip (lastMessage)',
    ])
  })

  it('somebody who is added gets the conversation with no messageAdded, and one for each message from then on', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('before')])
    const bob = clientOf(relay, 'bob')
    await bob.heard('connectionStateChanged connected')
    await alice.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await bob.heard('conversationJoined Trip')
    expect(await shown(bob, sid)).toEqual(['0 before'])
    await alice.submit(sid, [post('after')])
    await bob.heard('messageAdded 1 after')
    await turns()
    expect(bob.news()).toEqual([
      'initialized',
      'connectionStateChanged connecting',
      'connectionStateChanged connected',
      'conversationAdded Trip',
      'conversationJoined Trip',
      'messageAdded 1 after',
      'conversationUpdated Trip (lastMessage)',
    ])
  })

  it('what arrives after an offline start is told', async () => {
    const relay = new YRelay()
    const storage = memory()
    const alice = clientOf(relay, 'alice')
    let bob = clientOf(relay, 'bob', storage)
    await bob.heard('connectionStateChanged connected')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await alice.submit(sid, [post('one')])
    await bob.heard('messageAdded 0 one')
    await bob.shutdown()
    await alice.submit(sid, [post('two')])
    relay.goDown()
    await turns()
    bob = clientOf(relay, 'bob', storage)
    await bob.heard('conversationJoined Trip')
    expect(await shown(bob, sid)).toEqual(['0 one'])
    relay.comeUp()
    await bob.heard('messageAdded 1 two')
    expect(await shown(bob, sid)).toEqual(['0 one', '1 two'])
  })

  it('a quiet conversation is resumed by its summary, its document unopened', async () => {
    const relay = new YRelay()
    const storage = memory()
    let alice = clientOf(relay, 'alice', storage)
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('one')])
    await alice.shutdown()
    let opened = 0
    const counting: Storage = {
      ...storage,
      open: async (owner) => {
        const store = await storage.open(owner)
        const { documents } = store
        const open: typeof documents.open = (document, epoch, doc) => {
          if (document === sid) opened++
          return documents.open(document, epoch, doc)
        }
        return { ...store, documents: { ...documents, open, remove: documents.remove.bind(documents) } }
      },
    }
    relay.opened.length = 0
    alice = clientOf(relay, 'alice', counting)
    await alice.heard('connectionStateChanged connected')
    await turns()
    expect(relay.opened.filter(({ document }) => document === sid)).toMatchObject([
      { pending: false, point: { epoch: 1 } },
    ])
    expect(alice.conversations()).toMatchObject([{ lastMessage: { index: 0 }, messageCount: 1 }])
    expect(opened).toBe(0)
    expect(await shown(alice, sid)).toEqual(['0 one'])
    expect(opened).toBe(1)
  })

  it('a refusal in time rejects the promise, and the text is held; the message leaves the timeline', async () => {
    const relay = new YRelay()
    relay.refusedBodies.add('rude')
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    await turns()
    alice.news()
    await expect(alice.submit(sid, [post('rude')])).rejects.toMatchObject({ code: 70301 })
    expect(alice.heldOperations()).toMatchObject([{ operation: { body: 'rude' }, error: { code: 70301 } }])
    expect(await shown(alice, sid)).toEqual([])
    await turns()
    expect(alice.news()).not.toContain('operationRefused message.post 70301')
    relay.refusedBodies.clear()
    const [held] = alice.heldOperations()
    await alice.resend(held?.operation.id ?? '')
    expect(await shown(alice, sid)).toEqual(['0 rude'])
    expect(alice.heldOperations()).toEqual([])
  })

  it('a later refusal is the event operationRefused, and messageRemoved', async () => {
    const relay = new YRelay()
    relay.refusedBodies.add('rude')
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    relay.goDown()
    await turns()
    await alice.submit(sid, [post('rude')])
    await alice.submit(sid, [post('polite')])
    await turns()
    alice.news()
    relay.comeUp()
    await turns()
    expect(alice.news()).toEqual([
      'connectionStateChanged connecting',
      'connectionStateChanged connected',
      'operationRefused message.post 70301',
      'messageRemoved 0 rude',
      'messageRemoved 1 polite',
      'messageAdded 0 polite',
      'conversationUpdated Trip (lastMessage)',
    ])
    expect(await shown(alice, sid)).toEqual(['0 polite'])
  })

  it('somebody removed while offline keeps the text of all they wrote, and being added again posts nothing', async () => {
    const relay = new YRelay()
    const storage = memory()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob', storage)
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    await bob.goOffline()
    for (const body of ['x', 'y', 'z']) await bob.submit(sid, [post(body)])
    const member = (await alice.participants(sid)).find(({ record }) => record.identity === 'bob')
    await alice.submit(sid, [{ type: 'participant.remove', sid: member?.record.sid ?? '' }])
    await turns()
    bob.news()
    await bob.goOnline()
    await bob.heard('conversationRemoved Trip')
    await turns()
    expect(bob.news()).toEqual([
      'connectionStateChanged connecting',
      'connectionStateChanged connected',
      'operationRefused message.post 70401',
      'operationRefused message.post 70401',
      'operationRefused message.post 70401',
      'conversationLeft Trip',
      'conversationRemoved Trip',
    ])
    expect(bob.conversations()).toEqual([])
    expect(bob.heldOperations().map(({ operation }) => (operation as { body?: string }).body)).toEqual([
      'x',
      'y',
      'z',
    ])
    await alice.submit(sid, [{ type: 'participant.add', identity: 'bob' }])
    await bob.heard('conversationJoined Trip')
    await turns()
    expect(relay.bodies(sid)).toEqual([])
    await bob.resend(bob.heldOperations()[0]?.operation.id ?? '')
    expect(relay.bodies(sid)).toEqual(['0 x'])
    expect(bob.heldOperations()).toHaveLength(2)
    await bob.shutdown()
    const again = clientOf(relay, 'bob', storage)
    await again.ready
    expect(again.heldOperations()).toHaveLength(2)
  })

  it('a removal on a live connection takes effect at once', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    const member = (await alice.participants(sid)).find(({ record }) => record.identity === 'bob')
    await alice.submit(sid, [{ type: 'participant.remove', sid: member?.record.sid ?? '' }])
    await bob.heard('conversationLeft Trip')
    await bob.heard('conversationRemoved Trip')
    await expect(bob.submit(sid, [post('still here?')])).rejects.toMatchObject({ code: 20404 })
  })

  it('leaving tells left and removed at once, and nothing of the conversation afterwards', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    await turns()
    bob.news()
    await bob.goOffline()
    await bob.submit(sid, [{ type: 'conversation.leave' }])
    await alice.submit(sid, [post('are you there?')])
    await bob.goOnline()
    await bob.heard('connectionStateChanged connected')
    await turns()
    expect(bob.news().filter((one) => !one.startsWith('connectionState'))).toEqual([
      'conversationLeft Trip',
      'conversationRemoved Trip',
    ])
    expect(bob.pendingOperations()).toEqual([])
    expect(bob.heldOperations()).toEqual([])
    expect(await alice.participants(sid)).toHaveLength(1)
  })

  it('a lost outcome is asked for again by appending the operation again', async () => {
    const relay = new YRelay()
    relay.losesOutcomes = true
    const storage = memory()
    let alice = clientOf(relay, 'alice', storage)
    await alice.heard('connectionStateChanged connected')
    await alice.ready
    const { sid, draft } = alice.newConversation({ friendlyName: 'Trip' })
    await alice.submit(sid, [draft, { type: 'conversation.join' }], { wait: 'durable' })
    await alice.submit(sid, [post('one')], { wait: 'durable' })
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 one'])
    expect(await shown(alice, sid)).toEqual(['0 one'])
    expect(alice.pendingOperations()).toHaveLength(3)
    await alice.shutdown()
    relay.losesOutcomes = false
    alice = clientOf(relay, 'alice', storage)
    await alice.heard('connectionStateChanged connected')
    await turns()
    expect(alice.pendingOperations()).toEqual([])
    expect(relay.bodies(sid)).toEqual(['0 one'])
    expect(await shown(alice, sid)).toEqual(['0 one'])
  })

  it('a text that was held by a removal, and had been accepted just before, is not posted twice by resending it', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    relay.losesOutcomes = true
    await bob.submit(sid, [post('x')], { wait: 'durable' })
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 x'])
    const member = (await alice.participants(sid)).find(({ record }) => record.identity === 'bob')
    await alice.submit(sid, [{ type: 'participant.remove', sid: member?.record.sid ?? '' }], {
      wait: 'durable',
    })
    await bob.heard('conversationRemoved Trip')
    relay.losesOutcomes = false
    const [held] = bob.heldOperations()
    expect(held).toMatchObject({ operation: { body: 'x' }, error: { code: 70401 } })
    await alice.submit(sid, [{ type: 'participant.add', identity: 'bob' }], { wait: 'durable' })
    await bob.heard('conversationJoined Trip')
    await turns()
    await bob.resend(held?.operation.id ?? '')
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 x'])
    expect(bob.heldOperations()).toEqual([])
  })

  it('a document that was lost from the store comes back from the journal and the relay', async () => {
    const relay = new YRelay()
    const storage = memory()
    let alice = clientOf(relay, 'alice', storage)
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('accepted')])
    await alice.goOffline()
    await alice.submit(sid, [post('pending')])
    const { owner } = alice
    await alice.shutdown()
    const store = await storage.open(owner)
    await store.documents.remove(sid, 1)
    await store.close()
    alice = clientOf(relay, 'alice', storage)
    await alice.heard('connectionStateChanged connected')
    await turns()
    expect(await shown(alice, sid)).toEqual(['0 accepted', '1 pending'])
    expect(relay.bodies(sid)).toEqual(['0 accepted', '1 pending'])
  })

  it('a document that was lost is known by its summary with no network: what is unread, and which messages are elsewhere', async () => {
    const relay = new YRelay()
    const storage = memory()
    let alice = clientOf(relay, 'alice', storage)
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    for (const body of ['one', 'two', 'three']) await alice.submit(sid, [post(body)])
    await alice.submit(sid, [{ type: 'read.advance', index: 0 }])
    const { owner } = alice
    await alice.shutdown()
    const store = await storage.open(owner)
    await store.documents.remove(sid, 1)
    await store.close()
    relay.up = false
    alice = clientOf(relay, 'alice', storage)
    await alice.ready
    const page = (anchor?: number, direction: 'backwards' | 'forward' = 'backwards') =>
      alice.messages(sid, { count: 10, direction, anchor })
    const away = { items: [], absent: { from: 0, to: 2 } }
    const known = { lastMessage: { index: 2 }, messageCount: 3, unreadCount: 2 }
    expect(await page()).toMatchObject(away)
    expect(await page(1)).toMatchObject({ items: [], absent: { from: 0, to: 1 } })
    expect(await page(1, 'forward')).toMatchObject({ items: [], absent: { from: 1, to: 2 } })
    expect(alice.conversations()).toMatchObject([known])
    await alice.submit(sid, [post('four')], { wait: 'durable' })
    expect(await page()).toMatchObject({ ...away, items: [{ record: { index: 3, body: 'four' } }] })
    expect(alice.conversations()).toMatchObject([
      { lastMessage: { index: 3 }, messageCount: 4, unreadCount: 3 },
    ])
    await alice.submit(sid, [{ type: 'read.advance', index: 2 }], { wait: 'durable' })
    expect(alice.conversations()).toMatchObject([{ unreadCount: 1 }])

    relay.comeUp()
    await turns()
    expect(await shown(alice, sid)).toEqual(['0 one', '1 two', '2 three', '3 four'])
    expect(await page()).toMatchObject({ absent: null })
    expect(alice.conversations()).toMatchObject([
      { lastMessage: { index: 3 }, messageCount: 4, unreadCount: 1 },
    ])
  })

  it('an epoch is swapped in with nothing lost, and nothing told that did not change', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('one')])
    await turns()
    alice.news()
    relay.holdsUploads = true
    await alice.submit(sid, [post('two')], { wait: 'durable' })
    await turns()
    relay.startEpoch(sid)
    await turns()
    expect(await shown(alice, sid)).toEqual(['0 one', '1 two …'])
    relay.decideHeld()
    await turns()
    expect(await shown(alice, sid)).toEqual(['0 one', '1 two'])
    expect(relay.bodies(sid)).toEqual(['0 one', '1 two'])
    expect(alice.news()).toEqual([
      'messageAdded 1 two',
      'conversationUpdated Trip (lastMessage)',
      'messageUpdated 1 two (dateCreated)',
    ])
  })

  it('a client id that is somebody else’s is given up, and everything is sent under a fresh one', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    relay.nacks.push({ code: 70602, message: 'taken', retryAfter: 0 })
    const sid = await create(alice, 'Trip')
    relay.nacks.push({ code: 70602, message: 'taken', retryAfter: 0 })
    await alice.submit(sid, [post('one')])
    expect(relay.bodies(sid)).toEqual(['0 one'])
    expect(await shown(alice, sid)).toEqual(['0 one'])
  })

  it('two clients on one store show the same, whichever wrote', async () => {
    const relay = new YRelay()
    relay.up = false
    const storage = memory()
    const tab = clientOf(relay, 'alice', storage)
    await tab.ready
    const other = clientOf(relay, 'alice', storage)
    await other.ready
    const sid = await create(tab, 'Trip')
    await other.heard('conversationJoined Trip')
    await tab.submit(sid, [post('from one')])
    await other.heard('messageAdded 0 from one')
    await other.submit(sid, [post('from the other')])
    await tab.heard('messageAdded 1 from the other')
    expect(await shown(tab, sid)).toEqual(await shown(other, sid))
    relay.comeUp()
    await turns()
    for (const engine of [tab, other]) {
      expect(await shown(engine, sid)).toEqual(['0 from one', '1 from the other'])
      expect(engine.pendingOperations()).toEqual([])
    }
    expect(relay.bodies(sid)).toEqual(['0 from one', '1 from the other'])
  })

  it('a client with a network uploads what one without wrote on the same store', async () => {
    const relay = new YRelay()
    const storage = memory()
    const online = clientOf(relay, 'alice', storage)
    await online.heard('connectionStateChanged connected')
    const offline = engineFor('alice', storage)
    await offline.ready
    const sid = await create(offline, 'Trip')
    await offline.submit(sid, [post('one')])
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 one'])
    expect(await shown(offline, sid)).toEqual(['0 one'])
    expect(offline.pendingOperations()).toEqual([])
  })

  it('a pending post that is removed is withdrawn, and nobody else ever sees it', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    relay.goDown()
    await turns()
    await alice.submit(sid, [post('secret')])
    await alice.submit(sid, [post('open')])
    const { items } = await alice.messages(sid, { count: 10, direction: 'backwards' })
    await alice.removeMessage(sid, items[0]?.record.sid ?? '')
    expect(await shown(alice, sid)).toEqual(['0 open …'])
    relay.comeUp()
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 open'])
    expect(alice.pendingOperations()).toEqual([])
    expect(alice.heldOperations()).toEqual([])
  })

  it('an invite made offline lets its holder, offline too, join and post; when both have met the relay it is one conversation', async () => {
    const relay = new YRelay()
    relay.up = false
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('from alice')])
    const invite = await createInvite(alice, sid, {})
    await bob.ready
    const view = await joinByInvite(bob, invite)
    expect(view.status).toBe('joined')
    await bob.submit(sid, [post('from bob')])
    await turns()
    bob.news()
    await alice.goOffline()
    relay.comeUp()
    await turns()
    // the relay doesn't know the conversation yet: not now, and nothing is lost
    expect(await shown(bob, sid)).toEqual(['0 from bob …'])
    expect(bob.heldOperations()).toEqual([])
    await alice.goOnline()
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 from alice'])
    await bob.goOffline()
    await bob.goOnline()
    await turns()
    expect(relay.bodies(sid)).toEqual(['0 from alice', '1 from bob'])
    expect(await shown(bob, sid)).toEqual(['0 from alice', '1 from bob'])
    expect(await shown(alice, sid)).toEqual(['0 from alice', '1 from bob'])
    expect(bob.news().filter((one) => one.startsWith('message'))).toEqual([
      'messageRemoved 0 from bob',
      'messageAdded 0 from alice',
      'messageAdded 1 from bob',
    ])
  })

  it('an update is told only after its promise has settled, in a later task', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    await alice.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip')
    await alice.submit(sid, [post('one')])
    await turns()
    alice.news()
    const { items } = await alice.messages(sid, { count: 1, direction: 'backwards' })
    relay.holdsUploads = true
    const edit = alice.submit(sid, [{ type: 'message.edit', sid: items[0]?.record.sid ?? '', body: 'two' }])
    await turns()
    expect(alice.news()).toEqual([])
    expect(await shown(alice, sid)).toEqual(['0 two'])
    relay.decideHeld()
    await edit
    expect(alice.news()).toEqual([])
    await turns()
    expect(alice.news()).toEqual(['messageUpdated 0 two (body, lastUpdatedBy, dateUpdated)'])
  })

  it('others’ horizons are participantUpdated, one’s own is conversationUpdated', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await alice.submit(sid, [post('one')])
    await bob.heard('messageAdded 0 one')
    await turns()
    alice.news()
    bob.news()
    await bob.submit(sid, [{ type: 'read.advance', index: 0 }], { wait: 'durable' })
    await bob.submit(sid, [{ type: 'read.advance', index: 0 }], { wait: 'durable' })
    await turns()
    expect(bob.news()).toEqual(['conversationUpdated Trip (lastReadMessageIndex)'])
    expect(alice.news()).toEqual(['participantUpdated bob (lastReadMessageIndex, lastReadTimestamp)'])
    expect(bob.conversation(sid)?.unreadCount).toBe(0)
  })

  it('typing is seen by the others, and ends just before the message', async () => {
    const relay = new YRelay()
    const alice = clientOf(relay, 'alice')
    const bob = clientOf(relay, 'bob')
    await alice.heard('connectionStateChanged connected')
    await bob.heard('connectionStateChanged connected')
    const sid = await create(alice, 'Trip', 'bob')
    await bob.heard('conversationJoined Trip')
    await turns()
    alice.news()
    bob.typing(sid)
    await alice.heard('typingStarted bob')
    await bob.submit(sid, [post('there')])
    await turns()
    expect(alice.news()).toEqual([
      'typingStarted bob',
      'typingEnded bob',
      'messageAdded 0 there',
      'conversationUpdated Trip (lastMessage)',
    ])
  })
})
