/** Users. More of them, offline and over the wire, stands in test/users.test.ts. */
import { memory, type User } from '@confab/client'
import { expect, test } from 'vitest'
import { connected, decided, heard, next, relayOf, startWith, together, when } from './stage.ts'

test('client.user is one’s own; what one says of oneself is seen by others of the service, with its reasons', async () => {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const seen = await bob.getUser('alice')
  expect(seen).toMatchObject({ identity: 'alice', friendlyName: null, attributes: {}, isSubscribed: true })
  // that she is connected is told, too
  const told: { user: User; updateReasons: string[] }[] = []
  bob.on('userUpdated', (update) => void told.push(update))
  expect(await alice.user.updateFriendlyName('Alice')).toBe(alice.user)
  await when(() => told.some(({ updateReasons }) => updateReasons.includes('friendlyName')))
  expect(told).toContainEqual({ user: seen, updateReasons: ['friendlyName'] })
  const changed = next<{ updateReasons: string[] }>(seen, 'updated')
  await alice.user.updateAttributes({ avatar: 'a.png' })
  expect((await changed).updateReasons).toEqual(['attributes'])
  expect(seen).toMatchObject({ friendlyName: 'Alice', attributes: { avatar: 'a.png' } })
})

test('getUser of a stranger resolves offline with a null name; an unknown identity looks like an empty profile', async () => {
  const relay = await relayOf()
  const bob = await connected('bob', relay)
  const unknown = await bob.getUser('nobody')
  expect(unknown).toMatchObject({ friendlyName: null, attributes: {} })
  await bob.goOffline()
  expect(await bob.getUser('stranger')).toMatchObject({ identity: 'stranger', friendlyName: null })
})

test('somebody else’s profile is readable from the local store when offline', async () => {
  const relay = await relayOf()
  const storage = memory()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay, { storage })]
  await alice.user.updateFriendlyName('Alice')
  const user = await bob.getUser('alice')
  await when(() => user.friendlyName === 'Alice')
  await bob.shutdown()
  const offline = () => Promise.reject(new Error('no network'))
  const again = startWith(offline, { storage, url: relay.url, identity: 'bob' })
  expect((await again.getUser('alice')).friendlyName).toBe('Alice')
})

test('one object per person: a participant leads to the same user; getSubscribedUsers begins with oneself', async () => {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [, bobs] = await together(alice, bob)
  const events = heard(
    bob,
    ['userSubscribed', 'userUnsubscribed'],
    (event, user: User) => `${event} ${user.identity}`,
  )
  const user = await (await bobs!.getParticipantByIdentity('alice')).getUser()
  expect(await bob.getUser('alice')).toBe(user)
  expect(await bob.getSubscribedUsers()).toEqual([bob.user, user])
  await user.unsubscribe()
  expect(user.isSubscribed).toBe(false)
  expect(events).toEqual(['userSubscribed alice', 'userUnsubscribed alice'])
})

test('isOnline follows who is connected', async () => {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const user = await bob.getUser('alice')
  await when(() => user.isOnline === true)
  const gone = next<{ updateReasons: string[] }>(user, 'updated')
  await alice.goOffline()
  expect((await gone).updateReasons).toEqual(['reachabilityOnline'])
  expect(user.isOnline).toBe(false)
  await decided(bob)
})
