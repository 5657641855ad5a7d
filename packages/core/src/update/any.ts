/** Values of `ContentAny`, in lib0's `Any` encoding: a tag byte and the value. */
import type { ByteReader } from './byte-reader.ts'
import { UpdateViolation } from './types.ts'

const UNDEFINED = 127
const NULL = 126
const INTEGER = 125
const FLOAT32 = 124
const FLOAT64 = 123
const BIGINT = 122
const FALSE = 121
const TRUE = 120
const STRING = 119
const OBJECT = 118
const ARRAY = 117
const BYTES = 116

const PROTO = [...'__proto__'].map((char) => char.charCodeAt(0))

/**
 * Passes over one value without building it. Every entry of an array or object costs at least a byte, so the work
 * is bounded by the bytes there are, whatever count is claimed.
 */
export function skipAny(reader: ByteReader, depth: number): void {
  const tag = reader.byte()
  switch (tag) {
    case UNDEFINED:
    case NULL:
    case FALSE:
    case TRUE:
      return
    case INTEGER:
      reader.varint()
      return
    case FLOAT32:
      reader.skip(4)
      return
    case FLOAT64:
    case BIGINT:
      reader.skip(8)
      return
    case STRING:
    case BYTES:
      reader.skip(reader.varuint())
      return
    case OBJECT: {
      deeper(depth)
      for (let left = reader.varuint(); left > 0; left--) {
        skipKey(reader)
        skipAny(reader, depth - 1)
      }
      return
    }
    case ARRAY: {
      deeper(depth)
      for (let left = reader.varuint(); left > 0; left--) skipAny(reader, depth - 1)
      return
    }
    default:
      throw new UpdateViolation(`unknown value tag ${tag}`)
  }
}

/** Builds one value. `undefined`, bigint and bytes come out as they are: operations refuse them by their schema. */
export function readAny(reader: ByteReader, depth: number): unknown {
  const tag = reader.byte()
  switch (tag) {
    case UNDEFINED:
      return undefined
    case NULL:
      return null
    case FALSE:
      return false
    case TRUE:
      return true
    case INTEGER:
      return reader.varint()
    case FLOAT32:
      return reader.view(4).getFloat32(0, false)
    case FLOAT64:
      return reader.view(8).getFloat64(0, false)
    case BIGINT:
      return reader.view(8).getBigInt64(0, false)
    case STRING:
      return reader.string()
    case BYTES:
      return reader.slice(reader.varuint())
    case OBJECT: {
      deeper(depth)
      const object: { [key: string]: unknown } = {}
      for (let left = reader.varuint(); left > 0; left--) {
        const key = reader.string()
        if (key === '__proto__') throw forbiddenKey()
        object[key] = readAny(reader, depth - 1)
      }
      return object
    }
    case ARRAY: {
      deeper(depth)
      const array: unknown[] = []
      for (let left = reader.varuint(); left > 0; left--) array.push(readAny(reader, depth - 1))
      return array
    }
    default:
      throw new UpdateViolation(`unknown value tag ${tag}`)
  }
}

function deeper(depth: number): void {
  if (depth <= 0) throw new UpdateViolation('value is nested too deep')
}

const forbiddenKey = (): UpdateViolation => new UpdateViolation('key __proto__ in an object')

function skipKey(reader: ByteReader): void {
  const length = reader.varuint()
  const start = reader.position
  reader.skip(length)
  if (length === PROTO.length && PROTO.every((code, i) => reader.bytes[start + i] === code))
    throw forbiddenKey()
}
