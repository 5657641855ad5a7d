/** The plain types of the surface: what an app may name. Nothing here refers to the engine. */

import type { Conversation } from './conversation.ts'
import type { Message } from './message.ts'

/** A JSON value. */
export type JSONValue = null | string | number | boolean | JSONObject | JSONArray
/** A JSON object. */
export type JSONObject = { [x: string]: JSONValue }
/** A JSON array. */
export type JSONArray = JSONValue[]

/** Whether the client initialised. */
export type State = 'failed' | 'initialized'

/** How the connection to the relay is. Everything works in every one of them. */
export type ConnectionState =
  | 'unknown'
  | 'disconnecting'
  | 'disconnected'
  | 'retrying'
  | 'connecting'
  | 'connected'
  | 'denied'
  | 'error'

/** Why a connection, or the start of a client, failed. */
export interface ConnectionError {
  /** The client will not try again by itself. */
  terminal: boolean
  message: string
  httpStatusCode?: number
  errorCode?: number
}

/** What of a conversation changed. */
export type ConversationUpdateReason =
  | 'attributes'
  | 'createdBy'
  | 'dateCreated'
  | 'dateUpdated'
  | 'friendlyName'
  | 'lastReadMessageIndex'
  | 'state'
  | 'status'
  | 'uniqueName'
  | 'lastMessage'
  | 'notificationLevel'
  | 'bindings'

/** `notParticipating`: created here and not joined yet. */
export type ConversationStatus = 'notParticipating' | 'joined'

export type NotificationLevel = 'default' | 'muted'

export interface ConversationState {
  current: 'active' | 'inactive' | 'closed'
  /** When the state began. */
  dateUpdated: Date
}

/** ISO-8601 durations; what is absent never happens by itself. */
export interface ConversationTimers {
  inactive?: string
  closed?: string
}

export interface ConversationUpdatedEventArgs {
  conversation: import('./conversation.ts').Conversation
  updateReasons: ConversationUpdateReason[]
}

export interface ConversationEmailBinding {
  name?: string
  projected_address: string
}
export interface ConversationSmsBinding {
  address?: string
}
export interface ConversationBindings {
  email?: ConversationEmailBinding
  sms?: ConversationSmsBinding
}

/** The newest message, pending ones included. */
export interface LastMessage {
  index?: number
  dateCreated?: Date
}

/** What one message of a conversation may carry. */
export interface ConversationLimits {
  mediaAttachmentsCountLimit: number
  mediaAttachmentSizeLimitInMb: number
  mediaAttachmentsTotalSizeLimitInMb: number
  emailHistoriesAllowedContentTypes: string[]
  emailBodiesAllowedContentTypes: string[]
}

/** One attachment to send, when it is no `FormData`. */
export interface SendMediaOptions {
  contentType: null | string
  filename?: string
  media: null | string | Uint8Array | Blob
}

/** How far the attachments of a message are that was written on this device. */
export interface UploadState {
  /** Bytes that the relay has. */
  readonly bytesSent: number
  /** Bytes of all attachments of the message. */
  readonly bytesTotal: number
  /**
   * `waiting`: for a connection, another upload, or until it is tried again; `checking`: all of it is there, and the
   * relay's app has not said yet that it may be shown; `complete`: the message goes to the others.
   */
  readonly state: 'waiting' | 'uploading' | 'checking' | 'complete'
  /** Why it waits. */
  readonly error?: { readonly code: number; readonly message: string }
}

export interface UploadProgressEventArgs extends UploadState {
  readonly message: import('./message.ts').Message
}

/** How far `conversation.downloadMedia()` is. */
export interface MediaDownload {
  /** Attachments that are on this device. */
  readonly files: number
  readonly filesTotal: number
  /** Of these attachments, and of what is coming. */
  readonly bytes: number
  readonly bytesTotal: number
  /** Attachments that could not be had. */
  readonly failed: number
}

export interface SendEmailOptions {
  /** The message's subject. */
  subject?: string
}

/** What of a message changed. */
export type MessageUpdateReason =
  | 'body'
  | 'lastUpdatedBy'
  | 'dateCreated'
  | 'dateUpdated'
  | 'attributes'
  | 'author'
  | 'deliveryReceipt'
  | 'subject'
  | 'media'

export type MessageType = 'text' | 'media'

