/**
 * Reads the primitives of the wire format, strictly: whatever a peer sends either is exactly one value or is a
 * violation. Memory and time stay proportional to the bytes at hand, never to a number that they claim.
 */
import * as decoding from 'lib0/decoding'
import { ConfabError } from '../error.ts'
import type { WireBounds } from './bounds.ts'

/** The peer broke the protocol (70601). The relay closes the connection with 4400 and the message. */
export class ProtocolViolation extends ConfabError {
  constructor(message: string) {
    super(70601, message)
  }
}

// ignoreBOM keeps a leading U+FEFF: text must arrive as it was sent.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class WireReader {
  readonly #decoder: decoding.Decoder
  readonly bounds: WireBounds

  /** @throws never; every read throws `ProtocolViolation`. */
  constructor(bytes: Uint8Array, bounds: WireBounds) {
    this.#decoder = decoding.createDecoder(bytes)
    this.bounds = bounds
  }

  get hasMore(): boolean {
    return decoding.hasContent(this.#decoder)
  }

  /** An unsigned integer of at most 53 bits, in the shortest form. */
  uint(): number {
    const decoder = this.#decoder
    const start = decoder.pos
    let value: number
    try {
      value = decoding.readVarUint(decoder)
    } catch {
      throw new ProtocolViolation('A number is cut short or too large')
    }
    if (!Number.isSafeInteger(value)) throw new ProtocolViolation('A number is too large')
    // A longer form of the same number would make two encodings of one frame.
    if (decoder.pos - start > 1 && decoder.arr[decoder.pos - 1] === 0) {
      throw new ProtocolViolation('A number is not in its shortest form')
    }
    return value
  }

  /** A view of the next bytes: copy it to keep it longer than the message. */
  bytes(atMost: number): Uint8Array {
    const length = this.uint()
    if (length > atMost) throw new ProtocolViolation(`${length} bytes where at most ${atMost} are allowed`)
    if (length > this.#decoder.arr.length - this.#decoder.pos) {
      throw new ProtocolViolation('Bytes are cut short')
    }
    return decoding.readUint8Array(this.#decoder, length)
  }

  /** Well-formed UTF-8 of at most so many bytes. */
  text(atMost: number): string {
    const bytes = this.bytes(atMost)
    try {
      return utf8.decode(bytes)
    } catch {
      throw new ProtocolViolation('Text is not valid UTF-8')
    }
  }
}
