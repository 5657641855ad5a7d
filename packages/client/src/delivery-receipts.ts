import { deliveryAmount, type MessageRecord, type ReceiptRecord, receiptSid } from '@confab/core'
import type { DeliveryAmount, DeliveryStatus } from './types.ts'

/** How far a message came, over all of its recipients on channels. */
export class AggregatedDeliveryReceipt {
  /** How many recipients there are. */
  readonly total: number
  readonly sent: DeliveryAmount
  readonly delivered: DeliveryAmount
  readonly read: DeliveryAmount
  readonly undelivered: DeliveryAmount
  readonly failed: DeliveryAmount

  /** @internal */
  constructor(amounts: {
    total: number
    sent: DeliveryAmount
    delivered: DeliveryAmount
    read: DeliveryAmount
    undelivered: DeliveryAmount
    failed: DeliveryAmount
  }) {
    this.total = amounts.total
    this.sent = amounts.sent
    this.delivered = amounts.delivered
    this.read = amounts.read
    this.undelivered = amounts.undelivered
    this.failed = amounts.failed
  }
}

/** How far a message came with one recipient on a channel. */
export class DetailedDeliveryReceipt {
  readonly sid: string
  readonly messageSid: string
  readonly conversationSid: string
  /** What the channel calls the message. */
  readonly channelMessageSid: string
  readonly participantSid: string
  readonly status: DeliveryStatus
  /** The channel's error; 0 without one. */
  readonly errorCode: string | 0
  /** ISO 8601. */
  readonly dateCreated: string
  /** ISO 8601. */
  readonly dateUpdated: string

  /** @internal */
  constructor(receipt: {
    sid: string
    message_sid: string
    conversation_sid: string
    channel_message_sid: string
    participant_sid: string
    status: DeliveryStatus
    error_code: string | null
    date_created: string
    date_updated: string
  }) {
    this.sid = receipt.sid
    this.messageSid = receipt.message_sid
    this.conversationSid = receipt.conversation_sid
    this.channelMessageSid = receipt.channel_message_sid
    this.participantSid = receipt.participant_sid
    this.status = receipt.status
    this.errorCode = receipt.error_code ?? 0
    this.dateCreated = receipt.date_created
    this.dateUpdated = receipt.date_updated
  }
}

/** Over all recipients. What was read counts as delivered, and what was delivered as sent. */
export function aggregated(receipts: readonly ReceiptRecord[]): AggregatedDeliveryReceipt {
  const amount = (status: DeliveryStatus) => deliveryAmount(receipts, status)
  return new AggregatedDeliveryReceipt({
    total: receipts.length,
    sent: amount('sent'),
    delivered: amount('delivered'),
    read: amount('read'),
    undelivered: amount('undelivered'),
    failed: amount('failed'),
  })
}

export function detailed(
  conversationSid: string,
  message: MessageRecord,
  receipt: ReceiptRecord,
): DetailedDeliveryReceipt {
  const date = (time: number) => new Date(time).toISOString()
  return new DetailedDeliveryReceipt({
    sid: receiptSid(message.sid, receipt.participantSid),
    message_sid: message.sid,
    conversation_sid: conversationSid,
    channel_message_sid: receipt.channelMessageSid ?? '',
    participant_sid: receipt.participantSid,
    status: receipt.status,
    error_code: receipt.errorCode === undefined ? null : String(receipt.errorCode),
    date_created: date(message.dateCreated),
    date_updated: date(receipt.dateUpdated ?? message.dateCreated),
  })
}
