/** Participants by the official package, with SDK clients watching. */
import type { Conversation, Participant } from '@confab/client'
import { CHANNEL_ADMIN, CHANNEL_USER, userSid } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { event, onStage, person, refusal, SERVICE } from './stage.ts'

const PAIR = { 'messagingBinding.address': '+14155550101', 'messagingBinding.proxyAddress': '+14155550999' }

test('are added, found by sid and identity, changed and removed, and others see it', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation()).join()
  const { participants } = rest.conversations(conversation.sid)
  const arrived = event<Participant>(conversation, 'participantJoined')
  const bob = await participants.create({ identity: 'bob', attributes: '{"seat":4}' })
  expect(await arrived).toMatchObject({ sid: bob.sid, identity: 'bob', attributes: { seat: 4 } })
  expect(bob).toMatchObject({
    identity: 'bob',
    attributes: '{"seat":4}',
    roleSid: CHANNEL_USER,
    messagingBinding: null,
    lastReadMessageIndex: null,
    lastReadTimestamp: null,
  })
  for (const name of [bob.sid, 'bob']) expect((await participants(name).fetch()).sid).toBe(bob.sid)

  const changed = event<{ participant: Participant }>(conversation, 'participantUpdated')
  const updated = await participants(bob.sid).update({ attributes: '{"seat":5}', roleSid: CHANNEL_ADMIN })
  expect(updated).toMatchObject({ attributes: '{"seat":5}', roleSid: CHANNEL_ADMIN })
  expect((await changed).participant.attributes).toEqual({ seat: 5 })
  expect((await participants.list()).map(({ identity }) => identity)).toEqual(['ada', 'bob'])

  const gone = event<Participant>(conversation, 'participantLeft')
  expect(await participants('bob').remove()).toBe(true)
  expect((await gone).identity).toBe('bob')
  expect(await refusal(participants('bob').fetch())).toMatchObject({ code: 20404 })
})

test('horizons are moved for somebody, anywhere, and their device shows it', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation()).join()
  for (const body of ['a', 'b', 'c']) await conversation.sendMessage(body)
  const { participants } = rest.conversations(conversation.sid)
  const read = (index: number | null) =>
    event(conversation, 'updated', () => conversation.lastReadMessageIndex === index)
  const moved = read(1)
  const horizon = await participants('ada').update({ lastReadMessageIndex: 1 })
  expect(horizon.lastReadMessageIndex).toBe(1)
  expect(Date.parse(horizon.lastReadTimestamp)).toBeGreaterThan(0)
  await moved
  expect(await conversation.getUnreadMessagesCount()).toBe(1)
  const back = read(0)
  await participants('ada').update({ lastReadMessageIndex: 0 })
  await back
})

describe('refusals', () => {
  test('carry Twilio’s codes', async () => {
    const { rest } = await onStage()
    const { sid } = await rest.conversations.create()
    const other = await rest.conversations.create()
    const { participants } = rest.conversations(sid)
    await participants.create({ identity: 'ada' })
    await participants.create(PAIR)
    const codes: [Parameters<typeof participants.create>[0], number, number][] = [
      [{ identity: 'ada' }, 50433, 409],
      [{}, 20001, 400],
      [PAIR, 50425, 409],
      [{ ...PAIR, 'messagingBinding.address': 'nonsense' }, 50407, 400],
      [{ ...PAIR, 'messagingBinding.proxyAddress': 'nonsense' }, 50408, 400],
      [{ ...PAIR, 'messagingBinding.proxyAddress': PAIR['messagingBinding.address'] }, 50409, 400],
      [{ ...PAIR, 'messagingBinding.proxyAddress': 'whatsapp:+14155550999' }, 50414, 400],
      [{ identity: 'bob', roleSid: `RL${'0'.repeat(32)}` }, 50434, 400],
      [{ identity: 'b\u0000b' }, 20001, 400],
      [{ identity: 'bob', attributes: '{' }, 20001, 400],
    ]
    for (const [given, code, status] of codes)
      expect(await refusal(participants.create(given))).toMatchObject({ code, status })
    expect(await refusal(rest.conversations(other.sid).participants.create(PAIR))).toMatchObject({
      code: 50416,
      status: 409,
    })
    expect(await refusal(rest.conversations('nothing').participants.create({ identity: 'x' }))).toMatchObject(
      {
        code: 20404,
      },
    )
    expect(await participants.list()).toHaveLength(2)
  })
})

test('somebody’s conversations are found by identity and by address', async () => {
  const { rest } = await onStage()
  const made: string[] = []
  for (const name of ['one', 'two', 'three']) {
    const { sid } = await rest.conversations.create({ uniqueName: name, attributes: '{"a":1}' })
    if (name !== 'two') await rest.conversations(sid).participants.create({ identity: 'ada' })
    made.push(sid)
  }
  const bound = await rest.conversations('two').participants.create(PAIR)
  const found = await rest.participantConversations.list({ identity: 'ada' })
  expect(found.map(({ conversationUniqueName }) => conversationUniqueName)).toEqual(['one', 'three'])
  expect(found[0]).toMatchObject({
    conversationSid: made[0],
    participantIdentity: 'ada',
    participantUserSid: userSid(SERVICE, 'ada'),
    participantMessagingBinding: null,
    conversationAttributes: '{"a":1}',
    conversationState: 'active',
    conversationCreatedBy: 'system',
  })
  const [byAddress, ...rest_] = await rest.participantConversations.list({ address: '+1 (415) 555-0101' })
  expect(rest_).toEqual([])
  expect(byAddress).toMatchObject({
    conversationSid: made[1],
    participantSid: bound.sid,
    participantIdentity: null,
    participantMessagingBinding: { type: 'sms', address: '+14155550101', proxy_address: '+14155550999' },
  })
  expect(await rest.participantConversations.list({ identity: 'nobody' })).toEqual([])
  expect(await refusal(rest.participantConversations.list())).toMatchObject({ code: 20001 })
})

test('a creator’s device sees whom a server adds while it is away', async () => {
  const { rest, url } = await onStage()
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation()).join()
  await ada.goOffline()
  await rest.conversations(conversation.sid).participants.create({ identity: 'bob' })
  const arrived = event<Participant>(conversation, 'participantJoined')
  await ada.goOnline()
  expect((await arrived).identity).toBe('bob')
  const seen: Conversation = await ada.getConversationBySid(conversation.sid)
  expect(await seen.getParticipantsCount()).toBe(2)
})
