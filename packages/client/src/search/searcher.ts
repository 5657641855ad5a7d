/**
 * Keeps the index in step with what is on this device, a conversation at a time and in the background, and answers
 * searches. Every message that the index names is read and compared before it is shown, so what an index says that is
 * behind shows nothing wrong.
 *
 * Messages of a sealed page are a shard named by the page, those of a conversation's live document another. What was
 * indexed up to where is kept in a file of its own, so that a start reads nothing that hasn't changed.
 */

import { isGone, type MessageRecord, type SealedPage } from '@confab/core'
import type { MessageView } from '../engine/engine.ts'
import type { Files, LocalHistory, LocalReader } from '../engine/reader.ts'
import type { StoredPage } from '../storage/storage.ts'
import type { UnseenMessages } from '../types.ts'
import type { Candidate, Entry, Filter, Index } from './shards.ts'
import { matches, type Term, termsOf } from './words.ts'

type Unseen = { -readonly [K in 'from' | 'to' | 'messages']: UnseenMessages[K] }

export interface Query extends Filter {
  text: string
  conversationSid?: string
  limit: number
}

export interface Found {
  hits: { conversationSid: string; view: MessageView }[]
  /** There are more than `limit`. */
  more: boolean
  unseen: UnseenMessages[]
}

/** What is kept of a conversation's index: up to where it goes, and what it could not see. */
interface Progress {
  point: string | null
  unseen: Unseen[]
}

/** Milliseconds that changes wait for others. */
const COALESCED = 100
/** Milliseconds of quiet after which what was indexed is kept. */
const SAVE_AFTER = 5000
/** Shards that are looked through before what they gave is compared: one, and each time twice as many, up to these. */
const AT_ONCE = 32
/** Messages of a live document in one shard. */
const LIVE = 250
const PROGRESS = 'progress'

export class Searcher {
  readonly #reader: LocalReader
  readonly #index: Index
  readonly #files: Files
  readonly #progress = new Map<string, Progress>()
  /** By conversation: what the shard of its live document holds. */
  readonly #live = new Map<string, Map<number, number>>()
  readonly #due = new Set<string>()
  #working: Promise<void> | null = null
  /** Cancels what is due later. */
  #soon: (() => void) | null = null
  #saving: (() => void) | null = null
  /** What is stored of all histories; null when it may be another by now. */
  #pages: Promise<StoredPage[]> | null = null
  /** Stamps of records that were seen: they don't change. */
  readonly #stamps = new WeakMap<MessageRecord, number>()
  #unfollow: () => void = () => {}
  #closed = false

  constructor({ reader, index, files }: { reader: LocalReader; index: Index; files: Files }) {
    this.#reader = reader
    this.#index = index
    this.#files = files
  }

