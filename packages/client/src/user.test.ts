import { ConfabError } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { laterTask, ME, open, openUninitialised, record } from '../test/fake-engine.ts'

const submitted = (engine: { calls: unknown[][] }) =>
  engine.calls.filter(([name]) => name === 'submitForUser').map(([, draft]) => draft)

describe('following', () => {
  test('a stranger’s user resolves with no name, offline too', async () => {
    const { client } = await open()
    const user = await client.getUser('stranger')
    expect(user.identity).toBe('stranger')
    expect(user.friendlyName).toBeNull()
    expect(user.attributes).toEqual({})
    expect(user.isOnline).toBeNull()
    expect(user.isNotifiable).toBeNull()
  })

  test('a user is followed from the first time that it is asked for, and is one object', async () => {
    const { client, engine } = await open()
    const heard = record(client, ['userSubscribed', 'userUnsubscribed'])
    const [user, same] = await Promise.all([client.getUser('bob'), client.getUser('bob')])
    expect(same).toBe(user)
    expect(await client.getSubscribedUsers()).toEqual([client.user, user])
    engine.say('bob', { friendlyName: 'Bob' })
    await user.unsubscribe()
    await user.unsubscribe()
    expect(user.isSubscribed).toBe(false)
    expect(heard).toEqual([
      ['userSubscribed', user],
      ['userUnsubscribed', user],
    ])
    engine.say('bob', { friendlyName: 'Robert' })
    expect(user.friendlyName).toBe('Bob')
    expect(engine.calls).toEqual([
      ['followUser', 'bob'],
      ['unfollowUser', 'bob'],
    ])
    expect(await client.getSubscribedUsers()).toEqual([client.user])
    expect(await client.getUser('bob')).not.toBe(user)
  })

  test('the user that was asked for least recently is let go when there are too many', async () => {
    const { client, engine } = await open()
    const first = await client.getUser('user 0')
    const second = await client.getUser('user 1')
    for (let i = 2; i < 100; i++) await client.getUser(`user ${i}`)
    await client.getUser('user 0')
    const heard = record(client, ['userUnsubscribed'])
    await client.getUser('user 100')
    expect(heard).toEqual([['userUnsubscribed', second]])
    expect(first.isSubscribed).toBe(true)
    expect(engine.calls).toContainEqual(['unfollowUser', 'user 1'])
    expect(await client.getSubscribedUsers()).toHaveLength(101)
  })

  test('one’s own identity gives the client’s user, which is always followed', async () => {
    const { client } = await open()
    expect(await client.getUser(ME)).toBe(client.user)
    await client.user.unsubscribe()
    expect(client.user.isSubscribed).toBe(true)
    await expect(client.getUser('')).rejects.toMatchObject({ code: 20001 })
    await expect(client.getUser('x'.repeat(300))).rejects.toMatchObject({ code: 20001 })
  })

  test('an identity is the same person in either form of Unicode', async () => {
    const { client } = await open()
    expect(await client.getUser('Zoe\u0308')).toBe(await client.getUser('Zo\u00eb'))
  })

  test('a participant leads to its user', async () => {
    const { client, conversation } = await open()
    await conversation.add('bob')
    const bob = await conversation.getParticipantByIdentity('bob')
    expect(await bob.getUser()).toBe(await client.getUser('bob'))
  })

  test('after shutdown nobody is followed any more', async () => {
    const { client } = await open()
    const user = await client.getUser('bob')
    await client.shutdown()
    await expect(client.getUser('eve')).rejects.toMatchObject({ code: 70701 })
    await expect(user.updateFriendlyName('x')).rejects.toMatchObject({ code: 70701 })
  })
})

