/** Rows of one figure after the other, each for Confab and, where wanted, for the peers. */
import { type Row, type RunOptions, rowsOf } from '../scenario.ts'
import { CONFAB, PEERS, type Target } from './targets.ts'

type Names<Figure extends string> = Record<Figure, [what: string, unit: string]>

/** A target that has no such figure gives NaN, and gets no row for it. */
export async function compared<Figure extends string>(
  runs: number,
  { peers }: RunOptions,
  title: string,
  names: Names<Figure>,
  measure: (target: Target) => Promise<Record<Figure, number>>,
  others: readonly Target[] = PEERS,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const target of [CONFAB, ...(peers ? others : [])]) {
    const named = Object.entries<[string, string]>(names).map(([figure, [what, unit]], at) => [
      figure,
      [at === 0 ? `${title}, ${target.name}: ${what}` : `… ${what}`, unit],
    ])
    const measured = await rowsOf(runs, Object.fromEntries(named) as Names<Figure>, () => measure(target))
    rows.push(...measured.filter(({ runs: values }) => values.every((value) => !Number.isNaN(value))))
  }
  return rows
}
