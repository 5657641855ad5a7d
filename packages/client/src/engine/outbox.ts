/**
 * This identity's outbox in one document: the operations that wait for a decision, and the bytes that bring them
 * to the relay. Walks the items of the Y.Array (`_start`, `right`), which Yjs keeps internal, because an upload
 * must name exactly the outbox's items and fit a bound.
 */
import { type Operation, outboxName } from '@confab/core'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import type { RootArray } from './root-types.ts'

/** Origin of every transaction in which this client appends or withdraws: these changes are uploaded. */
export const LOCAL = { local: true }

export class Outbox {
  readonly #array: RootArray<Operation>
  readonly #name: string
  readonly #doc: Y.Doc

  constructor(doc: Y.Doc, identity: string) {
    this.#doc = doc
    this.#name = outboxName(identity)
    this.#array = doc.getArray(this.#name)
  }

  /** Appends the operations and withdraws those with the given ids, in one change. */
  write(append: readonly Operation[], withdraw: ReadonlySet<string> = new Set()): void {
    this.#doc.transact(() => {
      if (withdraw.size > 0) {
        const ids = this.#array.toArray().map((operation) => operation.id)
        for (let i = ids.length - 1; i >= 0; i--) if (withdraw.has(ids[i] as string)) this.#array.delete(i)
      }
      if (append.length > 0) this.#array.push([...append])
    }, LOCAL)
  }

  /** Ids of the operations in it that nobody has deleted. */
  live(): Set<string> {
    return new Set(this.#array.toArray().map((operation) => operation.id))
  }

  /**
   * What the relay lacks, as updates of at most about `maxBytes` each (one operation is never split), in an order in
   * which what each depends on comes first. Empty when it lacks nothing.
   */
  encodeAbove(stateVector: ReadonlyMap<number, number>, maxBytes: number): Uint8Array[] {
    const chunks = [new Chunk(this.#name)]
    const deleted = new Map<number, [clock: number, length: number][]>()
    for (let item = firstItem(this.#array); item !== null; item = item.right) {
      if (item.deleted) noteDeleted(deleted, item)
      const known = stateVector.get(item.id.client) ?? 0
      let offset = Math.max(0, known - item.id.clock)
      while (offset < item.length) {
        let chunk = chunks.at(-1) as Chunk
        if (chunk.bytes > 0 && chunk.bytes + nextBytes(item, offset) > maxBytes) {
          chunk = new Chunk(this.#name)
          chunks.push(chunk)
        }
        offset += chunk.add(item, offset, maxBytes)
      }
    }
    if (chunks[0]?.bytes === 0) return []
    // The withdrawals come with the last part: an older one of them may name an item of any part.
    return chunks.map((chunk, i) => chunk.finish(i === chunks.length - 1 ? deleted : new Map()))
  }
}

// biome-ignore lint/suspicious/noExplicitAny: `_start` is internal to Yjs and not in its public types
const firstItem = (array: RootArray<any>): Y.Item | null => (array as any)._start

function noteDeleted(deleted: Map<number, [number, number][]>, item: Y.Item): void {
  const ranges = deleted.get(item.id.client) ?? []
  const last = ranges.at(-1)
  if (last && last[0] + last[1] === item.id.clock) last[1] += item.length
  else ranges.push([item.id.clock, item.length])
  deleted.set(item.id.client, ranges)
}

/** The entries of an item that is to be sent with its content; null for one that is sent as deleted. */
const contentOf = (item: Y.Item): unknown[] | null =>
  !item.deleted && item.content instanceof Y.ContentAny ? item.content.arr : null

const encodeAny = (value: unknown): Uint8Array =>
  encoding.encode((encoder) => encoding.writeAny(encoder, value as Parameters<typeof encoding.writeAny>[1]))

/** Bytes of an item's header at most: info, two ids, parent, length. */
const HEADER = 64

function nextBytes(item: Y.Item, offset: number): number {
  const content = contentOf(item)
  return HEADER + (content ? encodeAny(content[offset]).length : 0)
}

/** One update under construction (Yjs update format V1). */
class Chunk {
  /** Estimate of its length so far. */
  bytes = 0
  readonly #root: string
  readonly #blocks = new Map<number, { clock: number; count: number; encoder: encoding.Encoder }>()

  constructor(root: string) {
    this.#root = root
  }

  /** Takes as much of the item from `offset` as fits, one entry at least; gives how many entries it took. */
  add(item: Y.Item, offset: number, maxBytes: number): number {
    const content = contentOf(item)
    const parts: Uint8Array[] = []
    let bytes = HEADER
    if (content) {
      for (let i = offset; i < content.length; i++) {
        const part = encodeAny(content[i])
        if (parts.length > 0 && this.bytes + bytes + part.length > maxBytes) break
        parts.push(part)
        bytes += part.length
      }
    }
    this.bytes += bytes
    const { client, clock } = item.id
    const block = this.#blocks.get(client) ?? {
      clock: clock + offset,
      count: 0,
      encoder: encoding.createEncoder(),
    }
    this.#blocks.set(client, block)
    block.count++
    const length = content ? parts.length : item.length - offset
    writeItem(block.encoder, item, offset, this.#root, content ? parts : null, length)
    return length
  }

  finish(deleted: ReadonlyMap<number, [clock: number, length: number][]>): Uint8Array {
    return encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, this.#blocks.size)
      // Yjs writes higher client ids first, and what merges updates counts on it
      for (const [client, block] of [...this.#blocks].sort(([a], [b]) => b - a)) {
        encoding.writeVarUint(encoder, block.count)
        encoding.writeVarUint(encoder, client)
        encoding.writeVarUint(encoder, block.clock)
        encoding.writeUint8Array(encoder, encoding.toUint8Array(block.encoder))
      }
      encoding.writeVarUint(encoder, deleted.size)
      for (const [client, ranges] of [...deleted].sort(([a], [b]) => b - a)) {
        encoding.writeVarUint(encoder, client)
        encoding.writeVarUint(encoder, ranges.length)
        for (const [clock, length] of ranges.sort(([a], [b]) => a - b)) {
          encoding.writeVarUint(encoder, clock)
          encoding.writeVarUint(encoder, length)
        }
      }
    })
  }
}

const CONTENT_DELETED = 1
const CONTENT_ANY = 8
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40

function writeItem(
  encoder: encoding.Encoder,
  item: Y.Item,
  offset: number,
  root: string,
  parts: Uint8Array[] | null,
  length: number,
): void {
  const origin = offset > 0 ? Y.createID(item.id.client, item.id.clock + offset - 1) : item.origin
  const { rightOrigin } = item
  encoding.writeUint8(
    encoder,
    (parts ? CONTENT_ANY : CONTENT_DELETED) |
      (origin ? HAS_ORIGIN : 0) |
      (rightOrigin ? HAS_RIGHT_ORIGIN : 0),
  )
  for (const id of [origin, rightOrigin]) {
    if (!id) continue
    encoding.writeVarUint(encoder, id.client)
    encoding.writeVarUint(encoder, id.clock)
  }
  if (!origin && !rightOrigin) {
    encoding.writeVarUint(encoder, 1)
    encoding.writeVarString(encoder, root)
  }
  encoding.writeVarUint(encoder, length)
  for (const part of parts ?? []) encoding.writeUint8Array(encoder, part)
}
