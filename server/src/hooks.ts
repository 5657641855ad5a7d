/**
 * What an app may decide. Each hook is optional, and each may answer at once or with a promise. While one decides
 * about an operation, only its own conversation waits, for at most five seconds (70302). `docs/hooks.md` tells the
 * same with more words.
 */
import type { Change, ConversationState, MediaRecord, Operation, UserChange, UserState } from '@confab/core'
import type { Principal } from './engine.ts'
import type { PostEvent, PreEvent } from './events.ts'

export type Awaitable<Value> = Value | PromiseLike<Value>

/** Who connects, and until when. */
export interface Authentication {
  principal: Principal
  /** When the token ends, milliseconds since the epoch. */
  expiresAt: number
}

/** An operation on its way. Read it, and don't keep it: `state` is the relay's own and changes with the next commit. */
export interface OperationRequest {
  serviceSid: string
  /** The document that it is for: a conversation's sid, or `user/<identity>` for what people do about themselves. */
  conversationSid: string
  /** Null for a system actor (REST, a channel, a timer). */
  principal: Principal | null
  /**
   * Which system actor: `api` or `api-silent` (REST with and without `X-Twilio-Webhook-Enabled`), `timer`, a channel's
   * name, or what `relay.system.submit` was given; null for a person.
   */
  source: string | null
  operation: Operation
  /** The conversation as it stands before the operation; messages only as far as the operation names them. */
  state: ConversationState
  /** For `user/<identity>`: settings, push registrations, and the profile that the operation is about. */
  user: UserState | null
  /**
   * What `beforeCommit` is asked about, by the name that webhooks have for it, with the record as it would be; null for
   * what has no such event, and for `authorize`, which is asked before it is known what the operation would change.
   */
  event: PreEvent | null
}

/** `undefined`: as the roles say. `allow: true`: even where the actor's roles would not (never for non-members). */
export type Authorization = { allow: true } | { allow: false; reason?: string } | undefined

/** `undefined`: accept. The amended operation keeps its id and its type. */
export type BeforeCommitAnswer = { refuse: string } | { amend: Operation } | undefined

export interface CommittedOperation {
  serviceSid: string
  /** As in `OperationRequest`. */
  conversationSid: string
  principal: Principal | null
  /** As in `OperationRequest`. */
  source: string | null
  /** As it was committed, amended or not. */
  operation: Operation
  changes: readonly (Change | UserChange)[]
  /** What that means, by the names that webhooks have for it. */
  events: readonly PostEvent[]
}

/** An attachment that has come in whole, and that no message can have before this is answered. */
export interface MediaRequest {
  serviceSid: string
  /** Null: a server brought it, for whichever conversation names it. */
  conversationSid: string | null
  /** Who brought it; null for a server. */
  identity: string | null
  media: MediaRecord
  /** Its content. */
  read(): Promise<AsyncIterable<Uint8Array>>
}

/** `undefined`: it is taken. */
export type MediaAnswer = { refuse: string } | undefined

export interface Hooks {
  /**
   * Who is it? Default: an access token in Twilio's format, signed with one of `accessKeys`. Throws or rejects to
   * turn them away.
   *
   * @example
   * ```ts
   * authenticate: async (token) => {
   *   const session = await sessions.find(token)
   *   if (!session) throw new ConfabError(20003)
   *   return { principal: { ...service, identity: session.user }, expiresAt: session.endsAt }
   * }
   * ```
   */
  authenticate?(token: string): Awaitable<Authentication>

  /**
   * May this identity do this here? Asked of people only, and only of those who belong to the conversation, are
   * creating it or hold a valid invite. Default: roles and permissions.
   *
   * @example
   * ```ts
   * authorize: ({ principal, operation }) =>
   *   operation.type === 'conversation.create' && !principal?.identity.endsWith('@example.org')
   *     ? { allow: false, reason: 'Only staff opens conversations' }
   *     : undefined
   * ```
   */
  authorize?(request: OperationRequest): Awaitable<Authorization>

  /**
   * The last word on an operation that would be accepted: accept, refuse with a reason (the author keeps the text,
   * 70301), or amend.
   *
   * @example
   * ```ts
   * beforeCommit: async ({ operation }) => {
   *   if (operation.type !== 'message.post' || operation.body === undefined) return undefined
   *   const verdict = await moderation.judge(operation.body)
   *   if (verdict.reject) return { refuse: 'Please stay kind' }
   *   return verdict.masked ? { amend: { ...operation, body: verdict.masked } } : undefined
   * }
   * ```
   */
  beforeCommit?(request: OperationRequest): Awaitable<BeforeCommitAnswer>

  /**
   * Told after the operation is on disk and on its way to everybody. Nothing waits for it; what it throws is logged.
   *
   * @example
   * ```ts
   * afterCommit: ({ operation, conversationSid }) => {
   *   if (operation.type === 'message.post') search.index(conversationSid, operation)
   * }
   * ```
   */
  afterCommit?(committed: CommittedOperation): Awaitable<void>

  /**
   * May an attachment be had? Asked when its content is here, as long as it takes (a virus scanner); the message that has
   * it waits on its author's device, and nothing else does. After a restart it is asked again. Default: it may.
   *
   * @example
   * ```ts
   * onMediaAdd: async ({ read }) =>
   *   (await scanner.scan(await read())).infected ? { refuse: 'This file is not safe' } : undefined
   * ```
   */
  onMediaAdd?(request: MediaRequest): Awaitable<MediaAnswer>
}
