/**
 * Read horizons on their way to the disk. An app moves one for every message that scrolls by; of those that wait for
 * the write before them the furthest is enough, and stands for all.
 */
import type { Operation } from '@confab/core'
import type { OperationDraft } from './engine.ts'

type Horizon = Extract<OperationDraft, { type: 'read.advance' | 'read.set' }>

export const isHorizon = <T extends Pick<OperationDraft, 'type'>>(
  one: T,
): one is T & { type: Horizon['type'] } => one.type === 'read.advance' || one.type === 'read.set'

/** Those of one conversation. */
export class Horizons {
  /** Settles with the newest write. Never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  /** The advance that is written next. */
  #next: { index: number; written: Promise<Operation[]> } | null = null

  /** @param write makes it durable, one after the other */
  submit(draft: Horizon, write: (draft: Horizon) => Promise<Operation[]>): Promise<Operation[]> {
    if (draft.type === 'read.set') {
      // what comes after it must not go before it
      this.#next = null
      return this.#append(() => write(draft))
    }
    if (this.#next) {
      this.#next.index = Math.max(this.#next.index, draft.index)
      return this.#next.written
    }
    const next = { index: draft.index, written: Promise.resolve<Operation[]>([]) }
    this.#next = next
    next.written = this.#append(() => {
      if (this.#next === next) this.#next = null
      return write({ ...draft, index: next.index })
    })
    return next.written
  }

  #append(write: () => Promise<Operation[]>): Promise<Operation[]> {
    const written = this.#last.then(write)
    this.#last = written.catch(() => {})
    return written
  }
}
