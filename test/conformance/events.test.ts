/** What apps hear, in which order, online and offline. */
import {
  Client,
  Conversation,
  type ConversationUpdatedEventArgs,
  Message,
  memory,
  Participant,
  User,
} from '@confab/client'
import { describe, expect, test } from 'vitest'
import {
  connected,
  decided,
  heard,
  joined,
  laterTask,
  NOWHERE,
  next,
  relayOf,
  shows,
  start,
  startWith,
  together,
  tokenOf,
} from './stage.ts'

const COMING = ['conversationAdded', 'conversationJoined', 'conversationLeft', 'conversationRemoved']
const bodyOf = (event: string, { body }: Message) => `${event} ${body}`

describe('initialisation', () => {
  test('is stateChanged("initialized"), then initialized; never synchronously in the constructor', async () => {
    const client = await start('alice', NOWHERE)
    const events = heard(client, ['stateChanged', 'initialized'], (event, state) => `${event} ${state ?? ''}`)
    expect(events).toEqual([])
    await next(client, 'initialized')
    expect(events).toEqual(['stateChanged initialized', 'initialized '])
  })

  test('late listeners hear it by the replaying variants, once by onceWithReplay', async () => {
    const client = await start('alice', NOWHERE)
    await next(client, 'initialized')
    const states: string[] = []
    client.onWithReplay('stateChanged', (state) => states.push(`on ${state}`))
    client.addListenerWithReplay('stateChanged', (state) => states.push(`add ${state}`))
    client.onceWithReplay('stateChanged', (state) => states.push(`once ${state}`))
    expect(states).toEqual(['on initialized', 'add initialized', 'once initialized'])
    const missed: string[] = []
    client.on('initialized', () => missed.push('initialized'))
    await laterTask()
    expect(missed).toEqual([])
  })
})

describe('conversations', () => {
  test('new and joined: conversationAdded, then conversationJoined, to whoever is added', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const events = heard(bob, COMING)
    await together(alice, bob)
    expect(events).toEqual(['conversationAdded', 'conversationJoined'])
  })

  test('already known: conversationJoined only; creating alone emits conversationAdded and doesn’t join', async () => {
    const alice = await connected('alice', await relayOf())
    const events = heard(alice, COMING)
    const added = next(alice, 'conversationAdded')
    const conversation = await alice.createConversation({ friendlyName: 'Tea' })
    expect(await added).toBe(conversation)
    expect(conversation.status).toBe('notParticipating')
    expect(events).toEqual(['conversationAdded'])
    const joining = next(alice, 'conversationJoined')
    await conversation.join()
    expect(await joining).toBe(conversation)
    expect(events).toEqual(['conversationAdded', 'conversationJoined'])
  })

  test.each([
    ['removal', (conversation: Conversation) => conversation.removeParticipant('bob')],
    ['leaving', (_: Conversation, bobs: Conversation) => bobs.leave()],
    ['deletion', (conversation: Conversation) => conversation.delete()],
  ])('%s: conversationLeft, conversationRemoved, then removed on the conversation', async (_, act) => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    const events = heard(bob, COMING)
    bobs?.on('removed', (one) => events.push(one === bobs ? 'removed' : 'removed another'))
    const removed = next(bobs!, 'removed')
    await act(conversation!, bobs!)
    await removed
    expect(events).toEqual(['conversationLeft', 'conversationRemoved', 'removed'])
    expect(bobs?.status).toBe('notParticipating')
  })

  test('every start emits conversationAdded and conversationJoined for each, offline too, its newest page readable', async () => {
    const relay = await relayOf()
    const storage = memory()
    const before = await connected('alice', relay, { storage })
    const [conversation] = await together(before)
    await conversation?.sendMessage('kept')
    await decided(before)
    await before.shutdown()
    const offline = () => Promise.reject(new Error('no network'))
    for (const token of [offline, () => tokenOf('alice', relay.url)]) {
      const client = startWith(token, { storage, url: relay.url, identity: 'alice' })
      const events = heard(client, ['initialized', ...COMING, 'messageAdded', 'conversationUpdated'])
      const again = await next<Conversation>(client, 'conversationJoined')
      expect(again.sid).toBe(conversation?.sid)
      expect(again.lastMessage?.index).toBe(0)
      expect((await again.getMessages()).items.map(({ body }) => body)).toEqual(['kept'])
      expect(events).toEqual(['initialized', 'conversationAdded', 'conversationJoined'])
      await client.shutdown()
    }
  })

  test('by the time that the list can be read, those that are on it have been told', async () => {
    const relay = await relayOf()
    const storage = memory()
    const before = await connected('alice', relay, { storage })
    const [conversation] = await together(before)
    await decided(before)
    await before.shutdown()
    // apps show the list first and listen for more then: those that are listed would be there twice
    const client = await Client.create(await tokenOf('alice', relay.url), { storage })
    const { items } = await client.getSubscribedConversations()
    expect(items.map(({ sid }) => sid)).toEqual([conversation?.sid])
    const events = heard(client, COMING)
    await laterTask()
    expect(events).toEqual([])
    await client.shutdown()
  })

  test('no event of a conversation reaches anybody after they left it', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    const [other] = await together(alice, bob)
    const removed = next(bobs!, 'removed')
    await bobs?.leave()
    await removed
    const inside = ['messageAdded', 'participantJoined', 'typingStarted', 'updated', 'removed']
    const events = [...inside, 'conversationUpdated'].flatMap((event) => [
      heard(bobs!, [event]),
      heard(bob, [event], (name, one) => `${name} ${one.body ?? ''}`),
    ])
    await conversation?.sendMessage('behind their back')
    await conversation?.add('carol')
    await conversation?.updateFriendlyName('Without bob')
    // bob hears of this one last, so anything else would have come
    const added = next(bob, 'messageAdded')
    await other?.sendMessage('to bob')
    await added
    await laterTask()
    expect(events.flat().filter((event) => !/messageAdded to bob|conversationUpdated/.test(event))).toEqual(
      [],
    )
  })
})

