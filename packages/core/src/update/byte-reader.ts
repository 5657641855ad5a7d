/** A cursor over untrusted bytes: every read is bounds-checked, and nothing is allocated for what is claimed. */
import { UpdateViolation } from './types.ts'

// BOM kept: it is part of the text that was written.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Up to this many bytes, building a string char by char beats the decoder's fixed 180 ns (measured on Node 24). */
const SHORT = 20

export class ByteReader {
  readonly bytes: Uint8Array
  position: number
  private readonly end: number

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.bytes = bytes
    this.position = position
    this.end = end
  }

  get atEnd(): boolean {
    return this.position === this.end
  }

  byte(): number {
    if (this.position >= this.end) throw truncated()
    return this.bytes[this.position++] as number
  }

  skip(length: number): void {
    if (length > this.end - this.position) throw truncated()
    this.position += length
  }

  /** Unsigned LEB128 up to 2^53 − 1, in its shortest form only: any other form is no writer's. */
  varuint(): number {
    let byte = this.byte()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let factor = 0x80
    do {
      byte = this.byte()
      value += (byte & 0x7f) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw new UpdateViolation('number beyond 2^53')
      factor *= 0x80
    } while (byte >= 0x80)
    if (byte === 0) throw new UpdateViolation('number not in its shortest form')
    return value
  }

  /** Signed integer in lib0's form: six bits and the sign in the first byte, then seven bits each. */
  varint(): number {
    let byte = this.byte()
    const negative = (byte & 0x40) !== 0
    let value = byte & 0x3f
    let factor = 0x40
    while (byte >= 0x80) {
      byte = this.byte()
      value += (byte & 0x7f) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw new UpdateViolation('number beyond 2^53')
      factor *= 0x80
    }
    return negative ? -value : value
  }

  view(length: number): DataView {
    const start = this.position
    this.skip(length)
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, length)
  }

  /** A copy. */
  slice(length: number): Uint8Array {
    const start = this.position
    this.skip(length)
    return this.bytes.slice(start, start + length)
  }

  /** A length and that many bytes of UTF-8; malformed UTF-8 is a violation, since Yjs can't load it. */
  string(): string {
    const length = this.varuint()
    const start = this.position
    this.skip(length)
    if (length <= SHORT) {
      let text = ''
      let i = start
      for (; i < this.position; i++) {
        const code = this.bytes[i] as number
        if (code >= 0x80) break
        text += String.fromCharCode(code)
      }
      if (i === this.position) return text
    }
    try {
      return decoder.decode(this.bytes.subarray(start, this.position))
    } catch {
      throw new UpdateViolation('text is not UTF-8')
    }
  }
}

const truncated = (): UpdateViolation => new UpdateViolation('ends in the middle')
