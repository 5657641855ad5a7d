import { expect, it } from 'vitest'
import { killRelays } from './kills.ts'
import { expectNothingLost } from './sentences.ts'

it('a relay killed at any moment loses nothing that it acknowledged and doubles nothing', async () => {
  const report = await killRelays({ kills: 4, seed: 1 })
  expect(report.acknowledged.size).toBeGreaterThan(10)
  expectNothingLost(report)
}, 60_000)
