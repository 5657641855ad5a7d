/**
 * A conversation's sealed history as the relay holds it: the manifest, entry by entry, and which of its books have
 * changed since they were last written.
 */
import {
  goneBits,
  isGone,
  type MessageRecord,
  PAGES_PER_BOOK,
  type PageEntry,
  readManifest,
} from '@confab/core'

/** What an item of `messages` takes beside its texts, about: the keys, sids and dates of its record. */
const RECORD_BYTES = 150

/** Bytes of a message in the live document, near enough for bounds. Migration 5 counts the same in SQL. */
export function weightOf({ body, subject, attributes, media }: MessageRecord): number {
  let bytes = RECORD_BYTES
  if (body !== undefined) bytes += Buffer.byteLength(body)
  if (subject !== undefined) bytes += Buffer.byteLength(subject)
  if (attributes !== undefined) bytes += Buffer.byteLength(JSON.stringify(attributes))
  if (media !== undefined) bytes += Buffer.byteLength(JSON.stringify(media))
  return bytes
}

/** A page, made of the rows as they were read. */
export interface MadePage {
  readonly hash: string
  /** Bytes before they were deflated. */
  readonly bytes: number
  readonly deflated: Uint8Array
}

interface Page {
  readonly first: number
  entry: PageEntry
}

export class History {
  readonly #pages: Page[] = []
  /** Numbers of books that aren't written as they are. */
  readonly #dirty = new Set<number>()
  #unmade = 0

  /** @param book the value of a key of the root map `history` */
  constructor(book: (key: string) => unknown) {
    for (const { first, last, count, bytes, hash, gone } of readManifest(book).pages) {
      const entry: PageEntry = [last, count, bytes, hash]
      if (gone !== undefined) entry.push(gone)
      this.#pages.push({ first, entry })
      if (isUnmade(entry)) this.#unmade++
    }
  }

  /** The first index that isn't sealed. */
  get end(): number {
    const newest = this.#pages.at(-1)
    return newest ? newest.entry[0] + 1 : 0
  }

  /** Pages that lost a message, and have others left. */
  get unmade(): number {
    return this.#unmade
  }

  get length(): number {
    return this.#pages.length
  }

  page(number: number): Readonly<Page> {
    return this.#pages[number] as Page
  }

  /** The number of the oldest page that has to be made anew; −1 for none. */
  firstUnmade(): number {
    return this.#unmade === 0 ? -1 : this.#pages.findIndex(({ entry }) => isUnmade(entry))
  }

  /** The number of the page to which a sealed index belongs. */
  numberOf(index: number): number {
    let low = 0
    let high = this.#pages.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.page(middle).entry[0] < index) low = middle + 1
      else high = middle
    }
    return low
  }

  add(entry: PageEntry): void {
    this.#pages.push({ first: this.end, entry })
    if (isUnmade(entry)) this.#unmade++
    this.#touch(this.#pages.length - 1)
  }

  /** The page as it was made anew. */
  replace(number: number, { hash, bytes }: MadePage): void {
    const page = this.#pages[number] as Page
    if (isUnmade(page.entry)) this.#unmade--
    const [last, count, , , gone] = page.entry
    page.entry = gone === undefined ? [last, count, bytes, hash] : [last, count, bytes, hash, gone]
    this.#touch(number)
  }

  /** A sealed message was removed. Gives the hash of the page that nobody may read any more, if there is one. */
  remove(index: number): string | null {
    const number = this.numberOf(index)
    const page = this.#pages[number] as Page
    const [last, count, bytes, hash, gone] = page.entry
    if (isUnmade(page.entry)) this.#unmade--
    const left = count - 1
    page.entry = [last, left, left === 0 ? 0 : bytes, '', withBit(page.first, last, gone, index)]
    if (left > 0) this.#unmade++
    this.#touch(number)
    return hash === '' ? null : hash
  }

  isGone(index: number): boolean {
    const { first, entry } = this.page(this.numberOf(index))
    const [last, count, bytes, hash, gone] = entry
    return isGone({ number: 0, before: 0, first, last, count, bytes, hash, gone }, index)
  }

  /** The books that have changed since this was asked last. */
  *takeBooks(): Iterable<[key: string, entries: PageEntry[]]> {
    for (const book of this.#dirty) {
      const pages = this.#pages.slice(book * PAGES_PER_BOOK, (book + 1) * PAGES_PER_BOOK)
      yield [String(book), pages.map(({ entry }) => entry)]
    }
    this.#dirty.clear()
  }

  #touch(number: number): void {
    this.#dirty.add(Math.floor(number / PAGES_PER_BOOK))
  }
}

/** The entry of a page that begins at `first`. Of its indices, those of `exists` have a message. */
export function entryOf(
  first: number,
  last: number,
  exists: ReadonlySet<number>,
  made: Pick<MadePage, 'bytes' | 'hash'>,
): PageEntry {
  const lost: number[] = []
  for (let index = first; index <= last; index++) if (!exists.has(index)) lost.push(index)
  const gone = goneBits(first, last, lost)
  const entry: PageEntry = [last, exists.size, made.bytes, made.hash]
  if (gone !== undefined) entry.push(gone)
  return entry
}

const isUnmade = ([, count, , hash]: PageEntry): boolean => count > 0 && hash === ''

function withBit(first: number, last: number, gone: string | undefined, index: number): string {
  const bits = new Uint8Array((last - first + 8) >>> 3)
  if (gone !== undefined) bits.set(Buffer.from(gone, 'base64url'))
  const i = index - first
  bits[i >>> 3] = (bits[i >>> 3] as number) | (1 << (i & 7))
  return Buffer.from(bits).toString('base64url')
}
