/**
 * Schemas of the records, for readers of stock documents (`doc.getArray('messages')`) and for tests. The relay
 * writes records and needs no schema; a reader that meets a newer relay must not fail on a key it doesn't know,
 * so unknown keys are kept.
 */
import * as z from 'zod/mini'
import type { Json } from './json.ts'
import { isPlainJson } from './json.ts'
import type {
  ConversationRecord,
  DirectoryRecord,
  MessageRecord,
  ParticipantRecord,
  ReadRecord,
  ReceiptRecord,
  RefusalRecord,
} from './records.ts'

/** Nesting that a record may have: above any relay's `jsonDepth`. */
const DEPTH = 64

const json = z.custom<Json>((value) => isPlainJson(value, DEPTH))
const index = z.int().check(z.nonnegative())
const time = z.number()

const binding = z.looseObject({
  address: z.string(),
  proxyAddress: z.string(),
  projectedAddress: z.optional(z.string()),
})

const invite = z.looseObject({
  roleSid: z.string(),
  createdBy: z.string(),
  dateCreated: time,
  expiresAt: time,
  usesLeft: index,
})

export const conversationRecordSchema: z.ZodMiniType<ConversationRecord> = z.looseObject({
  sid: z.string(),
  friendlyName: z.optional(z.string()),
  uniqueName: z.optional(z.string()),
  attributes: z.optional(json),
  createdBy: z.string(),
  dateCreated: time,
  dateUpdated: z.optional(time),
  state: z.optional(z.looseObject({ current: z.enum(['active', 'inactive', 'closed']), dateUpdated: time })),
  timers: z.optional(z.looseObject({ inactive: z.optional(z.string()), closed: z.optional(z.string()) })),
  invites: z.optional(z.record(z.string(), invite)),
  creatorPending: z.optional(z.literal(true)),
  highestIndex: z.optional(index),
})

export const participantRecordSchema: z.ZodMiniType<ParticipantRecord> = z.looseObject({
  sid: z.string(),
  type: z.enum(['chat', 'sms', 'whatsapp', 'email']),
  identity: z.optional(z.string()),
  binding: z.optional(binding),
  roleSid: z.string(),
  attributes: z.optional(json),
  dateCreated: time,
  dateUpdated: z.optional(time),
})

export const receiptRecordSchema: z.ZodMiniType<ReceiptRecord> = z.looseObject({
  participantSid: z.string(),
  status: z.enum(['queued', 'sent', 'delivered', 'read', 'undelivered', 'failed']),
  channelMessageSid: z.optional(z.string()),
  errorCode: z.optional(z.number()),
  dateUpdated: z.optional(time),
})

export const messageRecordSchema: z.ZodMiniType<MessageRecord> = z.looseObject({
  sid: z.string(),
  index,
  author: z.string(),
  participantSid: z.optional(z.string()),
  body: z.optional(z.string()),
  subject: z.optional(z.string()),
  attributes: z.optional(json),
  media: z.optional(
    z.array(
      z.looseObject({
        sid: z.string(),
        category: z.enum(['media', 'body', 'history']),
        filename: z.optional(z.string()),
        contentType: z.string(),
        size: index,
        sha256: z.optional(z.string()),
        width: z.optional(index),
        height: z.optional(index),
        placeholder: z.optional(z.string()),
      }),
    ),
  ),
  dateCreated: time,
  dateWritten: z.optional(time),
  dateUpdated: z.optional(time),
  lastUpdatedBy: z.optional(z.string()),
  receipts: z.optional(z.array(receiptRecordSchema)),
  restored: z.optional(z.literal(true)),
})

export const readRecordSchema: z.ZodMiniType<ReadRecord> = z.looseObject({
  participantSid: z.string(),
  lastReadMessageIndex: z.nullable(index),
  lastReadTimestamp: time,
})

export const directoryRecordSchema: z.ZodMiniType<DirectoryRecord> = z.looseObject({
  sid: z.string(),
  status: z.enum(['joined', 'created']),
  uniqueName: z.optional(z.string()),
  since: time,
})

export const refusalRecordSchema: z.ZodMiniType<RefusalRecord> = z.looseObject({
  id: z.string(),
  document: z.string(),
  code: z.number(),
  message: z.string(),
  at: time,
})

export const isConversationRecord = (value: unknown): value is ConversationRecord =>
  conversationRecordSchema.safeParse(value).success
export const isParticipantRecord = (value: unknown): value is ParticipantRecord =>
  participantRecordSchema.safeParse(value).success
export const isMessageRecord = (value: unknown): value is MessageRecord =>
  messageRecordSchema.safeParse(value).success
export const isReadRecord = (value: unknown): value is ReadRecord => readRecordSchema.safeParse(value).success
