/** The smallest input found that still fails in the same way. */
import type { Target } from './target.ts'
import { kindOf } from './target.ts'

/** How the input fails; null when it doesn't. */
export async function failureOf(
  target: Pick<Target, 'run'>,
  input: Uint8Array,
): Promise<{ kind: string; error: unknown } | null> {
  try {
    await target.run(input)
    return null
  } catch (error) {
    return { kind: kindOf(error), error }
  }
}

/**
 * Cuts pieces out, from large to small, then makes bytes smaller, until nothing more can go.
 * @param tries runs after which it has to do
 */
export async function shrink(
  target: Pick<Target, 'run'>,
  input: Uint8Array,
  kind: string,
  tries = 3000,
): Promise<Uint8Array> {
  let best = input
  let left = tries
  const take = async (candidate: Uint8Array): Promise<boolean> => {
    if (left-- <= 0 || (await failureOf(target, candidate))?.kind !== kind) return false
    best = candidate
    return true
  }
  for (let before = best; left > 0; before = best) {
    for (let size = best.length; size >= 1; size = size >> 1) {
      for (let at = best.length - size; at >= 0 && left > 0; at = Math.min(at, best.length) - size) {
        if (!(await take(without(best, at, size))) && size <= 8) await take(zeroed(best, at, size))
      }
    }
    for (let at = 0; at < best.length && left > 0; at++) {
      const byte = best[at] as number
      for (const smaller of [0, byte >> 1, byte - 1]) {
        if (smaller >= 0 && smaller < byte && (await take(withByte(best, at, smaller)))) break
      }
    }
    if (best === before) break
  }
  return best
}

const without = (bytes: Uint8Array, at: number, size: number): Uint8Array =>
  Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + size))

function zeroed(bytes: Uint8Array, at: number, size: number): Uint8Array {
  const copy = bytes.slice()
  // the same bytes again would count as a step forward
  if (copy.subarray(at, at + size).every((byte) => byte === 0)) return without(bytes, at, size)
  return copy.fill(0, at, at + size)
}

function withByte(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = byte
  return copy
}
