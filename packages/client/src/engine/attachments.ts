/**
 * Which operations may go to the relay: a post with attachments waits here until the relay has all of their content,
 * and what changes that post waits with it. What brings the content there (`media/`) is loaded when it is needed.
 */
import type { Operation } from '@confab/core'
import type { JournalEntry } from '../storage/storage.ts'
import type { OperationJournal } from './journal.ts'

/** What brings content to the relay. */
export interface AttachmentWorker {
  /** There may be posts that wait, or no longer. */
  look(): void
  /** Whether there is a connection is another. */
  connectionChanged(): void
  /** Another client on this store says something. */
  heard(news: unknown): void
}

/** Refusals for content that was brought again each time, until the post is held after all. */
const PATIENCE = 3

/** Sid of a message, without what all begin with: its post's id. */
const postOf = (messageSid: string): string => messageSid.slice(2)

const hasAttachments = (operation: Operation): boolean =>
  operation.type === 'message.post' && operation.media !== undefined && operation.media.length > 0

export class Attachments {
  readonly #journal: OperationJournal
  readonly #ready = new Set<string>()
  readonly #refusals = new Map<string, number>()
  #worker: AttachmentWorker | null = null
  /** Loads the worker. */
  #load: (() => void) | null = null
  #isNeeded = false

  constructor(journal: OperationJournal) {
    this.#journal = journal
  }

  waits(operation: Operation): boolean {
    if (operation.type === 'message.edit') {
      const post = this.#journal.get(postOf(operation.sid))
      return post?.state === 'pending' && this.waits(post.operation)
    }
    if (!hasAttachments(operation) || this.#ready.has(operation.id)) return false
    this.#need()
    return true
  }

  isReady(id: string): boolean {
    return this.#ready.has(id)
  }

  /** The relay has all that it needs of this post. */
  ready(id: string): void {
    this.#ready.add(id)
  }

  /**
   * The relay refused a post because it lacks content of it: it is to be brought again. False when that was tried often
   * enough.
   */
  lacking({ id, operation }: JournalEntry): boolean {
    if (!hasAttachments(operation)) return false
    // told of twice, as by one's own user document
    if (!this.#ready.delete(id)) return true
    const refusals = (this.#refusals.get(id) ?? 0) + 1
    this.#refusals.set(id, refusals)
    if (refusals > PATIENCE) return false
    this.#need()
    return true
  }

  refusals(id: string): number {
    return this.#refusals.get(id) ?? 0
  }

  /** @param load loads what then calls `work` */
  onNeeded(load: () => void): void {
    this.#load = load
    if (this.#isNeeded) load()
  }

  work(worker: AttachmentWorker): void {
    this.#worker = worker
  }

  connectionChanged(): void {
    this.#worker?.connectionChanged()
  }

  /** Operations came, were decided or discarded. */
  operationsChanged(): void {
    this.#worker?.look()
  }

  heard(news: unknown): void {
    this.#worker?.heard(news)
  }

  #need(): void {
    this.#isNeeded = true
    if (this.#worker) this.#worker.look()
    else this.#load?.()
  }
}
