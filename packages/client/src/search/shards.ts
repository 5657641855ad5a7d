/**
 * The index: shards, each of the messages of one page of history or of one conversation's live document, kept as
 * files. A shard is MiniSearch's, deflated: about half of the bytes of its texts. Those used lately are in memory.
 */
import MiniSearch, { type AsPlainObject, type SearchResult } from 'minisearch'
import type { Files } from '../engine/reader.ts'
import { indexed, keysOf, type Term } from './words.ts'

/** One message as it is indexed. */
export interface Entry {
  /** The message's index: its name within its shard. */
  index: number
  author: string
  /** When it was accepted, milliseconds since the epoch. */
  at: number
  /** Another value after each edit. */
  stamp: number
  text: string
}

/** What the index says of a message that may match: whoever shows it compares it with the message itself. */
export interface Candidate {
  shard: string
  index: number
  at: number
}

export interface Filter {
  author?: string
  /** Milliseconds since the epoch; not itself included. */
  before?: number
  after?: number
}

export interface Index {
  /** Shards that are kept, with the newest time in each. */
  shards(): Promise<{ shard: string; newest: number }[]>
  /** The stamps of what a shard holds, by index. */
  stamps(shard: string): Promise<Map<number, number>>
  /** Takes entries in, in place of those with the same index, and others out. Makes the shard if there is none. */
  change(shard: string, add: readonly Entry[], remove: readonly number[]): Promise<void>
  /** Resolves when what was changed is kept. */
  save(): Promise<void>
  drop(shards: readonly string[]): Promise<void>
  /** What may match in these shards, the newest first; and which of them couldn't be read, and are dropped. */
  find(
    shards: readonly string[],
    terms: readonly Term[],
    filter: Filter,
  ): Promise<{ found: Candidate[]; damaged: string[] }>
}

/** Shards in memory; one of 1,000 messages takes about a megabyte there. */
const LOADED = 200

type Shard = MiniSearch<Entry>

const SETTINGS = {
  idField: 'index',
  fields: ['text'],
  storeFields: ['author', 'at', 'stamp'],
  tokenize: indexed,
  // folded already
  processTerm: (word: string) => word,
  autoVacuum: false,
}

export class ShardedIndex implements Index {
  readonly #files: Files
  /** Least recently used first. */
  readonly #loaded = new Map<string, Promise<Shard>>()
  readonly #newest = new Map<string, number>()
  /** The time in the name under which each was stored last. */
  readonly #stored = new Map<string, number>()
  readonly #dirty = new Set<string>()
  readonly #damaged = new Set<string>()
  #listed: Promise<void> | null = null

  constructor(files: Files) {
    this.#files = files
  }

