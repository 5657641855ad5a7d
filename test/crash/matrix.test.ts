import { expect, it } from 'vitest'
import { killAtEachStep } from './matrix.ts'
import { killMigrations } from './migrations.ts'
import { expectNothingLost } from './sentences.ts'
import { STEPS } from './steps.ts'
import { expectOutcomes, printTable } from './table.ts'

it('a relay killed at the steps of a commit, a compaction, an epoch and a timer loses and doubles nothing', async () => {
  const report = await killAtEachStep(STEPS.filter(({ isQuick }) => isQuick))
  printTable(report.results)
  expectOutcomes(report)
  expectNothingLost(report)
}, 120_000)

it.each([1, 2])(
  'a relay killed while it brings a file of schema %i up to date does so at its next start',
  async (version) => {
    const { kills, expected, found, messages } = await killMigrations(version, 9)
    expect(kills).toBeGreaterThan(1)
    expect(messages).toBe(30)
    for (const { statement, contents } of found) expect(contents, `statement ${statement}`).toEqual(expected)
  },
  120_000,
)
