import {
  CHANNEL_ADMIN,
  CHANNEL_USER,
  ConfabError,
  decodeInvite,
  inviteHash,
  participantSid,
} from '@confab/core'
import { describe, expect, test } from 'vitest'
import { conversationView, ME, messageView, open, participantView, record, T0 } from '../test/fake-engine.ts'
import { Message, Participant } from './index.ts'

const indices = (page: { items: Message[] }) => page.items.map(({ index }) => index)

async function withMessages(count: number) {
  const opened = await open()
  for (let index = 0; index < count; index++) opened.engine.addMessage('CH1', messageView(index))
  return opened
}

describe('what it shows', () => {
  test('names are null and attributes {} until they are given', async () => {
    const { conversation, engine } = await open()
    expect(conversation.friendlyName).toBeNull()
    expect(conversation.uniqueName).toBeNull()
    expect(conversation.attributes).toEqual({})
    expect(conversation.lastMessage).toBeUndefined()
    expect(conversation.lastReadMessageIndex).toBeNull()
    expect(conversation.state).toEqual({ current: 'active', dateUpdated: new Date(T0) })
    engine.change('CH1', {
      record: { sid: 'CH1', createdBy: ME, dateCreated: T0, friendlyName: 'Tea', attributes: [1] },
    })
    expect(conversation.friendlyName).toBe('Tea')
    expect(conversation.attributes).toEqual([1])
  })

  test('lastMessage is a plain object with a Date', async () => {
    const { conversation } = await withMessages(2)
    expect(conversation.lastMessage).toEqual({ index: 1, dateCreated: new Date(T0 + 1) })
  })

  test('lastMessage is one object while it is one message, so that an effect may depend on it', async () => {
    const { conversation, engine } = await withMessages(2)
    const last = conversation.lastMessage
    expect(conversation.lastMessage).toBe(last)
    engine.addMessage('CH1', messageView(2))
    expect(conversation.lastMessage).toEqual({ index: 2, dateCreated: new Date(T0 + 2) })
    expect(last?.index).toBe(1)
  })

  test('apps that read past Twilio’s declarations find the same fields', async () => {
    const { conversation, engine } = await withMessages(1)
    engine.addPerson('CH1', participantView({ sid: 'MB1', identity: 'bob' }))
    const [message] = (await conversation.getMessages()).items
    const [participant] = await conversation.getParticipants()
    const user = await participant?.getUser()
    const hidden = (one: unknown, name: string) => (one as Record<string, Record<string, unknown>>)[name]
    expect(hidden(message, 'state')).toMatchObject({ sid: message?.sid, author: message?.author, index: 0 })
    expect(hidden(message, 'state')?.timestamp).toEqual(message?.dateCreated)
    expect(hidden(conversation, '_internalState')?.lastMessage).toEqual(conversation.lastMessage)
    expect(hidden(participant, 'state')?.identity).toBe('bob')
    expect(hidden(user, 'state')?.identity).toBe('bob')
  })

  test('what a getter gave may be changed by the app and changes nothing here', async () => {
    const { conversation, engine } = await open()
    engine.change('CH1', { record: { sid: 'CH1', createdBy: ME, dateCreated: T0, attributes: { a: [1] } } })
    ;(conversation.attributes as { a: number[] }).a.push(2)
    expect(engine.views.get('CH1')?.record.attributes).toEqual({ a: [1] })
  })
})

