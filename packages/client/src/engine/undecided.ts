/** This person's operations in one conversation that the relay has yet to decide, those on their way to the disk included. */
import { type Decision, DraftState, decide, messageSidOf, type Operation } from '@confab/core'
import type { JournalEntry } from '../storage/storage.ts'
import { isHorizon } from './horizons.ts'
import type { ConversationHost } from './host.ts'
import type { Seen } from './seen.ts'

export class Undecided {
  readonly #host: ConversationHost
  readonly #sid: string
  /** Decided here and on their way to the disk. */
  #inflight: Operation[] = []
  /** What is seen, with the ones in flight. */
  #draft: DraftState | null = null
  /** An edit waits for the attachments of the post that it changes. */
  #editWaits = false
  /** A read horizon is pending that the relay isn't told of while it decides the one before. */
  #horizonWaits = false

  constructor(host: ConversationHost, sid: string) {
    this.#host = host
    this.#sid = sid
  }

  /** Those that are durable, in the order of writing. */
  get entries(): readonly JournalEntry[] {
    return this.#host.journal.pending(this.#sid)
  }

  get operations(): Operation[] {
    return this.entries.map((entry) => entry.operation)
  }

  /** How many there are. */
  get count(): number {
    return this.entries.length + this.#inflight.length
  }

  /**
   * Decides an operation on what is seen and what is on its way to the disk, and remembers it if it is accepted.
   * @param isSealed it is about a message that is in a page
   */
  admit(operation: Operation, seen: Seen, isSealed: boolean): Decision {
    const contextFor = this.#host.contextFor(this.#sid)
    if (!this.#draft) {
      this.#draft = new DraftState(seen.state)
      for (const before of this.#inflight) {
        const decision = decide(this.#draft, before, contextFor(before))
        if (decision.verdict === 'accepted') this.#draft.apply(decision.changes)
      }
    }
    let decision = decide(this.#draft, operation, contextFor(operation))
    // its page can't be read now: then it is the relay's to decide
    if (
      operation.type === 'message.edit' &&
      decision.verdict === 'refused' &&
      !this.#draft.message(operation.sid) &&
      isSealed
    )
      decision = { verdict: 'accepted', changes: [] }
    if (decision.verdict === 'accepted' && decision.changes.length > 0) this.#draft.apply(decision.changes)
    if (decision.verdict === 'accepted') this.#inflight.push(operation)
    return decision
  }

  /** Takes back what was admitted: it was not stored. */
  dismiss(operations: readonly Operation[]): void {
    this.#inflight = this.#inflight.filter((one) => !operations.includes(one))
    this.seenAnew()
  }

  /** These are durable now. */
  stored(entries: readonly JournalEntry[]): void {
    const ids = new Set(entries.map((entry) => entry.id))
    this.#inflight = this.#inflight.filter((one) => !ids.has(one.id))
    if (this.#inflight.length === 0) this.seenAnew()
  }

  /** What is seen is another. */
  seenAnew(): void {
    this.#draft = null
  }

  /**
   * Ids of the undecided horizons that need no decision once this one is there; none for other operations. One that
   * is on its way to the relay is left alone: it has probably been decided.
   * @param isOpen the relay is told of what is undecided
   */
  outdatedBy(operations: readonly Operation[], isOpen: boolean): string[] {
    const horizons = this.#horizons()
    const [operation] = operations
    if (!operation || !isHorizon(operation) || horizons.length === 0) return []
    // an advance from where a set puts it needs the set
    const lastSet = horizons.findLastIndex((entry) => entry.operation.type === 'read.set')
    const first = Math.max(operation.type === 'read.set' ? 0 : lastSet + 1, isOpen ? 1 : 0)
    return horizons.slice(first).map((entry) => entry.id)
  }

  /** Ids of those that make or edit this message. */
  of(messageSid: string): string[] {
    return this.entries
      .filter(({ id, operation }) =>
        operation.type === 'message.post'
          ? messageSidOf(id) === messageSid
          : operation.type === 'message.edit' && operation.sid === messageSid,
      )
      .map((entry) => entry.id)
  }

  /** Whether these are held back, being horizons behind one that the relay is deciding. */
  holdsBack(operations: readonly Operation[]): boolean {
    const waits = operations.every(isHorizon) && this.#horizons().length > operations.length
    if (waits) this.#horizonWaits = true
    return waits
  }

  /** Those that don't wait for attachments. */
  sendable(operations: readonly Operation[] = this.operations): Operation[] {
    return operations.filter((operation) => {
      const waits = this.#host.attachments.waits(operation)
      if (waits && operation.type === 'message.edit') this.#editWaits = true
      return !waits
    })
  }

  /** Some were accepted. Gives whether that may let an edit go. */
  freesEdit(): boolean {
    const waited = this.#editWaits
    this.#editWaits = false
    return waited
  }

  /** Gives whether a horizon was held back and may go now. */
  freesHorizon(): boolean {
    if (!this.#horizonWaits || this.#horizons().length > 1) return false
    this.#horizonWaits = false
    return true
  }

  #horizons(): JournalEntry[] {
    return this.entries.filter((entry) => isHorizon(entry.operation))
  }
}
