/**
 * Commits on their way into the tables. A batch of plain commits (posts, edits, read horizons: what changes one
 * document and nothing that is looked up across documents) becomes durable as one row of the journal, which is one page
 * or a few; the rows of the tables, which lie all over the file, follow later and together for several commits of a
 * document. What is read of a document is folded into the tables first; what a crash left is folded at the next start.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import type { DecidedOperation, DocumentCommit, Head } from '../store.ts'
import { decodeCommits, encodeCommits } from './journal-rows.ts'
import type { SqliteReads } from './reads.ts'
import type { SqliteWrites } from './writes.ts'

/** How much waits for its writing into the tables, at most: what a start after a crash has to make up for. */
export interface JournalBounds {
  rows: number
  /** Of updates. */
  bytes: number
}

const DEFAULT_BOUNDS: JournalBounds = { rows: 4096, bytes: 4 * 2 ** 20 }

/** Rows that are written beside a batch, beyond as many as it brings. */
const SLICE = 128

/** What of a commit the journal takes; a field that isn't known here makes it one that is written at once. */
const PLAIN = new Set([
  'head',
  'expectedSeq',
  'entry',
  'mapItems',
  'messages',
  'reads',
  'outboxClients',
  'decided',
  'transition',
])

/** A row of the journal, and how many of its commits aren't in the tables yet. */
interface Row {
  slot: number
  left: number
}

/** What SQLite says of a disk that is full (`SQLITE_FULL`), or fails (`SQLITE_IOERR`). */
const isOfTheDisk = ({ errcode = 0 }: { errcode?: number }): boolean =>
  (errcode & 0xff) === 13 || (errcode & 0xff) === 10

/** What waits of one document, oldest first. */
interface Waiting {
  readonly name: string
  readonly commits: { commit: DocumentCommit; row: Row; weight: number }[]
  /** Decided in them, by id. */
  readonly decided: Map<string, DecidedOperation>
}

export class Journal {
  readonly #db: DatabaseSync
  readonly #reads: SqliteReads
  readonly #writes: SqliteWrites
  readonly #bounds: JournalBounds
  readonly #put: StatementSync
  /** By key, the one that has waited longest first. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #byName = new Map<string, number>()
  /** Rows of which nothing waits any more: their bytes are overwritten by the next. */
  #free: number[] = []
  #slots = 0
  /** Batches so far: their order is that of their commits. */
  #batches = 0
  #weight = 0
  #bytes = 0

