/** Users and their conversations by the official package, with SDK clients watching. */
import type { Conversation, User } from '@confab/client'
import { SERVICE_ADMIN, SERVICE_USER, userSid } from '@confab/core'
import { expect, test } from 'vitest'
import { event, onStage, person, refusal, SERVICE } from './stage.ts'

test('are made, found by sid and identity, changed, and seen by those who know them', async () => {
  const { rest, url, failures } = await onStage()
  const made = await rest.users.create({ identity: 'bob', friendlyName: 'Bob', attributes: '{"a":1}' })
  expect(made).toMatchObject({
    sid: userSid(SERVICE, 'bob'),
    identity: 'bob',
    friendlyName: 'Bob',
    attributes: '{"a":1}',
    roleSid: SERVICE_USER,
    isOnline: false,
    isNotifiable: false,
  })
  expect(await refusal(rest.users.create({ identity: 'bob' }))).toMatchObject({ code: 50201, status: 409 })
  const ada = await person({ url }, 'ada')
  const bob = await ada.getUser('bob')
  expect(bob).toMatchObject({ friendlyName: 'Bob', attributes: { a: 1 } })
  const renamed = event<{ user: User }>(bob, 'updated', ({ user }) => user.friendlyName === 'Robert')
  for (const name of ['bob', made.sid]) {
    expect((await rest.users(name).fetch()).sid).toBe(made.sid)
  }
  await rest.users('bob').update({ friendlyName: 'Robert' })
  await renamed
  const bobs = await person({ url }, 'bob')
  await bobs.user.updateFriendlyName('Bobby')
  expect(await rest.users('bob').fetch()).toMatchObject({ friendlyName: 'Bobby', isOnline: true })
  expect(await refusal(rest.users('nobody').fetch())).toMatchObject({ code: 20404 })
  expect(failures).toEqual([])
})

test('whoever takes part or says something is listed, in the order in which they came', async () => {
  const { rest, url } = await onStage()
  const { sid } = await rest.conversations.create()
  for (const identity of ['cleo', 'dan', 'eve'])
    await rest.conversations(sid).participants.create({ identity })
  const ada = await person({ url }, 'ada')
  await ada.user.updateFriendlyName('Ada')
  const names = (await rest.users.list({ pageSize: 2 })).map(({ identity }) => identity)
  expect(names).toEqual(['cleo', 'dan', 'eve', 'ada'])
  const [cleo] = await rest.users.list({ limit: 1 })
  expect(cleo?.dateCreated).toEqual((await rest.users('cleo').fetch()).dateCreated)
})

test('a person’s conversations say how far they have read and how much they want to hear', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation({ friendlyName: 'Tea' })).join()
  for (const body of ['a', 'b', 'c']) await rest.conversations(conversation.sid).messages.create({ body })
  const { userConversations } = rest.users('ada')
  expect(await userConversations(conversation.sid).fetch()).toMatchObject({
    conversationSid: conversation.sid,
    friendlyName: 'Tea',
    createdBy: 'ada',
    conversationState: 'active',
    notificationLevel: 'default',
    lastReadMessageIndex: null,
    unreadMessagesCount: null,
    userSid: userSid(SERVICE, 'ada'),
  })
  const muted = event(conversation, 'updated', () => conversation.notificationLevel === 'muted')
  const read = event(conversation, 'updated', () => conversation.lastReadMessageIndex === 0)
  expect(
    await userConversations(conversation.sid).update({
      notificationLevel: 'muted',
      lastReadMessageIndex: 0,
      lastReadTimestamp: new Date(),
    }),
  ).toMatchObject({ notificationLevel: 'muted', lastReadMessageIndex: 0, unreadMessagesCount: 2 })
  await Promise.all([muted, read])
  expect((await userConversations.list()).map(({ conversationSid }) => conversationSid)).toEqual([
    conversation.sid,
  ])
  const left = event<Conversation>(ada, 'conversationLeft')
  expect(await userConversations(conversation.sid).remove()).toBe(true)
  await left
  expect(await userConversations.list()).toEqual([])
  expect(await refusal(userConversations(conversation.sid).fetch())).toMatchObject({ code: 20404 })
})

test('one who is deleted is in no conversation, and nothing is said of them any more', async () => {
  const { rest, url } = await onStage()
  const bob = await person({ url }, 'bob')
  await bob.user.updateFriendlyName('Bob')
  await bob.setPushRegistrationId('fcm', 'token-of-bob')
  const conversation = await (await bob.createConversation()).join()
  await conversation.sendMessage('What Bob wrote stays')
  const ada = await person({ url }, 'ada')
  const seen = await ada.getUser('bob')
  expect(seen.friendlyName).toBe('Bob')
  const cleared = event(seen, 'updated', () => seen.friendlyName === null)
  const left = event<Conversation>(bob, 'conversationLeft')
  expect(await rest.users('bob').remove()).toBe(true)
  await Promise.all([cleared, left])
  expect(await refusal(rest.users('bob').fetch())).toMatchObject({ code: 20404 })
  expect(await rest.users.list()).toEqual([])
  const [message] = await rest.conversations(conversation.sid).messages.list()
  expect(message).toMatchObject({ author: 'bob', body: 'What Bob wrote stays' })
  expect(await rest.users.create({ identity: 'bob' })).toMatchObject({
    friendlyName: null,
    isNotifiable: false,
  })
})

test('a role in the service that is given by REST counts at once', async () => {
  const { rest, url } = await onStage()
  const owner = await (await (await person({ url }, 'bob')).createConversation()).join()
  await owner.add('ada')
  const ada = await person({ url }, 'ada')
  const rename = async () => {
    const id = await ada.getUser('bob')
    return id.updateFriendlyName('Robert')
  }
  expect(await refusal(rename())).toMatchObject({ code: 20403 })
  expect(await rest.users('ada').update({ roleSid: SERVICE_ADMIN })).toMatchObject({ roleSid: SERVICE_ADMIN })
  await rename()
  expect(await rest.users('bob').fetch()).toMatchObject({ friendlyName: 'Robert' })
  expect(await refusal(rest.users('ada').update({ roleSid: `RL${'0'.repeat(32)}` }))).toMatchObject({
    code: 50434,
  })
})
