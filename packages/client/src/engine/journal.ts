/**
 * The journal as the engine holds it in memory: which operations of this identity are undecided or held, by
 * document, in the order of writing. Operations enter memory when they are durable; they leave it at once, and the
 * disk soon after, together with the summaries that show their effect.
 */
import { type DocumentName, messageSidOf, type Operation, type ResumePoint } from '@confab/core'
import type {
  Journal,
  JournalEntry,
  JournalWrite,
  Keep,
  NewJournalEntry,
  StoredSummary,
} from '../storage/storage.ts'
import type { Platform } from './platform.ts'

export interface Hold {
  id: string
  error: { code: number; message: string }
  heldAt: number
}

/** Accepted operations are kept so long, in milliseconds, and so many of them: docs/design.md, "A restored backup". */
const KEEP_FOR = 7 * 24 * 3_600_000
const KEEP_MOST = 1000
const PRUNE_EVERY = 200

/** Nothing to bring again: a horizon stands on an index, which may come to be another message's. */
const isForTheMoment = ({ type }: Operation): boolean =>
  type === 'read.advance' || type === 'read.set' || type === 'message.restore'

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
    keep: Keep[]
    summaries: Map<DocumentName, () => StoredSummary | null>
    values: { [key: string]: unknown }
  } | null = null
  #writing: Promise<unknown> = Promise.resolve()
  /** What was kept for long goes with the first write, and with one now and then. */
  #isPruneDue = true
  #keeps = 0
  /** Documents of which accepted operations may be kept: as stored when that was first asked, and since. */
  #keptBefore: Promise<ReadonlySet<DocumentName>> | null = null
  readonly #keptSince = new Set<DocumentName>()
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

  /**
   * Appends operations as undecided ones, those that are kept where they stood. Resolves when it is durable.
   * @param last of these, the ids of those that are to stand behind all others
   */
  again(
    entries: readonly Pick<JournalEntry, 'id' | 'document' | 'operation'>[],
    last: string[] = [],
  ): Promise<JournalEntry[]> {
    return this.append(
      entries.map(({ id, document, operation }) => ({ id, document, operation, state: 'pending' })),
      { remove: last },
    )
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
    this.#keptSince.add(entry.document)
    this.#unlist(entry)
    this.#changed()
  }

  /** Forgets operations: withdrawn, discarded or without a purpose. */
  remove(ids: readonly string[]): void {
    for (const id of ids) this.forget(id)
    this.#writeSoon().remove.push(...ids)
  }

  /** Sets an accepted operation aside. @param point where its document stands with it */
  keep({ id, operation }: JournalEntry, { commitsId, clock }: ResumePoint): void {
    if (isForTheMoment(operation)) {
      this.remove([id])
      return
    }
    this.forget(id)
    if (++this.#keeps % PRUNE_EVERY === 0) this.#isPruneDue = true
    this.#writeSoon().keep.push({ id, heldAt: this.#platform.now(), acceptedBy: { commitsId, clock } })
  }

  /** What was accepted lately in a document, or in all, in the order of writing. */
  async kept(document?: DocumentName): Promise<JournalEntry[]> {
    if (document && !this.#keptSince.has(document) && !(await this.#keptAtFirst()).has(document)) return []
    await this.flush()
    return this.#journal.kept(document)
  }

  #keptAtFirst(): Promise<ReadonlySet<DocumentName>> {
    const reading =
      this.#keptBefore ?? this.#journal.kept().then((kept) => new Set(kept.map((one) => one.document)))
    reading.catch(() => {
      this.#keptBefore = null
    })
    this.#keptBefore = reading
    return reading
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
      this.#soon = { remove: [], hold: [], keep: [], summaries: new Map(), values: {} }
      this.#platform.macrotask(() => this.#writeNow())
    }
    return this.#soon
  }

  #writeNow(): void {
    const soon = this.#soon
    if (!soon) return
    this.#soon = null
    const write: JournalWrite = { ...soon, summaries: [], removeSummaries: [] }
    if (this.#isPruneDue) {
      this.#isPruneDue = false
      write.prune = { before: this.#platform.now() - KEEP_FOR, most: KEEP_MOST }
    }
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
