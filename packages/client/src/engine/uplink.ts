/**
 * How what this person writes into the outbox of one document reaches the relay: each change as it is made, all that the
 * relay lacks when it asks, and again when it could not take it.
 */
import type { DocumentName, Operation } from '@confab/core'
import type * as Y from 'yjs'
import type { ConversationHost } from './host.ts'
import { LOCAL, type Outbox } from './outbox.ts'
import { randomFraction } from './platform.ts'
import type { YDocument } from './y-document.ts'

/** First and longest wait, in milliseconds, before an operation that was answered "not now" is sent again. */
const RETRY_FIRST = 1000
const RETRY_MOST = 60_000
/** Share of `limits.updateBytes` that an upload fills: its headers are estimated. */
const FILL = 0.9

export type WrittenDocument = YDocument & { readonly outbox: Outbox }

export class Uplink {
  readonly #host: ConversationHost
  readonly #name: DocumentName
  readonly #isOpen: () => boolean
  readonly #reopen: () => void
  #document: WrittenDocument | null = null
  #retryTimer: unknown = null
  #retryDelay = RETRY_FIRST

  /**
   * @param isOpen whether the relay takes updates of the document
   * @param reopen asks the relay again: it answers with a request for what is pending
   */
  constructor(host: ConversationHost, name: DocumentName, isOpen: () => boolean, reopen: () => void) {
    this.#host = host
    this.#name = name
    this.#isOpen = isOpen
    this.#reopen = reopen
  }

  /** Sends what is written to this document from now on, and nothing of the one before. */
  follow(document: WrittenDocument | null): void {
    this.#document = document
    document?.doc.on(
      'update',
      (update: Uint8Array, origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
        if (origin !== LOCAL || this.#document !== document) return
        if (update.length > this.#mostBytes) this.upload(transaction.beforeState)
        else if (this.#isOpen()) this.#host.link.update(this.#name, update)
      },
    )
  }

  /** Sends what the relay lacks. */
  upload(stateVector: ReadonlyMap<number, number>): void {
    if (!this.#isOpen() || !this.#document) return
    for (const update of this.#document.outbox.encodeAbove(stateVector, this.#mostBytes))
      this.#host.link.update(this.#name, update)
  }

  /** Changes the outbox; gives the updates that did it. */
  write(operations: readonly Operation[], withdrawn?: ReadonlySet<string>): Uint8Array[] {
    const { doc, outbox } = this.#document as WrittenDocument
    const updates: Uint8Array[] = []
    const collect = (update: Uint8Array) => void updates.push(update)
    doc.on('update', collect)
    outbox.write(operations, withdrawn)
    doc.off('update', collect)
    return updates
  }

  /** Appends those that the outbox lacks: a write was lost, or there is a new epoch. Gives the updates that did it. */
  restore(pending: readonly Operation[]): Uint8Array[] {
    if (pending.length === 0) return []
    const live = (this.#document as WrittenDocument).outbox.live()
    const missing = pending.filter(({ id }) => !live.has(id))
    return missing.length > 0 ? this.write(missing) : []
  }

  /** The relay could not take it: asks again in so many milliseconds, a second at least. */
  refused(retryAfter: number): void {
    this.#retry(Math.max(retryAfter, RETRY_FIRST))
  }

  /** @param delay milliseconds; nothing is asked if nothing is undecided then */
  #retry(delay: number): void {
    if (this.#retryTimer !== null || !this.#isOpen()) return
    const { platform, journal } = this.#host
    this.#retryTimer = platform.setTimeout(() => {
      this.#retryTimer = null
      if (journal.pending(this.#name).length > 0) this.#reopen()
    }, delay)
  }

  /** Asks again later, and later each time. */
  backOff(): void {
    this.#retry(this.#retryDelay * (0.5 + randomFraction(this.#host.platform)))
    this.#retryDelay = Math.min(RETRY_MOST, this.#retryDelay * 2)
  }

  /** The relay has taken something. */
  taken(): void {
    this.#retryDelay = RETRY_FIRST
  }

  /** The connection is gone. */
  stop(): void {
    this.#host.platform.clearTimeout(this.#retryTimer)
    this.#retryTimer = null
  }

  get #mostBytes(): number {
    return this.#host.limits.updateBytes * FILL
  }
}
