import { expect, it } from 'vitest'
import { killAtEachStep } from './matrix.ts'
import { killMigrations } from './migrations.ts'
import { killWhileSealing, SEALING_STEPS } from './sealing.ts'
import { expectLeft, expectNothingLost } from './sentences.ts'
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

it.each(Array.from({ length: 5 }, (_, i) => i))(
  'a relay killed at every step of sealing and erasing loses and doubles nothing, and keeps no removed text (%i)',
  async () => expectLeft(await killWhileSealing(SEALING_STEPS)),
)

it.each([1, 2])(
  'a relay killed at any statement by which it brings a file of schema %i up to date goes on',
  async (version) => {
    const { kills, expected, found } = await killMigrations(version, 1)
    console.log(`schema ${version}: killed at each of ${kills} statements`)
    for (const { statement, contents } of found) expect(contents, `statement ${statement}`).toEqual(expected)
  },
)
