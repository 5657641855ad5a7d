/**
 * Compaction in the background: long logs become snapshots. Bytes only, in slices between which the relay does its
 * work; a tail of recent commits stays, so that whoever was away for a moment gets only those. And erasing: what
 * removed messages said goes from log and snapshot.
 */
import { compactUpdates, withoutDeleted } from '@confab/core'
import type { DocumentCommit, LogEntry } from '../store/store.ts'
import type { EngineSettings } from './options.ts'

/** Log entries merged without a pause: about a millisecond. */
const SLICE = 128
/** Commits below the snapshot that stay in the log. */
const KEPT_TAIL = 256
/** The part of `compactAfter` from which on a relay that closes compacts a log: less is quick for who opens it next. */
const LEFT = 1 / 4
/** Milliseconds that a relay that closes takes for it; what is left then is the next start's. */
const CLOSING = 1000
/** Documents looked up at a time. */
const AT_A_TIME = 8

export class Compactor {
  readonly #options: EngineSettings
  readonly #settle: number
  #commits = 0
  /** A removal's text is to be erased: a timer runs, or it is due. */
  #erasing: 'no' | 'waiting' | 'due' = 'no'
  #cancel: () => void = () => {}
  /** Keys of documents of which somebody needs a newer snapshot. */
  readonly #wanted = new Set<number>()
  #running: Promise<void> | null = null
  #isStopped = false
  /** Snapshots from before a sealing are to be looked for. */
  #isStaleDue = false
  /** Key of the document at work, and whether its result is still wanted. */
  #current: { key: number; isWanted: boolean } | null = null

  /** @param settle milliseconds from a removal until its text is erased, with that of others */
  constructor(options: EngineSettings, settle: number) {
    this.#options = options
    this.#settle = settle
    // what was left over from the run before
    this.#commits = options.compactAfter
  }

  /** Takes note of commits; begins when there may be something to do. */
  committed(commits: readonly DocumentCommit[]): void {
    this.#commits += commits.length
    for (const { head, deleted } of commits) if (deleted) this.#drop(head.key)
    if (this.#erasing === 'no' && commits.some(({ removes }) => removes)) this.#eraseLater()
    this.#begin()
  }

  /** Makes a snapshot of this document soon, however short its log is. */
  want(key: number): void {
    if (this.#isStopped) return
    this.#wanted.add(key)
    this.#begin()
  }

  /** Takes up what the run before left over. */
  start(): void {
    this.#erasing = 'due'
    this.#isStaleDue = true
    this.#begin()
  }

  /** What was removed is erased before it resolves, and what is long is compacted, so that a start finds it so. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancel()
    if (this.#erasing === 'waiting') this.#erasing = 'due'
    this.#begin()
    await this.idle()
    const { store, now, logger, compactAfter } = this.#options
    const end = now() + CLOSING
    try {
      const isOver = () => now() > end
      await this.#compactAll((limit) => store.compactable(LEFT * compactAfter, limit), isOver)
      await this.#compactAll((limit) => store.stale(limit), isOver)
    } catch (error) {
      logger.error({ err: error }, 'compaction failed')
    }
    this.#current = null
  }

  #eraseLater(): void {
    this.#erasing = 'waiting'
    this.#cancel = this.#options.after(this.#settle, () => {
      this.#erasing = 'due'
      this.#begin()
    })
  }

  #begin(): void {
    const isDue = this.#commits >= this.#options.compactAfter || this.#erasing === 'due'
    if (this.#running || !(isDue || this.#wanted.size > 0)) return
    this.#running = this.#run().finally(() => {
      this.#running = null
      // what came while it ended
      this.#begin()
    })
  }

  /** Resolves when nothing is being compacted. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  /** The document is about to be replaced: what is being made of it is thrown away. */
  async forget(key: number): Promise<void> {
    if (this.#drop(key)) await this.idle()
  }

  /** Gives whether it is being worked at. */
  #drop(key: number): boolean {
    this.#wanted.delete(key)
    if (this.#current?.key !== key) return false
    this.#current.isWanted = false
    return true
  }

  async #run(): Promise<void> {
    const { store, compactAfter, logger } = this.#options
    const isErasing = this.#erasing === 'due'
    if (isErasing) this.#erasing = 'no'
    const isCompacting = this.#commits >= compactAfter
    if (isCompacting) this.#commits = 0
    try {
      await this.#pause()
      while (isErasing) {
        const due = await store.erasable(AT_A_TIME)
        for (const { key } of due) await this.#erase(key)
        if (due.length < AT_A_TIME) break
      }
      if (isCompacting) await this.#compactAll((limit) => store.compactable(compactAfter, limit))
      if (this.#isStaleDue) {
        this.#isStaleDue = false
        await this.#compactAll((limit) => store.stale(limit))
      }
    } catch (error) {
      // the log goes on growing, and everything can still be read from it
      logger.error({ err: error }, 'compaction failed')
    }
    for (const key of this.#wanted) {
      this.#wanted.delete(key)
      await this.#compact(key).catch((error) => logger.error({ err: error }, 'compaction failed'))
    }
    this.#current = null
  }

  /** @param isOver asked before each document: no other is begun then */
  async #compactAll(
    find: (limit: number) => Promise<{ key: number }[]>,
    isOver = () => this.#isStopped,
  ): Promise<void> {
    for (;;) {
      const due = await find(AT_A_TIME)
      for (const { key } of due) {
        if (isOver()) return
        await this.#compact(key)
      }
      if (due.length < AT_A_TIME) return
    }
  }

  async #erase(key: number): Promise<void> {
    const current = { key, isWanted: true }
    this.#current = current
    await this.#pause()
    const { store } = this.#options
    const { seq, snapshot, entries } = await store.compactionInput(key, true)
    const updates = entries.map(({ update }) => update)
    if (snapshot) updates.push(snapshot.update)
    await this.#pause()
    const erased = withoutDeleted(updates)
    const changed = entries.flatMap((entry, i) => {
      const update = erased[i]
      return update ? [{ seq: entry.seq, update }] : []
    })
    const whole = snapshot && erased.at(-1)
    if (current.isWanted)
      await store.erase(key, seq, whole ? { seq: snapshot.seq, update: whole } : null, changed)
  }

