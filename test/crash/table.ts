/** What became of each step, as a table, and what must be true of it. */
import { expect } from 'vitest'
import type { MatrixReport, StepResult } from './matrix.ts'

export function printTable(results: readonly StepResult[]): void {
  const rows = results.map(({ step, posted, stored, told, toldAfterwards }) => [
    step.during,
    step.name,
    `${stored} of ${posted}`,
    `${told.length}`,
    `${toldAfterwards.length}`,
  ])
  const table = [['killed during', 'when', 'on disk', 'told before', 'told after the restart'], ...rows]
  const widths = (table[0] as string[]).map((_, i) =>
    Math.max(...table.map((row) => (row[i] as string).length)),
  )
  const lines = table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  )
  console.log(lines.join('\n'))
}

export function expectOutcomes({ results, inactive }: MatrixReport): void {
  for (const { step, posted, stored, told, toldAfterwards } of results) {
    const name = `${step.during}: ${step.name}`
    // nothing is acknowledged that isn't on disk, and in the end everybody has heard
    expect(told.length, name).toBeLessThanOrEqual(stored)
    expect(told.length + toldAfterwards.length, name).toBe(posted)
    if (step.stored === false) expect(stored, name).toBe(0)
    if (step.stored === true) expect(stored, name).toBeGreaterThan(0)
  }
  expect(inactive.happened).toBe(inactive.due)
}
