/** A conversation: creating and leaving it, its names, read horizons, counts, states. */
import type { Conversation, HeldOperation } from '@confab/client'
import { describe, expect, test } from 'vitest'
import { connected, decided, laterTask, next, relayOf, shows, together, when } from './stage.ts'

async function aliceAndBob() {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [conversation, bobs] = await together(alice, bob)
  return { relay, alice, bob, conversation: conversation as Conversation, bobs: bobs as Conversation }
}

describe('creating', () => {
  test('createConversation returns the conversation; it doesn’t join. The creator joins next, and is channel admin', async () => {
    const alice = await connected('alice', await relayOf())
    const conversation = await alice.createConversation({
      friendlyName: 'Tea',
      uniqueName: 'tea',
      attributes: { colour: 'green' },
    })
    expect(conversation).toMatchObject({
      sid: expect.stringMatching(/^CH[0-9a-f]{32}$/),
      friendlyName: 'Tea',
      uniqueName: 'tea',
      attributes: { colour: 'green' },
      createdBy: 'alice',
      status: 'notParticipating',
      dateCreated: expect.any(Date),
      dateUpdated: expect.any(Date),
    })
    expect(await conversation.getParticipants()).toEqual([])
    expect(await conversation.join()).toBe(conversation)
    expect(conversation.status).toBe('joined')
    const { roleSid } = await conversation.getParticipantByIdentity('alice')
    await conversation.add('bob')
    expect((await conversation.getParticipantByIdentity('bob')).roleSid).not.toBe(roleSid)
    // an admin may remove, and end it
    await conversation.removeParticipant('bob')
    await conversation.delete()
  })

  test('all of it works with no network, and is accepted later as it was', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    await alice.goOffline()
    const [conversation] = await together(alice)
    await conversation?.add('bob')
    await conversation?.sendMessage('written in a tunnel')
    const added = next<Conversation>(bob, 'conversationJoined')
    await alice.goOnline()
    const bobs = await added
    expect(bobs).toMatchObject({ sid: conversation?.sid, friendlyName: 'Tea', createdBy: 'alice' })
    await shows(bobs, ['0 written in a tunnel'])
  })

  test('a uniqueName that is taken refuses that field only: it is made without it, and its creator is told (50353)', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    await alice.createConversation({ uniqueName: 'general' })
    const told = next<HeldOperation>(bob, 'operationRefused')
    const created = await bob.createConversation({ uniqueName: 'general', friendlyName: 'Ours' })
    expect((await told).error).toMatchObject({ code: 50353, status: 409, body: { code: 50353 } })
    expect(created).toMatchObject({ uniqueName: null, friendlyName: 'Ours' })
    expect((await created.join()).status).toBe('joined')
    // the one that has the name is not theirs
    await expect(bob.getConversationByUniqueName('general')).rejects.toMatchObject({ code: 20404 })
    await expect(created.updateUniqueName('general')).rejects.toMatchObject({ code: 50353 })
  })
})

describe('leaving', () => {
  test('leave() does nothing unless joined, and neither does join() when joined', async () => {
    const alice = await connected('alice', await relayOf())
    const conversation = await alice.createConversation()
    expect(await conversation.leave()).toBe(conversation)
    expect(alice.getPendingOperations()).toEqual([])
    await conversation.join()
    await conversation.join()
    expect(await conversation.getParticipantsCount()).toBe(1)
    await conversation.leave()
    expect(conversation.status).toBe('notParticipating')
    await conversation.leave()
  })
})

