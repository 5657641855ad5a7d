/** How the client's benchmarks say what they measured. */

/** The one in the middle. */
export const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

/** One line: the median of the runs, in milliseconds, and all of them. */
export function print(what: string, times: readonly number[]): void {
  console.log(
    `${what}: ${medianOf(times).toFixed(1)} ms (runs: ${times.map((time) => time.toFixed(1)).join(' ')})`,
  )
}