describe('participants', () => {
  test('participantJoined and participantLeft, of others; who can be listed has been told', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    await bobs?.getParticipants()
    const shown: string[] = []
    const list = async () => {
      for (const { identity } of await bobs!.getParticipants()) shown.push(`listed ${identity}`)
    }
    bobs?.on('participantJoined', ({ identity }) => shown.push(`joined ${identity}`))
    bobs?.on('participantLeft', ({ identity }) => shown.push(`left ${identity}`))
    const joined = next(bobs!, 'participantJoined')
    await conversation?.add('carol')
    await joined
    await list()
    const left = next(bobs!, 'participantLeft')
    await conversation?.removeParticipant('carol')
    await left
    expect(shown).toEqual(['joined carol', 'listed alice', 'listed bob', 'listed carol', 'left carol'])
    shown.length = 0
    await bobs?.add('dave')
    await list()
    expect(shown).toEqual(['joined dave', 'listed alice', 'listed bob', 'listed dave'])
  })
})

describe('messages', () => {
  test('the first snapshot of a conversation emits no messageAdded; everything later does', async () => {
    const relay = await relayOf()
    const alice = await connected('alice', relay)
    const [conversation] = await together(alice)
    await conversation?.sendMessage('history')
    await conversation?.add('bob')
    const bob = await start('bob', relay.url)
    const events = heard(
      bob,
      ['conversationJoined', 'messageAdded'],
      (event, one) => `${event} ${one.body ?? ''}`,
    )
    const bobs = await joined(bob, conversation!.sid)
    await shows(bobs, ['0 history'])
    const added = next(bob, 'messageAdded')
    await conversation?.sendMessage('news')
    await added
    expect(events).toEqual(['conversationJoined ', 'messageAdded news'])
  })

  test('what arrives after an offline start emits messageAdded', async () => {
    const relay = await relayOf()
    const storage = memory()
    const alice = await connected('alice', relay)
    const bob = await connected('bob', relay, { storage })
    const [conversation, bobs] = await together(alice, bob)
    await conversation?.sendMessage('seen')
    await shows(bobs!, ['0 seen'])
    await bob.shutdown()
    await conversation?.sendMessage('missed')
    const again = await start('bob', relay.url, { storage })
    const events = heard(again, ['messageAdded'], bodyOf)
    await next(again, 'messageAdded')
    expect(events).toEqual(['messageAdded missed'])
  })

  test('senders show their message on their own messageAdded, offline too', async () => {
    const alice = await connected('alice', await relayOf())
    const [conversation] = await together(alice)
    for (const connect of [() => alice.goOnline(), () => alice.goOffline()]) {
      await connect()
      const added = next<Message>(conversation!, 'messageAdded')
      await conversation?.sendMessage('mine')
      expect(await added).toMatchObject({ author: 'alice', body: 'mine' })
    }
  })

  test('updateBody and updateAttributes resolve before their event is emitted, in a later task', async () => {
    const alice = await connected('alice', await relayOf())
    const [conversation] = await together(alice)
    await conversation?.sendMessage('draft')
    await decided(alice)
    await laterTask()
    const [message] = (await conversation!.getMessages()).items
    const order: string[] = []
    message?.on('updated', ({ updateReasons }) => order.push(`updated ${updateReasons.includes('body')}`))
    for (const update of [() => message?.updateBody('final'), () => message?.updateAttributes({ a: 1 })]) {
      const updated = next(message!, 'updated')
      await update()
      order.push('resolved')
      await updated
    }
    expect(order).toEqual(['resolved', 'updated true', 'resolved', 'updated false'])
    expect(message).toMatchObject({ body: 'final', attributes: { a: 1 }, lastUpdatedBy: 'alice' })
  })
})

