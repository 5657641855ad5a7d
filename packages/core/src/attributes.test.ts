import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AttributesPatch,
  applyAttributesPatch,
  attributesDepth,
  diffAttributes,
  isEmptyPatch,
  PATCH_ENTRIES,
} from './attributes.ts'
import type { Json } from './json.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { parseOperation } from './parse-operation.ts'

const SEED = 20_260_101

/** Small keys and values, so that two values often share paths; and any JSON. */
const overlapping = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 0, 1, 'a', 'b'),
    fc.array(fc.constantFrom<Json>('a', 'b', 'c', 1, null), { maxLength: 4 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'constructor', 'toString'), tie('value'), {
      noNullPrototype: true,
    }),
  ),
})).value
const anyJson = fc.jsonValue({ maxDepth: 6 }).map((value) => withoutPrototypeKeys(value as Json))
const json = fc.oneof(overlapping, anyJson)

/** Refused where JSON enters, so no attributes ever hold it; `-0` is `0` in JSON. */
function withoutPrototypeKeys(value: Json): Json {
  return JSON.parse(JSON.stringify(value), (key, entry) => (key === '__proto__' ? undefined : entry)) as Json
}

const edit = (before: Json, patch: AttributesPatch) =>
  parseOperation(
    { id: '0'.repeat(32), type: 'conversation.update', dateWritten: 1, attributes: patch },
    { ...DEFAULT_LIMITS, conversationAttributesBytes: JSON.stringify(before).length * 8 + 4096 },
  )

describe('attributes', () => {
  test('applying the difference of two values to the first gives the second', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        expect(applyAttributesPatch(before, diffAttributes(before, after))).toEqual(after)
      }),
      { seed: SEED, numRuns: 2000 },
    )
  })

  test('the difference of equal values is empty', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(isEmptyPatch(diffAttributes(value, structuredClone(value)))).toBe(true)
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  test('applying a patch never changes its arguments', () => {
    fc.assert(
      fc.property(json, json, json, (current, before, after) => {
        const patch = diffAttributes(before, after)
        const copies = structuredClone({ current, patch })
        applyAttributesPatch(current, patch)
        expect({ current, patch }).toEqual(copies)
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  test('every difference is a patch that the boundary lets through', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        expect(edit(before, diffAttributes(before, after))).toHaveProperty('ok')
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  test('a difference with more entries than a patch may have replaces the whole value', () => {
    const many = Object.fromEntries(Array.from({ length: PATCH_ENTRIES + 1 }, (_, i) => [`k${i}`, i]))
    const patch = diffAttributes({}, many)
    expect(patch).toEqual({ set: [[[], many]] })
    expect(edit(many, patch)).toHaveProperty('ok')
  })

  test('the deepest attributes that can be created can be set as well', () => {
    let value: Json = 'leaf'
    for (let i = 0; i < attributesDepth(DEFAULT_LIMITS); i++) value = [value]
    expect(edit(value, { set: [[[], value]] })).toHaveProperty('ok')
    const create = { id: '0'.repeat(32), type: 'conversation.create', nonce: '0'.repeat(32), dateWritten: 1 }
    expect(parseOperation({ ...create, attributes: value }, DEFAULT_LIMITS)).toHaveProperty('ok')
    expect(parseOperation({ ...create, attributes: [value] }, DEFAULT_LIMITS)).toHaveProperty(
      'error.code',
      70104,
    )
  })

  describe('two people who react at the same time', () => {
    const both = (before: Json, mine: Json, theirs: Json) => {
      const patches = [diffAttributes(before, mine), diffAttributes(before, theirs)] as const
      const oneWay = patches.reduce(applyAttributesPatch, before)
      const otherWay = [...patches].reverse().reduce(applyAttributesPatch, before)
      return [oneWay, otherWay]
    }
    const sorted = (value: Json) =>
      JSON.parse(JSON.stringify(value), (_, entry) => (Array.isArray(entry) ? entry.sort() : entry))

    test('both keep their reaction to a message that has some', () => {
      const [oneWay, otherWay] = both(
        { reactions: { '👍': ['carol'] } },
        { reactions: { '👍': ['carol', 'alice'] } },
        { reactions: { '👍': ['carol', 'bob'] } },
      )
      expect(sorted(oneWay!)).toEqual({ reactions: { '👍': ['alice', 'bob', 'carol'] } })
      expect(sorted(otherWay!)).toEqual(sorted(oneWay!))
    })

    test('both keep their reaction to a message that had none', () => {
      for (const before of [{}, { reactions: {} }] as Json[]) {
        const [oneWay, otherWay] = both(
          before,
          { reactions: { '👍': ['alice'] } },
          { reactions: { '👍': ['bob'] } },
        )
        expect(sorted(oneWay!)).toEqual({ reactions: { '👍': ['alice', 'bob'] } })
        expect(sorted(otherWay!)).toEqual(sorted(oneWay!))
      }
    })

    test('a reaction stays when the other one, the last of its kind, is taken back', () => {
      const [oneWay, otherWay] = both(
        { reactions: { '👍': ['alice'] } },
        { reactions: {} },
        { reactions: { '👍': ['alice', 'bob'] } },
      )
      expect(oneWay).toEqual({ reactions: { '👍': ['bob'] } })
      expect(otherWay).toEqual({ reactions: { '👍': ['bob'] } })
    })

    test('both keep what they set at different keys', () => {
      const [oneWay, otherWay] = both({ a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: { c: true } })
      expect(oneWay).toEqual({ a: 2, b: { c: true } })
      expect(otherWay).toEqual(oneWay)
    })
  })

  test('a patch reaches no prototype', () => {
    const hostile: AttributesPatch = {
      set: [
        [['__proto__', 'polluted'], true],
        [['a', '__proto__', 'polluted'], true],
        [['constructor', 'prototype', 'polluted'], true],
      ],
      add: [[['__proto__', 'list'], [1]]],
      unset: [['__proto__', 'toString']],
      remove: [[['__proto__', 'list'], [1]]],
    }
    const result = applyAttributesPatch({ a: {} }, hostile)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(Object.hasOwn(Object.prototype, 'toString')).toBe(true)
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect(result).toEqual({ a: {}, constructor: { prototype: { polluted: true } } })
  })
})
