/** Receipts of what went by a channel. */
import { expect, test } from 'vitest'
import { connected, relayOf, together } from './stage.ts'

test('aggregatedDeliveryReceipt is null for a message that went to no non-chat participant', async () => {
  const relay = await relayOf()
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const [conversation] = await together(alice, bob)
  await conversation?.sendMessage('to chat only')
  const [message] = (await conversation!.getMessages()).items
  expect(message?.aggregatedDeliveryReceipt).toBeNull()
  expect(await message?.getDetailedDeliveryReceipts()).toEqual([])
})
