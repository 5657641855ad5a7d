/** Takes what was removed from one conversation out of what is stored of it: its document, its pages, the journal. */
import type { History } from './history.ts'
import type { ConversationHost } from './host.ts'
import type { KeptDocument } from './kept-document.ts'
import { ofRemoved, removalsOf } from './removed.ts'
import type { Replica } from './replica.ts'

/** Milliseconds after a removal until the stored copy is rewritten: several removals share one rewriting. */
const ERASE_AFTER = 1000

export interface Erased {
  readonly kept: KeptDocument
  readonly history: History
  /** Null while the document isn't open. */
  replica(): Replica | null
}

export class Eraser {
  readonly #host: ConversationHost
  readonly #sid: string
  readonly #stored: Erased
  /** Messages that are known to be removed, until what was written of them is erased. */
  readonly #removed = new Set<string>()
  #timer: unknown = null
  #erasing: Promise<void> = Promise.resolve()

  constructor(host: ConversationHost, sid: string, stored: Erased) {
    this.#host = host
    this.#sid = sid
    this.#stored = stored
  }

  /** Nothing is due. */
  get idle(): boolean {
    return this.#timer === null
  }

  /** A message was removed. */
  note(messageSid: string): void {
    this.#removed.add(messageSid)
    this.soon()
  }

  /** Something was removed, or went into a page. */
  soon(): void {
    if (this.idle) this.#timer = this.#host.platform.setTimeout(() => this.#now(), ERASE_AFTER)
  }

  /** Does at once what is due. */
  hurry(): void {
    if (!this.idle) this.#now()
  }

  /** The document is of another history: what was known of its messages holds no more. */
  leave(): void {
    this.#removed.clear()
  }

  settled(): Promise<void> {
    return this.#erasing
  }

  #now(): void {
    this.#host.platform.clearTimeout(this.#timer)
    this.#timer = null
    const { kept, history } = this.#stored
    kept.compact()
    history.sweep()
    const replica = this.#stored.replica()
    if (replica?.conversation) this.#erasing = this.#erasing.then(() => this.#eraseOperations(replica))
  }

  /** What this person's accepted operations said of removed messages leaves the journal. */
  async #eraseOperations(replica: Replica): Promise<void> {
    const { journal, identity, platform } = this.#host
    const removed = new Set(this.#removed)
    try {
      const kept = await journal.kept(this.#sid)
      // another document has taken its place: its indices may be another history's
      const now = this.#stored.replica()
      if (now && now !== replica) return
      const erased = ofRemoved(kept, replica, removed)
      if (erased.length > 0) {
        const instead = removalsOf(erased, kept, identity, platform.now())
        await journal.erase(
          erased.map(({ id }) => id),
          instead,
          replica.point,
        )
      }
      for (const sid of removed) this.#removed.delete(sid)
    } catch (error) {
      this.#host.warn('What removed messages said could not be erased: it will be tried again', {
        sid: this.#sid,
        error,
      })
    }
  }
}
