import { expect, test } from 'vitest'
import { readThrough } from './reading.ts'

test('a million messages are read backwards, each once and in order, and take no more memory at the end', async () => {
  const { memory, cpu } = await readThrough(1_000_000)
  const said = memory.map((bytes) => (bytes / 1e6).toFixed(1)).join(', ')
  console.log(`Memory after each tenth, MB: ${said}; CPU: ${Math.round(cpu)} ms`)
  expect(memory.length).toBeGreaterThanOrEqual(9)
  const [first = 0, second = 0] = memory
  // nine tenths are 200 MB of text alone: none of it stays
  expect(memory.at(-1), said).toBeLessThan(Math.max(first, second) + 30e6)
})
