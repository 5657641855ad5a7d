/** What the client's benchmarks run on: a relay with quiet conversations, and whoever takes them in. */
import { randomBytes } from 'node:crypto'
import { memory } from '@confab/client'
import { conversationSid, defaultServiceSid, type Operation } from '@confab/core'
import type { RelayOptions } from '@confab/relay'
import { operation } from '../../support/operations.ts'
import { ACCOUNT, startRelay, type TestRelay, tokenFor } from '../../support/relay.ts'
import { takeIn } from './device.ts'

export const READER = 'reader'
/** Where a benchmark's device leaves its reader: at that many messages from the end. */
export const UNREAD = 7

export interface Amount {
  conversations: number
  messages: number
}

/** No bound is in the way: what the relay bears is measured elsewhere. */
const LIMITS = { operationsPerSecond: 1e6, bytesPerSecond: 1e9, sendBufferBytes: 1e9 }

/** A relay with conversations in which somebody wrote and the reader has read all but `UNREAD`. */
export async function relayWith(
  { conversations, messages }: Amount,
  options: Partial<RelayOptions> = {},
): Promise<TestRelay> {
  const relay = await startRelay({ limits: LIMITS, ...options })
  for (let i = 0; i < conversations; i++) await makeConversation(relay, i, messages)
  if (messages > UNREAD) {
    const reader = await takeIn({ url: relay.url, token: await tokenFor(READER) }, memory(), {
      conversations,
      messages,
    })
    const { items } = await reader.getSubscribedConversations()
    for (const one of items) await one.advanceLastReadMessageIndex(messages - 1 - UNREAD)
    while (reader.getPendingOperations().length > 0) await new Promise((next) => setTimeout(next, 20))
    await reader.shutdown()
  }
  return relay
}

async function makeConversation(relay: TestRelay, i: number, messages: number): Promise<void> {
  const nonce = randomBytes(16).toString('hex')
  const sid = conversationSid('', nonce)
  const submit = (one: Operation) => relay.system.submit(defaultServiceSid(ACCOUNT), sid, one, 'bench')
  const done = [
    submit(operation('conversation.create', { nonce, friendlyName: `Conversation number ${i}` })),
    submit(operation('participant.add', { identity: READER })),
    submit(operation('participant.add', { identity: `friend-${i}` })),
  ]
  for (let n = 0; n < messages; n++) {
    const body = `Message number ${n} of conversation ${i}: as long as what people write to each other`
    done.push(submit(operation('message.post', { body, author: `friend-${i}` })))
  }
  for (const { verdict } of await Promise.all(done)) {
    if (verdict !== 'accepted') throw new Error(`The relay said ${verdict}`)
  }
}
