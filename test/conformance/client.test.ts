/** The client: starting, tokens, the list, creating, and what another client of the same person does. */
import { Client, type Conversation, memory } from '@confab/client'
import { describe, expect, test } from 'vitest'
import {
  connected,
  decided,
  heard,
  laterTask,
  NOWHERE,
  next,
  relayOf,
  shows,
  start,
  startWith,
  together,
  tokenOf,
  when,
} from './stage.ts'

const CONNECTION = ['connectionStateChanged', 'tokenAboutToExpire', 'tokenExpired', 'connectionError']
const told = (event: string, argument: unknown) =>
  event === 'connectionStateChanged' ? `${argument}` : event

describe('starting', () => {
  test('a drop-in app calls new Client(token) and nothing else: the token says where the relay is', async () => {
    const relay = await relayOf()
    const client = new Client(await tokenOf('alice', relay.url))
    const states = heard(client, ['connectionStateChanged'], told)
    await when(() => client.connectionState === 'connected')
    await laterTask()
    expect(states).toEqual(['connecting', 'connected'])
    expect(client.user.identity).toBe('alice')
    await client.shutdown()
    expect(states.at(-1)).toBe('disconnected')
  })

  test('calls made before initialisation wait; they don’t throw', async () => {
    const client = await start('alice', NOWHERE)
    const [list, conversation, user] = await Promise.all([
      client.getSubscribedConversations(),
      client.createConversation({ friendlyName: 'Early' }),
      client.getUser('bob'),
    ])
    expect(list.items.every((one) => one === conversation)).toBe(true)
    expect(conversation.friendlyName).toBe('Early')
    expect(user.identity).toBe('bob')
  })

  test('Client.create resolves to a client that is initialised', async () => {
    const client = await Client.create(await tokenOf('alice', NOWHERE), { logLevel: 'silent' })
    const conversation = await client.createConversation()
    expect(conversation).toMatchObject({ friendlyName: null, uniqueName: null, attributes: {} })
    await client.shutdown()
  })

  test('a token that is none fails the start: stateChanged("failed"), initFailed, and every call', async () => {
    const client = startWith('not a token')
    const events = heard(
      client,
      ['stateChanged', 'initFailed'],
      (event, data) => `${event} ${data.error?.message ?? data}`,
    )
    await expect(client.getSubscribedConversations()).rejects.toMatchObject({
      message: expect.stringMatching(/url/),
    })
    await laterTask()
    expect(events).toHaveLength(2)
    expect(events[0]).toBe('stateChanged failed')
  })
})

