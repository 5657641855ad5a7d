/**
 * The relay's own writer of updates: it knows its ids and clocks, and needs no Y.Doc. Blocks come out in descending
 * client id, each client once, with a sorted delete set: `Y.mergeUpdates` of updates in any other order loads
 * nothing (docs/design.md, "How the relay writes").
 */
import { ByteWriter } from './byte-writer.ts'
import { DeleteSet } from './delete-set.ts'
import { INFO_ANY, INFO_DELETED, INFO_KEYED, INFO_ORIGIN, INFO_RIGHT_ORIGIN } from './read.ts'
import type { ItemId, OutboxStruct } from './types.ts'

/** An update that changes nothing. */
export const EMPTY_UPDATE: Uint8Array = Uint8Array.of(0, 0)

interface Block {
  client: number
  /** Clock of the first struct. */
  clock: number
  /** Clock behind the last one. */
  end: number
  structs: number
  /** Flat pairs: where its structs stand in the scratch buffer. */
  parts: number[]
}

/**
 * Collects items and deletions, then gives one update. Items of one client are added in the order of their clocks,
 * without gaps; anything else is a mistake of the caller's and throws a RangeError. After `finish` it is empty and
 * can be used again.
 */
export class UpdateWriter {
  private readonly scratch = new ByteWriter()
  private readonly output = new ByteWriter()
  private readonly blocks = new Map<number, Block>()
  private readonly deletes = new DeleteSet()
  private hasDeletes = false

  /** Nothing was added since the start, or since `finish`. */
  get isEmpty(): boolean {
    return this.blocks.size === 0 && !this.hasDeletes
  }

  /**
   * Appends a record to a root array.
   * @param origin the root's last item, of whichever client id of that root; null for its very first
   */
  append(root: string, id: ItemId, origin: ItemId | null, value: unknown): void {
    this.item(INFO_ANY, root, null, id, 1, origin, null)
    this.scratch.varuint(1)
    this.scratch.any(value)
    this.close(id[0])
  }

  /**
   * Sets a key of a root map, and deletes the item that held it.
   * @param origin the newest item of that key, deleted or not; null when the key was never set: without it Yjs drops
   *   the new value silently
   */
  setKey(root: string, key: string, id: ItemId, origin: ItemId | null, value: unknown): void {
    this.item(INFO_ANY | INFO_KEYED, root, key, id, 1, origin, null)
    this.scratch.varuint(1)
    this.scratch.any(value)
    this.close(id[0])
    if (origin) this.delete(origin[0], origin[1], 1)
  }

  /** Appends items to a root array that were never anything: the root `commits`. */
  appendDeleted(root: string, id: ItemId, origin: ItemId | null, length = 1): void {
    this.item(INFO_DELETED, root, null, id, length, origin, null)
    this.scratch.varuint(length)
    this.close(id[0])
  }

  /** Items of an outbox as decided: deleted, under their own ids and origins, and named in the delete set. */
  outboxDeleted(outbox: string, struct: OutboxStruct): void {
    const { client, clock, length, origin, rightOrigin } = struct
    this.item(INFO_DELETED, outbox, null, [client, clock], length, origin, rightOrigin)
    this.scratch.varuint(length)
    this.close(client)
    // the author's device holds them alive, and passes over structs that it knows
    this.delete(client, clock, length)
  }

  /** Deletes items of which this update or the reader holds the structs. */
  delete(client: number, clock: number, length: number): void {
    this.deletes.add(client, clock, length)
    this.hasDeletes = true
  }

  /** The update; the writer is empty afterwards. */
  finish(): Uint8Array {
    if (this.isEmpty) return EMPTY_UPDATE
    const { output, scratch } = this
    output.varuint(this.blocks.size)
    const blocks = [...this.blocks.values()]
    if (blocks.length > 1) blocks.sort((a, b) => b.client - a.client)
    for (const { client, clock, structs, parts } of blocks) {
      output.varuint(structs)
      output.varuint(client)
      output.varuint(clock)
      for (let i = 0; i < parts.length; i += 2) {
        output.copyOf(scratch, parts[i] as number, parts[i + 1] as number)
      }
    }
    this.deletes.write(output)
    const update = output.toBytes()
    output.clear()
    scratch.clear()
    this.blocks.clear()
    this.deletes.clear()
    this.hasDeletes = false
    return update
  }

  /** Everything of a struct before its content. */
  private item(
    info: number,
    root: string,
    key: string | null,
    id: ItemId,
    length: number,
    origin: ItemId | null,
    rightOrigin: ItemId | null,
  ): void {
    this.open(id, length)
    writeItemHead(this.scratch, info, root, key, origin, rightOrigin)
  }

  private open([client, clock]: ItemId, length: number): void {
    const block = this.blocks.get(client)
    const { scratch } = this
    if (!block) {
      const parts = [scratch.length, 0]
      this.blocks.set(client, { client, clock, end: clock + length, structs: 1, parts })
      return
    }
    if (block.end !== clock)
      throw new RangeError(`client ${client}: clock ${clock} does not follow ${block.end}`)
    block.end += length
    block.structs += 1
    // goes on where the last part ended, or begins another
    if (block.parts[block.parts.length - 1] !== scratch.length) block.parts.push(scratch.length, 0)
  }

  private close(client: number): void {
    const { parts } = this.blocks.get(client) as Block
    parts[parts.length - 1] = this.scratch.length
  }
}

/** Info, origins, and the parent when there is no origin to inherit it from. */
export function writeItemHead(
  to: ByteWriter,
  info: number,
  root: string | null,
  key: string | null,
  origin: ItemId | null,
  rightOrigin: ItemId | null,
): void {
  to.byte(info | (origin ? INFO_ORIGIN : 0) | (rightOrigin ? INFO_RIGHT_ORIGIN : 0))
  if (origin) {
    to.varuint(origin[0])
    to.varuint(origin[1])
  }
  if (rightOrigin) {
    to.varuint(rightOrigin[0])
    to.varuint(rightOrigin[1])
  }
  if (!origin && !rightOrigin) {
    to.varuint(1)
    to.string(root as string)
    if (key !== null) to.string(key)
  }
}
