import { it } from 'vitest'
import { killAtEachStep } from './matrix.ts'
import { expectNothingLost } from './sentences.ts'
import { STEPS } from './steps.ts'
import { expectOutcomes, printTable } from './table.ts'

it.each(Array.from({ length: 10 }, (_, i) => i))(
  'a relay killed at every step of a commit, a compaction, an epoch and a timer loses and doubles nothing (%i)',
  async () => {
    const report = await killAtEachStep(STEPS)
    printTable(report.results)
    expectOutcomes(report)
    expectNothingLost(report)
  },
)
