/**
 * A relay in miniature for tests: it keeps records, ids and clocks of one document as plain data, writes every commit
 * with `UpdateWriter`, and knows what a reader must see. The oracle, a stock Y.Doc, is given its updates.
 */
import * as Y from 'yjs'
import { type AdmissionKnowledge, type Admitted, type ItemId, UpdateWriter } from '../src/update/index.ts'

export interface Random {
  /** An integer in [0, below). */
  int(below: number): number
}

/** Small, seeded, good enough for tests (mulberry32). */
export function seeded(seed: number): Random & { u32(): number } {
  let state = seed >>> 0
  const u32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return { u32, int: (below) => u32() % below }
}

interface Root {
  name: string
  ids: { client: number; clock: number }[]
}

interface Held {
  item: ItemId
  value: unknown
}

export class RelayModel {
  readonly updates: Uint8Array[] = []
  /** Private parts, by outbox name. */
  readonly outboxUpdates = new Map<string, Uint8Array[]>()
  readonly arrays = new Map<string, Held[]>()
  readonly maps = new Map<string, Map<string, Held>>()
  private readonly roots = new Map<string, Root>()
  private readonly freshId: () => number
  private readonly writer = new UpdateWriter()
  /** Clocks and owners (outbox name) of authors' client ids. */
  readonly clients = new Map<number, { outbox: string; clock: number }>()

  constructor(freshId: () => number) {
    this.freshId = freshId
  }

  /** Every root goes on under a fresh id, as after a restart. */
  renew(): void {
    for (const root of this.roots.values()) root.ids.push({ client: this.unusedId(), clock: 0 })
  }

  append(root: string, value: unknown): ItemId {
    const { id, origin } = this.next(root, 1)
    this.writer.append(root, id, origin, value)
    this.array(root).push({ item: id, value })
    return id
  }

  deleteAt(root: string, index: number): ItemId {
    const [held] = this.array(root).splice(index, 1)
    const { item } = held as Held
    this.writer.delete(item[0], item[1], 1)
    return item
  }

  set(root: string, key: string, value: unknown): ItemId {
    const map = this.map(root)
    const { id } = this.next(root, 1)
    this.writer.setKey(root, key, id, map.get(key)?.item ?? null, value)
    map.set(key, { item: id, value })
    return id
  }

  unset(root: string, key: string): void {
    const held = this.map(root).get(key)
    if (!held) return
    this.writer.delete(held.item[0], held.item[1], 1)
    held.value = undefined
  }

  /** Ends a commit: advances `commits` and gives the update for every reader. */
  commit(): Uint8Array {
    const { id, origin } = this.next('commits', 1)
    this.writer.appendDeleted('commits', id, origin)
    const update = this.writer.finish()
    this.updates.push(update)
    return update
  }

  /** Takes an admission: what was decided is deleted in the outbox. Gives the author's private part. */
  take(outbox: string, admitted: Admitted): Uint8Array {
    const writer = new UpdateWriter()
    for (const struct of admitted.structs) writer.outboxDeleted(outbox, struct)
    for (const { client, clock } of admitted.clients) this.clients.set(client, { outbox, clock })
    const update = writer.finish()
    const list = this.outboxUpdates.get(outbox) ?? []
    list.push(update)
    this.outboxUpdates.set(outbox, list)
    return update
  }

  knowledge(outbox: string, room = Number.POSITIVE_INFINITY): AdmissionKnowledge {
    return {
      outbox,
      room,
      clock: (client) => this.relayClock(client) ?? this.clients.get(client)?.clock ?? 0,
      owner: (client) => {
        if (this.relayClock(client) !== undefined) return 'relay'
        const bound = this.clients.get(client)
        if (!bound) return null
        return bound.outbox === outbox ? 'self' : 'other'
      },
    }
  }

  stateVector(): Map<number, number> {
    const clocks = new Map<number, number>()
    for (const root of this.roots.values())
      for (const { client, clock } of root.ids) if (clock) clocks.set(client, clock)
    for (const [client, { clock }] of this.clients) clocks.set(client, clock)
    return clocks
  }

  /** What a reader must see. */
  expected(): { [root: string]: unknown } {
    const seen: { [root: string]: unknown } = {}
    for (const [name, held] of this.arrays) seen[name] = held.map(({ value }) => value)
    for (const [name, map] of this.maps) {
      seen[name] = Object.fromEntries(
        [...map].filter(([, { value }]) => value !== undefined).map(([key, { value }]) => [key, value]),
      )
    }
    return seen
  }