describe('pages of messages', () => {
  test('are 30 long, at most 100, from the newest backwards', async () => {
    const { conversation } = await withMessages(150)
    const page = await conversation.getMessages()
    expect(indices(page)).toEqual(Array.from({ length: 30 }, (_, i) => 120 + i))
    expect(page.hasPrevPage).toBe(true)
    expect(page.hasNextPage).toBe(false)
    expect((await conversation.getMessages(1000)).items).toHaveLength(100)
  })

  test('ascend by index; prevPage is older and nextPage newer, in either direction; the anchor is included', async () => {
    const { conversation } = await withMessages(10)
    const back = await conversation.getMessages(3, 5)
    expect(indices(back)).toEqual([3, 4, 5])
    expect(indices(await back.prevPage())).toEqual([0, 1, 2])
    expect(indices(await back.nextPage())).toEqual([6, 7, 8])
    const forward = await conversation.getMessages(3, 5, 'forward')
    expect(indices(forward)).toEqual([5, 6, 7])
    expect(indices(await forward.prevPage())).toEqual([2, 3, 4])
    expect(indices(await forward.nextPage())).toEqual([8, 9])
    expect(indices(await conversation.getMessages(2, undefined, 'forward'))).toEqual([0, 1])
  })

  test('beyond either end are empty and lead back', async () => {
    const { conversation } = await withMessages(3)
    const before = await conversation.getMessages(30, -1)
    expect(indices(before)).toEqual([])
    expect(before.hasPrevPage).toBe(false)
    expect(indices(await before.nextPage())).toEqual([0, 1, 2])
    const after = await conversation.getMessages(30, 9, 'forward')
    expect(after.hasNextPage).toBe(false)
    expect(indices(await after.prevPage())).toEqual([0, 1, 2])
  })

  test('a malformed page size, anchor or direction rejects with 20001', async () => {
    const { conversation } = await open()
    for (const refused of [
      conversation.getMessages(0),
      conversation.getMessages(1.5),
      conversation.getMessages(30, 'x' as never),
      conversation.getMessages(30, 0, 'sideways' as never),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 20001, status: 400 })
    }
  })
})

describe('sending', () => {
  test('resolves to the index and posts text, attributes and subject', async () => {
    const { conversation, engine } = await withMessages(3)
    expect(await conversation.sendMessage('hello', { a: 1 }, { subject: 'news' })).toBe(3)
    expect(engine.submitted[0]?.draft).toEqual({
      type: 'message.post',
      body: 'hello',
      attributes: { a: 1 },
      subject: 'news',
    })
  })

  test('a message may have no text', async () => {
    const { conversation, engine } = await open()
    await conversation.sendMessage(null, { kind: 'wave' })
    expect(engine.submitted[0]?.draft).toEqual({ type: 'message.post', attributes: { kind: 'wave' } })
  })

  test('lone surrogates become replacement characters before anything is stored', async () => {
    const { conversation, engine } = await open()
    await conversation.sendMessage('a\ud800', { b: '\udc00' })
    expect(engine.submitted[0]?.draft).toMatchObject({ body: 'a\ufffd', attributes: { b: '\ufffd' } })
  })

  test('an attachment is a message of its own; what is none is refused, and nothing is kept', async () => {
    const { conversation, engine } = await open()
    expect(await conversation.sendMessage({ contentType: 'image/png', filename: 'a.png', media: 'x' })).toBe(
      0,
    )
    expect(engine.submitted.map(({ draft }) => draft)).toMatchObject([
      {
        type: 'message.post',
        media: [{ category: 'media', contentType: 'image/png', filename: 'a.png', size: 1 }],
      },
    ])
    for (const none of [new FormData(), { contentType: 'text/plain', media: null }, {}, 7])
      await expect(conversation.sendMessage(none as never)).rejects.toMatchObject({ code: 20001 })
    const many = conversation.prepareMessage()
    for (let i = 0; i < 11; i++) many.addMedia({ contentType: 'text/plain', media: 'x' })
    await expect(many.buildAndSend()).rejects.toMatchObject({ code: 20001 })
    expect(engine.submitted).toHaveLength(1)
    expect(await engine.media.contents()).toHaveLength(1)
  })

  test('what is no JSON is refused before it is stored', async () => {
    const { conversation, engine } = await open()
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    await expect(conversation.sendMessage('x', cycle as never)).rejects.toMatchObject({ code: 70104 })
    await expect(conversation.sendMessage('x', (() => {}) as never)).rejects.toMatchObject({ code: 70104 })
    expect(engine.submitted).toEqual([])
  })

  test('a refusal rejects with the relay’s error', async () => {
    const { conversation, engine } = await open()
    engine.refusal = new ConfabError(50382)
    await expect(conversation.sendMessage('too late')).rejects.toMatchObject({
      code: 50382,
      body: { code: 50382 },
    })
  })
})

