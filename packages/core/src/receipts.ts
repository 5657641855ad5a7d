/** Delivery receipts: how far a message came with each non-chat participant. They only ever move forward. */
import type { DeliveryReport } from './operations.ts'
import type { DeliveryStatus, MessageRecord, ReceiptRecord } from './records.ts'
import type { ConversationState } from './state.ts'

/**
 * How much a status says. Channels tell them late, twice and out of order; a lower one than what is known is old
 * news. That it arrived outweighs that it didn't: carriers report failures of one attempt and then deliver.
 */
const RANK: { readonly [Status in DeliveryStatus]: number } = {
  queued: 0,
  sent: 1,
  failed: 2,
  undelivered: 2,
  delivered: 3,
  read: 4,
}

/** What a message begins with: one receipt, `queued`, for each non-chat participant but its author. */
export function receiptsFor(
  state: ConversationState,
  writerSid: string | undefined,
): ReceiptRecord[] | undefined {
  if (state.nonChatCount === 0) return undefined
  const receipts: ReceiptRecord[] = []
  for (const { sid, type } of state.participants()) {
    if (type !== 'chat' && sid !== writerSid) receipts.push({ participantSid: sid, status: 'queued' })
  }
  receipts.sort((a, b) => (a.participantSid < b.participantSid ? -1 : 1))
  return receipts.length > 0 ? receipts : undefined
}

/** The message's receipts after these reports; the same array when none says anything new. */
export function withReports(
  message: MessageRecord,
  reports: readonly DeliveryReport[],
  now: number,
): ReceiptRecord[] | undefined {
  let { receipts } = message
  for (const report of reports) {
    const before = receipts?.find(({ participantSid }) => participantSid === report.participantSid)
    if (!before || !isNews(before, report)) continue
    const after: ReceiptRecord = {
      ...before,
      status: RANK[report.status] > RANK[before.status] ? report.status : before.status,
      ...(report.channelMessageSid !== undefined && { channelMessageSid: report.channelMessageSid }),
      dateUpdated: now,
    }
    // an error belongs to its status
    if (report.errorCode !== undefined && after.status === report.status) after.errorCode = report.errorCode
    else if (after.status !== before.status) delete after.errorCode
    receipts = receipts?.map((one) => (one === before ? after : one))
  }
  return receipts
}

const isNews = (before: ReceiptRecord, report: DeliveryReport): boolean =>
  RANK[report.status] > RANK[before.status] ||
  (report.channelMessageSid !== undefined && before.channelMessageSid === undefined)

/** How many of a message's recipients: none, some or all. */
export type DeliveryAmount = 'none' | 'some' | 'all'

/** Whether a status includes another: what was read was delivered, and what was delivered was sent. */
const INCLUDES: { readonly [Status in DeliveryStatus]: readonly DeliveryStatus[] } = {
  queued: [],
  sent: ['sent'],
  delivered: ['sent', 'delivered'],
  read: ['sent', 'delivered', 'read'],
  undelivered: ['sent', 'undelivered'],
  failed: ['failed'],
}

/** Over all recipients: how many have come so far, for each status. */
export function deliveryAmount(receipts: readonly ReceiptRecord[], status: DeliveryStatus): DeliveryAmount {
  const count = receipts.filter((receipt) => INCLUDES[receipt.status].includes(status)).length
  return count === 0 ? 'none' : count === receipts.length ? 'all' : 'some'
}
