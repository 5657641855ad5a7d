/**
 * The strict reader of Yjs updates, format V1: a small grammar, and everything outside it a violation.
 *
 * | part | bytes |
 * |---|---|
 * | update | blocks (count, then each), delete set; nothing after it |
 * | block | struct count ≥ 1, client ≤ 2^32 − 1 (each once), clock of the first struct, structs |
 * | struct | info byte; origin if 0x80; right origin if 0x40; with neither: 1, root name, and the key if 0x20; content |
 * | content | by the low five bits: 1 deleted: length; 8 any: count, values; 10 skip (info exactly 10): length |
 * | delete set | clients (count, each once): client, range count, ranges: clock, length |
 *
 * Lengths are at least 1. Every number is a varuint in its shortest form. Content is passed over, not decoded.
 */
import { readAny, skipAny } from './any.ts'
import { ByteReader } from './byte-reader.ts'
import {
  type DeletedRanges,
  type ItemId,
  type ParsedBlock,
  type ParsedStruct,
  type ParsedUpdate,
  type UpdateBounds,
  UpdateViolation,
} from './types.ts'

export const INFO_DELETED = 1
export const INFO_ANY = 8
export const INFO_SKIP = 10
export const INFO_KEYED = 0x20
export const INFO_RIGHT_ORIGIN = 0x40
export const INFO_ORIGIN = 0x80

const MAX_CLIENT = 0xffff_ffff

/**
 * Reads a whole update. Cost and memory are proportional to its bytes, whatever it claims.
 * Throws `UpdateViolation` for anything outside the grammar or beyond the bounds.
 */
export function readUpdate(bytes: Uint8Array, bounds: UpdateBounds): ParsedUpdate {
  if (bytes.length > bounds.bytes)
    throw new UpdateViolation(`update of ${bytes.length} bytes: at most ${bounds.bytes}`)
  const reader = new ByteReader(bytes)
  const budget = { left: bounds.structs }
  const blocks = readBlocks(reader, bounds, budget)
  const deletes = readDeleteSet(reader, budget)
  if (!reader.atEnd) throw new UpdateViolation('bytes after the delete set')
  return { bytes, blocks, deletes, jsonDepth: bounds.jsonDepth }
}

/**
 * Decodes the elements of an `any` struct from its element `from` on, each with the length of its encoding.
 * Throws `UpdateViolation` on malformed text.
 */
export function readValues(
  update: ParsedUpdate,
  struct: ParsedStruct,
  from: number,
): { value: unknown; bytes: number }[] {
  const reader = new ByteReader(update.bytes, struct.content, struct.end)
  for (let i = 0; i < from; i++) skipAny(reader, update.jsonDepth)
  const values: { value: unknown; bytes: number }[] = []
  while (!reader.atEnd) {
    const start = reader.position
    const value = readAny(reader, update.jsonDepth)
    values.push({ value, bytes: reader.position - start })
  }
  return values
}

interface Budget {
  left: number
}

function spend(budget: Budget): void {
  if (budget.left-- <= 0) throw new UpdateViolation('too many structs and deletions in one update')
}

function readBlocks(reader: ByteReader, bounds: UpdateBounds, budget: Budget): ParsedBlock[] {
  const blocks: ParsedBlock[] = []
  const all = reader.varuint()
  const seen = all > 1 ? new Set<number>() : null
  for (let left = all; left > 0; left--) {
    const count = reader.varuint()
    if (count === 0) throw new UpdateViolation('block without structs')
    const client = readClient(reader, seen)
    const first = reader.varuint()
    const structs: ParsedStruct[] = []
    let clock = first
    for (let i = 0; i < count; i++) {
      spend(budget)
      const struct = readStruct(reader, clock, bounds.jsonDepth)
      clock = endOf(clock, struct.length)
      structs.push(struct)
    }
    blocks.push({ client, clock: first, structs })
  }
  return blocks
}

function readStruct(reader: ByteReader, clock: number, jsonDepth: number): ParsedStruct {
  const start = reader.position
  const info = reader.byte()
  const struct: ParsedStruct = {
    kind: 'skip',
    clock,
    length: 0,
    origin: null,
    rightOrigin: null,
    root: null,
    key: null,
    keyed: (info & INFO_KEYED) !== 0,
    start,
    content: 0,
    end: 0,
  }
  if (info !== INFO_SKIP) {
    const ref = info & 0x1f
    if (ref !== INFO_ANY && ref !== INFO_DELETED) throw new UpdateViolation(`struct of kind ${info}`)
    struct.kind = ref === INFO_ANY ? 'any' : 'deleted'
    if (info & INFO_ORIGIN) struct.origin = readId(reader)
    if (info & INFO_RIGHT_ORIGIN) struct.rightOrigin = readId(reader)
    if (struct.origin === null && struct.rightOrigin === null) {
      if (reader.varuint() !== 1) throw new UpdateViolation('item inside a nested type')
      struct.root = reader.string()
      if (struct.keyed) struct.key = reader.string()
    }
  }
  struct.length = readLength(reader)
  struct.content = reader.position
  if (struct.kind === 'any') {
    for (let i = 0; i < struct.length; i++) skipAny(reader, jsonDepth)
  }
  struct.end = reader.position
  return struct
}

function readDeleteSet(reader: ByteReader, budget: Budget): DeletedRanges[] {
  const deletes: DeletedRanges[] = []
  const all = reader.varuint()
  const seen = all > 1 ? new Set<number>() : null
  for (let left = all; left > 0; left--) {
    const client = readClient(reader, seen)
    const count = reader.varuint()
    if (count === 0) throw new UpdateViolation('deletions of a client without ranges')
    const pairs: [number, number][] = []
    for (let i = 0; i < count; i++) {
      spend(budget)
      const clock = reader.varuint()
      const length = readLength(reader)
      endOf(clock, length)
      pairs.push([clock, length])
    }
    deletes.push({ client, ranges: mergeRanges(pairs) })
  }
  return deletes
}

/** Sorts (clock, length) pairs and joins those that touch or overlap, into flat pairs. Sorts its argument. */
export function mergeRanges(pairs: [clock: number, length: number][]): number[] {
  pairs.sort((a, b) => a[0] - b[0])
  const merged: number[] = []
  for (const [clock, length] of pairs) {
    const last = merged.length - 2
    const end = last >= 0 ? (merged[last] as number) + (merged[last + 1] as number) : -1
    if (clock <= end) merged[last + 1] = Math.max(end, clock + length) - (merged[last] as number)
    else merged.push(clock, length)
  }
  return merged
}

/** @param seen clients of those before it; null: it is the only one */
function readClient(reader: ByteReader, seen: Set<number> | null): number {
  const client = reader.varuint()
  if (client > MAX_CLIENT) throw new UpdateViolation(`client id ${client}: at most 2^32 - 1`)
  if (seen?.has(client)) throw new UpdateViolation(`client ${client} twice`)
  seen?.add(client)
  return client
}

function readId(reader: ByteReader): ItemId {
  const client = reader.varuint()
  if (client > MAX_CLIENT) throw new UpdateViolation(`client id ${client}: at most 2^32 - 1`)
  return [client, reader.varuint()]
}

function readLength(reader: ByteReader): number {
  const length = reader.varuint()
  if (length === 0) throw new UpdateViolation('length of zero')
  return length
}

function endOf(clock: number, length: number): number {
  const end = clock + length
  if (end > Number.MAX_SAFE_INTEGER) throw new UpdateViolation('clock beyond 2^53')
  return end
}