describe('the read horizon', () => {
  test('advancing never waits for the relay, and resolves to the unread count', async () => {
    const { conversation, engine } = await withMessages(5)
    expect(await conversation.advanceLastReadMessageIndex(2)).toBe(2)
    expect(engine.submitted).toEqual([
      { conversationSid: 'CH1', draft: { type: 'read.advance', index: 2 }, wait: 'durable' },
    ])
    expect(conversation.lastReadMessageIndex).toBe(2)
    expect(await conversation.getUnreadMessagesCount()).toBe(2)
  })

  test('the unread count is null without a horizon', async () => {
    const { conversation } = await withMessages(2)
    expect(await conversation.getUnreadMessagesCount()).toBeNull()
  })

  test('all read goes to the last message, and in an empty conversation sets nothing and is 0', async () => {
    const empty = await open()
    expect(await empty.conversation.setAllMessagesRead()).toBe(0)
    expect(empty.engine.submitted).toEqual([])
    const { conversation } = await withMessages(4)
    expect(await conversation.setAllMessagesRead()).toBe(0)
    expect(conversation.lastReadMessageIndex).toBe(3)
  })

  test('all unread removes the horizon', async () => {
    const { conversation, engine } = await withMessages(4)
    await conversation.setAllMessagesRead()
    expect(await conversation.setAllMessagesUnread()).toBe(4)
    expect(engine.submitted.at(-1)?.draft).toEqual({ type: 'read.set', index: null })
  })

  test('it is a participant’s: others are rejected with 50430', async () => {
    const { conversation, engine } = await withMessages(1)
    engine.change('CH1', { status: 'notParticipating' })
    for (const refused of [
      conversation.getUnreadMessagesCount(),
      conversation.advanceLastReadMessageIndex(0),
      conversation.updateLastReadMessageIndex(0),
      conversation.setAllMessagesRead(),
      conversation.setAllMessagesUnread(),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 50430 })
    }
  })

  test('a malformed index is rejected with 20001', async () => {
    const { conversation } = await withMessages(1)
    await expect(conversation.advanceLastReadMessageIndex(-1)).rejects.toMatchObject({ code: 20001 })
    await expect(conversation.updateLastReadMessageIndex('2' as never)).rejects.toMatchObject({ code: 20001 })
  })
})

