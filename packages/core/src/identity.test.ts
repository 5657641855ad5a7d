import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfabError } from './error.ts'
import { bindingType, normaliseIdentity, wellFormed } from './identity.ts'
import { DEFAULT_LIMITS } from './limits.ts'

const codeOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfabError) return error.code
    throw error
  }
  return null
}

describe('an identity', () => {
  test('that is written in two ways is one person', () => {
    expect(normaliseIdentity('Zoe\u0301', DEFAULT_LIMITS)).toBe(normaliseIdentity('Zo\u00e9', DEFAULT_LIMITS))
  })

  test('is the same when it is normalised again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
        fc.pre(codeOf(() => normaliseIdentity(text, DEFAULT_LIMITS)) === null)
        const once = normaliseIdentity(text, DEFAULT_LIMITS)
        expect(normaliseIdentity(once, DEFAULT_LIMITS)).toBe(once)
      }),
      { seed: 20_260_104 },
    )
  })

  test.each([
    ['empty', ''],
    ['a lone surrogate', 'a\ud800'],
    ['a control character', 'a\u0000b'],
    ['a C1 control character', 'a\u0085b'],
    ['too long', 'x'.repeat(257)],
    ['far too long', 'x'.repeat(1_000_000)],
    ['too long once it is normalised', '\u0958'.repeat(200)],
  ])('that is %s is refused', (_, text) => {
    expect(codeOf(() => normaliseIdentity(text, DEFAULT_LIMITS))).toBe(20001)
  })

  test('may have 256 characters outside the basic plane', () => {
    expect(normaliseIdentity('😀'.repeat(256), DEFAULT_LIMITS)).toBe('😀'.repeat(256))
  })
})

describe('a binding', () => {
  test.each([
    ['+4915112345678', '+18005550100', 'sms'],
    ['whatsapp:+4915112345678', 'whatsapp:+18005550100', 'whatsapp'],
    ['alice@example.org', 'desk@example.org', 'email'],
    ['4915112345678', '+18005550100', 50407],
    ['+0915112345678', '+18005550100', 50407],
    ['whatsapp:alice', 'whatsapp:+18005550100', 50407],
    ['', '+18005550100', 50407],
    ['+4915112345678', 'desk', 50408],
    ['+4915112345678', '+4915112345678', 50409],
    ['+4915112345678', 'whatsapp:+18005550100', 50414],
  ] as const)('of %s and %s is %s', (address, proxyAddress, expected) => {
    const run = () => bindingType({ address, proxyAddress })
    if (typeof expected === 'string') expect(run()).toBe(expected)
    else expect(codeOf(run)).toBe(expected)
  })
})

test('text with a lone surrogate is made well-formed', () => {
  expect(wellFormed('a\ud800b')).toBe('a\ufffdb')
})
