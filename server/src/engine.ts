/**
 * The line between sessions (who is connected, how bytes are framed) and the relay's engine (what is
 * admitted, decided, stored and told to whom). The engine knows no sockets.
 */
import type { ConfabError, MessageRecord, Operation, Outcome, ResumePoint } from '@confab/core'
import type { Imported } from './commit/importing.ts'
import type { Exported } from './import/exported.ts'

/** Who a session acts for, as `authenticate` said. */
export interface Principal {
  accountSid: string
  serviceSid: string
  identity: string
  /** Role in the whole service; the default service user's when the token says nothing. */
  serviceRoleSid: string
}

/** News of one document for one reader. */
export interface News {
  point: ResumePoint
  updates: Uint8Array[]
  outcomes: Outcome[]
}

/** A connected reader, as the engine sees it. Calls come in the same turn as the commit they are about. */
export interface Subscriber {
  readonly principal: Principal
  changes(document: string, news: News): void
  /** The document is no longer this reader's. No byte of it follows. */
  absent(document: string): void
  /** A new epoch: what this reader holds can't be continued. */
  replaced(document: string, news: News): void
  awareness(document: string, update: Uint8Array): void
}

export interface OpenQuery extends ResumePoint {
  document: string
  pending: boolean
}

export type OpenAnswer =
  | { document: string; status: 'current'; request: Uint8Array | null }
  | { document: string; status: 'changes'; news: News; request: Uint8Array | null }
  | {
      document: string
      status: 'snapshot'
      replace: boolean
      /** The point isn't of this history: the store was restored from a backup that is older than it. */
      lost?: true
      news: News
      request: Uint8Array | null
    }
  /** Not a participant, or there is no such document. `request` is the empty state vector when `pending`. */
  | { document: string; status: 'absent'; request: Uint8Array | null }

/** What becomes of an upload. Outcomes of accepted and refused operations arrive by `Subscriber.changes`. */
export type UploadAnswer =
  /** Committed, or nothing in it was new. `absent`: refused as a non-member's; the outcomes say why. */
  | { kind: 'taken'; outcomes: Outcome[] }
  /** Something it depends on is missing: send everything above this state vector. Nothing was stored. */
  | { kind: 'request'; stateVector: Uint8Array }
  | { kind: 'nack'; error: ConfabError; retryAfter: number }
  /** Not an honest update. Close the connection with 4400 and the message. */
  | { kind: 'violation'; message: string }

/** Which messages of a conversation are read, in which order. */
export interface MessageQuery {
  /** Where to begin, inclusive: the first index by default, the last one backwards. */
  from?: number
  /** `forward` by default. */
  direction?: 'forward' | 'backward'
  /** Messages, at most; all by default. */
  limit?: number
}

export interface Engine {
  /**
   * Opens and subscribes, many documents in one call and few queries. Between the answer and the first
   * `changes` no commit is missing and none is doubled.
   */
  open(subscriber: Subscriber, queries: OpenQuery[]): Promise<OpenAnswer[]>
  close(subscriber: Subscriber, documents: string[]): void
  /** Ends all subscriptions of a connection. */
  leave(subscriber: Subscriber): void
  /** Uploads of one subscriber to one document are taken in the order of the calls. */
  upload(subscriber: Subscriber, document: string, update: Uint8Array): Promise<UploadAnswer>
  /**
   * Everything above a Yjs state vector, for the stock transport. With `news` it subscribes, as `open` does with
   * the same promise about what follows; asking again keeps the one subscription. `request` is the state vector
   * of everything that this reader's copy may hold, so that a stock client answers it with what is new only.
   * `replaced`: can't be continued (another epoch).
   */
  answerStateVector(
    subscriber: Subscriber,
    document: string,
    stateVector: Uint8Array,
  ): Promise<
    { status: 'absent' } | { status: 'replaced' } | { status: 'news'; news: News; request: Uint8Array }
  >
  awareness(subscriber: Subscriber, document: string, update: Uint8Array): void
  /** An actor without an outbox (REST, channels, timers), through the same decision and commit; in `user/<identity>` too. */
  submit(serviceSid: string, document: string, operation: Operation, source: string): Promise<Outcome>
  /**
   * A page of sealed history, deflated (zlib format), for a participant. Null: not theirs, or there is no such page
   * any more.
   */
  page(principal: Principal, conversationSid: string, hash: string): Promise<Uint8Array | null>
  /**
   * The messages of a conversation, sealed or not, as they are stored while each is read: for REST, search, export.
   * Takes the memory of a few hundred, however many there are. Nothing when there is no such conversation.
   */
  readMessages(
    serviceSid: string,
    conversationSid: string,
    query?: MessageQuery,
  ): AsyncIterable<MessageRecord>
  /** Whether the person is connected: their own user document is open. */
  isOnline(serviceSid: string, identity: string): boolean
  /** It was decided anew whether people of the service are told who is connected: those who are here hear of it. */
  reachabilityChanged(serviceSid: string): void
  /** Documents in memory. */
  readonly loaded: number
  /** Resolves when everything taken so far is decided and stored. */
  idle(): Promise<void>
  /** Stops taking uploads, commits what it has, closes nothing else. */
  drain(): Promise<void>
}

/** What comes from another relay, by the same commits. */
export interface TakingIn {
  /**
   * Takes a conversation in that was exported elsewhere, or a piece of it, in one commit; hooks and webhooks aren't
   * asked. What it begins with must be what is here.
   * @throws ConfabError 70105 when another conversation has its sid
   */
  takeIn(serviceSid: string, exported: Exported): Promise<Imported>
  /** A message that is here has this attachment from now on. False: there is no such message. */
  attach(serviceSid: string, document: string, media: { sid: string; messageSid: string }): Promise<boolean>
}