  constructor(db: DatabaseSync, reads: SqliteReads, writes: SqliteWrites, bounds = DEFAULT_BOUNDS) {
    this.#bounds = bounds
    this.#db = db
    this.#reads = reads
    this.#writes = writes
    this.#put = db.prepare(
      'INSERT INTO journal (slot, batch, commits) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET batch = excluded.batch, commits = excluded.commits',
    )
    this.#replay()
  }

  /** Folds what the run before left. On a disk that takes no more writes it waits on, as after any other commit. */
  #replay(): void {
    const rows = this.#db.prepare('SELECT slot, batch, commits FROM journal ORDER BY batch').all() as {
      slot: number
      batch: number
      commits: Uint8Array
    }[]
    if (rows.length === 0) return
    const used = new Set(rows.map(({ slot }) => slot))
    this.#slots = Math.max(...used) + 1
    for (let slot = 0; slot < this.#slots; slot++) if (!used.has(slot)) this.#free.push(slot)
    this.#batches = (rows.at(-1)?.batch ?? 0) + 1
    for (const { slot, commits } of rows) {
      this.#hold(
        decodeCommits(commits).filter((commit) => this.#isAhead(commit)),
        slot,
      )
    }
    try {
      this.#writes.transaction(() => {
        for (const key of this.#waiting.keys()) this.#fold(key)
        this.clear()
      })
      for (const key of [...this.#waiting.keys()]) this.#forget(key)
    } catch (error) {
      if (!isOfTheDisk(error as object)) throw error
    }
  }

  /** Not in the tables: it may have been folded, and its row not yet overwritten. */
  #isAhead({ head: { key, epoch, seq } }: DocumentCommit): boolean {
    const stored = this.#reads.standing(key)
    return stored.epoch < epoch || (stored.epoch === epoch && stored.seq < seq)
  }

  /** Writes all commits in one transaction. Gives the keys of new documents, in order. */
  commit(commits: readonly DocumentCommit[]): number[] {
    const made: number[] = []
    const plain: DocumentCommit[] = []
    const folded: number[] = []
    const slot = this.#free.at(-1) ?? this.#slots
    // the order of several commits of one document is that of the tables
    const isOneEach = new Set(commits.map(({ head }) => head.key)).size === commits.length
    const settled = this.#writes.transaction(() => {
      for (const commit of commits) {
        if (isOneEach && isPlain(commit)) {
          this.#expect(commit)
          plain.push(commit)
        } else {
          const { key } = commit.head
          if (this.#waiting.has(key) && !folded.includes(key)) {
            this.#fold(key)
            folded.push(key)
          }
          const put = this.#writes.put(commit)
          if (key === 0) made.push(put)
        }
      }
      if (plain.length > 0) this.#put.run(slot, this.#batches, encodeCommits(plain))
      return this.#settle(weightOf(plain))
    })
    if (plain.length > 0) this.#take(plain, slot)
    for (const key of folded) this.#forget(key)
    for (const [key, count] of settled) this.#forget(key, count)
    return made
  }

  /** Outcomes of operations decided before, those that the tables don't have yet included. */
  decided(key: number, ids: readonly string[]): DecidedOperation[] {
    // the first decision stands
    const found = this.#reads.decided(key, ids)
    const waiting = this.#waiting.get(key)?.decided
    if (!waiting || found.length === ids.length) return found
    for (const id of ids) {
      const known = waiting.get(id)
      if (known && !found.some((one) => one.id === id)) found.push(known)
    }
    return found
  }

  /** Asks the tables something of one document, after what waits of it was written there. */
  readingOf<Result>(key: number, ask: () => Result): Result {
    return this.#waiting.has(key) ? this.#reading([key], ask) : ask()
  }

  readingNamed<Result>(serviceSid: string, documents: readonly string[], ask: () => Result): Result {
    if (this.#byName.size === 0) return ask()
    const keys: number[] = []
    for (const document of documents) {
      const key = this.#byName.get(nameOf(serviceSid, document))
      if (key !== undefined) keys.push(key)
    }
    return keys.length > 0 ? this.#reading(keys, ask) : ask()
  }

  /** Asks the tables anything. */
  reading<Result>(ask: () => Result): Result {
    return this.#waiting.size > 0 ? this.#reading([...this.#waiting.keys()], ask) : ask()
  }

  /** Before something else is written of a document, or with no key of any. */
  fold(key?: number): void {
    if (key !== undefined && this.#waiting.has(key)) this.#foldAll([key])
    else if (key === undefined && this.#waiting.size > 0) this.#foldAll([...this.#waiting.keys()])
  }

  /** Asks the tables how far documents have come, give or take so many commits of each. */
  readingAbout<Result>(commits: number, ask: () => Result): Result {
    const keys: number[] = []
    for (const [key, waiting] of this.#waiting) if (waiting.commits.length > commits) keys.push(key)
    return keys.length > 0 ? this.#reading(keys, ask) : ask()
  }

  #reading<Result>(keys: readonly number[], ask: () => Result): Result {
    try {
      this.#foldAll(keys)
    } catch (error) {
      // the disk takes nothing: this question alone sees what waits, and it stays where it is
      return this.#writes.passing(() => {
        for (const key of keys) this.#fold(key)
        const before = this.#reads.changes()
        const answer = ask()
        // it was no question: what it wrote can't stay
        if (this.#reads.changes() !== before) throw error
        return answer
      })
    }
    return ask()
  }

  #foldAll(keys: readonly number[]): void {
    this.#unsynced(() => {
      for (const key of keys) this.#fold(key)
    })
    for (const key of keys) this.#forget(key)
  }

  /** Everything is in the tables, and no byte of it in the journal. To be done in a transaction of the caller's. */
  clear(): void {
    this.#db.exec('DELETE FROM journal')
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────────────

  /** Another sequence number than expected means a second writer. */
  #expect({ head, expectedSeq }: DocumentCommit): void {
    const before = this.#waiting.get(head.key)?.commits.at(-1)?.commit.head.seq
    const seq = before ?? this.#reads.standing(head.key).seq
    if (seq === expectedSeq) return
    throw new ConfabError(
      70502,
      `somebody else wrote ${head.document}: commit ${expectedSeq} isn't its next one`,
    )
  }

  #fold(key: number, count?: number): void {
    const { commits } = this.#waiting.get(key) as Waiting
    const some = count === undefined ? commits : commits.slice(0, count)
    this.#writes.fold(
      key,
      some.map(({ commit }) => commit),
    )
  }

  /** Writes some of what has waited longest, when too much does. Gives which, and how many commits of each. */
  #settle(more: number): [key: number, count: number][] {
    const settled: [number, number][] = []
    const isTooMuch = this.#weight + more > this.#bounds.rows || this.#bytes > this.#bounds.bytes
    let room = isTooMuch ? Math.max(SLICE, 2 * more) : 0
    if (room === 0) return settled
    for (const [key, { commits }] of this.#waiting) {
      let count = 0
      while (count < commits.length && room > 0) room -= (commits[count++] as { weight: number }).weight
      this.#fold(key, count)
      settled.push([key, count])
      if (room <= 0) break
    }
    return settled
  }

  /** They are in the tables. */
  #forget(key: number, count?: number): void {
    const waiting = this.#waiting.get(key)
    if (!waiting) return
    const gone = waiting.commits.splice(0, count ?? waiting.commits.length)
    for (const { commit, row, weight } of gone) {
      this.#weight -= weight
      this.#bytes -= commit.entry.update.length
      for (const { id } of commit.decided) waiting.decided.delete(id)
      if (--row.left === 0) this.#free.push(row.slot)
    }
    if (waiting.commits.length > 0) return
    this.#waiting.delete(key)
    this.#byName.delete(waiting.name)
  }

  #take(commits: readonly DocumentCommit[], slot: number): void {
    if (slot === this.#slots) this.#slots++
    else this.#free.pop()
    this.#batches++
    this.#hold(commits, slot)
  }

  #hold(commits: readonly DocumentCommit[], slot: number): void {
    if (commits.length === 0) this.#free.push(slot)
    const row: Row = { slot, left: commits.length }
    for (const commit of commits) {
      const { key } = commit.head
      let waiting = this.#waiting.get(key)
      if (!waiting) {
        waiting = { name: this.#nameOf(commit.head), commits: [], decided: new Map() }
        this.#waiting.set(key, waiting)
        this.#byName.set(waiting.name, key)
      }
      const weight = weightOf([commit])
      waiting.commits.push({ commit, row, weight })
      // the first decision stands
      for (const one of commit.decided) if (!waiting.decided.has(one.id)) waiting.decided.set(one.id, one)
      this.#weight += weight
      this.#bytes += commit.entry.update.length
    }
  }

  /** What is read back has no names with it. */
  #nameOf({ key, serviceSid, document }: Head): string {
    if (document !== '') return nameOf(serviceSid, document)
    return nameOf(...this.#reads.nameOf(key))
  }

  /** The journal has it on disk: the tables need no flushing of their own. */
  #unsynced(work: () => void): void {
    this.#db.exec('PRAGMA synchronous = NORMAL')
    try {
      this.#writes.transaction(work)
    } finally {
      this.#db.exec('PRAGMA synchronous = FULL')
    }
  }
}

const nameOf = (serviceSid: string, document: string): string => `${serviceSid} ${document}`

/** Rows that they become, about. */
const weightOf = (commits: readonly DocumentCommit[]): number =>
  commits.reduce((sum, { decided, mapItems, messages }) => {
    return sum + 1 + decided.length + mapItems.length + messages.put.length
  }, 0)

function isPlain(commit: DocumentCommit): boolean {
  if (commit.head.key === 0 || commit.messages.delete.length > 0 || commit.reads.delete.length > 0)
    return false
  for (const field in commit) if (!PLAIN.has(field)) return false
  return true
}
