import { it } from 'vitest'
import { killAtEachStep } from './matrix.ts'
import { expectNothingLost } from './sentences.ts'
import { STEPS } from './steps.ts'
import { expectOutcomes, printTable } from './table.ts'

it('a relay killed at the steps of a commit, a compaction, an epoch and a timer loses and doubles nothing', async () => {
  const report = await killAtEachStep(STEPS.filter(({ isQuick }) => isQuick))
  printTable(report.results)
  expectOutcomes(report)
  expectNothingLost(report)
}, 120_000)
