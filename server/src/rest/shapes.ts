/** What resources look like: names, types and dates as the official package reads them. */
import {
  type ConversationRecord,
  deliveryAmount,
  type Json,
  type MessageRecord,
  type ParticipantRecord,
  type ReadRecord,
  type ReceiptRecord,
  receiptSid,
  stateOf,
} from '@confab/core'
import * as z from 'zod'
import type { StoredMedia } from '../store/media.ts'
import type { Call } from './call.ts'

/** To the second, as Twilio's are. */
export const dateText = (time: number): string => new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')

const json = (value: Json | undefined): string => JSON.stringify(value ?? {})
const dates = (record: { dateCreated: number; dateUpdated?: number }) => ({
  date_created: dateText(record.dateCreated),
  date_updated: dateText(record.dateUpdated ?? record.dateCreated),
})

const text = z.string()
const maybe = z.string().nullable()
const date = z.iso.datetime()
const anything = z.record(z.string(), z.unknown())
const links = z.record(z.string(), z.string())

const timersOf = (record: ConversationRecord) => {
  const { timers, state } = record
  return {
    ...(timers ? { ...timers } : {}),
    ...(state ? { date_state_updated: dateText(state.dateUpdated) } : {}),
  }
}

export const conversationAnswer = z.object({
  account_sid: text,
  chat_service_sid: text,
  messaging_service_sid: maybe,
  sid: text,
  friendly_name: maybe,
  unique_name: maybe,
  attributes: text,
  state: z.enum(['active', 'inactive', 'closed']),
  date_created: date,
  date_updated: date,
  timers: anything,
  url: text,
  links,
  bindings: anything,
})

export function conversationShape(
  call: Call,
  record: ConversationRecord,
): z.infer<typeof conversationAnswer> {
  const url = `${call.base}/Conversations/${record.sid}`
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    messaging_service_sid: null,
    sid: record.sid,
    friendly_name: record.friendlyName ?? null,
    unique_name: record.uniqueName ?? null,
    attributes: json(record.attributes),
    state: stateOf(record),
    ...dates(record),
    timers: timersOf(record),
    url,
    links: { participants: `${url}/Participants`, messages: `${url}/Messages`, webhooks: `${url}/Webhooks` },
    bindings: {},
  }
}

export const participantAnswer = z.object({
  account_sid: text,
  chat_service_sid: text,
  conversation_sid: text,
  sid: text,
  identity: maybe,
  attributes: text,
  messaging_binding: anything.nullable(),
  role_sid: text,
  date_created: date,
  date_updated: date,
  url: text,
  last_read_message_index: z.int().nullable(),
  last_read_timestamp: maybe,
})

export function bindingShape({ type, binding }: ParticipantRecord) {
  if (!binding) return null
  const { address, proxyAddress, projectedAddress } = binding
  return {
    type,
    address,
    proxy_address: proxyAddress,
    ...(projectedAddress === undefined ? {} : { projected_address: projectedAddress }),
  }
}

export function participantShape(
  call: Call,
  conversationSid: string,
  record: ParticipantRecord,
  read: ReadRecord | undefined,
): z.infer<typeof participantAnswer> {
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    conversation_sid: conversationSid,
    sid: record.sid,
    identity: record.identity ?? null,
    attributes: json(record.attributes),
    messaging_binding: bindingShape(record),
    role_sid: record.roleSid,
    ...dates(record),
    url: `${call.base}/Conversations/${conversationSid}/Participants/${record.sid}`,
    last_read_message_index: read?.lastReadMessageIndex ?? null,
    last_read_timestamp: read ? dateText(read.lastReadTimestamp) : null,
  }
}

export const messageAnswer = z.object({
  account_sid: text,
  chat_service_sid: text,
  conversation_sid: text,
  sid: text,
  index: z.int(),
  author: maybe,
  body: maybe,
  subject: maybe,
  media: z.array(anything).nullable(),
  attributes: text,
  participant_sid: maybe,
  date_created: date,
  date_updated: date,
  url: text,
  delivery: anything.nullable(),
  links,
  content_sid: maybe,
})

