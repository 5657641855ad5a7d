import { describe, expect, it } from 'vitest'
import { admitUpdate, readUpdate } from '../../packages/core/src/update/index.ts'
import { seeded } from '../../packages/core/test/relay-model.ts'
import { TEST_BOUNDS } from '../../packages/core/test/relay-upload.ts'
import { Choices } from './choices.ts'
import { failureOf, shrink } from './shrink.ts'
import { stageOf } from './stage.ts'
import { Finding } from './target.ts'
import { expectSameEffect } from './update-effect.ts'
import { bytesOfPlan, planOf } from './update-plan.ts'

describe('a failing input', () => {
  it('is cut down to what makes it fail', async () => {
    const target = {
      run(input: Uint8Array) {
        const at = input.indexOf(200)
        if (at >= 0 && input.subarray(at).includes(100)) throw new Finding('planted')
      },
    }
    const random = seeded(3)
    const input = Uint8Array.from({ length: 400 }, () => random.int(256))
    input.set([200], 120)
    input.set([100], 300)
    expect((await failureOf(target, input))?.kind).toBe('planted')
    expect([...(await shrink(target, input, 'planted'))]).toEqual([200, 100])
  })

  it('stays one that fails in the same way', async () => {
    const target = {
      run(input: Uint8Array) {
        if (input.length === 0) throw new Error('nothing at all')
        if (input.length > 5) throw new RangeError(`${input.length} bytes`)
      },
    }
    const { kind } = (await failureOf(target, new Uint8Array(50))) ?? { kind: '' }
    expect(await shrink(target, new Uint8Array(50), kind)).toHaveLength(6)
  })
})

describe('choices', () => {
  it('are 0 when the bytes are spent', () => {
    const choices = new Choices(Uint8Array.of(7, 1, 2))
    expect([choices.int(10), choices.int(1000), choices.isSpent]).toEqual([7, 258, true])
    expect([choices.int(10), choices.int(2 ** 32), choices.once(1), choices.once(2)]).toEqual([
      0,
      0,
      true,
      false,
    ])
  })
})

describe('the oracle of admission', () => {
  // an update of which a stock Y.Doc and admission say the same
  const stage = stageOf(2)
  const random = seeded(8)
  const make = (): { bytes: Uint8Array; operations: number } => {
    const input = Uint8Array.from({ length: 200 }, () => random.int(256))
    const bytes = bytesOfPlan(planOf(new Choices(input), stage))
    try {
      const admission = admitUpdate(readUpdate(bytes, TEST_BOUNDS), stage.knowledge)
      return { bytes, operations: admission.kind === 'admitted' ? admission.operations.length : 0 }
    } catch {
      return { bytes, operations: 0 }
    }
  }
  let made = make()
  while (made.operations < 2) made = make()
  const parsed = readUpdate(made.bytes, TEST_BOUNDS)
  const admitted = admitUpdate(parsed, stage.knowledge)
  if (admitted.kind !== 'admitted') throw new Error('not admitted')
  const [operation] = admitted.operations

  it('is content with what is admitted', () => {
    expect(() => expectSameEffect(stage, parsed, admitted)).not.toThrow()
  })

  it.each([
    ['left out', { ...admitted, operations: admitted.operations.slice(1) }],
    [
      'changed',
      { ...admitted, operations: admitted.operations.with(0, { ...operation!, value: 'another' }) },
    ],
    ['left out with its client', { ...admitted, clients: admitted.clients.slice(1) }],
    ['said to be incomplete', { ...admitted, missing: !admitted.missing }],
    ['written without its structs', { ...admitted, structs: [] }],
  ])('finds what is %s', (_, tampered) => {
    expect(() => expectSameEffect(stage, parsed, tampered)).toThrow(Finding)
  })
})
