/** A long conversation costs what reading its bytes costs, and only while it is used. */
import { queryObjects } from 'node:v8'
import { Client, Message, memory } from '@confab/client'
import { expect, test } from 'vitest'
import { unreachable } from '../../../packages/client/test/engine/harness.ts'
import { openAgainAndAgain, PAGE } from './history.ts'
import { longDocument, relayOf, sidOf, token } from './long-document.ts'
import { measureHeap } from './memory.ts'

test('opening a long conversation and showing its last page costs hardly more than the bare reading of its bytes', async () => {
  const { opened, bare } = await openAgainAndAgain(30_000, 6)
  // the best of each, because other processes are at work; 1.1 is usual, 1.9 when what is loaded is encoded again
  expect(Math.min(...opened) / Math.min(...bare)).toBeLessThan(1.6)
})

test('messages that nobody asked for are no objects', async () => {
  const storage = memory()
  const url = 'ws://relay.test'
  const filling = new Client(token, {
    url,
    storage,
    transport: relayOf(new Map([[sidOf(0), longDocument(sidOf(0), 5000)]])) as never,
  })
  await new Promise((resolve) => filling.on('conversationJoined', resolve))
  await filling.shutdown()
  const client = new Client(token, { url, storage, transport: unreachable as never })
  const { items } = await client.getSubscribedConversations()
  const before = queryObjects(Message, { format: 'count' })
  const page = await items[0]?.getMessages(PAGE)
  expect(page?.items.at(-1)?.index).toBe(4999)
  expect(queryObjects(Message, { format: 'count' }) - before).toBe(PAGE)
  await client.shutdown()
})

test('documents that are not used any more leave memory, all but fifty', async () => {
  const { open, tidied, left } = await measureHeap()
  expect(left).toBe(50)
  // 50 of 250 documents are a fifth
  expect(tidied / open).toBeLessThan(0.4)
}, 60_000)
