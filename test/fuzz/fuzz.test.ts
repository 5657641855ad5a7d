import { afterAll, describe, expect, it } from 'vitest'
import { inputsOf, readCorpus } from './corpus.ts'
import { Fuzzer } from './fuzzer.ts'
import { failureOf } from './shrink.ts'
import { type Target, toHex } from './target.ts'
import { TARGETS } from './targets.ts'

/** Inputs of each target: together some seconds of CPU. `npm run fuzz` goes on for as long as one likes. */
const RUNS: { [target: string]: number } = {
  update: 300,
  'update-bytes': 1200,
  history: 40,
  writer: 25,
  wire: 2000,
  operation: 250,
  relay: 12,
}
const SEED = 20_260_105

afterAll(() => Promise.all(TARGETS.map((target) => target.close?.())))

const failed = (target: Target, input: Uint8Array, error: unknown) =>
  `npm run fuzz -- ${target.name} --input ${toHex(input)}\n${error instanceof Error ? error.stack : error}`

describe.each(TARGETS)('$about', (target) => {
  it('holds for every input of the corpus', async () => {
    for (const input of inputsOf(readCorpus(target.name))) {
      const failure = await failureOf(target, input)
      expect(failure && failed(target, input, failure.error)).toBe(null)
    }
  }, 120_000)

  it('holds for inputs from a seed', async () => {
    const fuzzer = new Fuzzer(target, SEED, null)
    for (let left = RUNS[target.name] as number; left > 0; left--) {
      const failure = await fuzzer.step()
      expect(failure && failed(target, failure.input, failure.error)).toBe(null)
    }
  }, 120_000)
})