/** `pending`: written on this device, not yet decided by the relay; its index is provisional. */
export type MessageStatus = 'pending' | 'accepted'

export interface MessageUpdatedEventArgs {
  message: import('./message.ts').Message
  updateReasons: MessageUpdateReason[]
}

/** What of a participant changed. */
export type ParticipantUpdateReason =
  | 'attributes'
  | 'dateCreated'
  | 'dateUpdated'
  | 'roleSid'
  | 'lastReadMessageIndex'
  | 'lastReadTimestamp'
  | 'bindings'

/** Anything but `chat` takes part by an address on a channel. */
export type ParticipantType = 'chat' | 'sms' | 'whatsapp' | 'email' | string

export interface ParticipantUpdatedEventArgs {
  participant: import('./participant.ts').Participant
  updateReasons: ParticipantUpdateReason[]
}

export type ParticipantEmailLevel = 'to' | 'cc'
export interface ParticipantEmailBinding {
  name: string
  address: string
  level: ParticipantEmailLevel
}
/** A person's address on a channel, bound to one of the service's. */
export interface ParticipantAddressBinding {
  // biome-ignore lint/suspicious/noExplicitAny: Twilio declares no such binding, and apps take it for what they like
  address: any
  proxy_address: string
  projected_address?: string
}
/** By the participant's type. */
export interface ParticipantBindings {
  email?: ParticipantEmailBinding
  sms?: ParticipantAddressBinding
  whatsapp?: ParticipantAddressBinding
}
export interface ParticipantBindingOptions {
  email?: ParticipantEmailBinding
}

/** A participant as the REST API writes it, which `add` and `addNonChatParticipant` resolve to. */
export interface ParticipantResponse {
  account_sid: string
  chat_service_sid: string
  conversation_sid: string
  role_sid: string
  sid: string
  /** JSON text. */
  attributes: string
  /** ISO 8601. */
  date_created: string
  /** ISO 8601. */
  date_updated: string
  identity: string
  messaging_binding: {
    type: 'chat' | 'sms' | 'whatsapp' | 'email'
    address: string
    proxy_address: string
  } | null
  url: string
  links: { conversation: string }
}

/** What of a user changed. */
export type UserUpdateReason = 'friendlyName' | 'attributes' | 'reachabilityOnline' | 'reachabilityNotifiable'

export interface UserUpdatedEventArgs {
  user: import('./user.ts').User
  updateReasons: UserUpdateReason[]
}

export type MediaCategory = 'media' | 'body' | 'history'

export type DeliveryStatus = 'sent' | 'delivered' | 'failed' | 'read' | 'undelivered' | 'queued'
/** To how many of a message's recipients something applies. */
export type DeliveryAmount = 'none' | 'some' | 'all'

export type NotificationsChannelType = 'twilsock' | 'apn' | 'fcm'

/** What `conversation.createInvite` takes. */
export interface InviteOptions {
  /** Sid or name of the role that its users join with; `channel user` when left out. */
  role?: string
  /** Seconds until it ends; a week when left out. */
  expiresIn?: number
  /** How many may join by it; one when left out. */
  maxUses?: number
}

/** What an operation says, as plain JSON. `body` is a message's text. */
export interface OperationContent {
  readonly id: string
  /** For example `message.post`, `participant.add`, `conversation.update`. */
  readonly type: string
  /** Milliseconds since the epoch, by this device's clock. */
  readonly dateWritten: number
  readonly body?: string
  readonly [key: string]: JSONValue | undefined
}

/** Something done on this device that the relay has not decided yet. */
export interface PendingOperation {
  readonly conversationSid: string | null
  readonly operation: OperationContent
}

/** Indices of a conversation whose messages aren't on this device. */
export interface UnseenMessages {
  readonly conversationSid: string
  readonly from: number
  /** Included. */
  readonly to: number
  /** How many of them exist. */
  readonly messages: number
}

/** What `client.searchMessages` looks for, beside the words. */
export interface SearchOptions {
  /** A conversation or its sid: nowhere else. */
  conversation?: Conversation | string
  /** An identity, or what a participant outside of chat is called. */
  author?: string
  /** Accepted before this time (milliseconds since the epoch, when a number); not at it. */
  before?: Date | number
  /** Accepted after this time; not at it. */
  after?: Date | number
  /** 30 when left out, 100 at most. */
  limit?: number
}

