/** The form of an event, field by field, as Twilio's webhooks have it. */
import {
  type ConversationRecord,
  type Json,
  type MessageRecord,
  type ParticipantRecord,
  type ProfileRecord,
  receiptSid,
  stateOf,
} from '@confab/core'
import type { PostEvent, PreEvent } from '../events.ts'

export type Fields = { [name: string]: string }

/** Who caused an event, and where. */
export interface Cause {
  accountSid: string
  serviceSid: string
  conversationSid: string
  /** The person's identity; null for a system actor. */
  identity: string | null
  /** `SDK`, `API`, `SMS`, … */
  source: string
}

const json = (value: Json | undefined): string => JSON.stringify(value ?? {})
const dateText = (time: number): string => new Date(time).toISOString()
const dated = (record: { dateCreated: number; dateUpdated?: number }) => ({
  DateCreated: dateText(record.dateCreated),
  ...(record.dateUpdated !== undefined && { DateUpdated: dateText(record.dateUpdated) }),
})

/** What is said of a removed message or conversation: which it was, and no word of what was in it. */
export function fieldsOf(event: PostEvent | PreEvent, cause: Cause): Fields {
  return {
    AccountSid: cause.accountSid,
    ChatServiceSid: cause.serviceSid,
    EventType: event.type,
    Source: cause.source,
    ...(cause.identity !== null && { ClientIdentity: cause.identity }),
    ...ofEvent(event, cause),
  }
}

function ofEvent(event: PostEvent | PreEvent, cause: Cause): Fields {
  const of = { ConversationSid: cause.conversationSid }
  switch (event.type) {
    case 'onMessageAdd':
      return { ...of, ...text(event.message), ...author(event.message) }
    case 'onMessageAdded':
    case 'onMessageUpdate':
    case 'onMessageUpdated':
      return { ...of, ...place(event.message), ...text(event.message), ...author(event.message) }
    case 'onMessageRemove':
    case 'onMessageRemoved':
      return { ...of, ...place(event.message), ...author(event.message) }
    case 'onConversationAdd':
    case 'onConversationAdded':
    case 'onConversationUpdate':
    case 'onConversationUpdated':
      return { ...of, ...conversation(event.conversation) }
    case 'onConversationRemove':
    case 'onConversationRemoved':
      return { ...of, ...dated(event.conversation), State: stateOf(event.conversation) }
    case 'onConversationStateUpdated':
      return {
        ...of,
        ...dated(event.conversation),
        StateFrom: event.from,
        StateTo: event.to,
        Reason: reasonOf(cause.source),
      }
    case 'onDeliveryUpdated': {
      const { participantSid, status, channelMessageSid, errorCode, dateUpdated } = event.receipt
      return {
        ...of,
        MessageSid: event.message.sid,
        DeliveryReceiptSid: receiptSid(event.message.sid, participantSid),
        ParticipantSid: participantSid,
        ChannelMessageSid: channelMessageSid ?? '',
        Status: status,
        ErrorCode: String(errorCode ?? 0),
        DateCreated: dateText(event.message.dateCreated),
        DateUpdated: dateText(dateUpdated ?? event.message.dateCreated),
      }
    }
    case 'onUserUpdate':
    case 'onUserUpdated':
    case 'onUserAdded':
      return user(event.user)
    default:
      return { ...of, ...participant(event.participant) }
  }
}

const place = (message: MessageRecord): Fields => ({
  MessageSid: message.sid,
  Index: String(message.index),
  ...dated(message),
})

const author = ({ author, participantSid }: MessageRecord): Fields => ({
  Author: author,
  ...(participantSid !== undefined && { ParticipantSid: participantSid }),
})

const text = ({ body, subject, attributes, media }: MessageRecord): Fields => ({
  Body: body ?? '',
  ...(subject !== undefined && { Subject: subject }),
  Attributes: json(attributes),
  ...(media && {
    Media: JSON.stringify(
      media.map(({ sid, category, filename, contentType, size }) => ({
        Sid: sid,
        Category: category,
        Filename: filename ?? null,
        ContentType: contentType,
        Size: size,
      })),
    ),
  }),
})

const conversation = (record: ConversationRecord): Fields => ({
  ...dated(record),
  FriendlyName: record.friendlyName ?? '',
  UniqueName: record.uniqueName ?? '',
  Attributes: json(record.attributes),
  State: stateOf(record),
})

function participant(record: ParticipantRecord): Fields {
  const { binding } = record
  return {
    ParticipantSid: record.sid,
    ...dated(record),
    ...(record.identity !== undefined && { Identity: record.identity }),
    RoleSid: record.roleSid,
    Attributes: json(record.attributes),
    ...(binding && {
      'MessagingBinding.Type': record.type,
      'MessagingBinding.Address': binding.address,
      'MessagingBinding.ProxyAddress': binding.proxyAddress,
    }),
  }
}

const user = (record: ProfileRecord): Fields => ({
  UserSid: record.sid,
  Identity: record.identity,
  FriendlyName: record.friendlyName ?? '',
  Attributes: json(record.attributes),
  ...dated(record),
})

/** Why a conversation's state changed: a timer ran out, somebody wrote in it, or somebody asked for it. */
const reasonOf = (source: string): string =>
  source === 'TIMER' ? 'TIMER' : source === 'API' ? 'API' : 'EVENT'