describe('changing', () => {
  test('updateFriendlyName and updateAttributes send what changed and resolve to the user', async () => {
    const { client, engine } = await open()
    const { user } = client
    expect(await user.updateFriendlyName('Ada')).toBe(user)
    expect(await user.updateAttributes({ mood: 'fine' })).toBe(user)
    await user.updateFriendlyName('Ada')
    await user.updateAttributes({ mood: 'fine' })
    await user.updateFriendlyName(null)
    expect(submitted(engine)).toEqual([
      { type: 'user.update', identity: ME, friendlyName: 'Ada' },
      { type: 'user.update', identity: ME, attributes: { set: [[['mood'], 'fine']] } },
      { type: 'user.update', identity: ME, friendlyName: null },
    ])
    expect(user.friendlyName).toBeNull()
    expect(user.attributes).toEqual({ mood: 'fine' })
    await expect(user.updateFriendlyName(7 as never)).rejects.toMatchObject({ code: 20001 })
    await expect(user.updateAttributes((() => {}) as never)).rejects.toMatchObject({ code: 70104 })
  })

  test('attributes are sent as the difference from what the app saw', async () => {
    const { client, engine } = await open()
    engine.say(ME, { attributes: { set: [[['tags'], ['a']]] } })
    const seen = client.user.attributes as { tags: string[] }
    engine.say(ME, { attributes: { add: [[['tags'], ['b']]] } })
    await client.user.updateAttributes({ tags: [...seen.tags, 'c'] })
    expect(submitted(engine)).toEqual([
      { type: 'user.update', identity: ME, attributes: { add: [[['tags'], ['c']]] } },
    ])
    expect(client.user.attributes).toEqual({ tags: ['a', 'b', 'c'] })
  })

  test('a call made before initialisation waits for it, and a refusal rejects', async () => {
    const { client, engine } = await openUninitialised()
    const update = client.user.updateFriendlyName('Ada')
    await laterTask()
    expect(engine.calls).toEqual([])
    engine.initialise()
    await update
    engine.refusal = new ConfabError(20403)
    await expect(client.user.updateFriendlyName('A')).rejects.toMatchObject({ code: 20403, status: 403 })
  })

  test('a change is told by the user and by the client, with its reasons', async () => {
    const { client, engine } = await open()
    const user = await client.getUser('bob')
    const heard = record(client, ['userUpdated'])
    user.on('updated', (data) => heard.push(['updated', data]))
    engine.say('bob', { friendlyName: 'Bob' })
    engine.tell.userUpdated(engine.user('bob'), ['friendlyName', 'reachabilityOnline'])
    const data = { user, updateReasons: ['friendlyName', 'reachabilityOnline'] }
    expect(heard).toEqual([
      ['updated', data],
      ['userUpdated', data],
    ])
    engine.tell.userUpdated(engine.user('nobody'), ['friendlyName'])
    expect(heard).toHaveLength(2)
  })

  test('whether somebody is connected and can be notified is what the relay says', async () => {
    const { client, engine } = await open()
    engine.profiles.set('bob', {
      identity: 'bob',
      record: { sid: 'US1', identity: 'bob', dateCreated: 1, notifiable: true },
      online: true,
      notifiable: true,
    })
    const user = await client.getUser('bob')
    expect([user.isOnline, user.isNotifiable]).toEqual([true, true])
    expect(client.reachabilityEnabled).toBe(true)
  })
})

describe('what is one’s own', () => {
  test('the notification level of a conversation is a setting of this person’s', async () => {
    const { client, conversation, engine } = await open()
    expect(conversation.notificationLevel).toBe('default')
    await conversation.setUserNotificationLevel('muted')
    expect(conversation.notificationLevel).toBe('muted')
    expect(submitted(engine)).toEqual([
      { type: 'setting.set', conversationSid: 'CH1', notificationLevel: 'muted' },
    ])
    const heard = record(client, ['conversationUpdated'])
    const view = engine.views.get('CH1')!
    engine.tell.conversationUpdated(view, view, ['notificationLevel'])
    expect(heard).toEqual([['conversationUpdated', { conversation, updateReasons: ['notificationLevel'] }]])
    engine.change('CH1', { status: 'notParticipating' })
    await expect(conversation.setUserNotificationLevel('default')).rejects.toMatchObject({ code: 50430 })
  })

  test('push registrations reach the engine', async () => {
    const { client, engine } = await open()
    await client.setPushRegistrationId('fcm', 'a-token')
    await client.unsetPushRegistrationId('fcm')
    await client.removePushRegistrations('apn', 'another')
    expect(engine.calls).toEqual([
      ['setPushRegistration', 'fcm', 'a-token'],
      ['removePushRegistration', 'fcm', null],
      ['removePushRegistration', 'apn', 'another'],
    ])
    await expect(client.setPushRegistrationId('fcm', '')).rejects.toMatchObject({ code: 20001 })
  })
})
