/**
 * The journal as the engine holds it in memory: which operations of this identity are undecided or held, by
 * document, in the order of writing. Operations enter memory when they are durable; they leave it at once, and the
 * disk soon after, together with the summaries that show their effect.
 */
import { type DocumentName, messageSidOf } from '@confab/core'
import type {
  Journal,
  JournalEntry,
  JournalWrite,
  NewJournalEntry,
  StoredSummary,
} from '../storage/storage.ts'
import type { Platform } from './platform.ts'

export interface Hold {
  id: string
  error: { code: number; message: string }
  heldAt: number
}

export class OperationJournal {
  readonly #journal: Journal
  readonly #platform: Platform
  readonly #failed: (error: unknown) => void
  readonly #entries = new Map<string, JournalEntry>()
  readonly #pending = new Map<DocumentName, JournalEntry[]>()
  /** What is to be written soon, all in one transaction. */
  #soon: {
    remove: string[]
    hold: Hold[]
    summaries: Map<DocumentName, () => StoredSummary | null>
    values: { [key: string]: unknown }
  } | null = null
  #writing: Promise<unknown> = Promise.resolve()
  #isChangeTold = true
  /** Told after what is pending or held has changed, once for many changes. */
  onChange: () => void = () => {}

  constructor(
    journal: Journal,
    entries: readonly JournalEntry[],
    platform: Platform,
    failed: (error: unknown) => void,
  ) {
    this.#journal = journal
    this.#platform = platform
    this.#failed = failed
    for (const entry of entries) this.add(entry)
  }

  get(id: string): JournalEntry | undefined {
    return this.#entries.get(id)
  }

  /** Undecided operations of one document, in the order of writing. Not to be changed. */
  pending(document: DocumentName): readonly JournalEntry[] {
    return this.#pending.get(document) ?? []
  }

  /** Sids of the messages that undecided operations of one document make, edit or remove. */
  messagesOf(document: DocumentName): Set<string> {
    return new Set(
      this.pending(document).flatMap(({ operation }) =>
        operation.type === 'message.post'
          ? messageSidOf(operation.id)
          : operation.type === 'message.edit' || operation.type === 'message.remove'
            ? operation.sid
            : [],
      ),
    )
  }

  documentsWithPending(): DocumentName[] {
    return [...this.#pending.keys()]
  }

  allPending(): JournalEntry[] {
    return this.#sorted('pending')
  }

  held(): JournalEntry[] {
    return this.#sorted('held')
  }

  /**
   * Appends, and in the same transaction removes. Resolves when it is durable.
   * @throws ConfabError 70501 when storage failed; then nothing of it happened
   */
  async append(
    append: NewJournalEntry[],
    others: { remove?: string[]; values?: { [key: string]: unknown } } = {},
  ): Promise<JournalEntry[]> {
    const writing = this.#journal.write({ append, ...others })
    this.#writing = writing.catch(() => {})
    const entries = await writing
    for (const id of others.remove ?? []) this.forget(id)
    for (const entry of entries) this.add(entry)
    return entries
  }

  /** Takes in an entry that is durable: one's own, or one that another client on this store wrote. */
  add(entry: JournalEntry): void {
    if (this.#entries.has(entry.id)) return
    this.#entries.set(entry.id, entry)
    this.#changed()
    if (entry.state !== 'pending') return
    const list = this.#pending.get(entry.document)
    if (!list) {
      this.#pending.set(entry.document, [entry])
      return
    }
    let at = list.length
    while (at > 0 && (list[at - 1] as JournalEntry).position > entry.position) at--
    list.splice(at, 0, entry)
  }

  /** Forgets an operation in memory alone. */
  forget(id: string): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    this.#entries.delete(id)
    this.#unlist(entry)
    this.#changed()
  }

  /** Forgets operations: accepted, withdrawn or discarded. */
  remove(ids: readonly string[]): void {
    for (const id of ids) this.forget(id)
    this.#writeSoon().remove.push(...ids)
  }

  /** Moves operations to the held list; gives those that were not there. */
  hold(holds: readonly Hold[]): JournalEntry[] {
    const moved = this.holdInMemory(holds)
    if (moved.length > 0) {
      const ids = new Set(moved.map((entry) => entry.id))
      this.#writeSoon().hold.push(...holds.filter((hold) => ids.has(hold.id)))
    }
    return moved
  }

  holdInMemory(holds: readonly Hold[]): JournalEntry[] {
    const moved: JournalEntry[] = []
    for (const { id, error, heldAt } of holds) {
      const entry = this.#entries.get(id)
      if (entry?.state !== 'pending') continue
      this.#unlist(entry)
      const held: JournalEntry = { ...entry, state: 'held', error, heldAt }
      this.#entries.set(id, held)
      moved.push(held)
      this.#changed()
    }
    return moved
  }

  /** Writes the summary as it is then, soon; null removes it. */
  saveSummary(document: DocumentName, summary: () => StoredSummary | null): void {
    this.#writeSoon().summaries.set(document, summary)
  }

  saveValue(key: string, value: unknown): void {
    this.#writeSoon().values[key] = value
  }

  /** Writes what is due now, and waits for every write. */
  async flush(): Promise<void> {
    this.#writeNow()
    await this.#writing
  }

  #changed(): void {
    if (!this.#isChangeTold) return
    this.#isChangeTold = false
    this.#platform.macrotask(() => {
      this.#isChangeTold = true
      this.onChange()
    })
  }

  #writeSoon() {
    if (!this.#soon) {
      this.#soon = { remove: [], hold: [], summaries: new Map(), values: {} }
      this.#platform.macrotask(() => this.#writeNow())
    }
    return this.#soon
  }

  #writeNow(): void {
    const soon = this.#soon
    if (!soon) return
    this.#soon = null
    const write: JournalWrite = { remove: soon.remove, hold: soon.hold, summaries: [], removeSummaries: [] }
    if (Object.keys(soon.values).length > 0) write.values = soon.values
    for (const [document, make] of soon.summaries) {
      const summary = make()
      if (summary) write.summaries?.push(summary)
      else write.removeSummaries?.push(document)
    }
    // What this would have said is learnt again: undecided operations are appended and their outcomes replayed.
    this.#writing = this.#journal.write(write).catch(this.#failed)
  }

  #unlist(entry: JournalEntry): void {
    const list = this.#pending.get(entry.document)
    const at = list?.findIndex((one) => one.id === entry.id) ?? -1
    if (!list || at < 0) return
    list.splice(at, 1)
    if (list.length === 0) this.#pending.delete(entry.document)
  }

  #sorted(state: JournalEntry['state']): JournalEntry[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.state === state)
      .sort((a, b) => a.position - b.position)
  }
}
