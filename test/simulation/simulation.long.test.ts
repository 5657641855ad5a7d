import { expect, test } from 'vitest'
import { simulate } from './run.ts'

/** Other seeds in every run; the one that fails is named. */
const FIRST = Number(process.env.CONFAB_SEED ?? Math.floor(Math.random() * 2 ** 31))
const SEEDS = 5000

test(`${SEEDS} worlds from seed ${FIRST} end in peace`, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    expect((await simulate(seed)).wrong, `seed ${seed}`).toEqual([])
  }
})
