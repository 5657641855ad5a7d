/**
 * Compaction of the relay's own updates, on bytes: what the delete sets name becomes `ContentDeleted`, neighbours
 * merge, every id and origin stays, and there is never GC (a GC'd neighbour destroyed another device's pending
 * text). One full parse and one pass; `Y.mergeUpdates` over a long tail is quadratic and its result loads slowly.
 *
 * Merging is safe because a run *is* the chain of its elements: each has the one before it as origin, and all share
 * the right origin. So a struct that stands in that relation to the one before it joins it.
 */
import { skipAny } from './any.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { DeleteSet } from './delete-set.ts'
import { INFO_ANY, INFO_DELETED, INFO_KEYED, readUpdate } from './read.ts'
import type { ItemId, ParsedStruct, ParsedUpdate } from './types.ts'
import { writeItemHead } from './write.ts'

const UNBOUNDED = { bytes: Number.POSITIVE_INFINITY, structs: Number.POSITIVE_INFINITY, jsonDepth: 512 }

/** A struct of the result. */
interface Run {
  kind: 'any' | 'deleted'
  clock: number
  length: number
  origin: ItemId | null
  rightOrigin: ItemId | null
  root: string | null
  key: string | null
  keyed: boolean
  /** Encoded values of `any`, in order. */
  values: Uint8Array[]
}

interface Source {
  update: ParsedUpdate
  struct: ParsedStruct
}

/**
 * One update that says what all of them say, for a reader who holds nothing as for one who holds a part. A range of
 * clocks that comes twice is taken from its first update.
 * @throws UpdateViolation when one isn't an update; RangeError when the clocks of a client leave a gap
 */
export function compactUpdates(updates: readonly Uint8Array[]): Uint8Array {
  const sources = new Map<number, Source[]>()
  const read = updates.map((bytes) => readUpdate(bytes, UNBOUNDED))
  const deletes = deletesOf(read)
  for (const update of read) {
    for (const { client, structs } of update.blocks) {
      const list = sources.get(client) ?? []
      if (list.length === 0) sources.set(client, list)
      for (const struct of structs) list.push({ update, struct })
    }
  }
  // as much as it may become: growing to it would copy a long document again and again
  const output = new ByteWriter(read.reduce((sum, { bytes }) => sum + bytes.length, 64))
  output.varuint(sources.size)
  for (const client of [...sources.keys()].sort((a, b) => b - a)) {
    writeBlock(output, client, runsOf(client, sources.get(client) as Source[], deletes.rangesOf(client)))
  }
  deletes.write(output)
  return output.toBytes()
}

/**
 * Each of the updates without the content of what any of them deletes: items under the same ids, as `ContentDeleted`.
 * A reader who applies only some of them learns of no deletion too early, but by finding nothing there.
 * @returns one for each, in order; null where there is nothing to take out
 * @throws UpdateViolation when one isn't an update; RangeError when the clocks of a client leave a gap
 */
export function withoutDeleted(updates: readonly Uint8Array[]): (Uint8Array | null)[] {
  const read = updates.map((bytes) => readUpdate(bytes, UNBOUNDED))
  const deletes = deletesOf(read)
  const merged = new Map<number, number[]>()
  const rangesOf = (client: number): number[] => {
    let ranges = merged.get(client)
    if (!ranges) {
      ranges = deletes.rangesOf(client)
      merged.set(client, ranges)
    }
    return ranges
  }
  return read.map((update) => {
    const hasContent = update.blocks.some(({ client, structs }) =>
      structs.some((struct) => struct.kind === 'any' && isTouched(rangesOf(client), struct)),
    )
    if (!hasContent) return null
    const output = new ByteWriter(1024)
    output.varuint(update.blocks.length)
    for (const { client, structs } of update.blocks) {
      const sources = structs.map((struct) => ({ update, struct }))
      writeBlock(output, client, runsOf(client, sources, rangesOf(client)))
    }
    deletesOf([update]).write(output)
    return output.toBytes()
  })
}

/** Whether a part of the struct is in the ranges, which are sorted. */
function isTouched(ranges: number[], { clock, length }: ParsedStruct): boolean {
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rangeEnd(ranges, 2 * middle) <= clock) low = middle + 1
    else high = middle
  }
  return 2 * low < ranges.length && (ranges[2 * low] as number) < clock + length
}