  async shards(): Promise<{ shard: string; newest: number }[]> {
    await this.#list()
    return [...this.#newest].map(([shard, newest]) => ({ shard, newest }))
  }

  async stamps(shard: string): Promise<Map<number, number>> {
    const stamps = new Map<number, number>()
    await this.#list()
    if (!this.#newest.has(shard)) return stamps
    const kept = JSON.parse(JSON.stringify(await this.#load(shard))) as AsPlainObject
    for (const [id, index] of Object.entries(kept.documentIds))
      stamps.set(Number(index), Number(kept.storedFields[id]?.stamp))
    return stamps
  }

  async change(shard: string, add: readonly Entry[], remove: readonly number[]): Promise<void> {
    await this.#list()
    const index = await this.#load(shard)
    let gone = false
    for (const one of remove) {
      if (!index.has(one)) continue
      index.discard(one)
      gone = true
    }
    for (const entry of add) {
      if (index.has(entry.index)) {
        index.discard(entry.index)
        gone = true
      }
      index.add(entry)
    }
    this.#newest.set(shard, Math.max(this.#newest.get(shard) ?? 0, ...add.map(({ at }) => at)))
    this.#dirty.add(shard)
    this.#damaged.delete(shard)
    // what was said and is no more leaves the words, and the disk
    if (!gone) return
    await index.vacuum()
    await this.#save(shard)
    const kept = nameOf(shard, this.#stored.get(shard) as number)
    await this.#files.delete((await this.#namesOf([shard])).filter((name) => name !== kept))
  }

  async save(): Promise<void> {
    for (const shard of [...this.#dirty]) await this.#save(shard)
  }

  async drop(shards: readonly string[]): Promise<void> {
    if (shards.length === 0) return
    await this.#list()
    for (const shard of shards) {
      this.#loaded.delete(shard)
      this.#dirty.delete(shard)
      this.#newest.delete(shard)
      this.#stored.delete(shard)
    }
    const names = await this.#namesOf(shards)
    if (names.length > 0) await this.#files.delete(names)
  }

  async find(
    shards: readonly string[],
    terms: readonly Term[],
    filter: Filter,
  ): Promise<{ found: Candidate[]; damaged: string[] }> {
    const { author, before = Number.POSITIVE_INFINITY, after = Number.NEGATIVE_INFINITY } = filter
    let keys = [...new Set(terms.flatMap(keysOf))]
    let isOrdered = keys.length < 2
    const found: Candidate[] = []
    for (const shard of shards) {
      if (!this.#newest.has(shard)) continue
      const index = await this.#load(shard)
      if (!isOrdered) keys = rarestFirst(index, keys)
      isOrdered = true
      for (const hit of hitsOf(index, keys)) {
        if ((author === undefined || hit.author === author) && hit.at < before && hit.at > after)
          found.push({ shard, index: hit.id, at: hit.at })
      }
    }
    const damaged = shards.filter((shard) => this.#damaged.has(shard))
    await this.drop(damaged)
    for (const shard of damaged) this.#damaged.delete(shard)
    return { found: found.sort((a, b) => b.at - a.at || b.index - a.index), damaged }
  }

  /** Another client on the same store may have kept a shard under another time. */
  async #namesOf(shards: readonly string[]): Promise<string[]> {
    const wanted = new Set(shards)
    return (await this.#files.names()).filter((name) => wanted.has(shardOf(name)))
  }

  #list(): Promise<void> {
    this.#listed ??= this.#files.names().then((names) => {
      for (const name of names) {
        const newest = Number.parseInt(name, 10)
        if (Number.isNaN(newest) || newest < (this.#stored.get(shardOf(name)) ?? 0)) continue
        this.#newest.set(shardOf(name), newest)
        this.#stored.set(shardOf(name), newest)
      }
    })
    return this.#listed
  }

  #load(shard: string): Promise<Shard> {
    const index = this.#loaded.get(shard) ?? this.#read(shard)
    this.#loaded.delete(shard)
    this.#loaded.set(shard, index)
    for (const oldest of this.#loaded.keys()) {
      if (this.#loaded.size <= LOADED) break
      if (!this.#dirty.has(oldest)) this.#loaded.delete(oldest)
    }
    return index
  }

  async #read(shard: string): Promise<Shard> {
    const stored = this.#stored.get(shard)
    if (stored === undefined) return new MiniSearch<Entry>(SETTINGS)
    try {
      const bytes = await this.#files.get(nameOf(shard, stored))
      // it went when the device had no room
      if (!bytes) throw new Error('The shard is gone')
      return MiniSearch.loadJSON(await inflated(bytes), SETTINGS)
    } catch {
      this.#damaged.add(shard)
      return new MiniSearch<Entry>(SETTINGS)
    }
  }

  async #save(shard: string): Promise<void> {
    const index = await this.#loaded.get(shard)
    const newest = this.#newest.get(shard)
    this.#dirty.delete(shard)
    if (!index || newest === undefined) return
    const stored = this.#stored.get(shard)
    await this.#files.put(nameOf(shard, newest), await deflated(JSON.stringify(index)))
    this.#stored.set(shard, newest)
    if (stored !== undefined && stored !== newest) await this.#files.delete([nameOf(shard, stored)])
  }
}

/**
 * What has a word with each of these beginnings. A later one is looked for only where the earlier ones were found: what
 * takes time is to score each message of a frequent one.
 */
function hitsOf(index: Shard, keys: readonly string[]): SearchResult[] {
  let hits: SearchResult[] | null = null
  for (const key of keys) {
    const among: ReadonlySet<number> | null = hits && new Set(hits.map(({ id }) => id))
    hits = index.search(key, {
      prefix: true,
      tokenize: (whole) => [whole],
      ...(among && { boostDocument: (id: number) => (among.has(id) ? 1 : 0) }),
    })
    if (hits.length === 0) break
  }
  return hits ?? []
}

/** By how many messages of one shard they are in: about the same in the others. */
function rarestFirst(index: Shard, keys: readonly string[]): string[] {
  const counts = new Map(keys.map((key) => [key, hitsOf(index, [key]).length]))
  return [...keys].sort((a, b) => (counts.get(a) as number) - (counts.get(b) as number))
}

/** The time stands first, so that listing the files tells in which the newest are. */
const nameOf = (shard: string, newest: number): string => `${newest} ${shard}`
const shardOf = (name: string): string => name.slice(name.indexOf(' ') + 1)

const through = async (bytes: BlobPart, stream: CompressionStream | DecompressionStream) =>
  new Response(new Blob([bytes]).stream().pipeThrough(stream))

async function deflated(text: string): Promise<Uint8Array> {
  if (typeof CompressionStream === 'undefined') return new TextEncoder().encode(text)
  return (await through(text, new CompressionStream('deflate-raw'))).bytes()
}

/** JSON begins with a brace, which no deflated text of a kilobyte does. */
async function inflated(bytes: Uint8Array): Promise<string> {
  if (bytes[0] === 0x7b) return new TextDecoder().decode(bytes)
  return (await through(bytes as BlobPart, new DecompressionStream('deflate-raw'))).text()
}