export function messageShape(
  call: Call,
  conversationSid: string,
  record: MessageRecord,
): z.infer<typeof messageAnswer> {
  const url = `${call.base}/Conversations/${conversationSid}/Messages/${record.sid}`
  const { receipts } = record
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    conversation_sid: conversationSid,
    sid: record.sid,
    index: record.index,
    author: record.author,
    body: record.body ?? null,
    subject: record.subject ?? null,
    media:
      record.media?.map(({ sid, category, contentType, filename, size }) => ({
        sid,
        category,
        content_type: contentType,
        filename: filename ?? null,
        size,
      })) ?? null,
    attributes: json(record.attributes),
    participant_sid: record.participantSid ?? null,
    ...dates(record),
    url,
    delivery: receipts
      ? {
          total: receipts.length,
          sent: deliveryAmount(receipts, 'sent'),
          delivered: deliveryAmount(receipts, 'delivered'),
          read: deliveryAmount(receipts, 'read'),
          failed: deliveryAmount(receipts, 'failed'),
          undelivered: deliveryAmount(receipts, 'undelivered'),
        }
      : null,
    links: { delivery_receipts: `${url}/Receipts`, channel_metadata: `${url}/ChannelMetadata` },
    content_sid: null,
  }
}

export const mediaAnswer = z.object({
  account_sid: text,
  service_sid: text,
  channel_sid: maybe,
  message_sid: maybe,
  sid: text,
  author: text,
  category: z.enum(['media', 'body', 'history']),
  content_type: text,
  filename: maybe,
  size: z.int(),
  is_multipart_upstream: z.boolean(),
  date_created: date,
  date_upload_updated: date,
  date_updated: date,
  url: text,
  links,
})

/** @param direct where its content is for a while */
export function mediaShape(call: Call, media: StoredMedia, direct: string): z.infer<typeof mediaAnswer> {
  const url = `${call.base}/Media/${media.sid}`
  const updated = dateText(media.dateUpdated)
  return {
    account_sid: call.accountSid,
    service_sid: call.serviceSid,
    channel_sid: media.conversationSid,
    message_sid: media.messageSid,
    sid: media.sid,
    author: media.identity ?? 'system',
    category: media.category,
    content_type: media.contentType,
    filename: media.filename,
    size: media.size,
    is_multipart_upstream: false,
    date_created: dateText(media.dateCreated),
    date_upload_updated: updated,
    date_updated: updated,
    url,
    links: { content: `${url}/Content`, content_direct_temporary: direct },
  }
}

export const receiptAnswer = z.object({
  account_sid: text,
  chat_service_sid: text,
  conversation_sid: text,
  sid: text,
  message_sid: text,
  channel_message_sid: maybe,
  participant_sid: text,
  status: z.enum(['queued', 'sent', 'delivered', 'read', 'undelivered', 'failed']),
  error_code: z.int(),
  date_created: date,
  date_updated: date,
  url: text,
})

export function receiptShape(
  call: Call,
  conversationSid: string,
  message: MessageRecord,
  receipt: ReceiptRecord,
): z.infer<typeof receiptAnswer> {
  const sid = receiptSid(message.sid, receipt.participantSid)
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    conversation_sid: conversationSid,
    sid,
    message_sid: message.sid,
    channel_message_sid: receipt.channelMessageSid ?? null,
    participant_sid: receipt.participantSid,
    status: receipt.status,
    error_code: receipt.errorCode ?? 0,
    date_created: dateText(message.dateCreated),
    date_updated: dateText(receipt.dateUpdated ?? message.dateCreated),
    url: `${call.base}/Conversations/${conversationSid}/Messages/${message.sid}/Receipts/${sid}`,
  }
}

export { anything, date, dates, json, links, maybe, text, timersOf }
