/**
 * The line between the engine (what is known, and how it travels) and the surface (the classes that apps
 * see). The engine speaks records and views; the surface turns them into Twilio-shaped objects and events.
 * Everything here works with no network.
 */
import type {
  ConfabError,
  ConversationRecord,
  Json,
  Limits,
  MessageRecord,
  Operation,
  ParticipantRecord,
  ProfileRecord,
  PushChannelType,
  ReadRecord,
} from '@confab/core'
import type { Storage, StoreOwner } from '../storage/storage.ts'
import type { TransportFactory } from '../transport/transport.ts'
import type { Platform } from './platform.ts'
import type { LocalAccess } from './reader.ts'

/** `pending`: written here, not yet decided (its index is provisional). */
export type MessageStatus = 'pending' | 'accepted'

/** A message as it is seen now. Immutable: a change makes another view. */
export interface MessageView {
  readonly record: MessageRecord
  readonly status: MessageStatus
}

/** A conversation as it is seen now, answered from its summary without opening its document. Immutable. */
export interface ConversationView {
  readonly sid: string
  readonly record: ConversationRecord
  /** `notParticipating`: created or opened by invite, and not joined. */
  readonly status: 'joined' | 'notParticipating'
  /** The person's own participant, once joined. */
  readonly participant: ParticipantRecord | null
  readonly read: ReadRecord | null
  readonly lastMessage: { readonly index: number; readonly dateCreated: number } | null
  readonly messageCount: number
  /** Null without a horizon. */
  readonly unreadCount: number | null
  /** Some operation of this device in this conversation is undecided. */
  readonly pending: boolean
}

/** An operation of this device that is not decided, as `client.getPendingOperations()` shows it. */
export interface PendingOperationView {
  readonly operation: Operation
  readonly conversationSid: string | null
}

/** A refused operation whose content is kept. */
export interface HeldOperationView extends PendingOperationView {
  readonly error: ConfabError
  readonly heldAt: number
}

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
export type MessageUpdateReason =
  | 'body'
  | 'lastUpdatedBy'
  | 'dateCreated'
  | 'dateUpdated'
  | 'attributes'
  | 'author'
  | 'deliveryReceipt'
  | 'subject'
export type ParticipantUpdateReason =
  | 'attributes'
  | 'dateCreated'
  | 'dateUpdated'
  | 'roleSid'
  | 'lastReadMessageIndex'
  | 'lastReadTimestamp'

export type UserUpdateReason = 'friendlyName' | 'attributes' | 'reachabilityOnline' | 'reachabilityNotifiable'

/** A person as they are seen now, this person's own pending changes included. Immutable. */
export interface UserView {
  readonly identity: string
  /** Null when nothing is known: they have said nothing of themselves, or the relay has never been asked. */
  readonly record: ProfileRecord | null
  /** Whether they are connected; null while the relay doesn't say (no connection, or not followed). */
  readonly online: boolean | null
  /** Whether a device of theirs can be reached by push; null until the relay has told of them. */
  readonly notifiable: boolean | null
}

export type ConnectionState =
  | 'unknown'
  | 'connecting'
  | 'connected'
  | 'disconnecting'
  | 'disconnected'
  | 'denied'
  | 'error'

/**
 * What the engine tells the surface, in the order in which apps must hear it (semantics.md, "Events").
 * Never called synchronously from a call into the engine.
 */
export interface EngineEvents {
  connectionStateChanged(state: ConnectionState): void
  connectionError(error: {
    terminal: boolean
    message: string
    httpStatusCode?: number
    errorCode?: number
  }): void
  /** The store is open and the list is readable, with or without a network. */
  initialized(): void
  initFailed(error: ConfabError): void
  tokenAboutToExpire(secondsLeft: number): void
  tokenExpired(): void

  conversationAdded(view: ConversationView): void
  conversationJoined(view: ConversationView): void
  conversationUpdated(
    view: ConversationView,
    previous: ConversationView,
    reasons: ConversationUpdateReason[],
  ): void
  conversationLeft(view: ConversationView): void
  conversationRemoved(view: ConversationView): void

  participantJoined(conversationSid: string, participant: ParticipantView): void
  participantUpdated(
    conversationSid: string,
    participant: ParticipantView,
    reasons: ParticipantUpdateReason[],
  ): void
  participantLeft(conversationSid: string, participant: ParticipantView): void

  messageAdded(conversationSid: string, message: MessageView): void
  messageUpdated(conversationSid: string, message: MessageView, reasons: MessageUpdateReason[]): void
  /** The view as it was: its old index is readable. */
  messageRemoved(conversationSid: string, message: MessageView): void

  typingStarted(conversationSid: string, participant: ParticipantView): void
  typingEnded(conversationSid: string, participant: ParticipantView): void

  /** Somebody who is followed, or this person. */
  userUpdated(view: UserView, reasons: UserUpdateReason[]): void

  operationRefused(held: HeldOperationView): void
  /** What is pending or held is no longer what it was. */
  operationsChanged(): void
}

export interface ParticipantView {
  readonly record: ParticipantRecord
  readonly read: ReadRecord | null
  readonly typing: boolean
}

/** An operation without what the engine adds (id, dateWritten). */
export type OperationDraft = Operation extends infer One
  ? One extends Operation
    ? Omit<One, 'id' | 'dateWritten'>
    : never
  : never

export interface MessagePage {
  /** Ascending by index. */
  readonly items: MessageView[]
  readonly hasOlder: boolean
  readonly hasNewer: boolean
  /** Indices that belong to the page and can't be had now: `items` end there, and asking again may bring them. */
  readonly absent: { readonly from: number; readonly to: number } | null
}

