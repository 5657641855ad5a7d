import { expect, test } from 'vitest'
import { readThrough } from './reading.ts'

test('five thousand messages are read backwards in pages of a hundred, each once and in order', async () => {
  const { memory } = await readThrough(5_000)
  expect(memory.length).toBeGreaterThanOrEqual(9)
}, 60_000)