  /** Goes on from what was kept. Resolves when everything that is here by now is indexed. */
  async start(): Promise<void> {
    this.#unfollow = this.#reader.follow((sid, pages) => {
      if (pages) this.#pages = null
      this.#due.add(sid)
      this.#soon ??= later(() => {
        this.#soon = null
        void this.upToDate()
      }, COALESCED)
    })
    const kept = await this.#files.get(PROGRESS)
    for (const [sid, progress] of kept ? parsed(kept) : []) this.#progress.set(sid, progress)
    for (const { sid } of this.#reader.conversations()) this.#due.add(sid)
    const gone = [...this.#progress.keys()].filter((sid) => !this.#due.has(sid))
    for (const sid of gone) this.#due.add(sid)
    await this.upToDate()
  }

  /** Resolves when everything that is here by now is indexed. Never rejects. */
  async upToDate(): Promise<void> {
    while (!this.#closed && (this.#working || this.#due.size > 0)) {
      this.#working ??= this.#work().finally(() => {
        this.#working = null
      })
      await this.#working
    }
  }

  async close(): Promise<void> {
    this.#unfollow()
    // what was removed a moment ago is not to wait for the next start
    await this.upToDate()
    this.#closed = true
    this.#soon?.()
    await this.#working
    await this.#save()
  }

  /** Its index is gone: nothing of it is used or kept any more. */
  abandon(): void {
    this.#closed = true
    this.#unfollow()
    this.#soon?.()
    this.#saving?.()
  }

  async search(query: Query): Promise<Found> {
    await this.upToDate()
    const terms = termsOf(query.text)
    const inScope = (sid: string) => query.conversationSid === undefined || query.conversationSid === sid
    const scope = this.#reader.conversations().filter(({ sid }) => inScope(sid))
    const found = new Map<string, Found['hits'][number]>()
    if (terms.length > 0 && query.limit > 0) {
      for (const { sid } of scope)
        for (const view of await this.#reader.undecided(sid)) this.#take(found, sid, view, terms, query)
      await this.#lookUp(found, new Set(scope.map(({ sid }) => sid)), terms, query)
    }
    const hits = [...found.values()].sort(newestFirst)
    const unseen = scope.flatMap(({ sid }) =>
      (this.#progress.get(sid)?.unseen ?? []).map((one) => ({ conversationSid: sid, ...one })),
    )
    return { hits: hits.slice(0, query.limit), more: hits.length > query.limit, unseen }
  }

  async #lookUp(
    found: Map<string, Found['hits'][number]>,
    scope: ReadonlySet<string>,
    terms: readonly Term[],
    query: Query,
  ): Promise<void> {
    const { after = Number.NEGATIVE_INFINITY } = query
    const shards = (await this.#index.shards())
      .filter(({ shard, newest }) => scope.has(conversationOf(shard)) && newest > after)
      .sort((a, b) => b.newest - a.newest)
    let candidates: Candidate[] = []
    const taken = new Set<string>()
    for (let at = 0, count = 1; at < shards.length; at += count, count = Math.min(count * 2, AT_ONCE)) {
      const some = shards.slice(at, at + count).map(({ shard }) => shard)
      const { found: more, damaged } = await this.#index.find(some, terms, query)
      if (damaged.length > 0) {
        await this.#makeAgain(damaged.map(conversationOf))
        return this.#lookUp(found, scope, terms, query)
      }
      candidates = [...candidates, ...more]
      candidates.sort((a, b) => b.at - a.at || b.index - a.index)
      // what is older than the newest of the shards to come may have to wait for them
      const next = shards[at + count]?.newest ?? Number.NEGATIVE_INFINITY
      let used = 0
      for (const { shard, index, at: time } of candidates) {
        if (time < next) break
        used++
        const sid = conversationOf(shard)
        if (taken.has(`${sid} ${index}`)) continue
        taken.add(`${sid} ${index}`)
        const view = await this.#reader.message(sid, index)
        if (view) this.#take(found, sid, view, terms, query)
        if (found.size > query.limit) return
      }
      candidates = candidates.slice(used)
    }
  }

  async #makeAgain(sids: readonly string[]): Promise<void> {
    for (const sid of sids) {
      this.#progress.delete(sid)
      this.#live.delete(sid)
      this.#due.add(sid)
    }
    await this.upToDate()
  }

  #take(
    found: Map<string, Found['hits'][number]>,
    sid: string,
    view: MessageView,
    terms: readonly Term[],
    { author, before = Number.POSITIVE_INFINITY, after = Number.NEGATIVE_INFINITY }: Query,
  ): void {
    const { record } = view
    if (author !== undefined && record.author !== author) return
    if (record.dateCreated >= before || record.dateCreated <= after) return
    if (matches(textOf(record), terms)) found.set(record.sid, { conversationSid: sid, view })
  }

  async #work(): Promise<void> {
    for (const sid of this.#due) {
      if (this.#closed) return
      this.#due.delete(sid)
      try {
        await this.#bringUp(sid)
      } catch (error) {
        if (this.#closed) return
        this.#reader.warn('A conversation could not be indexed', error)
      }
    }
    this.#saving?.()
    if (!this.#closed) this.#saving = later(() => void this.#save(), SAVE_AFTER)
  }

  async #bringUp(sid: string): Promise<void> {
    const known = this.#progress.get(sid)
    this.#pages ??= this.#reader.pages()
    const pages = (await this.#pages).filter(({ document }) => document === sid)
    const point = this.#reader.point(sid)
    const word = point && `${point} ${pages.map(({ hash }) => hash).sort()}`
    if (known && word !== null && known.point === word) return
    const history = await this.#reader.open(sid)
    const shards = (await this.#index.shards()).flatMap(({ shard }) =>
      conversationOf(shard) === sid ? shard : [],
    )
    if (!history) {
      await this.#index.drop(shards)
      this.#progress.delete(sid)
      this.#live.delete(sid)
      return
    }
    const stored = new Set(pages.map(({ hash }) => hash))
    const unseen = await this.#indexPages(sid, history, stored, shards)
    await this.#indexLive(sid, history, shards)
    this.#progress.set(sid, { point: word, unseen })
  }

  async #indexPages(
    sid: string,
    { manifest, lost }: LocalHistory,
    stored: ReadonlySet<string>,
    shards: readonly string[],
  ): Promise<Unseen[]> {
    const here = manifest.pages.filter(({ hash, count }) => count > 0 && stored.has(hash))
    const names = new Map(here.map((page) => [pageShard(sid, page), page]))
    // first, so that what was removed is in no file any more
    await this.#index.drop(shards.filter((shard) => !isLive(shard) && !names.has(shard)))
    const missing = new Set(manifest.pages.filter(({ hash, count }) => count > 0 && !stored.has(hash)))
    for (const [shard, page] of names) {
      if (shards.includes(shard)) continue
      const records = await this.#reader.page(sid, page)
      if (!records) {
        missing.add(page)
        continue
      }
      const shown = records.filter(({ index }) => !isGone(page, index))
      await this.#index.change(shard, shown.map(entryOf), [])
      await this.#index.save()
      await breath()
    }
    if (lost) {
      const view = this.#reader.conversations().find((one) => one.sid === sid)
      const to = view?.lastMessage?.index ?? -1
      return to < 0 ? [] : [{ from: 0, to, messages: view?.messageCount ?? 0 }]
    }
    return joined([...missing].sort((a, b) => a.first - b.first))
  }

  async #indexLive(sid: string, { live }: LocalHistory, shards: readonly string[]): Promise<void> {
    const had = this.#live.get(sid) ?? (await this.#stampsIn(shards.filter(isLive)))
    const has = new Map<number, number>()
    const changes = new Map<string, { add: Entry[]; remove: number[] }>()
    const changesOf = (index: number) => {
      const shard = liveShard(sid, index)
      const known = changes.get(shard) ?? { add: [], remove: [] }
      changes.set(shard, known)
      return known
    }
    for (const record of live) {
      const stamp = this.#stampOf(record)
      has.set(record.index, stamp)
      if (had.get(record.index) !== stamp) changesOf(record.index).add.push(entryOf(record))
    }
    for (const index of had.keys()) if (!has.has(index)) changesOf(index).remove.push(index)
    this.#live.set(sid, has)
    const kept = new Set([...has.keys()].map((index) => liveShard(sid, index)))
    await this.#index.drop([...changes.keys()].filter((shard) => !kept.has(shard)))
    for (const [shard, { add, remove }] of changes)
      if (kept.has(shard)) await this.#index.change(shard, add, remove)
  }

  async #stampsIn(shards: readonly string[]): Promise<Map<number, number>> {
    const all = new Map<number, number>()
    for (const shard of shards)
      for (const [index, stamp] of await this.#index.stamps(shard)) all.set(index, stamp)
    return all
  }

  #stampOf(record: MessageRecord): number {
    let stamp = this.#stamps.get(record)
    if (stamp === undefined) {
      stamp = stampOf(textOf(record))
      this.#stamps.set(record, stamp)
    }
    return stamp
  }

  async #save(): Promise<void> {
    this.#saving?.()
    this.#saving = null
    try {
      await this.#index.save()
      // what says how far the index goes is kept after it
      await this.#files.put(PROGRESS, new TextEncoder().encode(JSON.stringify([...this.#progress])))
    } catch (error) {
      this.#reader.warn('The search index could not be kept: it will be made again', error)
    }
  }
}

