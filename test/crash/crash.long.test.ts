import { expect, it } from 'vitest'
import { killRelays } from './kills.ts'
import { expectNothingLost } from './sentences.ts'

it.each([11, 12, 13, 14])(
  'a relay killed thirty times loses nothing that it acknowledged and doubles nothing (seed %i)',
  async (seed) => {
    const report = await killRelays({ kills: 30, seed })
    expect(report.acknowledged.size).toBeGreaterThan(100)
    expectNothingLost(report)
  },
)