export interface Engine {
  /** Opens the store, emits what is known, then connects. Returns at once. */
  start(events: EngineEvents): void
  /** Resolves when the store is open and the list is readable; rejects when it can't be (then `initFailed` was told). */
  readonly ready: Promise<void>
  /** Valid after `ready`. */
  readonly owner: StoreOwner
  readonly limits: Limits
  readonly connectionState: ConnectionState

  /** Resolves once everything that is known by now has been told: what is read then is no news to anybody. */
  caughtUp(): Promise<void>
  conversations(): ConversationView[]
  conversation(sid: string): ConversationView | undefined
  /**
   * Asks the relay when the conversation isn't known here. Resolves to undefined when it isn't this identity's or
   * doesn't exist, and when the relay can't be asked.
   */
  findConversation(sidOrUniqueName: string): Promise<ConversationView | undefined>
  participants(conversationSid: string): Promise<ParticipantView[]>
  /**
   * What is shown now, pending messages included. `anchor` is an index and belongs to the page when a message has
   * it; undefined: from the newest (backwards) or oldest (forward) end. Any integer will do, −1 too.
   */
  messages(
    conversationSid: string,
    query: { count: number; anchor?: number; direction: 'backwards' | 'forward' },
  ): Promise<MessagePage>
  /**
   * One message as it is shown now; undefined when it isn't. A sealed one needs the `index` that it has, and is
   * undefined while its page can't be had.
   */
  message(conversationSid: string, messageSid: string, index?: number): Promise<MessageView | undefined>

  /** A new conversation's sid (of this identity and a fresh nonce), and the draft that creates it. */
  newConversation(fields: { friendlyName?: string; uniqueName?: string; attributes?: Json }): {
    sid: string
    draft: OperationDraft
  }
  /**
   * Validates against what is seen, makes it durable, shows it, sends it. Resolves at the relay's acceptance, at a
   * disconnect, or 2 s after it was durable, whichever is first; rejects when refused within that time, or at once
   * when local rules, limits or the store refuse it. `wait: 'durable'` resolves as soon as it is durable.
   * Drafts given together are stored together, in order. `index`: of the message that they are about, which may be
   * sealed.
   */
  submit(
    conversationSid: string,
    drafts: OperationDraft[],
    options?: { wait?: 'verdict' | 'durable'; index?: number },
  ): Promise<Operation[]>
  /** Removes a message. A post that never left this device is withdrawn instead. */
  removeMessage(conversationSid: string, messageSid: string, index?: number): Promise<void>
  /** Whether a conversation's whole history is kept on this device, whatever the policy. Resolves when that is durable. */
  pinHistory(conversationSid: string, pinned: boolean): Promise<void>

  pendingOperations(): PendingOperationView[]
  heldOperations(): HeldOperationView[]
  /**
   * Submits a held operation's content again as a new operation and forgets the held one, in one write. A post that
   * turns out to have been accepted is only forgotten.
   */
  resend(operationId: string): Promise<void>
  discard(operationId: string): Promise<void>

  /**
   * Opens an invited conversation locally and joins it.
   * @param invite its secret
   * @param expiresAt milliseconds since the epoch
   */
  joinInvited(conversationSid: string, invite: string, expiresAt: number): Promise<ConversationView>

  /** Somebody as they are known here, followed or not. */
  user(identity: string): UserView
  /**
   * Follows somebody from now on: changes are told. Resolves at once to what the store has; for somebody who isn't
   * known here, when the relay has answered, at a disconnect, or after 2 s. Whoever isn't known has no record.
   */
  followUser(identity: string): Promise<UserView>
  unfollowUser(identity: string): void
  /** This person's setting for a conversation, pending ones included. */
  notificationLevel(conversationSid: string): 'default' | 'muted'
  /**
   * What this person says of themselves (`user.update`, `setting.set`): settles as `submit` does. The operations go
   * through the outbox of `user/<identity>`; those that change nothing are passed over.
   */
  submitForUser(drafts: OperationDraft[]): Promise<Operation[]>
  /** Registers this device with a push service, in place of what it registered there before. */
  setPushRegistration(channelType: PushChannelType, token: string): Promise<void>
  /** Takes a registration back; `null`: the one that this device registered last, if it did. */
  removePushRegistration(channelType: PushChannelType, token: string | null): Promise<void>

  /** Tells the others that this person is typing; throttled by the caller. */
  typing(conversationSid: string): void

  /** For what is loaded when it is needed. Valid after `ready`. */
  readonly local: LocalAccess

  goOffline(): Promise<void>
  goOnline(): Promise<void>
  updateToken(token: string): Promise<void>
  /** Stops, flushes, closes the store. Idempotent. */
  shutdown(): Promise<void>
}

/** What a client is made of. The surface has resolved the app's options and the token's claims. */
export interface EngineOptions {
  /** The relay's URL: `ws://`, `wss://`, `http://` or `https://`. */
  url: string
  /** Fetches a token for each attempt to connect, and at start; a rejection counts as a failed attempt. */
  token(): Promise<string>
  /** Whose store to open when no token can be had; without it, the owner that last opened one for this relay. */
  identity?: string
  storage: Storage
  transport: TransportFactory
  limits?: Partial<Limits>
  /** Pages of sealed history kept in the store beside pinned ones; `'all'`: everything, fetched in the background. */
  history?: 'all' | { pages: number }
  /** Where the engine says what an operator may want to know; nothing a person wrote. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, details?: unknown): void
  /** Injected for tests; default to the platform's. */
  now?: () => number
  random?: () => number
  /** Replaces clock, randomness and deferral altogether, as a simulation needs; `now` and `random` are then not asked. */
  platform?: Platform
}

/** `createEngine` of `create.ts` is one. Pure construction: nothing happens before `start`. */
export type EngineFactory = (options: EngineOptions) => Engine