describe('tokens', () => {
  test('tokenAboutToExpire comes ahead of time; updateToken goes on with the live connection', async () => {
    const relay = await relayOf()
    // a short one is told of at half its time
    const client = startWith(await tokenOf('alice', relay.url, { ttl: 2 }))
    const events = heard(client, CONNECTION, told)
    await next(client, 'tokenAboutToExpire')
    const token = await tokenOf('alice', relay.url)
    expect(await client.updateToken(token)).toBe(client)
    expect(client.token).toBe(token)
    const conversation = await (await client.createConversation()).join()
    await conversation.sendMessage('going on')
    await decided(client)
    expect(events).toEqual(['connecting', 'connected', 'tokenAboutToExpire'])
  })

  test('an expired one: tokenExpired, denied, and everything works offline; a new one brings the client back', async () => {
    const relay = await relayOf()
    const issued = Math.floor(Date.now() / 1000) - 7200
    const client = startWith(await tokenOf('alice', relay.url, { ttl: 60, issued }))
    const events = heard(client, CONNECTION, told)
    await when(() => client.connectionState === 'denied')
    await laterTask()
    // at each attempt to reconnect
    const attempts = events.filter((event) => event === 'connecting').length
    expect(events.filter((event) => event === 'tokenExpired')).toHaveLength(attempts)
    expect(events.at(-1)).toBe('connectionError')
    const [conversation] = await together(client)
    await conversation?.sendMessage('written anyway')
    expect(client.getPendingOperations()).toHaveLength(3)
    await client.updateToken(await tokenOf('alice', relay.url))
    await decided(client)
    expect(client.connectionState).toBe('connected')
  })

  test('a token of somebody else is refused (20003), and changes nothing', async () => {
    const relay = await relayOf()
    const client = await connected('alice', relay)
    await expect(client.updateToken(await tokenOf('bob', relay.url))).rejects.toMatchObject({ code: 20003 })
    await expect(client.updateToken('nonsense')).rejects.toMatchObject({ code: 20003 })
    await (await client.createConversation()).join()
    await decided(client)
  })

  test('apps build a new Client without shutting the old one down: the two don’t trample each other', async () => {
    const relay = await relayOf()
    const storage = memory()
    const old = await connected('alice', relay, { storage })
    const [conversation] = await together(old)
    await old.goOffline()
    await conversation?.sendMessage('from the old one')
    const renewed = await connected('alice', relay, { storage })
    const again = await renewed.getConversationBySid(conversation!.sid)
    await again.sendMessage('from the new one')
    await Promise.all([decided(renewed), decided(old)])
    await shows(again, ['0 from the old one', '1 from the new one'])
    await shows(conversation!, ['0 from the old one', '1 from the new one'])
    await old.goOnline()
    await again.sendMessage('and both go on')
    await shows(conversation!, ['0 from the old one', '1 from the new one', '2 and both go on'])
    expect([...old.getHeldOperations(), ...renewed.getHeldOperations()]).toEqual([])
  })

  test('a store belongs to one identity: another’s client on it sees nothing of the first', async () => {
    const relay = await relayOf()
    const storage = memory()
    const alice = await connected('alice', relay, { storage })
    await together(alice)
    const bob = await connected('bob', relay, { storage })
    expect((await bob.getSubscribedConversations()).items).toEqual([])
    expect(bob.getPendingOperations()).toEqual([])
  })
})

describe('the list', () => {
  test('is ordered by last message, newest first; lastMessage is { index, dateCreated }', async () => {
    const alice = await connected('alice', await relayOf())
    const made: Conversation[] = []
    for (const friendlyName of ['one', 'two', 'three']) {
      made.push(await (await alice.createConversation({ friendlyName })).join())
    }
    await made[1]?.sendMessage('newer')
    await decided(alice)
    await made[0]?.sendMessage('newest')
    await decided(alice)
    const { items, hasNextPage } = await alice.getSubscribedConversations()
    expect(items.map(({ friendlyName }) => friendlyName)).toEqual(['one', 'two', 'three'])
    expect(hasNextPage).toBe(false)
    expect(items[0]?.lastMessage).toEqual({ index: 0, dateCreated: expect.any(Date) })
    expect(Object.getPrototypeOf(items[0]?.lastMessage)).toBe(Object.prototype)
    expect(items[2]?.lastMessage).toBeUndefined()
  })

  test('one is found by sid and by unique name; peekConversationBySid is the same', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const conversation = await (await alice.createConversation({ uniqueName: 'general' })).join()
    await conversation.add('bob')
    await when(() =>
      bob.getConversationBySid(conversation.sid).then(
        () => true,
        () => false,
      ),
    )
    const bobs = await bob.getConversationBySid(conversation.sid)
    expect(await bob.getConversationByUniqueName('general')).toBe(bobs)
    expect(await bob.peekConversationBySid(conversation.sid)).toBe(bobs)
  })
})

describe('after shutdown', () => {
  test('every call rejects (70701), nothing more is told, and what was read can still be read', async () => {
    const relay = await relayOf()
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    const [conversation, bobs] = await together(alice, bob)
    await bob.shutdown()
    const events = heard(bob, ['messageAdded', 'connectionStateChanged'])
    await conversation?.sendMessage('unheard')
    await decided(alice)
    await laterTask()
    expect(events).toEqual([])
    expect(bobs?.friendlyName).toBe('Tea')
    await expect(bobs!.sendMessage('late')).rejects.toMatchObject({ code: 70701 })
    await expect(bob.getSubscribedConversations()).rejects.toMatchObject({ code: 70701 })
    await bob.shutdown()
  })
})