describe('the read horizon', () => {
  test('getUnreadMessagesCount is null without a horizon, and counts what is above it, one’s own included', async () => {
    const { conversation, bobs } = await aliceAndBob()
    for (const body of ['a', 'b']) await conversation.sendMessage(body)
    await shows(bobs, ['0 a', '1 b'])
    expect(await bobs.getUnreadMessagesCount()).toBeNull()
    expect(bobs.lastReadMessageIndex).toBeNull()
    await bobs.advanceLastReadMessageIndex(0)
    expect(await bobs.getUnreadMessagesCount()).toBe(1)
    await bobs.sendMessage('c')
    expect(await bobs.getUnreadMessagesCount()).toBe(2)
  })

  test('advance…, update… and setAllMessagesRead return the unread count; advancing never moves back', async () => {
    const { conversation, bobs } = await aliceAndBob()
    for (const body of ['a', 'b', 'c']) await conversation.sendMessage(body)
    await shows(bobs, ['0 a', '1 b', '2 c'])
    expect(await bobs.advanceLastReadMessageIndex(1)).toBe(1)
    expect(await bobs.advanceLastReadMessageIndex(0)).toBe(1)
    expect(bobs.lastReadMessageIndex).toBe(1)
    expect(await bobs.updateLastReadMessageIndex(0)).toBe(2)
    expect(bobs.lastReadMessageIndex).toBe(0)
    expect(await bobs.setAllMessagesRead()).toBe(0)
    expect(bobs.lastReadMessageIndex).toBe(2)
  })

  test('setAllMessagesUnread removes the horizon', async () => {
    const { conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('a')
    await shows(bobs, ['0 a'])
    await bobs.setAllMessagesRead()
    expect(await bobs.setAllMessagesUnread()).toBe(1)
    expect(bobs.lastReadMessageIndex).toBeNull()
    expect(await bobs.getUnreadMessagesCount()).toBeNull()
  })

  test('setAllMessagesRead in an empty conversation returns 0 and sets nothing', async () => {
    const { alice, conversation } = await aliceAndBob()
    expect(await conversation.setAllMessagesRead()).toBe(0)
    expect(conversation.lastReadMessageIndex).toBeNull()
    expect(alice.getPendingOperations()).toEqual([])
  })

  test('it rejects for a non-participant (50430)', async () => {
    const alice = await connected('alice', await relayOf())
    const conversation = await alice.createConversation()
    const refused = { code: 50430, status: 403 }
    await expect(conversation.getUnreadMessagesCount()).rejects.toMatchObject(refused)
    await expect(conversation.advanceLastReadMessageIndex(0)).rejects.toMatchObject(refused)
    await expect(conversation.setAllMessagesRead()).rejects.toMatchObject(refused)
  })

  test('others see how far one has read; no movement is no operation and no event', async () => {
    const { bob, conversation, bobs } = await aliceAndBob()
    await conversation.sendMessage('a')
    await shows(bobs, ['0 a'])
    const participant = await conversation.getParticipantByIdentity('bob')
    const updated = next<{ updateReasons: string[] }>(participant, 'updated')
    await bobs.advanceLastReadMessageIndex(0)
    expect((await updated).updateReasons).toContain('lastReadMessageIndex')
    expect(participant).toMatchObject({ lastReadMessageIndex: 0, lastReadTimestamp: expect.any(Date) })
    await decided(bob)
    await laterTask()
    const events: string[] = []
    bobs.on('updated', () => events.push('updated'))
    await bobs.advanceLastReadMessageIndex(0)
    expect(bob.getPendingOperations()).toEqual([])
    await laterTask()
    expect(events).toEqual([])
  })

  test('set to a provisional index, it records the highest accepted index visible at that moment', async () => {
    const { alice, conversation, bobs } = await aliceAndBob()
    await bobs.sendMessage('theirs')
    await shows(conversation, ['0 theirs'])
    await alice.goOffline()
    expect(await conversation.sendMessage('mine, provisionally 1')).toBe(1)
    await conversation.advanceLastReadMessageIndex(1)
    expect(conversation.lastReadMessageIndex).toBe(0)
    await bobs.sendMessage('unseen')
    await alice.goOnline()
    await decided(alice)
    await shows(conversation, ['0 theirs', '1 unseen', '2 mine, provisionally 1'])
    expect(await conversation.getUnreadMessagesCount()).toBe(2)
  })

  test('counts stay exact after any merge and after removals', async () => {
    const { alice, bob, conversation, bobs } = await aliceAndBob()
    for (const body of ['a', 'b', 'c']) await conversation.sendMessage(body)
    await shows(bobs, ['0 a', '1 b', '2 c'])
    await bob.goOffline()
    await bobs.advanceLastReadMessageIndex(1)
    await bobs.sendMessage('from bob')
    await (await conversation.getMessages(1, 2)).items[0]?.remove()
    await conversation.sendMessage('d')
    await decided(alice)
    await bob.goOnline()
    await decided(bob)
    await shows(bobs, ['0 a', '1 b', '3 d', '4 from bob'])
    expect(await bobs.getUnreadMessagesCount()).toBe(2)
    expect(await bobs.getMessagesCount()).toBe(4)
    await when(async () => (await conversation.getParticipantByIdentity('bob')).lastReadMessageIndex === 1)
  })
})

describe('fields', () => {
  test('a member may not change the name; attributes are changed offline, and of a name the last accepted wins', async () => {
    const { alice, bob, conversation, bobs } = await aliceAndBob()
    await conversation.updateAttributes({ tags: ['x'], colour: 'red' })
    await when(() => JSON.stringify(bobs.attributes).includes('red'))
    await bobs.sendMessage('a member may not change names')
    await expect(bobs.updateFriendlyName('Mine')).rejects.toMatchObject({ code: 20403 })
    await alice.goOffline()
    await conversation.updateAttributes({ tags: ['x', 'alice'], colour: 'red' })
    await conversation.updateFriendlyName('First')
    await conversation.updateFriendlyName('Last')
    await alice.goOnline()
    await decided(alice)
    await when(() => bobs.friendlyName === 'Last')
    expect(bobs.attributes).toEqual({ tags: ['x', 'alice'], colour: 'red' })
    expect(bob.getHeldOperations().length).toBe(0)
  })

  test('notificationLevel is each person’s own, on all of their devices', async () => {
    const { relay, bob, conversation, bobs } = await aliceAndBob()
    const other = await connected('bob', relay)
    const others = await other.getConversationBySid(conversation.sid)
    const updated = next<{ updateReasons: string[] }>(others, 'updated')
    await bobs.setUserNotificationLevel('muted')
    expect((await updated).updateReasons).toEqual(['notificationLevel'])
    expect([bobs.notificationLevel, others.notificationLevel]).toEqual(['muted', 'muted'])
    expect(conversation.notificationLevel).toBe('default')
    await decided(bob)
  })

  test('state is active at first, a Date beside it; timers are run by the relay (test/state-timers.test.ts)', async () => {
    const { conversation } = await aliceAndBob()
    expect(conversation.state).toEqual({ current: 'active', dateUpdated: expect.any(Date) })
  })
})
