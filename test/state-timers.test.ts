/** The states of a conversation as an app sees them: the relay's timers, the SDK's events, a real socket. */
import { Client, type ConversationUpdatedEventArgs, memory } from '@confab/client'
import { defaultServiceSid } from '@confab/core'
import { afterEach, expect, test, vi } from 'vitest'
import { freshId } from './support/operations.ts'
import { ACCOUNT, tokenFor } from './support/relay.ts'
import { type RelayInTime, relayInTime } from './support/relay-in-time.ts'

const MINUTE = 60_000
const clients: Client[] = []
let relay: RelayInTime

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await relay.close()
})

async function conversationWith(timers: { inactive?: string; closed?: string }) {
  relay = await relayInTime()
  const client = new Client(() => tokenFor('ada'), { url: relay.url, storage: memory() })
  clients.push(client)
  const conversation = await client.createConversation({ friendlyName: 'Quiet' })
  await conversation.join()
  await vi.waitFor(() => expect(client.getPendingOperations()).toEqual([]), { timeout: 10_000 })
  const update = { id: freshId(), type: 'conversation.update', dateWritten: 0, timers } as const
  const outcome = await relay.engine.submit(defaultServiceSid(ACCOUNT), conversation.sid, update, 'rest')
  expect(outcome.verdict).toBe('accepted')
  await vi.waitFor(() => expect(conversation.timers).toEqual(timers))
  return { client, conversation }
}

test('a conversation that falls silent becomes inactive, and says so once; a message wakes it', async () => {
  const { client, conversation } = await conversationWith({ inactive: 'PT1M' })
  const states: string[] = []
  const told = ({ updateReasons }: ConversationUpdatedEventArgs) => {
    if (updateReasons.includes('state')) states.push(conversation.state?.current ?? '')
  }
  client.on('conversationUpdated', told)
  expect(conversation.state?.current).toBe('active')
  await relay.pass(MINUTE)
  await vi.waitFor(() => expect(states).toEqual(['inactive']))
  expect(conversation.state?.dateUpdated).toBeInstanceOf(Date)
  expect(Number(conversation.state?.dateUpdated)).toBeGreaterThan(Number(conversation.dateCreated))
  await conversation.sendMessage('still there?')
  await vi.waitFor(() => expect(states).toEqual(['inactive', 'active']))
})

test('a message for a conversation that a timer has closed meanwhile is refused, and its text is held', async () => {
  const { client, conversation } = await conversationWith({ closed: 'PT10M' })
  await client.goOffline()
  await conversation.sendMessage('written too late')
  await relay.pass(10 * MINUTE)
  await client.goOnline()
  await vi.waitFor(() => expect(client.getHeldOperations().length).toBe(1), { timeout: 10_000 })
  expect(client.getHeldOperations()).toMatchObject([
    { error: { code: 50382 }, operation: { type: 'message.post', body: 'written too late' } },
  ])
  expect(conversation.state?.current).toBe('closed')
  expect((await conversation.getMessages()).items).toEqual([])
  // the device knows now, and doesn't ask the relay again
  await expect(conversation.sendMessage('and again')).rejects.toMatchObject({ code: 50382 })
})
