/** Everything random in a simulated world comes from one seed, so that a failing seed replays alone. */
import * as prng from 'lib0/prng'

export interface Random {
  /** An integer in [min, max]. */
  int(min: number, max: number): number
  /** True with probability `p`. */
  chance(p: number): boolean
  pick<T>(list: readonly T[]): T
  bytes(count: number): Uint8Array<ArrayBuffer>
  /** In [0, 1). */
  real(): number
}

export function seeded(seed: number): Random {
  const generator = prng.create(seed)
  const random: Random = {
    int: (min, max) => prng.int32(generator, min, max),
    chance: (p) => prng.real53(generator) < p,
    pick: (list) => {
      const at = list[prng.int32(generator, 0, list.length - 1)]
      if (at === undefined) throw new Error('nothing to pick from')
      return at
    },
    bytes: (count) => Uint8Array.from({ length: count }, () => prng.int32(generator, 0, 255)),
    real: () => prng.real53(generator),
  }
  return random
}
