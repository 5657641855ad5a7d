/** `prepareMessage…build().send()` and what else posts a message. */
import type { Conversation } from '@confab/client'
import { expect, test } from 'vitest'
import { connected, relayOf, shown, shows, together } from './stage.ts'

async function aliceAndBob() {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [conversation, bobs] = await together(alice, bob)
  return { alice, conversation: conversation as Conversation, bobs: bobs as Conversation }
}

test('prepareMessage()…build().send() and buildAndSend() resolve to the index', async () => {
  const { conversation, bobs } = await aliceAndBob()
  const unsent = conversation
    .prepareMessage()
    .setBody('built')
    .setAttributes({ a: 1 })
    .setSubject('About')
    .build()
  expect(await unsent.send()).toBe(0)
  expect(await conversation.prepareMessage().setBody('at once').buildAndSend()).toBe(1)
  await shows(bobs, ['0 built', '1 at once'])
  const [first, second] = (await bobs.getMessages()).items
  expect(first).toMatchObject({ body: 'built', attributes: { a: 1 }, subject: 'About', type: 'text' })
  expect(second).toMatchObject({ attributes: {}, subject: null })
})

test('nothing is sent before send(), and nothing when it is cancelled in time', async () => {
  const { conversation } = await aliceAndBob()
  const unsent = conversation.prepareMessage().setBody('twice').build()
  expect(await shown(conversation)).toEqual([])
  const sending = unsent.send()
  sending.cancel()
  await expect(sending).rejects.toMatchObject({ message: expect.stringMatching(/cancel/i) })
  expect(await shown(conversation)).toEqual([])
  await unsent.send()
  expect(await shown(conversation)).toEqual(['0 twice'])
})

test('sendMessage takes text, null with attributes, and offline waits on the device', async () => {
  const { alice, conversation, bobs } = await aliceAndBob()
  await alice.goOffline()
  expect(await conversation.sendMessage('hello', { x: [1] })).toBe(0)
  expect(await conversation.sendMessage(null, { y: 2 })).toBe(1)
  await alice.goOnline()
  await shows(bobs, ['0 hello', '1 null'])
  expect((await bobs.getMessages()).items.map(({ attributes }) => attributes)).toEqual([{ x: [1] }, { y: 2 }])
})