function deletesOf(updates: readonly ParsedUpdate[]): DeleteSet {
  const deletes = new DeleteSet()
  for (const update of updates) {
    for (const { client, ranges } of update.deletes) {
      for (let i = 0; i < ranges.length; i += 2)
        deletes.add(client, ranges[i] as number, ranges[i + 1] as number)
    }
  }
  return deletes
}

function writeBlock(output: ByteWriter, client: number, runs: readonly Run[]): void {
  output.varuint(runs.length)
  output.varuint(client)
  output.varuint((runs[0] as Run).clock)
  for (const run of runs) writeRun(output, run)
}

function runsOf(client: number, sources: Source[], deleted: number[]): Run[] {
  // stable: of two that begin alike, the first update's comes first
  sources.sort((a, b) => a.struct.clock - b.struct.clock)
  const runs: Run[] = []
  let clock = (sources[0] as Source).struct.clock
  let range = 0
  for (const { update, struct } of sources) {
    const end = struct.clock + struct.length
    if (end <= clock) continue
    if (struct.clock > clock || struct.kind === 'skip') {
      throw new RangeError(`client ${client}: nothing at clock ${clock}`)
    }
    const cutter = new Cutter(client, update, struct)
    while (clock < end) {
      while (range < deleted.length && rangeEnd(deleted, range) <= clock) range += 2
      const from = range < deleted.length ? (deleted[range] as number) : Number.POSITIVE_INFINITY
      const isDeleted = from <= clock
      const until = Math.min(end, isDeleted ? rangeEnd(deleted, range) : from)
      join(runs, client, cutter.cut(clock, until, isDeleted || struct.kind === 'deleted'))
      clock = until
    }
  }
  return runs
}

const rangeEnd = (ranges: number[], at: number): number => (ranges[at] as number) + (ranges[at + 1] as number)

/** Cuts pieces out of one struct, from left to right. */
class Cutter {
  private readonly client: number
  private readonly struct: ParsedStruct
  private readonly reader: ByteReader
  private readonly jsonDepth: number
  /** Clock of the element at which the reader stands. */
  private at: number

  constructor(client: number, update: ParsedUpdate, struct: ParsedStruct) {
    this.client = client
    this.struct = struct
    this.reader = new ByteReader(update.bytes, struct.content, struct.end)
    this.jsonDepth = update.jsonDepth
    this.at = struct.clock
  }

  cut(from: number, until: number, deleted: boolean): Run {
    const { struct, client } = this
    const whole = from === struct.clock
    return {
      kind: deleted ? 'deleted' : 'any',
      clock: from,
      length: until - from,
      origin: whole ? struct.origin : [client, from - 1],
      rightOrigin: struct.rightOrigin,
      root: whole ? struct.root : null,
      key: whole ? struct.key : null,
      keyed: struct.keyed,
      values: deleted ? [] : [this.values(from, until)],
    }
  }

  private values(from: number, until: number): Uint8Array {
    this.moveTo(from)
    const start = this.reader.position
    this.moveTo(until)
    return this.reader.bytes.subarray(start, this.reader.position)
  }

  private moveTo(clock: number): void {
    if (clock === this.struct.clock + this.struct.length) this.reader.position = this.struct.end
    else for (; this.at < clock; this.at++) skipAny(this.reader, this.jsonDepth)
    this.at = clock
  }
}

function join(runs: Run[], client: number, run: Run): void {
  const last = runs[runs.length - 1]
  if (last && continues(last, client, run)) {
    last.length += run.length
    for (const bytes of run.values) last.values.push(bytes)
  } else {
    runs.push(run)
  }
}

function continues(last: Run, client: number, run: Run): boolean {
  return (
    last.kind === run.kind &&
    last.keyed === run.keyed &&
    !(run.keyed && run.kind === 'any') &&
    run.origin !== null &&
    run.origin[0] === client &&
    run.origin[1] === last.clock + last.length - 1 &&
    sameId(last.rightOrigin, run.rightOrigin)
  )
}

function sameId(a: ItemId | null, b: ItemId | null): boolean {
  return a === b || (a !== null && b !== null && a[0] === b[0] && a[1] === b[1])
}

function writeRun(to: ByteWriter, run: Run): void {
  const info = (run.kind === 'any' ? INFO_ANY : INFO_DELETED) | (run.keyed ? INFO_KEYED : 0)
  writeItemHead(to, info, run.root, run.key, run.origin, run.rightOrigin)
  to.varuint(run.length)
  for (const bytes of run.values) to.copy(bytes, 0, bytes.length)
}
