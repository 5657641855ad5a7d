/** What a benchmark is, for the program that runs it and writes down what it found. */

/** One figure: its value in each run, and what it is measured in. */
export interface Row {
  what: string
  unit: string
  runs: readonly number[]
}

export interface Scenario {
  /** How it is asked for: `npm run bench -- <name>`. */
  readonly name: string
  /** The heading of its section. */
  readonly title: string
  /** How its figures come about, in a few sentences. */
  readonly how: string
  /** Measures the peers as well when they are wanted. */
  readonly hasPeers?: true
  /** Measures that many times. */
  run(runs: number, options: RunOptions): Promise<Row[]>
  /** What stands below the figures: a plot, and what is to be said of it. */
  after?(rows: readonly Row[]): string
}

export interface RunOptions {
  /** Other servers too, in the same run. */
  peers: boolean
}

/** Fewer runs make no median. */
export const FEWEST_RUNS = 3

/** The one in the middle. */
export function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}

/** Measures again and again, and gives a row for each figure, named as the figures are in `names`. */
export async function rowsOf<Figure extends string>(
  runs: number,
  names: Record<Figure, [what: string, unit: string]>,
  measure: () => Promise<Record<Figure, number>>,
): Promise<Row[]> {
  const found: Record<Figure, number>[] = []
  for (let i = 0; i < runs; i++) found.push(await measure())
  return (Object.entries(names) as [Figure, [string, string]][]).map(([figure, [what, unit]]) => ({
    what,
    unit,
    runs: found.map((one) => one[figure]),
  }))
}
