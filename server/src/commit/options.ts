/** What the engine is made of: everything that it would otherwise reach for is passed in. */
import type { Limits } from '@confab/core'
import type { CommittedOperation, Hooks } from '../hooks.ts'
import type { ServiceBook } from '../services/service-book.ts'
import type { Store } from '../store/store.ts'
import type { QueuedEvent } from '../webhooks/queue.ts'
import type { LastWord } from './decide-work.ts'

/** The part of a pino logger that the engine uses. */
export interface EngineLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** When messages leave the live document for pages of the sealed history. */
export interface SealingOptions {
  /** Live messages beyond which the oldest are sealed, down to a quarter. Default 1,000. */
  messages: number
  /** The same, in bytes of live messages. Default 256 KiB. */
  bytes: number
  /** Messages of one page, at most. Default 1,000. */
  pageMessages: number
  /** Bytes of one page, at most, unless one message has more. Default 256 KiB. */
  pageBytes: number
  /** Sealed messages that were edited since, beyond which they go back into their pages. Default 200. */
  edited: number
  /** The same, in bytes. Default 64 KiB. */
  editedBytes: number
  /** Milliseconds from a removal until its page is made anew, and its text erased from log and snapshot. Default 1,000. */
  settle: number
}

export const DEFAULT_SEALING: Readonly<SealingOptions> = Object.freeze({
  messages: 1000,
  bytes: 256 * 1024,
  pageMessages: 1000,
  pageBytes: 256 * 1024,
  edited: 200,
  editedBytes: 64 * 1024,
  settle: 1000,
})

/** Who is asked before commits, and told of them by a queue that is written with them. */
export interface Listeners {
  /** Who is asked behind the app's own `beforeCommit`; null while there is nobody. */
  readonly lastWord: LastWord | null
  /** What is to be queued, in the transaction of these operations. Must not fail. */
  eventsFor(committed: readonly CommittedOperation[]): QueuedEvent[]
  /** Both are on disk. */
  stored(committed: readonly CommittedOperation[], queued: readonly QueuedEvent[]): void
}

export interface EngineOptions {
  store: Store
  limits?: Limits
  /** What administrators decided about each service, asked at each decision. Default: nothing, and `DEFAULT_ROLES`. */
  book?: Pick<ServiceBook, 'roles' | 'defaultRoles' | 'serviceRole' | 'configuration'>
  hooks?: Pick<Hooks, 'authorize' | 'beforeCommit' | 'afterCommit'>
  /** Default: nobody. */
  webhooks?: Listeners | null
  /** Whether messages are taken only with attachments that the relay has. Default: whatever they name is taken. */
  mediaChecked?: boolean
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number
  /** Gives that many random bytes. Default: the system's. */
  random?: (bytes: number) => Uint8Array
  /** Runs once everything that this turn of the event loop brought has been handled. Default: `setImmediate`. */
  defer?: (run: () => void) => void
  /** Runs once after so many milliseconds; the result cancels. Default: a timer that keeps no process alive. */
  after?: (milliseconds: number, run: () => void) => () => void
  /** To the zlib format. Default: Node's, on a thread of its own. */
  deflate?: (bytes: Uint8Array) => Promise<Uint8Array>
  logger?: EngineLogger
  /** Milliseconds that a hook may take. Default 5,000. */
  hookDeadline?: number
  /** Milliseconds after which a document that nobody writes to leaves memory. Default 60,000. */
  idleAfter?: number
  /** Documents in memory, at most; those that wait for something are kept beyond it. Default 10,000. */
  maxLoaded?: number
  /** Log entries since the newest snapshot from which a document is compacted. Default 512. */
  compactAfter?: number
  /** False: messages stay in the live document. Default `DEFAULT_SEALING`. */
  sealing?: Partial<SealingOptions> | false
  /** Milliseconds between two epochs of one document, at least. Default 0. */
  epochInterval?: number
}

export type EngineSettings = Required<EngineOptions>