  /** The same of a real document. */
  seen(doc: Y.Doc): { [root: string]: unknown } {
    const seen: { [root: string]: unknown } = {}
    for (const name of this.arrays.keys()) seen[name] = doc.getArray(name).toJSON()
    for (const name of this.maps.keys()) seen[name] = doc.getMap(name).toJSON()
    return seen
  }

  /** The newest client id of a root. */
  idOf(root: string): { client: number; clock: number } {
    const ids = this.root(root).ids
    return ids[ids.length - 1] as { client: number; clock: number }
  }

  private relayClock(client: number): number | undefined {
    for (const root of this.roots.values()) {
      for (const id of root.ids) if (id.client === client) return id.clock
    }
    return undefined
  }

  private next(root: string, length: number): { id: ItemId; origin: ItemId | null } {
    const { ids } = this.root(root)
    let origin: ItemId | null = null
    for (const { client, clock } of ids) if (clock > 0) origin = [client, clock - 1]
    const current = ids[ids.length - 1] as { client: number; clock: number }
    const id: ItemId = [current.client, current.clock]
    current.clock += length
    return { id, origin }
  }

  private root(name: string): Root {
    const root = this.roots.get(name) ?? { name, ids: [{ client: this.unusedId(), clock: 0 }] }
    this.roots.set(name, root)
    return root
  }

  private unusedId(): number {
    for (;;) {
      const id = this.freshId()
      if (this.relayClock(id) === undefined && !this.clients.has(id)) return id
    }
  }

  private array(root: string): Held[] {
    const array = this.arrays.get(root) ?? []
    this.arrays.set(root, array)
    return array
  }

  private map(root: string): Map<string, Held> {
    const map = this.maps.get(root) ?? new Map<string, Held>()
    this.maps.set(root, map)
    return map
  }
}

/** A stock document that loaded these updates in this order, each in a transaction of its own. */
export function load(updates: readonly Uint8Array[], options: { gc?: boolean } = {}): Y.Doc {
  const doc = new Y.Doc(options)
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/** Nothing waits for something that is missing. */
export function isComplete(doc: Y.Doc): boolean {
  return doc.store.pendingStructs === null && doc.store.pendingDs === null
}

/** Random commits on a relay's document: messages, edits, removals, reads, map keys, restarts. */
export function randomCommit(relay: RelayModel, random: Random): Uint8Array {
  const changes = random.int(4)
  for (let i = 0; i < changes; i++) {
    const messages = relay.arrays.get('messages') ?? []
    switch (random.int(9)) {
      case 0:
      case 1:
      case 2:
        relay.append('messages', {
          index: messages.length,
          body: randomText(random),
          at: 1.7e12 + random.int(1000),
        })
        break
      case 3:
        if (messages.length > 0) {
          relay.deleteAt('messages', random.int(messages.length))
          relay.append('messages', {
            edited: true,
            body: randomText(random),
            attributes: [1.5, null, -3, 2 ** 40],
          })
        }
        break
      case 4:
        if (messages.length > 0) relay.deleteAt('messages', random.int(messages.length))
        break
      case 5:
        relay.append('reads', { participantSid: `MB${random.int(3)}`, lastReadMessageIndex: random.int(100) })
        if ((relay.arrays.get('reads') ?? []).length > 3) relay.deleteAt('reads', 0)
        break
      case 6:
        relay.set(
          'conversation',
          ['friendlyName', 'state', 'attributes'][random.int(3)] as string,
          randomText(random),
        )
        break
      case 7:
        relay.unset('conversation', ['friendlyName', 'state', 'attributes'][random.int(3)] as string)
        break
      default:
        relay.set('participants', `MB${random.int(5)}`, { role: random.int(9), name: randomText(random) })
    }
  }
  if (random.int(12) === 0) relay.renew()
  return relay.commit()
}

const TEXTS = [
  '',
  'hello',
  'Grüße',
  '\u{1F44B}\u{1F3FD}',
  'x'.repeat(200),
  'ä'.repeat(100),
  '\ufeffbom',
  '日本語',
]

export const randomText = (random: Random): string => TEXTS[random.int(TEXTS.length)] as string

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.int(i + 1)
    ;[result[i], result[j]] = [result[j] as T, result[i] as T]
  }
  return result
}
