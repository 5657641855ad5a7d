/** The relay's own client ids in one document: one per root, renewed now and then (docs/design.md, "How the relay writes"). */
import type { Head, ItemId, RootId } from '../store/store.ts'

/** Items of one id, after which the next one is drawn: keeps clocks short and a lost id cheap. */
const ITEMS_PER_ID = 65_536

/** Of older epochs' `commits` ids, those that are remembered. */
export const RETIRED = 1024

/** One life of the engine. */
export interface RunIds {
  /** A random number that no other life has. */
  run: number
  /** A random client id, 32 bits, not 0. */
  draw(): number
}

/** 48 random bits name this life of the engine; client ids are 32 random bits each. */
export function runIds(random: (bytes: number) => Uint8Array): RunIds {
  const word = () => {
    const bytes = random(4)
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
  }
  const run = (word() & 0xffff) * 2 ** 32 + word()
  return { run, draw: () => word() || 1 }
}

export class RootIds {
  readonly #head: Head
  readonly #run: RunIds
  readonly #isTaken: (client: number) => boolean
  readonly #newest = new Map<string, RootId>()
  readonly #byClient = new Map<number, RootId>()

  /** @param isTaken whether a device has this id in the document */
  constructor(head: Head, run: RunIds, isTaken: (client: number) => boolean) {
    this.#head = head
    this.#run = run
    this.#isTaken = isTaken
    for (const root of head.roots) this.#add(root)
  }

  #add(root: RootId): void {
    this.#newest.set(root.root, root)
    this.#byClient.set(root.client, root)
  }

  has(client: number): boolean {
    return this.#byClient.has(client)
  }

  /** An id of `commits` in an earlier epoch. */
  isRetired(client: number): boolean {
    return this.#head.retired?.some(([id]) => id === client) === true
  }

  clock(client: number): number {
    return this.#byClient.get(client)?.clock ?? 0
  }

  clocks(): Map<number, number> {
    return new Map(this.#head.roots.map(({ client, clock }) => [client, clock]))
  }

  newest(root: string): RootId | undefined {
    return this.#newest.get(root)
  }

  /** Ids that `commits` has had in this epoch. */
  get renewals(): number {
    return this.#head.roots.reduce((count, { root }) => count + (root === 'commits' ? 1 : 0), 0)
  }

  /** The root's last item; null when it never had one. */
  last(root: string): ItemId | null {
    const newest = this.#newest.get(root)
    return newest ? [newest.client, newest.clock - 1] : null
  }

  /** The id of the root's next item. */
  next(root: string): ItemId {
    let newest = this.#newest.get(root)
    if (!newest || newest.run !== this.#run.run || newest.clock >= ITEMS_PER_ID) newest = this.#renew(root)
    return [newest.client, newest.clock++]
  }

  /** Above 0: `a` was written after `b`. */
  compare(root: string, a: ItemId, b: ItemId): number {
    if (a[0] === b[0]) return a[1] - b[1]
    const ids = this.#head.roots.filter((entry) => entry.root === root).map(({ client }) => client)
    return ids.indexOf(a[0]) - ids.indexOf(b[0])
  }

  /** Forgets all ids; those of `commits` are remembered as retired. */
  startEpoch(): void {
    const head = this.#head
    const commits = head.roots
      .filter(({ root }) => root === 'commits')
      .map(({ client, clock }): [number, number] => [client, clock])
    head.retired = [...(head.retired ?? []), ...commits].slice(-RETIRED)
    head.roots.length = 0
    this.#newest.clear()
    this.#byClient.clear()
  }

  #renew(root: string): RootId {
    let client = this.#run.draw()
    while (this.#byClient.has(client) || this.#isTaken(client) || this.isRetired(client)) {
      client = this.#run.draw()
    }
    const made: RootId = { root, client, clock: 0, run: this.#run.run }
    if (root === 'commits') made.base = this.#head.seq
    this.#head.roots.push(made)
    this.#add(made)
    return made
  }
}
