/**
 * The manifest of a conversation's sealed history: the root map `history`. Its keys are the numbers of books, from 0,
 * each with the entries of 64 pages in order (the last book with fewer), so that a sealing rewrites 4 kB at most,
 * however long the conversation is. A page begins where the one before it ends, the first at index 0.
 *
 * What the live document says wins over a page: a record in `messages` with the index of a sealed message was edited
 * since, and an index that is `gone` was removed, though the page may not be rewritten yet.
 */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from 'lib0/buffer'

/** Entries in one book. */
export const PAGES_PER_BOOK = 64

/**
 * One page: the last index that belongs to it, how many of its messages exist, bytes of `encodePage`, their hash (`''`
 * while the relay rewrites it, and when nothing is left of it), and a bit for each index that has no message any more,
 * from the page's first on, least significant first, in base64url; left out when all exist.
 */
export type PageEntry = [last: number, count: number, bytes: number, hash: string, gone?: string]

/** A page as the manifest tells of it. */
export interface SealedPage {
  /** Its place in the manifest, from 0. */
  readonly number: number
  readonly first: number
  readonly last: number
  /** Messages that exist. */
  readonly count: number
  /** Messages that exist in all pages before it. */
  readonly before: number
  /** Bytes. */
  readonly bytes: number
  readonly hash: string
  readonly gone: string | undefined
}

export interface Manifest {
  readonly pages: readonly SealedPage[]
  /** The first index that isn't sealed. */
  readonly end: number
  /** Sealed messages that exist. */
  readonly count: number
}

export const EMPTY_MANIFEST: Manifest = { pages: [], end: 0, count: 0 }

/** @param book the value of a key of the root map `history`; undefined when it has none */
export function readManifest(book: (key: string) => unknown): Manifest {
  const pages: SealedPage[] = []
  let end = 0
  let before = 0
  for (let number = 0; ; number++) {
    const entries = book(String(number)) as PageEntry[] | undefined
    if (!entries) return { pages, end, count: before }
    for (const [last, count, bytes, hash, gone] of entries) {
      pages.push({ number: pages.length, first: end, last, count, before, bytes, hash, gone })
      end = last + 1
      before += count
    }
  }
}

/** The page to which an index belongs; undefined when it isn't sealed. */
export function pageOf({ pages, end }: Manifest, index: number): SealedPage | undefined {
  if (index < 0 || index >= end) return undefined
  let low = 0
  let high = pages.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((pages[middle] as SealedPage).last < index) low = middle + 1
    else high = middle
  }
  return pages[low]
}

/** How many sealed messages with an index below `index` exist. */
export function sealedBelow(manifest: Manifest, index: number): number {
  const page = pageOf(manifest, index)
  if (!page) return index < 0 ? 0 : manifest.count
  let count = page.before + index - page.first
  const bits = bitsOf(page)
  if (bits) {
    for (let i = index - page.first - 1; i >= 0; i--) if (isSet(bits, i)) count--
  }
  return count
}

/** Whether the message at a sealed index was removed. */
export function isGone(page: SealedPage, index: number): boolean {
  const bits = bitsOf(page)
  return bits !== null && isSet(bits, index - page.first)
}

/** Of pages that are read message by message. */
const decoded = new WeakMap<SealedPage, Uint8Array>()

function bitsOf(page: SealedPage): Uint8Array | null {
  if (!page.gone) return null
  let bits = decoded.get(page)
  if (!bits) {
    bits = fromBase64UrlEncoded(page.gone)
    decoded.set(page, bits)
  }
  return bits
}

/** The bits of a page in which these indices are gone; undefined for none. */
export function goneBits(first: number, last: number, gone: Iterable<number>): string | undefined {
  const bits = new Uint8Array((last - first + 8) >>> 3)
  for (const index of gone) {
    const i = index - first
    bits[i >>> 3] = (bits[i >>> 3] as number) | (1 << (i & 7))
  }
  return bits.some((byte) => byte !== 0) ? toBase64UrlEncoded(bits) : undefined
}

const isSet = (bits: Uint8Array, i: number): boolean => (((bits[i >>> 3] ?? 0) >>> (i & 7)) & 1) === 1
