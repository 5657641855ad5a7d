/** Whether work grows as bytes do, counted in steps: pieces of code that are run. */
import type { Coverage } from './coverage.ts'
import type { Target } from './target.ts'

export interface Price {
  bytes: number
  steps: number
}

/** From this size on what every input costs, however small, no longer shows. */
const LEAST_STEPS = 2000
/** Sorting costs a little more than its bytes. */
const MOST = 1.3

function priceOf(target: Target, coverage: Coverage, input: Uint8Array, times: number): Price | null {
  const larger = target.magnified?.(input, times)
  if (!larger) return null
  coverage.take(target.sources)
  larger.run()
  return { bytes: larger.bytes, steps: coverage.steps(target.sources) }
}

/** What the input costs at n times its size and at 2n, if that isn't in proportion; null when it is. */
export function disproportion(
  target: Target,
  coverage: Coverage,
  input: Uint8Array,
): { once: Price; twice: Price } | null {
  const once = priceOf(target, coverage, input, 40)
  const twice = priceOf(target, coverage, input, 80)
  if (!once || !twice || once.steps < LEAST_STEPS) return null
  return twice.steps / once.steps > MOST * (twice.bytes / once.bytes) ? { once, twice } : null
}
