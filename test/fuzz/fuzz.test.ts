import { afterAll, expect, it } from 'vitest'
import { Fuzzer } from './fuzzer.ts'
import { type Target, toHex } from './target.ts'
import { TARGETS } from './targets.ts'

/** Inputs of each target beside its corpus: some seconds of CPU. `npm run fuzz` goes on for as long as one likes. */
const RUNS: { [target: string]: number } = {
  update: 100,
  'update-bytes': 150,
  history: 10,
  writer: 8,
  wire: 800,
  operation: 80,
  relay: 6,
}
const SEED = 20_260_105

afterAll(() => Promise.all(TARGETS.map((target) => target.close?.())))

const failed = (target: Target, input: Uint8Array, error: unknown) =>
  `npm run fuzz -- ${target.name} --input ${toHex(input)}\n${error instanceof Error ? error.stack : error}`

it.each(TARGETS)(
  '$name holds for every input of its corpus, and for some from a seed',
  async (target) => {
    const fuzzer = new Fuzzer(target, SEED, null)
    const { corpusSize } = fuzzer
    for (let left = corpusSize + (RUNS[target.name] as number); left > 0; left--) {
      const failure = await fuzzer.step()
      expect(failure && failed(target, failure.input, failure.error)).toBe(null)
    }
    expect(fuzzer.runs).toBeGreaterThan(corpusSize)
  },
  120_000,
)
