/** What the index of one device is asked, and how much it scores to answer. */
import MiniSearch from 'minisearch'
import { expect, test, vi } from 'vitest'
import { FakeReader } from '../../test/local-reader.ts'
import { type Entry, ShardedIndex } from './shards.ts'
import { termsOf } from './words.ts'

const SHARDS = 20
const MESSAGES = 200

/** Every message has the frequent word, one of a hundred the rare one. */
const entry = (index: number): Entry => ({
  index,
  author: 'ada',
  at: index,
  stamp: 1,
  text: index % 100 === 7 ? `extraordinarily kettle ${index}` : `extraordinarily ${index}`,
})

async function indexOfAll() {
  const index = new ShardedIndex(new FakeReader().files())
  const names = Array.from({ length: SHARDS }, (_, shard) => `CH page${shard}`)
  for (const [shard, name] of names.entries()) {
    const entries = Array.from({ length: MESSAGES }, (_, i) => entry(shard * MESSAGES + i))
    await index.change(name, entries, [])
  }
  return { index, names }
}

test.each(['kett extraord', 'extraord kett', 'extraordinarily k'])(
  'of "%s" the rare beginning is looked for first, and the frequent one only where that was found',
  async (query) => {
    const { index, names } = await indexOfAll()
    // MiniSearch takes one logarithm for each message that it scores
    const scoring = vi.spyOn(Math, 'log')
    const { found } = await index.find(names, termsOf(query), {})
    const scored = scoring.mock.calls.length
    scoring.mockRestore()
    const expected = Array.from({ length: SHARDS * MESSAGES }, (_, i) => i).filter((i) => i % 100 === 7)
    expect(found.map(({ index }) => index)).toEqual(expected.reverse())
    // one shard's worth goes into finding out which is rarer
    expect(scored).toBeLessThanOrEqual(2 * expected.length + MESSAGES + 2)
    expect(scored).toBeGreaterThanOrEqual(2 * expected.length)
  },
)

test('a beginning that nobody wrote ends the looking for the others', async () => {
  const { index, names } = await indexOfAll()
  const searched = vi.spyOn(MiniSearch.prototype, 'search')
  const { found } = await index.find(names, termsOf('extraord kettle zebra'), {})
  const asked = searched.mock.calls.length
  searched.mockRestore()
  expect(found).toEqual([])
  expect(asked).toBe(SHARDS + 3)
})
