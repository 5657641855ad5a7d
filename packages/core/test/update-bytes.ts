/** Updates spelled out byte by byte, in whatever form: for what no honest Yjs would write. */
import * as encoding from 'lib0/encoding'

export type Bytes = (encoder: encoding.Encoder) => void
export type Id = [client: number, clock: number]

export const raw =
  (...bytes: number[]): Bytes =>
  (encoder) => {
    for (const byte of bytes) encoding.writeUint8(encoder, byte)
  }
export const uint =
  (...numbers: number[]): Bytes =>
  (encoder) => {
    for (const number of numbers) encoding.writeVarUint(encoder, number)
  }
export const text =
  (value: string): Bytes =>
  (encoder) =>
    encoding.writeVarString(encoder, value)
export const any =
  (...values: unknown[]): Bytes =>
  (encoder) => {
    encoding.writeVarUint(encoder, values.length)
    // biome-ignore lint/suspicious/noExplicitAny: lib0's own type for values of `Any`
    for (const value of values) encoding.writeAny(encoder, value as any)
  }
export const all =
  (...parts: Bytes[]): Bytes =>
  (encoder) => {
    for (const part of parts) part(encoder)
  }
export const bytesOf = (...parts: Bytes[]): Uint8Array => encoding.encode(all(...parts))

export interface ItemOptions {
  origin?: Id
  right?: Id
  root?: string
  key?: string
  /** The bit for a key without one encoded: it is inherited. */
  keyed?: boolean
  /** Low five bits. */
  ref?: number
}

export function item(content: Bytes, { origin, right, root, key, keyed, ref = 8 }: ItemOptions): Bytes {
  const info = ref | (origin ? 0x80 : 0) | (right ? 0x40 : 0) | (key !== undefined || keyed ? 0x20 : 0)
  return all(
    raw(info),
    origin ? uint(...origin) : raw(),
    right ? uint(...right) : raw(),
    root === undefined ? raw() : all(uint(1), text(root)),
    key === undefined ? raw() : text(key),
    content,
  )
}

export const block = (client: number, clock: number, ...structs: Bytes[]): Bytes =>
  all(uint(structs.length, client, clock), ...structs)
export const update = (blocks: Bytes[], deletes: [client: number, ...ranges: number[]][] = []): Uint8Array =>
  bytesOf(
    uint(blocks.length),
    ...blocks,
    uint(deletes.length),
    ...deletes.map(([client, ...ranges]) => uint(client, ranges.length / 2, ...ranges)),
  )
