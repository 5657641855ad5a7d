import { CHANNEL_USER, ConfabError, encodeInvite, inviteSecretText } from '@confab/core'
import { describe, expect, test, vi } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import {
  conversationView,
  laterTask,
  ME,
  messageView,
  open,
  openUninitialised,
  record,
  T0,
  tokenFor,
} from '../test/fake-engine.ts'
import { Client, type ClientOptions, User } from './index.ts'

describe('starting', () => {
  test('nothing is emitted while the constructor runs', async () => {
    let constructed = false
    const { client, engine } = await openUninitialised()
    client.on('connectionStateChanged', () => expect(constructed).toBe(true))
    constructed = true
    engine.tell.connectionStateChanged('connecting')
  })

  test('calls made before initialisation wait for it', async () => {
    const { client, engine } = await openUninitialised()
    const order: string[] = []
    const listing = client.getSubscribedConversations().then(() => order.push('listed'))
    await laterTask()
    order.push('initialising')
    engine.initialise()
    await listing
    expect(order).toEqual(['initialising', 'listed'])
  })

  test('stateChanged comes first, then initialized', async () => {
    const { client, engine } = await openUninitialised()
    const heard = record(client, ['initialized', 'stateChanged'])
    engine.initialise()
    expect(heard).toEqual([
      ['stateChanged', 'initialized'],
      ['initialized', undefined],
    ])
  })

  test('a start that fails is told once, and by every call', async () => {
    const { client, engine } = await openUninitialised()
    const heard = record(client, ['stateChanged', 'initFailed'])
    engine.fail(new ConfabError(70501, 'the disk is full'))
    expect(heard).toEqual([
      ['stateChanged', 'failed'],
      [
        'initFailed',
        { error: { terminal: true, message: 'the disk is full', httpStatusCode: 507, errorCode: 70501 } },
      ],
    ])
    await expect(client.getSubscribedConversations()).rejects.toMatchObject({ code: 70501 })
  })

  test('the relay is where the token says, unless the option says otherwise', async () => {
    const token = tokenFor({ grants: { identity: ME, confab: { url: 'wss://of.token' } } })
    const byToken = await openUninitialised({ url: undefined } as ClientOptions, undefined, token)
    expect(byToken.engine.options.url).toBe('wss://of.token')
    const byOption = await openUninitialised({ url: 'wss://of.option' }, undefined, token)
    expect(byOption.engine.options.url).toBe('wss://of.option')
  })

  test('with neither, the client fails to start and says what to do', async () => {
    const client = new Client(tokenFor({ grants: { identity: ME } }))
    const heard = record(client, ['initFailed'])
    await expect(client.getUser('bob')).rejects.toThrow(/option `url`/)
    expect(heard).toHaveLength(1)
    await expect(Client.create('not a token')).rejects.toMatchObject({ code: 20001 })
  })

  test('a token may be fetched by a function, whose failure is one to start without a URL', async () => {
    const { engine, client } = await openUninitialised({}, undefined, async () => 'a.b.c')
    await expect(engine.options.token()).resolves.toBe('a.b.c')
    expect(client.token).toBe('a.b.c')
    await expect(Client.create(() => Promise.reject(new Error('no network')))).rejects.toMatchObject({
      code: 20500,
    })
  })

  test('the user is known from the token at once', async () => {
    const { client, engine } = await openUninitialised()
    expect(client.user).toBeInstanceOf(User)
    expect(client.user.identity).toBe(ME)
    engine.initialise()
    expect(client.user.identity).toBe(ME)
  })

  test('event names and the version are static members', () => {
    expect(Client.conversationAdded).toBe('conversationAdded')
    expect(Client.operationRefused).toBe('operationRefused')
    expect(Client.version).toBe(manifest.version)
  })
})

describe('the connection', () => {
  test('its state, errors and the token’s age are told as the engine tells them', async () => {
    const { client, engine } = await open()
    const heard = record(client, [
      'connectionStateChanged',
      'connectionError',
      'tokenAboutToExpire',
      'tokenExpired',
    ])
    engine.connectionState = 'connected'
    engine.tell.connectionStateChanged('connected')
    engine.tell.connectionError({ terminal: false, message: 'gone' })
    engine.tell.tokenAboutToExpire(60)
    engine.tell.tokenExpired()
    expect(client.connectionState).toBe('connected')
    expect(heard).toEqual([
      ['connectionStateChanged', 'connected'],
      ['connectionError', { terminal: false, message: 'gone' }],
      ['tokenAboutToExpire', undefined],
      ['tokenExpired', undefined],
    ])
  })

  test('updateToken hands on the token and resolves to the client', async () => {
    const { client, engine } = await open()
    expect(await client.updateToken('another')).toBe(client)
    expect(engine.calls).toEqual([['updateToken', 'another']])
    expect(client.token).toBe('another')
    await expect(client.updateToken('')).rejects.toMatchObject({ code: 20001 })
  })

  test('a function that fetches tokens is asked for another before one expires', async () => {
    let fetched = 0
    const { engine } = await openUninitialised({}, undefined, async () => `token ${++fetched}`)
    engine.initialise()
    engine.tell.tokenAboutToExpire(60)
    await vi.waitFor(() => expect(engine.calls).toEqual([['updateToken', 'token 1']]))
  })

  test('goOffline and goOnline reach the engine', async () => {
    const { client, engine } = await open()
    await client.goOffline()
    await client.goOnline()
    expect(engine.calls).toEqual([['goOffline'], ['goOnline']])
  })

  test('after shutdown everything rejects with 70701, and what was read can still be read', async () => {
    const { client, conversation, engine } = await open()
    engine.tell.connectionStateChanged('disconnecting')
    engine.connectionState = 'disconnected'
    const heard = record(client, ['connectionStateChanged'])
    await client.shutdown()
    await client.shutdown()
    expect(heard).toEqual([['connectionStateChanged', 'disconnected']])
    expect(engine.calls).toEqual([['shutdown']])
    await expect(client.getSubscribedConversations()).rejects.toMatchObject({ code: 70701 })
    await expect(conversation.sendMessage('late')).rejects.toMatchObject({ code: 70701 })
    expect(conversation.sid).toBe('CH1')
  })

  test('a client that is shut down at once never starts', async () => {
    const { client, engine } = await openUninitialised()
    const early = new Client(tokenFor({ grants: { identity: ME } }), { url: 'ws://relay.test' })
    const heard = record(early, ['stateChanged', 'initFailed'])
    await early.shutdown()
    await expect(early.getUser('bob')).rejects.toMatchObject({ code: 70701, status: 499 })
    expect(early.connectionState).toBe('disconnected')
    expect(heard).toEqual([])
    await client.shutdown()
    expect(engine.calls).toEqual([['shutdown']])
  })
})

