import { expect, test } from 'vitest'
import { ME, open, record } from '../test/fake-engine.ts'

test('a stranger’s user resolves with no name, offline too', async () => {
  const { client } = await open()
  const user = await client.getUser('stranger')
  expect(user.identity).toBe('stranger')
  expect(user.friendlyName).toBeNull()
  expect(user.attributes).toEqual({})
  expect(user.isOnline).toBeNull()
})

test('a user is followed from the first time that it is asked for, and is one object', async () => {
  const { client } = await open()
  const heard = record(client, ['userSubscribed', 'userUnsubscribed'])
  const user = await client.getUser('bob')
  expect(await client.getUser('bob')).toBe(user)
  expect(await client.getSubscribedUsers()).toEqual([client.user, user])
  await user.unsubscribe()
  await user.unsubscribe()
  expect(user.isSubscribed).toBe(false)
  expect(heard).toEqual([
    ['userSubscribed', user],
    ['userUnsubscribed', user],
  ])
  expect(await client.getSubscribedUsers()).toEqual([client.user])
})

test('one’s own identity gives the client’s user', async () => {
  const { client } = await open()
  expect(await client.getUser(ME)).toBe(client.user)
  await expect(client.getUser('')).rejects.toMatchObject({ code: 20001 })
})
