import { describe, expect, test } from 'vitest'
import { simulate } from './run.ts'

/** A failing seed replays alone: `npm run simulate -- <seed>`. */
const SEEDS = 120

describe('whatever people do and the network, the devices and the relay suffer', () => {
  test(`everybody ends with the same, nothing acknowledged is lost, nothing is doubled, nobody sees what isn't theirs (${SEEDS} seeds)`, async () => {
    const sums = { operations: 0, epochs: 0, lostRows: 0, restores: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulate(seed)
      expect(result.wrong, `seed ${seed}`).toEqual([])
      sums.operations += result.operations
      sums.epochs += result.epochs
      sums.lostRows += result.lostRows
      sums.restores += result.restores
    }
    // the worlds are worlds: things were done, documents were replaced, writes were lost
    expect(sums.operations).toBeGreaterThan(10 * SEEDS)
    expect(sums.epochs).toBeGreaterThan(0)
    expect(sums.lostRows).toBeGreaterThan(0)
    expect(sums.restores).toBeGreaterThan(0)
    // milliseconds of a loaded machine: a seed costs 50 of CPU
  }, 180_000)

  test('a seed replays exactly', async () => {
    const [once, again] = [await simulate(7), await simulate(7)]
    expect(again).toEqual(once)
  })
})
