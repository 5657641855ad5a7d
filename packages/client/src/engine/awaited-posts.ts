/**
 * Posts of this device that the relay accepted, and whose records are in no page that was read so far: the relay sealed
 * them while the device was away. They are shown as they were until their records are at hand.
 */
import { messageSidOf, type Operation } from '@confab/core'
import type { JournalEntry } from '../storage/storage.ts'
import type { History } from './history.ts'
import type { OrderedState } from './seen.ts'

export class AwaitedPosts {
  #posts: readonly Operation[] = []
  /** The highest index known here when a post was first seen undecided, by its id: it got a higher one. */
  readonly #postedAfter = new Map<string, number>()

  get operations(): readonly Operation[] {
    return this.#posts
  }

  /** Some of what was undecided was accepted. */
  accepted(ids: readonly string[], pending: readonly JournalEntry[]): void {
    const accepted = new Set(ids)
    const posts = pending.filter(({ id, operation }) => operation.type === 'message.post' && accepted.has(id))
    if (posts.length > 0) this.#posts = [...this.#posts, ...posts.map(({ operation }) => operation)]
  }

  /** What the relay has is another: those whose records show there are waited for no more. */
  follow(base: OrderedState, pending: readonly JournalEntry[]): void {
    for (const { id, operation } of pending) {
      if (operation.type === 'message.post' && !this.#postedAfter.has(id))
        this.#postedAfter.set(id, base.highestIndex)
    }
    this.drop(
      this.#posts.filter(({ id }) => base.manifest.end === 0 || base.message(messageSidOf(id)) !== undefined),
    )
  }

  /** Looks for them in pages. Gives those that were waited for in vain or found; null while that can't be told. */
  async lookIn(history: History): Promise<readonly Operation[] | null> {
    const posts = this.#posts
    if (posts.length === 0) return null
    const from = Math.min(...posts.map(({ id }) => this.#postedAfter.get(id) ?? -1)) + 1
    const found = await history.find(new Set(posts.map(({ id }) => messageSidOf(id))), from)
    return found === 'unknown' ? null : posts
  }

  drop(posts: readonly Operation[]): void {
    if (posts.length === 0) return
    this.#posts = this.#posts.filter((one) => !posts.includes(one))
    for (const { id } of posts) this.#postedAfter.delete(id)
  }

  /** Nobody is shown them any more. */
  forget(): void {
    this.#posts = []
  }

  /** The document is of another history: what was known of indices holds no more. */
  leave(): void {
    this.forget()
    this.#postedAfter.clear()
  }
}