describe('participants', () => {
  test('adding resolves to the participant as the REST API writes it', async () => {
    const { conversation } = await open()
    expect(await conversation.add('bob', { a: 1 })).toEqual({
      account_sid: 'AC1',
      chat_service_sid: 'IS1',
      conversation_sid: 'CH1',
      role_sid: CHANNEL_USER,
      sid: participantSid('CH1', { identity: 'bob' }),
      attributes: '{"a":1}',
      date_created: new Date(T0).toISOString(),
      date_updated: new Date(T0).toISOString(),
      identity: 'bob',
      messaging_binding: null,
      url: expect.stringMatching(
        /^http:\/\/relay\.test\/v1\/Services\/IS1\/Conversations\/CH1\/Participants\/MB/,
      ),
      links: { conversation: 'http://relay.test/v1/Services/IS1/Conversations/CH1' },
    })
  })

  test('adding by an address names the proxy first', async () => {
    const { conversation } = await open()
    const added = await conversation.addNonChatParticipant('+15550001', '+15550002')
    expect(added.identity).toBeNull()
    expect(added.messaging_binding).toEqual({ type: 'sms', address: '+15550002', proxy_address: '+15550001' })
    const [participant] = await conversation.getParticipants()
    expect(participant?.identity).toBeNull()
    expect(participant?.type).not.toBe('chat')
    expect(participant?.bindings.sms?.address).toBe('+15550002')
  })

  test('one is found by sid or identity; looking for one that isn’t there throws', async () => {
    const { conversation, engine } = await open()
    engine.addPerson('CH1', participantView({ sid: 'MB1', identity: 'Zoë' }))
    const zoe = await conversation.getParticipantBySid('MB1')
    expect(zoe).toBeInstanceOf(Participant)
    expect(await conversation.getParticipantByIdentity('Zoe\u0308')).toBe(zoe)
    expect(await conversation.getParticipantsCount()).toBe(1)
    await expect(conversation.getParticipantBySid('MB2')).rejects.toMatchObject({ code: 50432, status: 404 })
    await expect(conversation.getParticipantByIdentity('nobody')).rejects.toMatchObject({ code: 50432 })
    await expect(conversation.getParticipantByIdentity(null)).rejects.toMatchObject({ code: 50432 })
  })

  test('one is removed by object, identity or sid', async () => {
    const { conversation, engine } = await open()
    engine.addPerson('CH1', participantView({ sid: 'MB1', identity: 'bob' }))
    await conversation.removeParticipant('bob')
    await conversation.removeParticipant('MB1')
    await conversation.removeParticipant((await conversation.getParticipants())[0] as Participant)
    expect(engine.submitted.map(({ draft }) => draft)).toEqual(
      Array.from({ length: 3 }, () => ({ type: 'participant.remove', sid: 'MB1' })),
    )
    await expect(conversation.removeParticipant('nobody')).rejects.toMatchObject({ code: 50432 })
  })
})

describe('taking part', () => {
  test('joining and leaving do nothing when that is how it stands', async () => {
    const { conversation, engine } = await open()
    expect(await conversation.join()).toBe(conversation)
    engine.change('CH1', { status: 'notParticipating' })
    expect(await conversation.leave()).toBe(conversation)
    expect(engine.submitted).toEqual([])
    await conversation.join()
    await conversation.leave()
    expect(engine.submitted.map(({ draft }) => draft.type)).toEqual([
      'conversation.join',
      'conversation.leave',
    ])
  })

  test('closing is done once', async () => {
    const { conversation, engine } = await open()
    expect(await conversation.close()).toBe(conversation)
    engine.change('CH1', {
      record: { ...engine.conversation('CH1')!.record, state: { current: 'closed', dateUpdated: T0 } },
    })
    await conversation.close()
    expect(engine.submitted.map(({ draft }) => draft.type)).toEqual(['conversation.close'])
  })

  test('typing is sent once in 5 seconds', async () => {
    let now = T0
    const { conversation, engine } = await open(() => now)
    await conversation.typing()
    now += 4999
    await conversation.typing()
    expect(engine.calls).toHaveLength(1)
    now += 1
    await conversation.typing()
    expect(engine.calls).toEqual([
      ['typing', 'CH1'],
      ['typing', 'CH1'],
    ])
  })

  test('an invite takes a role by name or sid, seconds, and a number of uses', async () => {
    const { client, engine } = await open()
    const conversationSid = `CH${'1'.repeat(32)}`
    engine.views.set(conversationSid, conversationView({ sid: conversationSid }))
    const conversation = await client.getConversationBySid(conversationSid)
    const invites = [
      await conversation.createInvite(),
      await conversation.createInvite({ role: 'channel admin', expiresIn: 60, maxUses: 3 }),
      await conversation.createInvite({ role: CHANNEL_ADMIN }),
    ]
    const week = T0 + 7 * 24 * 3_600_000
    expect(invites.map(decodeInvite)).toMatchObject([
      { conversationSid, roleSid: CHANNEL_USER, expiresAt: week },
      { conversationSid, roleSid: CHANNEL_ADMIN, expiresAt: T0 + 60_000 },
      { conversationSid, roleSid: CHANNEL_ADMIN, expiresAt: week },
    ])
    const hash = inviteHash(decodeInvite(invites[0]!).secret)
    expect(engine.submitted.map(({ draft }) => draft)).toMatchObject([
      { type: 'invite.create', hash, roleSid: CHANNEL_USER, expiresAt: week, maxUses: 1 },
      { roleSid: CHANNEL_ADMIN, expiresAt: T0 + 60_000, maxUses: 3 },
      { roleSid: CHANNEL_ADMIN, expiresAt: week, maxUses: 1 },
    ])
    await expect(conversation.createInvite({ expiresIn: 0 })).rejects.toMatchObject({ code: 20001 })
    await expect(conversation.createInvite({ maxUses: 0.5 })).rejects.toMatchObject({ code: 20001 })
  })
})

