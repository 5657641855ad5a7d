/**
 * The records that a conversation's document holds, each plain JSON, each written by the relay.
 * Times are milliseconds since the epoch. A key that has its default is left out, to keep documents small.
 */
import type { Json } from './json.ts'

/** Who writes a message or does an operation: a normalised identity of one service. */
export type Identity = string

export type ConversationStateName = 'active' | 'inactive' | 'closed'

export interface ConversationStateRecord {
  current: ConversationStateName
  /** When the state began. */
  dateUpdated: number
}

/** ISO-8601 durations, as Twilio takes them. */
export interface TimersRecord {
  /** At least one minute. */
  inactive?: string
  /** At least ten minutes. */
  closed?: string
}

/** An invite that stands on a conversation. Its secret is never stored: the key is the secret's hash. */
export interface InviteRecord {
  roleSid: string
  createdBy: Identity
  dateCreated: number
  /** After this time nobody can use it. */
  expiresAt: number
  /** Joins left; 0 is used up. */
  usesLeft: number
}

/**
 * The root map `conversation`, key by key. `dateUpdated` is absent until the first change after creation.
 */
export interface ConversationRecord {
  sid: string
  friendlyName?: string
  uniqueName?: string
  /** `{}` when absent. */
  attributes?: Json
  createdBy: Identity
  dateCreated: number
  dateUpdated?: number
  /** `{ current: 'active', dateUpdated: dateCreated }` when absent. */
  state?: ConversationStateRecord
  timers?: TimersRecord
  /** By the hash of their secret (64 hex digits). */
  invites?: { [hash: string]: InviteRecord }
  /** True until the creator's first join: till then `createdBy` acts as channel admin. */
  creatorPending?: true
  /**
   * The highest index ever given, written only when the message that has it is removed: the next
   * index is above both this and every message's.
   */
  highestIndex?: number
}

export type ParticipantType = 'chat' | 'sms' | 'whatsapp' | 'email'

/** A person's address on a channel, bound to one of ours. */
export interface MessagingBindingRecord {
  address: string
  proxyAddress: string
  /** The address that sends for a chat participant in a group MMS. */
  projectedAddress?: string
}

/** One entry of the root map `participants`, by `sid`. */
export interface ParticipantRecord {
  sid: string
  type: ParticipantType
  /** Present for type `chat`. */
  identity?: Identity
  /** Present for every other type. */
  binding?: MessagingBindingRecord
  roleSid: string
  attributes?: Json
  dateCreated: number
  dateUpdated?: number
}

export interface MediaRecord {
  sid: string
  category: 'media' | 'body' | 'history'
  filename?: string
  contentType: string
  /** Bytes. */
  size: number
  /** SHA-256 of the content, in hex. */
  sha256?: string
  /** Pixels; of pictures and videos. */
  width?: number
  height?: number
  /** A picture's ThumbHash, in base64: what is drawn until its content is there. */
  placeholder?: string
}

/** One element of the root array `messages`. Read in order of `index`. */
export interface MessageRecord {
  sid: string
  /** Given by the relay on acceptance: from 0, consecutive, never changed or reused. */
  index: number
  /** The author's identity, or a non-chat participant's address, or the name a system actor gave. */
  author: Identity
  participantSid?: string
  body?: string
  subject?: string
  attributes?: Json
  media?: MediaRecord[]
  /** The relay's acceptance time; ascends with `index`. */
  dateCreated: number
  /** The author's clock; left out when equal to `dateCreated`. */
  dateWritten?: number
  dateUpdated?: number
  lastUpdatedBy?: Identity
  /** One for each non-chat participant that it goes to, in the order of their sids. */
  receipts?: ReceiptRecord[]
  /** The relay had lost it with a restored backup, and somebody else than its author brought it again. */
  restored?: true
}

/** One element of the root array `reads`; the last one of a participant wins. */
export interface ReadRecord {
  participantSid: string
  /** The read horizon; null removes it. */
  lastReadMessageIndex: number | null
  lastReadTimestamp: number
}

export type DeliveryStatus = 'queued' | 'sent' | 'delivered' | 'read' | 'undelivered' | 'failed'

/**
 * How far a message came with one non-chat participant. It stands in the message's own record, so that it goes where
 * the message goes: into pages, into epochs, and away with it.
 */
export interface ReceiptRecord {
  participantSid: string
  status: DeliveryStatus
  /** What the channel calls the message. */
  channelMessageSid?: string
  /** Why it wasn't delivered. */
  errorCode?: number
  /** When the status began; left out while it is the message's `dateCreated`. */
  dateUpdated?: number
}

/** One entry of the root map `conversations` of `user/<identity>`, by conversation sid. */
export interface DirectoryRecord {
  sid: string
  /** `created`: not joined yet, its creator acts as admin. */
  status: 'joined' | 'created'
  uniqueName?: string
  /** When the entry began. */
  since: number
}

/** One element of the root array `refusals` of `user/<identity>`: the newest hundred are kept. */
export interface RefusalRecord {
  /** The refused operation's id. */
  id: string
  /** The document it was for. */
  document: string
  code: number
  message: string
  /** When the relay refused it. */
  at: number
}

export type NotificationLevelName = 'default' | 'muted'
export type PushChannelType = 'apn' | 'fcm' | 'twilsock'

/** One entry of the root map `settings` of `user/<identity>`, by conversation sid. Absent while all is default. */
export interface SettingRecord {
  notificationLevel: 'muted'
}

/** One of the array at the key `push` of the root map `settings`; the newest come last. */
export interface PushRegistrationRecord {
  channelType: PushChannelType
  /** The push service's name for the device. */
  token: string
  dateCreated: number
}

/** The root map `profile` of `profile/<identity>`, key by key. Nobody has one before something is in it. */
export interface ProfileRecord {
  /** `US…`: of the identity in its service. */
  sid: string
  identity: Identity
  friendlyName?: string
  /** `{}` when absent. */
  attributes?: Json
  /** Some device of this person can be reached by push. */
  notifiable?: true
  dateCreated: number
  dateUpdated?: number
}
