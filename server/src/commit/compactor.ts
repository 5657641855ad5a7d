/**
 * Compaction in the background: long logs become snapshots. Bytes only, in slices between which the relay does its
 * work; a tail of recent commits stays, so that whoever was away for a moment gets only those.
 */
import { compactUpdates } from '@confab/core'
import type { LogEntry } from '../store/store.ts'
import type { EngineSettings } from './options.ts'

/** Log entries merged without a pause: about a millisecond. */
const SLICE = 128
/** Commits below the snapshot that stay in the log. */
const KEPT_TAIL = 256
/** Documents looked up at a time. */
const AT_A_TIME = 8

export class Compactor {
  readonly #options: EngineSettings
  #commits = 0
  #running: Promise<void> | null = null
  /** Key of the document at work, and whether its result is still wanted. */
  #current: { key: number; isWanted: boolean } | null = null

  constructor(options: EngineSettings) {
    this.#options = options
    // what was left over from the run before
    this.#commits = options.compactAfter
  }

  /** Takes note of commits; begins when there may be something to do. */
  committed(count: number): void {
    this.#commits += count
    if (this.#commits < this.#options.compactAfter || this.#running) return
    this.#commits = 0
    this.#running = this.#run().finally(() => {
      this.#running = null
    })
  }

  /** Resolves when nothing is being compacted. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  /** The document is about to be replaced: what is being made of it is thrown away. */
  async forget(key: number): Promise<void> {
    if (this.#current?.key !== key) return
    this.#current.isWanted = false
    await this.idle()
  }

  async #run(): Promise<void> {
    const { store, compactAfter, logger } = this.#options
    try {
      for (;;) {
        const due = await store.compactable(compactAfter, AT_A_TIME)
        for (const { key } of due) await this.#compact(key)
        if (due.length < AT_A_TIME) return
      }
    } catch (error) {
      // the log goes on growing, and everything can still be read from it
      logger.error({ err: error }, 'compaction failed')
    }
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
