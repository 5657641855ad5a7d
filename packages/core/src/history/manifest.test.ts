import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  goneBits,
  isGone,
  PAGES_PER_BOOK,
  type PageEntry,
  pageOf,
  readManifest,
  sealedBelow,
} from './manifest.ts'

/** A manifest of pages of these lengths in which every index of `gone` was removed. */
function manifestOf(lengths: readonly number[], gone: ReadonlySet<number>) {
  const entries: PageEntry[] = []
  let first = 0
  for (const length of lengths) {
    const last = first + length - 1
    const lost = [...gone].filter((index) => index >= first && index <= last)
    const bits = goneBits(first, last, lost)
    const entry: PageEntry = [last, length - lost.length, 100 * length, `hash of ${first}`]
    entries.push(bits === undefined ? entry : [last, entry[1], entry[2], entry[3], bits])
    first = last + 1
  }
  return readManifest((key) => {
    const book = entries.slice(Number(key) * PAGES_PER_BOOK, (Number(key) + 1) * PAGES_PER_BOOK)
    return book.length > 0 ? book : undefined
  })
}

describe('the manifest', () => {
  test('knows how many sealed messages exist below any index, and where each belongs', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 150 })
    fc.assert(
      fc.property(lengths, fc.uniqueArray(fc.nat(1500)), (lengths, gone) => {
        const lost = new Set(gone)
        const manifest = manifestOf(lengths, lost)
        const end = lengths.reduce((sum, length) => sum + length, 0)
        expect(manifest.end).toBe(end)
        let count = 0
        for (let index = 0; index < end; index++) {
          expect(sealedBelow(manifest, index)).toBe(count)
          const page = pageOf(manifest, index)
          if (!page) throw new Error(`No page has ${index}`)
          expect(index >= page.first && index <= page.last).toBe(true)
          expect(isGone(page, index)).toBe(lost.has(index))
          if (!lost.has(index)) count++
        }
        expect(manifest.count).toBe(count)
        expect(sealedBelow(manifest, end + 5)).toBe(count)
        expect(sealedBelow(manifest, -1)).toBe(0)
        expect(pageOf(manifest, end)).toBeUndefined()
      }),
      { seed: 7, numRuns: 100 },
    )
  })
})
