/** Conversations, participants and messages by the official package, with SDK clients watching. */
import type { Conversation, Message } from '@confab/client'
import { expect, test } from 'vitest'
import { ACCOUNT, event, onStage, person, refusal, SERVICE } from './stage.ts'

test('a conversation that a server creates appears on its members’ devices, and its messages arrive', async () => {
  const { rest, url, failures } = await onStage()
  const ada = await person({ url }, 'ada')
  const joined = event<Conversation>(ada, 'conversationJoined')
  const made = await rest.conversations.create({
    friendlyName: 'Tea',
    uniqueName: 'tea',
    attributes: '{"room":1}',
    'timers.inactive': 'PT10M',
  })
  expect(made).toMatchObject({
    accountSid: ACCOUNT,
    chatServiceSid: SERVICE,
    friendlyName: 'Tea',
    uniqueName: 'tea',
    attributes: '{"room":1}',
    state: 'active',
  })
  expect(made.timers).toMatchObject({ inactive: 'PT10M' })
  expect(made.dateCreated).toBeInstanceOf(Date)
  const added = await rest.conversations('tea').participants.create({ identity: 'ada' })
  const seen = await joined
  expect(seen).toMatchObject({ sid: made.sid, friendlyName: 'Tea', uniqueName: 'tea' })
  expect((await seen.getParticipantByIdentity('ada')).sid).toBe(added.sid)

  const arrived = event<Message>(seen, 'messageAdded')
  const posted = await rest.conversations(made.sid).messages.create({ author: 'support', body: 'Hello' })
  expect(posted).toMatchObject({ index: 0, author: 'support', body: 'Hello', conversationSid: made.sid })
  expect(await arrived).toMatchObject({ sid: posted.sid, body: 'Hello', author: 'support', index: 0 })

  await seen.sendMessage('Good day')
  const found = await rest.conversations(made.sid).messages.list({ order: 'desc' })
  expect(found.map(({ body, author }) => [author, body])).toEqual([
    ['ada', 'Good day'],
    ['support', 'Hello'],
  ])
  expect(found[0]?.participantSid).toBe(added.sid)

  const edited = event<{ message: Message }>(seen, 'messageUpdated')
  await rest.conversations(made.sid).messages(posted.sid).update({ body: 'Hello!' })
  expect((await edited).message.body).toBe('Hello!')
  const removed = event<Message>(seen, 'messageRemoved')
  await rest.conversations(made.sid).messages(posted.sid).remove()
  expect((await removed).sid).toBe(posted.sid)
  expect(await refusal(rest.conversations(made.sid).messages(posted.sid).fetch())).toMatchObject({
    code: 20404,
    status: 404,
  })

  const left = event<Conversation>(ada, 'conversationLeft')
  await rest.conversations(made.sid).participants('ada').remove()
  await left
  await rest.conversations(made.sid).remove()
  expect(await refusal(rest.conversations('tea').fetch())).toMatchObject({ code: 20404 })
  expect(failures).toEqual([])
})
