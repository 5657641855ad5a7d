/** The whole client, engine and all, with a relay that can't be reached: what an app sees before it ever is. */
import { afterEach, describe, expect, test } from 'vitest'
import { laterTask, record, tokenFor } from '../test/fake-engine.ts'
import { Client, type ClientStorage, type Conversation, type Message, memory } from './index.ts'

// nothing listens there, and nothing needs to
const url = 'ws://127.0.0.1:1'
const tokenOf = (identity: string) =>
  tokenFor({ sub: 'AC1', exp: 4e9, grants: { identity, chat: { service_sid: 'IS1' } } })

const clients: Client[] = []
afterEach(() => Promise.all(clients.splice(0).map((client) => client.shutdown())))

function start(storage: ClientStorage = memory(), identity = 'ada'): Client {
  const client = new Client(tokenOf(identity), { url, storage, logLevel: 'silent' })
  clients.push(client)
  return client
}

async function joined(client: Client, friendlyName = 'Tea'): Promise<Conversation> {
  return (await client.createConversation({ friendlyName })).join()
}

/** The argument of the next `event`. */
const once = (emitter: { once(event: never, listener: never): unknown }, event: string) =>
  new Promise<unknown>((resolve) => emitter.once(event as never, resolve as never))

const bodies = async (conversation: Conversation) =>
  (await conversation.getMessages()).items.map(({ body }) => body)

describe('a client that has never met its relay', () => {
  test('creates, joins, adds, posts, edits, removes, renames, and lists it all', async () => {
    const client = start()
    const conversation = await joined(client)
    expect((await conversation.add('bob', { colour: 'red' })).identity).toBe('bob')
    await conversation.addNonChatParticipant('+15550001111', '+15550002222')
    await conversation.sendMessage('one')
    expect(await conversation.sendMessage('two', { n: 2 })).toBe(1)
    await conversation.sendMessage('three')
    const [one, two] = (await conversation.getMessages()).items as [Message, Message]
    await one.updateBody('uno')
    await two.remove()
    await conversation.updateFriendlyName('Coffee')
    await conversation.updateAttributes({ a: [1] })

    expect(conversation.friendlyName).toBe('Coffee')
    expect(conversation.attributes).toEqual({ a: [1] })
    expect(await bodies(conversation)).toEqual(['uno', 'three'])
    expect(one).toMatchObject({ body: 'uno', status: 'pending' })
    expect(await conversation.getMessagesCount()).toBe(2)
    const people = await conversation.getParticipants()
    expect(people.map(({ type, identity }) => identity ?? type).sort()).toEqual(['ada', 'bob', 'sms'])
    expect((await client.getSubscribedConversations()).items).toEqual([conversation])
    expect(client.getPendingOperations().length).toBeGreaterThan(0)
    expect(client.getHeldOperations()).toEqual([])
  })

  test('stops, starts again, and everything is there, what is pending marked as pending', async () => {
    const storage = memory()
    const first = start(storage)
    const conversation = await joined(first)
    await conversation.sendMessage('before', { x: 1 })
    const { sid } = conversation
    const pending = first.getPendingOperations()
    await first.shutdown()

    const second = start(storage)
    const heard = record(second, ['conversationJoined', 'conversationAdded', 'messageAdded'])
    const again = await second.getConversationBySid(sid)
    const [message] = (await again.getMessages()).items
    expect(message).toMatchObject({ body: 'before', attributes: { x: 1 }, status: 'pending', index: 0 })
    expect(again.status).toBe('joined')
    expect(second.getPendingOperations()).toEqual(pending)
    await laterTask()
    expect(heard.map(([event]) => event)).toEqual(['conversationAdded', 'conversationJoined'])
  })

  test('is initialised before its conversations are told, and tells them in order', async () => {
    const storage = memory()
    const first = start(storage)
    await joined(first)
    await first.shutdown()
    const client = start(storage)
    const heard = record(client, ['stateChanged', 'initialized', 'conversationAdded', 'conversationJoined'])
    await once(client, 'conversationJoined')
    expect(heard.map(([event]) => event)).toEqual([
      'stateChanged',
      'initialized',
      'conversationAdded',
      'conversationJoined',
    ])
  })

  test('opens from its store when no token can be had', async () => {
    const storage = memory()
    const first = start(storage)
    const { sid } = await joined(first)
    await first.shutdown()
    const client = new Client(() => Promise.reject(new Error('no network')), {
      url,
      storage,
      logLevel: 'silent',
    })
    clients.push(client)
    expect((await client.getConversationBySid(sid)).friendlyName).toBe('Tea')
    expect(client.user.identity).toBe('ada')
  })

  test('reports limits before the network does, with the same codes', async () => {
    const conversation = await joined(start())
    await expect(conversation.sendMessage('x'.repeat(40_000))).rejects.toMatchObject({
      code: 70101,
      status: 413,
    })
    await expect(conversation.updateFriendlyName('x'.repeat(300))).rejects.toMatchObject({ code: 70103 })
    await expect(conversation.sendMessage('x', { a: 'x'.repeat(5000) })).rejects.toMatchObject({
      code: 70102,
    })
    await conversation.add('bob')
    await expect(conversation.add('bob')).rejects.toMatchObject({
      code: 50433,
      status: 409,
      body: { code: 50433 },
    })
    await expect(conversation.addNonChatParticipant('+15550001111', 'nonsense')).rejects.toMatchObject({
      code: 50407,
    })
  })
})

