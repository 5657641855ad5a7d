import { describe, expect, test } from 'vitest'
import { joiningHeader, readHeader, segmentsOf } from './segments.ts'

describe('parts of a short message', () => {
  test.each([
    ['160 letters fit one', 'a'.repeat(160), 'gsm7', [160]],
    ['161 are two, with room for a header in each', 'a'.repeat(161), 'gsm7', [153, 8]],
    ['a euro takes the room of two letters', '€'.repeat(80), 'gsm7', [80]],
    ['and isn’t torn', `${'a'.repeat(152)}€${'b'.repeat(20)}`, 'gsm7', [152, 21]],
    ['70 characters that GSM-7 lacks fit one', 'я'.repeat(70), 'ucs2', [70]],
    ['71 are two', 'я'.repeat(71), 'ucs2', [67, 4]],
    ['an emoji isn’t torn', `${'я'.repeat(66)}🙂${'я'.repeat(10)}`, 'ucs2', [66, 12]],
    ['nothing is one part', '', 'gsm7', [0]],
  ] as const)('%s', (_, text, encoding, lengths) => {
    const segments = segmentsOf(text)
    expect(segments.encoding).toBe(encoding)
    expect(segments.parts.map((part) => part.length)).toEqual(lengths)
    expect(segments.parts.join('')).toBe(text)
  })

  test('the header that joins them reads as it was written', () => {
    const part = { reference: 200, total: 3, number: 2 }
    expect(readHeader(joiningHeader(part))).toEqual(part)
  })

  test('a 16-bit reference is read, behind other elements', () => {
    expect(readHeader(Uint8Array.of(10, 1, 2, 9, 9, 8, 4, 1, 2, 3, 1))).toEqual({
      reference: 258,
      total: 3,
      number: 1,
    })
  })

  test.each([
    ['no element', [0]],
    ['a part beyond the total', [5, 0, 3, 1, 2, 3]],
    ['a part 0', [5, 0, 3, 1, 2, 0]],
    ['an element that is cut', [5, 0, 3, 1]],
    ['no bytes', []],
  ])('%s joins nothing', (_, bytes) => {
    expect(readHeader(Uint8Array.from(bytes))).toBeNull()
  })
})