describe('updating', () => {
  test('what doesn’t change is no operation', async () => {
    const { conversation, engine } = await open()
    await conversation.updateFriendlyName('Tea')
    await conversation.updateFriendlyName('Tea')
    await conversation.updateUniqueName('')
    await conversation.updateAttributes({})
    expect(engine.submitted.map(({ draft }) => draft)).toEqual([
      { type: 'conversation.update', friendlyName: 'Tea' },
    ])
  })

  test('attributes are sent as a difference from what the caller saw', async () => {
    const { conversation, engine } = await open()
    engine.change('CH1', {
      record: { sid: 'CH1', createdBy: ME, dateCreated: T0, attributes: { tags: ['a'], n: 1 } },
    })
    const seen = conversation.attributes as { tags: string[]; n: number }
    // somebody else adds a tag meanwhile
    engine.change('CH1', {
      record: { sid: 'CH1', createdBy: ME, dateCreated: T0, attributes: { tags: ['a', 'theirs'], n: 1 } },
    })
    seen.tags.push('mine')
    await conversation.updateAttributes(seen)
    expect(engine.views.get('CH1')?.record.attributes).toEqual({ tags: ['a', 'theirs', 'mine'], n: 1 })
    // and again from the caller's own copy
    await conversation.updateAttributes({ ...seen, n: 2 })
    expect(engine.views.get('CH1')?.record.attributes).toEqual({ tags: ['a', 'theirs', 'mine'], n: 2 })
  })
})

describe('events', () => {
  test('of a conversation reach its own listeners, then the client’s', async () => {
    const { client, conversation, engine } = await open()
    const heard: string[] = []
    for (const event of [
      'messageAdded',
      'participantJoined',
      'participantLeft',
      'typingStarted',
      'typingEnded',
    ] as const) {
      client.on(event, () => heard.push(`client ${event}`))
      conversation.on(event, () => heard.push(`conversation ${event}`))
    }
    const bob = participantView({ sid: 'MB1', identity: 'bob' })
    engine.tell.participantJoined('CH1', engine.addPerson('CH1', bob))
    engine.tell.typingStarted('CH1', { ...bob, typing: true })
    engine.tell.messageAdded('CH1', engine.addMessage('CH1', messageView(0)))
    engine.tell.typingEnded('CH1', bob)
    engine.tell.participantLeft('CH1', bob)
    expect(heard).toEqual(
      ['participantJoined', 'typingStarted', 'messageAdded', 'typingEnded', 'participantLeft'].flatMap(
        (event) => [`conversation ${event}`, `client ${event}`],
      ),
    )
  })

  test('both get the same object, the one that pages have', async () => {
    const { client, conversation, engine } = await open()
    const heard = [...record(client, []), ...record(conversation, [])]
    client.on('messageAdded', (message) => heard.push(['client', message]))
    conversation.on('messageAdded', (message) => heard.push(['conversation', message]))
    engine.tell.messageAdded('CH1', engine.addMessage('CH1', messageView(0)))
    const [message] = (await conversation.getMessages()).items
    expect(heard).toEqual([
      ['conversation', message],
      ['client', message],
    ])
    expect(message).toBeInstanceOf(Message)
  })
})
