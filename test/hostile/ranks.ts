/** Whether two lots of numbers come from one source, by their ranks alone: outliers of a busy machine count no more than others. */

/**
 * Mann–Whitney: how far the chance that a number of the first lot is larger than one of the second is from a half, in
 * standard deviations of what it is when both are of one source.
 */
export function rankDistance(
  a: readonly number[],
  b: readonly number[],
): { chance: number; deviations: number } {
  const all = [...a.map((value) => ({ value, isA: true })), ...b.map((value) => ({ value, isA: false }))]
  all.sort((x, y) => x.value - y.value)
  let ranks = 0
  for (let i = 0; i < all.length; ) {
    let j = i
    while (j < all.length && all[j]?.value === all[i]?.value) j++
    // equal numbers share their ranks
    for (let k = i; k < j; k++) if (all[k]?.isA) ranks += (i + 1 + j) / 2
    i = j
  }
  const wins = ranks - (a.length * (a.length + 1)) / 2
  const deviation = Math.sqrt((a.length + b.length + 1) / (12 * a.length * b.length))
  const chance = wins / (a.length * b.length)
  return { chance, deviations: (chance - 0.5) / deviation }
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
