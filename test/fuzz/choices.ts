/**
 * Bytes spent as choices. An input of a structured target is such bytes: what damages, joins, shrinks and keeps
 * bytes then does the same to every structure, and none of it has to know what is built.
 *
 * When the bytes are spent every choice is 0, so 0 stands for the simplest thing, and loops go on only while there
 * are bytes: a shorter input is a smaller case.
 */
import type { Random } from '../../packages/core/test/relay-model.ts'

export class Choices implements Random {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isSpent(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** An integer in [0, below), of as many bytes as it needs. */
  int(below: number): number {
    let value = 0
    for (let reach = 1; reach < below && reach < 2 ** 32; reach *= 256) value = value * 256 + this.#byte()
    return below <= 1 ? 0 : value % below
  }

  /** True once in so many. Never when the bytes are spent. */
  once(inSoMany: number): boolean {
    return this.int(inSoMany) === inSoMany - 1
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T
  }

  /** The next so many bytes, or as many as there are. */
  bytes(count: number): Uint8Array {
    const taken = this.#bytes.slice(this.#at, this.#at + count)
    this.#at += taken.length
    return taken
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.bytes(this.#bytes.length)
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? 0
  }
}

const TEXTS = [
  '',
  'a',
  'hello',
  'Grüße',
  '\u{1F44B}\u{1F3FD}',
  '\ufeffbom',
  'שלום',
  '\u0000',
  'e\u0301',
  'x'.repeat(40),
  'ä'.repeat(70),
]
const LONE = ['\ud800', 'a\udc00b', '\udfff\ud800']

/** Well-formed, but for once in a while where that is asked for. */
export function someText(choices: Choices, withLoneSurrogates = false): string {
  if (withLoneSurrogates && choices.once(8)) return choices.pick(LONE)
  if (choices.once(12)) return 'y'.repeat(choices.int(3000))
  return choices.pick(TEXTS)
}

const NUMBERS = [
  0,
  1,
  -1,
  7,
  1.5,
  63,
  64,
  -64,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53 - 1,
  -(2 ** 53),
  1e300,
]

/** A JSON value; a few of lib0's other kinds where that is asked for. */
export function someValue(choices: Choices, depth = 3, beyondJson = false): unknown {
  switch (choices.int(depth > 0 ? 9 : 6)) {
    case 0:
      return null
    case 1:
      return choices.int(2) === 1
    case 2:
      return choices.pick(NUMBERS)
    case 3:
    case 4:
      return someText(choices)
    case 5:
      return beyondJson
        ? choices.pick([undefined, 5n, new Uint8Array(3), Number.NaN, Number.POSITIVE_INFINITY, -0])
        : choices.int(1000)
    case 6:
      return Array.from({ length: choices.int(4) }, () => someValue(choices, depth - 1, beyondJson))
    default: {
      const object: Record<string, unknown> = {}
      for (let left = choices.int(4); left > 0; left--)
        object[choices.pick(KEYS)] = someValue(choices, depth - 1, beyondJson)
      return object
    }
  }
}

const KEYS = ['a', 'b', 'constructor', 'prototype', 'toString', 'ключ', '', 'reactions']