const pageShard = (sid: string, { hash, gone }: SealedPage): string => `${sid} ${hash} ${gone ?? ''}`
/** Few messages in each, so that keeping one that changed costs little. */
const liveShard = (sid: string, index: number): string => `${sid} live ${Math.floor(index / LIVE)}`
const isLive = (shard: string): boolean => shard.split(' ', 2)[1] === 'live'
const conversationOf = (shard: string): string => shard.split(' ', 1)[0] as string

type Texts = { body?: string | undefined; subject?: string | undefined }

/** What is searched of a message. */
export const textOf = ({ body = '', subject }: Texts): string => (subject ? `${subject}\n${body}` : body)

const entryOf = (record: MessageView['record']): Entry => ({
  index: record.index,
  author: record.author,
  at: record.dateCreated,
  stamp: stampOf(textOf(record)),
  text: textOf(record),
})

/** FNV-1a: enough to see that a text is another. */
function stampOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

function joined(pages: readonly SealedPage[]): Unseen[] {
  const ranges: Unseen[] = []
  for (const { first, last, count } of pages) {
    const before = ranges.at(-1)
    if (before && before.to === first - 1) {
      before.to = last
      before.messages += count
    } else ranges.push({ from: first, to: last, messages: count })
  }
  return ranges
}

function parsed(bytes: Uint8Array): [string, Progress][] {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return []
  }
}

const newestFirst = (a: Found['hits'][number], b: Found['hits'][number]): number =>
  b.view.record.dateCreated - a.view.record.dateCreated || b.view.record.index - a.view.record.index

/** Lets everything else go first. */
const breath = () => new Promise<void>((resolve) => setTimeout(resolve, 0))

/** Gives what cancels it. It keeps no process alive. */
function later(task: () => void, milliseconds: number): () => void {
  const timer: unknown = setTimeout(task, milliseconds)
  ;(timer as { unref?(): void }).unref?.()
  return () => clearTimeout(timer as ReturnType<typeof setTimeout>)
}
