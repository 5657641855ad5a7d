/** The kinds of field that frames are made of, each with its one encoder and its one decoder. */
import * as encoding from 'lib0/encoding'
import type { Outcome } from '../operations.ts'
import type { ResumePoint } from './frames.ts'
import { ProtocolViolation, type WireReader } from './reader.ts'

export interface Field<Value> {
  /** What the protocol's hash covers: a change here is a change of the wire. */
  readonly layout: string
  write(encoder: encoding.Encoder, value: Value): void
  /** @throws ProtocolViolation */
  read(reader: WireReader): Value
}

const UINT32 = 0xffffffff

/** An integer from 0 to 2^53 − 1, in 7-bit groups, least significant first. */
export const uint: Field<number> = {
  layout: 'uint',
  write(encoder, value) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Not an unsigned integer: ${value}`)
    encoding.writeVarUint(encoder, value)
  },
  read: (reader) => reader.uint(),
}

/** Encoded like `uint`, at most 2^32 − 1: channels and Yjs client ids. */
export const uint32: Field<number> = {
  layout: 'uint32',
  write: uint.write,
  read(reader) {
    const value = reader.uint()
    if (value > UINT32) throw new ProtocolViolation('A number exceeds 32 bits')
    return value
  },
}

export const bool: Field<boolean> = {
  layout: 'bool',
  write: (encoder, value) => encoding.writeVarUint(encoder, value ? 1 : 0),
  read(reader) {
    const value = reader.uint()
    if (value > 1) throw new ProtocolViolation('Neither 0 nor 1')
    return value === 1
  },
}

const textOf = (bound: 'text' | 'token' | 'hash'): Field<string> => ({
  layout: 'text',
  write: (encoder, value) => encoding.writeVarString(encoder, value),
  read: (reader) => reader.text(reader.bounds[bound]),
})

/** A byte length and that much UTF-8. */
export const text = textOf('text')
export const token = textOf('token')
export const hash = textOf('hash')

/** A byte length and the bytes: a Yjs update, state vector or awareness update. */
export const bytes: Field<Uint8Array> = {
  layout: 'bytes',
  write: (encoder, value) => encoding.writeVarUint8Array(encoder, value),
  read: (reader) => reader.bytes(reader.bounds.update),
}

/** One of a few words, by its position. */
export function oneOf<Word extends string>(...words: readonly Word[]): Field<Word> {
  return {
    layout: `(${words.join('|')})`,
    write: (encoder, value) => uint.write(encoder, words.indexOf(value)),
    read(reader) {
      const word = words[reader.uint()]
      if (word === undefined) throw new ProtocolViolation(`None of ${words.join(', ')}`)
      return word
    },
  }
}

/** A count and the elements. */
export function list<Value>(element: Field<Value>): Field<Value[]> {
  return {
    layout: `[${element.layout}]`,
    write(encoder, values) {
      encoding.writeVarUint(encoder, values.length)
      for (const value of values) element.write(encoder, value)
    },
    read(reader) {
      const count = reader.uint()
      if (count > reader.bounds.entries) throw new ProtocolViolation(`A list of ${count} is too long`)
      // Grows as elements are read: a claimed count of millions ends where the bytes end.
      const values: Value[] = []
      for (let i = 0; i < count; i++) values.push(element.read(reader))
      return values
    },
  }
}

export type FieldsOf<Shape> = { readonly [Key in keyof Shape]-?: Field<Shape[Key]> }

/** Several fields one after the other, in the order in which they are given. */
export function record<Shape extends object>(fields: FieldsOf<Shape>): Field<Shape> {
  const entries = Object.entries(fields) as [keyof Shape & string, Field<Shape[keyof Shape]>][]
  return {
    layout: `{${entries.map(([key, field]) => `${key}:${field.layout}`).join(',')}}`,
    write(encoder, value) {
      for (const [key, field] of entries) field.write(encoder, value[key])
    },
    read(reader) {
      const value: { [key: string]: unknown } = {}
      for (const [key, field] of entries) value[key] = field.read(reader)
      return value as Shape
    },
  }
}

export const point = record<ResumePoint>({ epoch: uint, commitsId: uint32, clock: uint })

const verdict = oneOf('accepted', 'refused', 'later')
const warnings = list(record<{ code: number; message: string }>({ code: uint, message: text }))

/** An id, a verdict, and what goes with it: warnings, or a code and a message. */
export const outcome: Field<Outcome> = {
  layout: `outcome{id:text,verdict:${verdict.layout},accepted:{warnings:${warnings.layout}},else:{code:uint,message:text}}`,
  write(encoder, value) {
    text.write(encoder, value.id)
    verdict.write(encoder, value.verdict)
    if (value.verdict === 'accepted') {
      warnings.write(encoder, value.warnings ?? [])
    } else {
      uint.write(encoder, value.code)
      text.write(encoder, value.message)
    }
  },
  read(reader) {
    const id = text.read(reader)
    const which = verdict.read(reader)
    if (which === 'accepted') {
      const read = warnings.read(reader)
      return read.length > 0 ? { id, verdict: which, warnings: read } : { id, verdict: which }
    }
    return { id, verdict: which, code: uint.read(reader), message: text.read(reader) }
  },
}