  async #compact(key: number): Promise<void> {
    const current = { key, isWanted: true }
    this.#current = current
    await this.#pause()
    const { snapshot, outboxes, entries } = await this.#options.store.compactionInput(key)
    const last = entries.at(-1)
    if (!last) return
    const seq = last.seq + 1
    const common = await this.#merge(
      snapshot?.update,
      entries.map(({ update }) => update),
    )
    const own: { identity: string; update: Uint8Array }[] = []
    for (const [identity, updates] of byIdentity(outboxes, entries))
      own.push({ identity, update: await this.#merge(undefined, updates) })
    if (current.isWanted)
      await this.#options.store.compact(key, { seq, update: common }, own, seq - KEPT_TAIL)
  }

  /** In slices first, so that only the last step sees everything, and by then there is less of it. */
  async #merge(first: Uint8Array | undefined, updates: readonly Uint8Array[]): Promise<Uint8Array> {
    const parts: Uint8Array[] = first ? [first] : []
    for (let i = 0; i < updates.length; i += SLICE) {
      parts.push(compactUpdates(updates.slice(i, i + SLICE)))
      await this.#pause()
    }
    if (parts.length === 1) return parts[0] as Uint8Array
    const whole = compactUpdates(parts)
    await this.#pause()
    return whole
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.defer(resolve))
  }
}

/** Every identity's own updates, oldest first; only of those who have something new. */
function byIdentity(
  outboxes: readonly { identity: string; update: Uint8Array }[],
  entries: readonly LogEntry[],
): Map<string, Uint8Array[]> {
  const updates = new Map<string, Uint8Array[]>()
  for (const { private: parts } of entries) {
    for (const { identity, update } of parts) {
      if (update.length === 0) continue
      const own = updates.get(identity)
      if (own) own.push(update)
      else updates.set(identity, [update])
    }
  }
  for (const { identity, update } of outboxes) updates.get(identity)?.unshift(update)
  return updates
}