/** What `client.searchMessages` found. */
export interface SearchResult {
  /** The newest first. */
  readonly messages: Message[]
  /** There are more than `limit`. */
  readonly more: boolean
  /** What could not be searched, because it isn't on this device. */
  readonly unseen: UnseenMessages[]
}

/** What the device holds of this client's conversations, in bytes. Null is what the platform doesn't say. */
export interface StorageFigures {
  /** Everything; in browsers all that the origin keeps. */
  readonly used: number | null
  readonly quota: number | null
  /** Whether the browser promises not to clear it by itself: see `client.persistStorage()`. */
  readonly persisted: boolean | null
  /** The index of `searchMessages`. */
  readonly index: number
  /** Pages of older history of all conversations. */
  readonly history: number
  /** Attachments of all conversations: the same content counts once. */
  readonly media: number
  /** `bytes`: of the pages; `media`: of the attachments. */
  readonly conversations: {
    readonly sid: string
    readonly pages: number
    readonly bytes: number
    readonly media: number
  }[]
}

/** Why something isn't sent, as far as this device knows: nothing in it was written by a person, and no token is in it. */
export interface Diagnostics {
  readonly version: string
  readonly takenAt: Date
  /** The relay's URL, without what may be a secret in it. */
  readonly relay: string
  readonly connection: {
    readonly state: ConnectionState
    readonly since: Date | null
    readonly lastFailure: { readonly at: Date; readonly closeCode: number; readonly reason: string } | null
    /** When it is tried again by itself. */
    readonly nextAttempt: Date | null
    /** Milliseconds that the relay's clock was ahead of this device's when it last told; null while it never has. */
    readonly clockSkew: number | null
    /** The newest fifty changes, oldest first. */
    readonly history: {
      readonly at: Date
      readonly state: ConnectionState
      readonly closeCode?: number
      readonly reason?: string
    }[]
  }
  readonly token: { readonly expiresAt: Date | null; readonly expired: boolean }
  /** Operations of this device that the relay has not decided, and that it refused. */
  readonly pending: number
  readonly held: number
  readonly conversations: ConversationDiagnostics[]
  readonly storage: StorageFigures
}

export interface ConversationDiagnostics {
  readonly sid: string
  readonly status: ConversationStatus
  /** Whether the relay tells of it: `absent` when it says that there is no such conversation. */
  readonly channel: 'closed' | 'open' | 'absent'
  readonly messages: number
  readonly pending: { readonly id: string; readonly type: string; readonly since: Date }[]
  readonly lastRefusal: {
    readonly at: Date | null
    readonly type: string
    readonly code: number
    readonly message: string
  } | null
  /** What the relay said last against an upload, and when that is tried again. */
  readonly lastError: { readonly at: Date; readonly code: number; readonly nextAttempt: Date } | null
}

/** A conversation as a file. */
export interface ConversationExport {
  readonly blob: Blob
  /** A name for it, with the ending of its format. */
  readonly fileName: string
  /** What isn't in it, because it isn't on this device. */
  readonly unseen: UnseenMessages[]
  /** Its attachments, as far as they are on this device and were asked for. */
  readonly files: ExportedFile[]
}

/** An attachment of an exported conversation. */
export interface ExportedFile {
  /** A path with `/`, for beside the exported file, which names it so. One of its kind. */
  readonly name: string
  readonly mediaSid: string
  readonly blob: Blob
}

/** Something in a store that isn't as it should be. */
export interface StoreFinding {
  /** A word for what it is, the same in every version. */
  readonly kind: string
  /** What is wrong. */
  readonly what: string
  /** What a repair does; null when there is nothing to be done here. */
  readonly repair: string | null
}

/** What was found in one store of a folder. */
export interface StoreReport {
  readonly file: string
  /** Whose it is; null when the folder doesn't tell. */
  readonly owner: {
    readonly relay: string
    readonly accountSid: string
    readonly serviceSid: string
    readonly identity: string
  } | null
  readonly bytes: number
  /** Null where the file can't be read. */
  readonly counts: {
    readonly pending: number
    readonly held: number
    readonly conversations: number
    readonly pages: number
  } | null
  readonly findings: StoreFinding[]
  /**
   * Does what the findings say, having copied the file beside it. Gives the copy's name; null when there was nothing
   * to do. Rejects with what went wrong; then the file is as it was.
   */
  repair(): Promise<string | null>
}
