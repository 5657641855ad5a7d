/** Somebody who reads fast, over a real relay: what that makes the relay commit, and that the last is right. */
import { Client, type Conversation, memory } from '@confab/client'
import type { CommittedOperation } from '@confab/relay'
import { afterEach, expect, test } from 'vitest'
import { createConversation } from './support/conversation.ts'
import { post } from './support/operations.ts'
import { startRelay, type TestRelay, tokenFor } from './support/relay.ts'

const MESSAGES = 200
let relay: TestRelay
const clients: Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await relay.close()
})

test('a hundred messages read one by one while the relay decides on the first, then a hundred at once: two commits each', async () => {
  const committed: number[] = []
  let heard = () => {}
  let decide = () => {}
  let deciding = new Promise<void>((resolve) => (decide = resolve))
  relay = await startRelay({
    limits: { operationsPerSecond: 1e5 },
    hooks: {
      async beforeCommit({ operation }) {
        if (operation.type === 'read.advance') await deciding
        return undefined
      },
      afterCommit({ operation }: CommittedOperation) {
        if (operation.type !== 'read.advance') return
        committed.push(operation.index)
        heard()
      },
    },
  })
  const upTo = (index: number) =>
    new Promise<void>((resolve) => {
      heard = () => {
        if (committed.at(-1) === index) resolve()
      }
      heard()
    })
  const { sid, creator } = await createConversation(relay.url, ['alice', 'ada'])
  await creator.accepted(...Array.from({ length: MESSAGES }, (_, i) => post(`message ${i}`)))
  const client = new Client(await tokenFor('ada'), { url: relay.url, storage: memory() })
  clients.push(client)
  const conversation = await new Promise<Conversation>((resolve) => client.on('conversationJoined', resolve))
  expect(conversation.sid).toBe(sid)

  for (let index = 0; index < 100; index++) {
    expect(await conversation.advanceLastReadMessageIndex(index)).toBe(MESSAGES - 1 - index)
  }
  decide()
  await upTo(99)
  expect(committed).toEqual([0, 99])

  deciding = Promise.resolve()
  const burst = Array.from({ length: 100 }, (_, i) => conversation.advanceLastReadMessageIndex(100 + i))
  expect(new Set(await Promise.all(burst))).toEqual(new Set([0]))
  await upTo(MESSAGES - 1)
  expect(committed.length).toBeLessThanOrEqual(4)
  expect(await conversation.getUnreadMessagesCount()).toBe(0)
  expect(relay.failures).toEqual([])
})
