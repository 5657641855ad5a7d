/** Receipts of what went by a channel. */

import { type DetailedDeliveryReceipt, type Message, memory } from '@confab/client'
import type { Operation } from '@confab/core'
import { expect, test } from 'vitest'
import { defaultServiceSid, uuidV7 } from '../../packages/core/src/sid.ts'
import { ACCOUNT, type TestRelay } from '../support/relay.ts'
import { connected, decided, joined, next, relayOf, start, together } from './stage.ts'

test('aggregatedDeliveryReceipt is null for a message that went to no non-chat participant', async () => {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [conversation] = await together(alice, bob)
  await conversation?.sendMessage('to chat only')
  const [message] = (await conversation!.getMessages()).items
  expect(message?.aggregatedDeliveryReceipt).toBeNull()
  expect(await message?.getDetailedDeliveryReceipts()).toEqual([])
})

const PHONES = ['+15550001111', '+15550002222'] as const
const OURS = '+15550009999'

/** What a channel of the relay says. */
const report = (relay: TestRelay, message: Message, receipts: ReportOf['receipts']) =>
  relay.system.submit(defaultServiceSid(ACCOUNT), message.conversation.sid, {
    id: uuidV7(Date.now(), (bytes) => crypto.getRandomValues(new Uint8Array(bytes))),
    type: 'message.report',
    dateWritten: Date.now(),
    sid: message.sid,
    receipts,
  })
type ReportOf = Extract<Operation, { type: 'message.report' }>

test('a message to two phone numbers has a receipt for each, and tells how far it came', async () => {
  const relay = await relayOf()
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  for (const phone of PHONES) await conversation?.addNonChatParticipant(OURS, phone)
  await conversation?.sendMessage('to chat and phones')
  await decided(alice)
  const message = (await conversation!.getMessages()).items[0] as Message
  expect(message.aggregatedDeliveryReceipt).toMatchObject({ total: 2, sent: 'none', delivered: 'none' })

  const [first, second] = (await message.getDetailedDeliveryReceipts()) as [
    DetailedDeliveryReceipt,
    DetailedDeliveryReceipt,
  ]
  expect([first.status, second.status]).toEqual(['queued', 'queued'])
  const updated = next<{ message: Message; updateReasons: string[] }>(alice, 'messageUpdated')
  await report(relay, message, [
    { participantSid: first.participantSid, status: 'delivered', channelMessageSid: 'smsc-1' },
    { participantSid: second.participantSid, status: 'failed', errorCode: 30003 },
  ])
  expect((await updated).updateReasons).toEqual(['deliveryReceipt'])
  expect(message.aggregatedDeliveryReceipt).toMatchObject({
    total: 2,
    sent: 'some',
    delivered: 'some',
    failed: 'some',
    read: 'none',
    undelivered: 'none',
  })
  expect(await message.getDetailedDeliveryReceipts()).toEqual([
    expect.objectContaining({
      sid: expect.stringMatching(/^DY[0-9a-f]{32}$/),
      messageSid: message.sid,
      conversationSid: conversation?.sid,
      status: 'delivered',
      channelMessageSid: 'smsc-1',
      errorCode: 0,
    }),
    expect.objectContaining({ status: 'failed', errorCode: '30003' }),
  ])
})

test('receipts are there with no network, those of what was posted without one too', async () => {
  const relay = await relayOf()
  const storage = memory()
  const online = await connected('alice', relay, { storage })
  const [conversation] = await together(online)
  await conversation?.addNonChatParticipant(OURS, PHONES[0])
  await conversation?.sendMessage('delivered')
  await decided(online)
  const message = (await conversation!.getMessages()).items[0] as Message
  const [receipt] = await message.getDetailedDeliveryReceipts()
  const updated = next(online, 'messageUpdated')
  await report(relay, message, [{ participantSid: receipt!.participantSid, status: 'read' }])
  await updated
  await online.shutdown()
  await relay.close()

  const offline = await start('alice', relay.url, { storage })
  const again = await joined(offline, conversation!.sid)
  await again.sendMessage('written with no network')
  const receipts = (await again.getMessages()).items.map((one) => one.aggregatedDeliveryReceipt)
  expect(receipts).toMatchObject([
    { total: 1, read: 'all', sent: 'all' },
    { total: 1, sent: 'none' },
  ])
})
