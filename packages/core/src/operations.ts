/**
 * Operations: what a person may ask for. A client appends them to its outbox; the relay decides each.
 * What refuses everything else stands in `operation-shape.ts`; these are the types.
 */
import type { AttributesPatch } from './attributes.ts'
import type {
  DeliveryStatus,
  MediaRecord,
  MessagingBindingRecord,
  NotificationLevelName,
  PushChannelType,
  TimersRecord,
} from './records.ts'

interface Base<Type extends string> {
  /** 32 hex digits, a UUIDv7, chosen once by the author: what makes re-uploading idempotent. */
  id: string
  type: Type
  /** The author's clock, milliseconds since the epoch. Never decides anything. */
  dateWritten: number
}

export interface ConversationCreate extends Base<'conversation.create'> {
  /** 32 hex digits; the conversation's sid is a hash of the creator's identity and this. */
  nonce: string
  friendlyName?: string
  uniqueName?: string
  attributes?: import('./json.ts').Json
  timers?: TimersRecord
}

/** Only the fields that are present change; null clears a name. */
export interface ConversationUpdate extends Base<'conversation.update'> {
  friendlyName?: string | null
  uniqueName?: string | null
  attributes?: AttributesPatch
  state?: 'active' | 'inactive'
  timers?: TimersRecord
}

/** Final: a closed conversation takes no more messages. */
export interface ConversationClose extends Base<'conversation.close'> {}
/** Removes the conversation for everybody. */
export interface ConversationDelete extends Base<'conversation.delete'> {}

export interface ConversationJoin extends Base<'conversation.join'> {
  /** An invite's secret (base64url of 32 bytes), for somebody who is not a participant yet. */
  invite?: string
}
export interface ConversationLeave extends Base<'conversation.leave'> {}

/** Exactly one of `identity` and `binding`. */
export interface ParticipantAdd extends Base<'participant.add'> {
  identity?: string
  binding?: MessagingBindingRecord
  attributes?: import('./json.ts').Json
  roleSid?: string
}
export interface ParticipantRemove extends Base<'participant.remove'> {
  sid: string
}
export interface ParticipantUpdate extends Base<'participant.update'> {
  sid: string
  attributes?: AttributesPatch
  roleSid?: string
}

/** The message's sid is `IM` and this operation's id. */
export interface MessagePost extends Base<'message.post'> {
  body?: string
  subject?: string
  attributes?: import('./json.ts').Json
  media?: MediaRecord[]
  /** Only a system actor (REST, a channel) may set it. */
  author?: string
}
export interface MessageEdit extends Base<'message.edit'> {
  sid: string
  body?: string
  attributes?: AttributesPatch
}
/**
 * Removing what is not there is accepted and changes nothing: two people may remove the same message offline. A message
 * that comes only then, brought again after a backup was restored, stays away.
 */
export interface MessageRemove extends Base<'message.remove'> {
  sid: string
}

/**
 * Offers a message that was accepted once and that the relay has lost with a restored backup. Its `dateWritten` is
 * the message's own. What the relay knows already, or knows to be removed, is accepted and changes nothing.
 */
export interface MessageRestore extends Base<'message.restore'> {
  sid: string
  /** The index that it had. */
  index: number
  author: string
  participantSid?: string
  /** When it was accepted, milliseconds since the epoch. */
  dateCreated: number
  body?: string
  subject?: string
  attributes?: import('./json.ts').Json
  media?: MediaRecord[]
}

/** How far a message came with its non-chat recipients. Only a system actor (a channel) says it. */
export interface MessageReport extends Base<'message.report'> {
  sid: string
  receipts: DeliveryReport[]
}
export interface DeliveryReport {
  participantSid: string
  status: DeliveryStatus
  channelMessageSid?: string
  errorCode?: number
}

/** Moves the horizon forward; never back. */
export interface ReadAdvance extends Base<'read.advance'> {
  index: number
}
/** Puts the horizon anywhere; null removes it (everything unread). */
export interface ReadSet extends Base<'read.set'> {
  /** Whose; only a system actor may say it. */
  participantSid?: string
  index: number | null
}

export interface InviteCreate extends Base<'invite.create'> {
  /** SHA-256 of the secret's 32 bytes, 64 hex digits. */
  hash: string
  roleSid: string
  expiresAt: number
  maxUses: number
}
export interface InviteRevoke extends Base<'invite.revoke'> {
  hash: string
}

/** Changes a profile, one's own unless `identity` says whose. Null clears the name. */
export interface UserUpdate extends Base<'user.update'> {
  /** Somebody else's, for who may edit any user. */
  identity?: string
  friendlyName?: string | null
  attributes?: AttributesPatch
}
/** How much one wants to hear of a conversation. `default` and null are the same: nothing is kept. */
export interface SettingSet extends Base<'setting.set'> {
  conversationSid: string
  notificationLevel: NotificationLevelName | null
}
/** A device can be reached by a push service. Only kept here: sending is a reader's of `afterCommit`. */
export interface PushSet extends Base<'push.set'> {
  channelType: PushChannelType
  /** The push service's name for the device. */
  token: string
}
export interface PushRemove extends Base<'push.remove'> {
  channelType: PushChannelType
  token: string
}

/** Removes what is said of a person, and what they set. Only a system actor asks it, once they are in no conversation. */
export interface UserDelete extends Base<'user.delete'> {}

/** What is asked in one's own `user/<identity>`; everything else is asked in a conversation. */
export type UserOperation = UserUpdate | SettingSet | PushSet | PushRemove | UserDelete

export type ConversationOperation =
  | ConversationCreate
  | ConversationUpdate
  | ConversationClose
  | ConversationDelete
  | ConversationJoin
  | ConversationLeave
  | ParticipantAdd
  | ParticipantRemove
  | ParticipantUpdate
  | MessagePost
  | MessageEdit
  | MessageRemove
  | MessageRestore
  | MessageReport
  | ReadAdvance
  | ReadSet
  | InviteCreate
  | InviteRevoke

export type Operation = ConversationOperation | UserOperation

const USER_OPERATIONS: ReadonlySet<string> = new Set<UserOperation['type']>([
  'user.update',
  'setting.set',
  'push.set',
  'push.remove',
  'user.delete',
])

/** Whether it belongs into a `user/<identity>`. */
export function isUserOperation(operation: Operation): operation is UserOperation {
  return USER_OPERATIONS.has(operation.type)
}

export type OperationType = Operation['type']

/** What the relay said of one operation. */
export type Outcome =
  | { id: string; verdict: 'accepted'; warnings?: { code: number; message: string }[] }
  /** Final. The author's text is held on the device. */
  | { id: string; verdict: 'refused'; code: number; message: string }
  /** Not now: the relay stored nothing; the client uploads it again later. */
  | { id: string; verdict: 'later'; code: number; message: string }

/** The sid of the message that a `message.post` makes. */
export const messageSidOf = (operationId: string): string => `IM${operationId}`

/** The id of the operation that posted the message. */
export const postOf = (messageSid: string): string => messageSid.slice(2)