describe('events', () => {
  test('come after the call that caused them, in a later task', async () => {
    const client = start()
    const conversation = await joined(client)
    await laterTask()
    const order: string[] = []
    conversation.on('messageAdded', ({ body }) => order.push(`added ${body}`))
    conversation.on('updated', ({ updateReasons }) => order.push(`updated ${updateReasons}`))
    conversation.on('messageUpdated', ({ message }) => order.push(`edited ${message.body}`))
    const renamed = once(conversation, 'updated')
    await conversation.updateFriendlyName('Coffee')
    order.push('renamed')
    await renamed
    const sent = once(conversation, 'updated')
    await conversation.sendMessage('hello')
    await sent
    const [message] = (await conversation.getMessages()).items
    const edited = once(conversation, 'messageUpdated')
    await message?.updateBody('bye')
    order.push('edit resolved')
    await edited
    expect(order).toEqual([
      'renamed',
      'updated dateUpdated,friendlyName',
      'added hello',
      'updated lastMessage',
      'edit resolved',
      'edited bye',
    ])
  })

  test('nothing read is no operation and no event; what is pending can’t be read up to', async () => {
    const client = start()
    const conversation = await joined(client)
    await conversation.sendMessage('mine')
    const pending = client.getPendingOperations().length
    expect(await conversation.setAllMessagesRead()).toBe(1)
    expect(conversation.lastReadMessageIndex).toBeNull()
    expect(await conversation.getUnreadMessagesCount()).toBeNull()
    expect(client.getPendingOperations()).toHaveLength(pending)
  })

  test('a pending message that is removed was never sent', async () => {
    const client = start()
    const conversation = await joined(client)
    const added = once(conversation, 'messageAdded')
    await conversation.sendMessage('a slip')
    const message = (await added) as Message
    const removed = once(conversation, 'messageRemoved')
    await message.remove()
    expect(await removed).toBe(message)
    expect(await bodies(conversation)).toEqual([])
  })

  test('leaving ends what is heard of a conversation', async () => {
    const client = start()
    const conversation = await joined(client)
    await laterTask()
    const heard = record(client, ['conversationLeft', 'conversationRemoved', 'conversationUpdated'])
    await conversation.leave()
    await conversation.leave()
    await once(conversation, 'removed')
    expect(heard.map(([event]) => event)).toEqual(['conversationLeft', 'conversationRemoved'])
    expect(conversation.status).toBe('notParticipating')
  })
})