describe('conversations', () => {
  test('creating returns the conversation without joining it', async () => {
    const { client, engine } = await open()
    const made = await client.createConversation({ friendlyName: 'Tea', attributes: { a: 1 } })
    expect(made.status).toBe('notParticipating')
    expect(made.friendlyName).toBe('Tea')
    expect(made.attributes).toEqual({ a: 1 })
    expect(engine.submitted.map(({ draft }) => draft.type)).toEqual(['conversation.create'])
    expect(await made.join()).toBe(made)
    expect(made.status).toBe('joined')
  })

  test('one conversation is one object, whoever gives it', async () => {
    const { client, engine, conversation } = await open()
    const heard = record(client, ['conversationAdded', 'conversationJoined'])
    engine.tell.conversationAdded(engine.views.get('CH1')!)
    engine.tell.conversationJoined(engine.views.get('CH1')!)
    expect(heard).toEqual([
      ['conversationAdded', conversation],
      ['conversationJoined', conversation],
    ])
    expect((await client.getSubscribedConversations()).items[0]).toBe(conversation)
    expect(await client.peekConversationBySid('CH1')).toBe(conversation)
  })

  test('the list is ordered by the newest message, on one page', async () => {
    const { client, engine } = await open()
    for (const [sid, dateCreated] of [
      ['CH2', T0 + 10],
      ['CH3', T0 + 30],
    ] as const) {
      engine.addConversation(conversationView({ sid, lastMessage: { index: 0, dateCreated } }))
    }
    const page = await client.getSubscribedConversations()
    expect(page.items.map(({ sid }) => sid)).toEqual(['CH3', 'CH2', 'CH1'])
    expect(page.hasNextPage).toBe(false)
  })

  test('one that isn’t known here is asked for; one that isn’t there rejects with 20404', async () => {
    const { client, engine } = await open()
    engine.elsewhere = conversationView({
      sid: 'CH9',
      record: { sid: 'CH9', uniqueName: 'nine', createdBy: ME, dateCreated: T0 },
    })
    expect((await client.getConversationBySid('CH9')).sid).toBe('CH9')
    expect((await client.getConversationByUniqueName('nine')).sid).toBe('CH9')
    engine.elsewhere = undefined
    const refusal = { code: 20404, status: 404, body: { code: 20404, status: 404 } }
    await expect(client.getConversationBySid('CH8')).rejects.toMatchObject(refusal)
    await expect(client.getConversationByUniqueName('eight')).rejects.toMatchObject(refusal)
  })

  test('removal is told as left, removed, and then by the conversation itself', async () => {
    const { client, engine, conversation } = await open()
    const heard = record(client, ['conversationLeft', 'conversationRemoved'])
    conversation.on('removed', (gone) => heard.push(['removed', gone]))
    const view = engine.views.get('CH1')!
    engine.views.delete('CH1')
    engine.tell.conversationLeft(view)
    engine.tell.conversationRemoved(view)
    expect(heard.map(([name]) => name)).toEqual(['conversationLeft', 'conversationRemoved', 'removed'])
    expect(heard.every(([, about]) => about === conversation)).toBe(true)
    expect(conversation.status).toBe('notParticipating')
    engine.addConversation(view)
    expect(await client.getConversationBySid('CH1')).not.toBe(conversation)
  })

  test('removing an app’s listeners from a conversation cuts none of the client’s', async () => {
    const { client, engine, conversation } = await open()
    const heard = record(client, ['messageAdded', 'conversationUpdated'])
    conversation.removeAllListeners()
    engine.tell.messageAdded('CH1', engine.addMessage('CH1', messageView(0)))
    engine.tell.conversationUpdated(engine.views.get('CH1')!, engine.views.get('CH1')!, ['lastMessage'])
    expect(heard.map(([name]) => name)).toEqual(['messageAdded', 'conversationUpdated'])
  })

  test('an invite opens its conversation', async () => {
    const { client, engine } = await open()
    engine.elsewhere = conversationView({ sid: 'CH7' })
    const [sid, secret, expiresAt] = [`CH${'7'.repeat(32)}`, new Uint8Array(32).fill(7), T0]
    const invite = encodeInvite({ conversationSid: sid, secret, expiresAt, roleSid: CHANNEL_USER })
    expect((await client.joinByInvite(invite)).sid).toBe('CH7')
    expect(engine.calls).toEqual([['joinInvited', sid, inviteSecretText(secret), expiresAt]])
    await expect(client.joinByInvite('an-invite')).rejects.toMatchObject({ code: 70203 })
  })
})
