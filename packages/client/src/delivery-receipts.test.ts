import { expect, test } from 'vitest'
import { AggregatedDeliveryReceipt, DetailedDeliveryReceipt } from './index.ts'

test('an aggregated receipt shows amounts', () => {
  const amounts = {
    total: 2,
    sent: 'all',
    delivered: 'some',
    read: 'none',
    undelivered: 'none',
    failed: 'none',
  } as const
  expect(new AggregatedDeliveryReceipt(amounts)).toMatchObject(amounts)
})

test('a detailed receipt has 0 for no error', () => {
  const receipt = new DetailedDeliveryReceipt({
    sid: 'DY1',
    message_sid: 'IM1',
    conversation_sid: 'CH1',
    channel_message_sid: 'SM1',
    participant_sid: 'MB1',
    status: 'delivered',
    error_code: null,
    date_created: '2026-01-01T00:00:00.000Z',
    date_updated: '2026-01-01T00:00:00.000Z',
  })
  expect(receipt).toMatchObject({ sid: 'DY1', messageSid: 'IM1', status: 'delivered', errorCode: 0 })
})