describe('conversationUpdated', () => {
  test('fires only when a value differs, once per task', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    await laterTask()
    const reasons: string[] = []
    bob.on('conversationUpdated', ({ updateReasons }) => reasons.push(updateReasons.sort().join()))
    await conversation?.updateFriendlyName('Tea')
    await conversation?.updateAttributes({})
    const updated = next<ConversationUpdatedEventArgs>(bobs!, 'updated')
    await conversation?.updateFriendlyName('Coffee')
    expect((await updated).conversation.friendlyName).toBe('Coffee')
    const again = next(bob, 'conversationUpdated')
    await conversation?.updateAttributes({ a: 1 })
    await again
    expect(reasons).toEqual(['dateUpdated,friendlyName', 'attributes,dateUpdated'])
  })

  test('does not fire for an acceptance at the same index: apps clear drafts on it', async () => {
    const alice = await connected('alice', await relayOf())
    const [conversation] = await together(alice)
    await alice.goOffline()
    await conversation?.sendMessage('pending')
    await laterTask()
    const events = heard(conversation!, ['updated', 'messageUpdated'])
    const accepted = next(conversation!, 'messageUpdated')
    await alice.goOnline()
    await accepted
    await laterTask()
    expect(events).toEqual(['messageUpdated'])
  })
})

describe('the emitters', () => {
  test('client.on(..).on(..) chains; event names are also static members', async () => {
    const client = await start('alice', NOWHERE)
    const none = () => {}
    expect(client.on('initialized', none).on(Client.connectionError, none).off('initialized', none)).toBe(
      client,
    )
    expect(Client.connectionError).toBe('connectionError')
    expect(Conversation.messageAdded).toBe('messageAdded')
    expect(Message.updated).toBe('updated')
    expect(Participant.typingStarted).toBe('typingStarted')
  })

  test('conversation.removeAllListeners() must not cut the client’s own events, nor what objects show', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    bobs?.removeAllListeners()
    bob.user.removeAllListeners()
    const added = next<Message>(bob, 'messageAdded')
    await conversation?.sendMessage('still heard')
    expect((await added).body).toBe('still heard')
    bob.removeAllListeners()
    const later = next<Message>(bobs!, 'messageAdded')
    await conversation?.sendMessage('and shown')
    expect((await later).body).toBe('and shown')
    expect(bobs?.lastMessage?.index).toBe(1)
  })

  test('what they tell of is an instanceof its class, and one object per thing', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    const added = Promise.all([next(bob, 'messageAdded'), next(bobs!, 'messageAdded')])
    await conversation?.sendMessage('one object')
    const [message, same] = await added
    expect(message).toBeInstanceOf(Message)
    expect(message).toBe(same)
    expect((await bobs!.getMessages()).items[0]).toBe(message)
    expect((message as Message).conversation).toBe(bobs)
    expect(bobs).toBeInstanceOf(Conversation)
    const participant = await (message as Message).getParticipant()
    expect(participant).toBeInstanceOf(Participant)
    expect(await participant.getUser()).toBeInstanceOf(User)
    expect(participant.conversation).toBe(bobs)
  })

  test('one listener that throws keeps no other from being called', async () => {
    const [conversation] = await together(await connected('alice', await relayOf()))
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
    const others = process.listeners('uncaughtException').slice(0, -1)
    for (const other of others) process.off('uncaughtException', other)
    conversation?.on('messageAdded', () => {
      throw new Error('of the app')
    })
    const added = next(conversation!, 'messageAdded')
    await conversation?.sendMessage('hello')
    await added
    expect(await thrown).toMatchObject({ message: 'of the app' })
    for (const other of others) process.on('uncaughtException', other)
  })
})
