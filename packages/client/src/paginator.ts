import { ConfabError } from '@confab/core'

/** One page of a list. The next and the previous page are other objects. */
export interface Paginator<T> {
  hasNextPage: boolean
  hasPrevPage: boolean
  items: T[]
  /** Rejects with `ConfabError` 20404 when there is no next page. */
  nextPage(): Promise<Paginator<T>>
  /** Rejects with `ConfabError` 20404 when there is no previous page. */
  prevPage(): Promise<Paginator<T>>
  /**
   * Indices that belong on this page and are neither on this device nor to be had now, both included: `items` end
   * there. Getting the page in that direction later tries again. Null when nothing is missing.
   */
  absentRange?: { readonly from: number; readonly to: number } | null
}

/** @internal */
export interface PageSource<T> {
  items: T[]
  /** Null when there is no such page. */
  next: (() => Promise<Page<T>>) | null
  prev: (() => Promise<Page<T>>) | null
  absent?: { readonly from: number; readonly to: number } | null
}

/** A page, and how to get its neighbours. */
export class Page<T> implements Paginator<T> {
  /** The page's own, always the same one: apps sort it in place, and name it as a dependency of their effects. */
  readonly items: T[]
  readonly #source: PageSource<T>

  /** @internal */
  constructor(source: PageSource<T>) {
    this.#source = source
    this.items = source.items
  }

  get absentRange(): { readonly from: number; readonly to: number } | null {
    return this.#source.absent ?? null
  }

  get hasNextPage(): boolean {
    return this.#source.next !== null
  }

  get hasPrevPage(): boolean {
    return this.#source.prev !== null
  }

  /** @throws ConfabError 20404 when there is no next page. */
  async nextPage(): Promise<Page<T>> {
    if (!this.#source.next) throw new ConfabError(20404, 'There is no next page')
    return this.#source.next()
  }

  /** @throws ConfabError 20404 when there is no previous page. */
  async prevPage(): Promise<Page<T>> {
    if (!this.#source.prev) throw new ConfabError(20404, 'There is no previous page')
    return this.#source.prev()
  }
}
