/** What is accepted costs in proportion to its bytes: steps are counted, so the machine doesn't matter. */
import { afterAll, expect, it } from 'vitest'
import { inputsOf, readCorpus } from './corpus.ts'
import { disproportion } from './cost.ts'
import { Coverage } from './coverage.ts'
import type { Target } from './target.ts'

// before what it counts in is loaded
const coverage = new Coverage()
const { DeleteSet } = await import('../../packages/core/src/update/delete-set.ts')
const { seeded } = await import('../../packages/core/test/relay-model.ts')
const { updateTarget } = await import('./targets/update.ts')
const { writerTarget } = await import('./targets/writer.ts')
afterAll(() => coverage.stop())

const INPUTS = { update: 8, writer: 1 }

it.each([
  ['updates are read and judged', updateTarget, INPUTS.update],
  ['commits are compacted', writerTarget, INPUTS.writer],
])('%s at a cost that grows as their bytes do', (_, target, count) => {
  const random = seeded(77)
  const made = Array.from({ length: count }, () =>
    Uint8Array.from({ length: 40 + random.int(200) }, () => random.int(256)),
  )
  let measured = 0
  for (const input of [...made, ...inputsOf(readCorpus(target.name)).slice(0, count)]) {
    expect(disproportion(target, coverage, input)).toBe(null)
    measured += stepsOf(target, input) > 2000 ? 1 : 0
  }
  expect(measured).toBeGreaterThan(count / 4)
})

function stepsOf(target: Target, input: Uint8Array): number {
  coverage.take(target.sources)
  target.magnified?.(input, 40)?.run()
  return coverage.steps(target.sources)
}

it('counting would notice work that grows with the square', () => {
  const target: Target = {
    name: 'square',
    about: '',
    bytes: 1,
    sources: ['/packages/core/src/update/delete-set'],
    run() {},
    magnified: (_, times) => ({
      bytes: 100 * times,
      run() {
        const deletes = new DeleteSet()
        for (let i = 0; i < times * times; i++) deletes.add(1, 2 * i, 1)
      },
    }),
  }
  expect(disproportion(target, coverage, new Uint8Array())).not.toBe(null)
})
