/** Delivery receipts of SMPP 3.4 (appendix B): a text by convention, and TLVs where the network is newer. Pure. */
import type { DeliveryStatus } from '@confab/core'
import { DELIVERY_ERRORS, type StatusReport } from '../channel.ts'

/** By the text's `stat`. */
const BY_WORD: { readonly [word: string]: DeliveryStatus } = {
  ENROUTE: 'sent',
  ACCEPTD: 'sent',
  DELIVRD: 'delivered',
  EXPIRED: 'undelivered',
  DELETED: 'undelivered',
  UNDELIV: 'undelivered',
  REJECTD: 'failed',
}
/** By the TLV `message_state` (5.2.28); 7 is unknown. */
const BY_NUMBER: readonly (DeliveryStatus | undefined)[] = [
  undefined,
  'sent',
  'delivered',
  'undelivered',
  'undelivered',
  'undelivered',
  'sent',
  undefined,
  'failed',
]

export interface ReceiptFields {
  text: string
  /** TLV `receipted_message_id`. */
  messageId?: string
  /** TLV `message_state`. */
  state?: number
}

/** What the receipt says; null when it names no message, or no state that is one. */
export function readReceipt({ text, messageId, state }: ReceiptFields): StatusReport | null {
  const field = (name: string) => new RegExp(`(?:^| )${name}:(\\S*)`, 'i').exec(text)?.[1]
  const channelMessageSid = messageId || field('id')
  const status =
    (state === undefined ? undefined : BY_NUMBER[state]) ?? BY_WORD[field('stat')?.toUpperCase() ?? '']
  if (!channelMessageSid || !status) return null
  if (status !== 'undelivered' && status !== 'failed') return { channelMessageSid, status }
  const code = Number.parseInt(field('err') ?? '', 10)
  return { channelMessageSid, status, errorCode: code > 0 ? code : DELIVERY_ERRORS.unknown }
}
