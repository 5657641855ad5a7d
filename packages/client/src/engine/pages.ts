/**
 * Pages of sealed history on this device, for all conversations: a few decoded in memory, more in the store under a
 * policy, all of them at the relay. What is here is a cache: a page that is missing or damaged is fetched again.
 */
import { ConfabError, decodePage, encodePage, type MessageRecord, pageHash } from '@confab/core'
import { isFull } from '../storage/failure.ts'
import { FILES, type Pages, type StoredPage } from '../storage/storage.ts'
import type { Link } from './host.ts'
import type { Platform } from './platform.ts'

type Records = readonly MessageRecord[]

/** Pages kept decoded: enough to read on in one conversation while others are looked at. */
const DECODED = 8
/** Milliseconds that a page may take. */
const PATIENCE = 10_000
/** Milliseconds after a page was stored until the ones beyond the policy go. */
const EVICT_AFTER = 1000

export class PageCache {
  /** Conversations whose pages stay whatever the policy says. */
  readonly pinned = new Set<string>()
  /** Called when what is stored of a conversation is another. */
  changed: (sid: string) => void = () => {}
  readonly #stored: Pages
  readonly #link: Pick<Link, 'page'>
  readonly #platform: Platform
  readonly #keep: number
  readonly #warn: (message: string, details?: unknown) => void
  /** Least recently used first. */
  readonly #decoded = new Map<string, Records>()
  readonly #loading = new Map<string, Promise<Records | null>>()
  #evicting: unknown = null
  #closed = false

  /** @param keep pages in the store beside those of pinned conversations */
  constructor(
    stored: Pages,
    link: Pick<Link, 'page'>,
    platform: Platform,
    keep: number,
    warn: (message: string, details?: unknown) => void,
  ) {
    this.#stored = stored
    this.#link = link
    this.#platform = platform
    this.#keep = keep
    this.#warn = warn
  }

  /** The page, if it is decoded. */
  decoded(sid: string, hash: string): Records | undefined {
    const records = this.#decoded.get(sid + hash)
    if (records) this.#remember(sid + hash, records)
    return records
  }

  /** Null when it isn't here, and (`ask`) the relay doesn't give it now. Whoever asks at the same time shares the answer. */
  async read(sid: string, hash: string, ask: boolean): Promise<Records | null> {
    return (
      this.decoded(sid, hash) ??
      (await this.#once(`stored ${sid}${hash}`, () => this.#fromStore(sid, hash))) ??
      (ask ? this.#once(sid + hash, () => this.#fromRelay(sid, hash)) : null)
    )
  }

  /**
   * Takes in a page that was made here; resolves when it is stored, or can't be.
   * @param bytes null when they are stored already
   */
  async keep(sid: string, hash: string, records: Records, bytes: Uint8Array | null): Promise<void> {
    this.#remember(sid + hash, records)
    if (bytes) await this.#store(sid, hash, bytes)
  }

  /** Hashes of what is stored of a conversation. */
  async hashes(sid: string): Promise<string[]> {
    return (await this.#list()).filter(({ document }) => document === sid).map(({ hash }) => hash)
  }

  /** Deletes pages of a conversation: all but those named. */
  async sweep(sid: string, keep: ReadonlySet<string>): Promise<void> {
    await this.#delete(
      (await this.#list()).filter(({ document, hash }) => document === sid && !keep.has(hash)),
    )
  }

  /** The device has no room left: half of the pages go, pinned ones last. Gives whether any did. */
  async free(): Promise<boolean> {
    const pages = await this.#list()
    this.#warn('The device has no room left: pages of history go')
    const isPinned = ({ document }: StoredPage) => Number(this.pinned.has(document))
    pages.sort((a, b) => isPinned(a) - isPinned(b) || a.used - b.used)
    return this.#delete(pages.slice(0, Math.ceil(pages.length / 2)))
  }

  close(): void {
    this.#closed = true
    this.#platform.clearTimeout(this.#evicting)
  }

  #remember(key: string, records: Records): void {
    this.#decoded.delete(key)
    this.#decoded.set(key, records)
    for (const oldest of this.#decoded.keys()) {
      if (this.#decoded.size <= DECODED) break
      this.#decoded.delete(oldest)
    }
  }

  #once(key: string, load: () => Promise<Records | null>): Promise<Records | null> {
    let loading = this.#loading.get(key)
    if (!loading) {
      loading = load()
        .catch((error: unknown) => {
          this.#warn('A page of history could not be read', error)
          return null
        })
        .finally(() => this.#loading.delete(key))
      this.#loading.set(key, loading)
    }
    return loading
  }

  async #fromStore(sid: string, hash: string): Promise<Records | null> {
    const bytes = await this.#stored.get(sid, hash, this.#platform.now())
    return bytes && this.#decode(sid, hash, bytes)
  }

  async #fromRelay(sid: string, hash: string): Promise<Records | null> {
    let timer: unknown
    const patience = new Promise<null>((resolve) => {
      timer = this.#platform.setTimeout(() => resolve(null), PATIENCE)
    })
    const bytes = await Promise.race([this.#link.page(sid, hash).catch(() => null), patience])
    this.#platform.clearTimeout(timer)
    if (!bytes) return null
    if (pageHash(bytes) !== hash) throw new ConfabError(70605)
    const records = this.#decode(sid, hash, bytes)
    void this.#store(sid, hash, bytes)
    return records
  }

  #decode(sid: string, hash: string, bytes: Uint8Array): Records {
    const records = decodePage(bytes)
    this.#remember(sid + hash, records)
    return records
  }

  async #store(sid: string, hash: string, bytes: Uint8Array): Promise<void> {
    if (this.#closed || (this.#keep === 0 && !this.pinned.has(sid))) return
    try {
      await this.#stored.put(sid, hash, bytes, this.#platform.now())
      this.changed(sid)
    } catch (error) {
      this.#warn('A page of history could not be stored', error)
      if (isFull(error)) await this.free()
    }
    this.evictSoon()
  }

  /** What is beyond the policy goes. */
  evictSoon(): void {
    this.#evicting ??= this.#platform.setTimeout(() => {
      this.#evicting = null
      void this.#evict()
    }, EVICT_AFTER)
  }

  async #evict(): Promise<void> {
    if (this.#keep === Number.POSITIVE_INFINITY) return
    const pages = (await this.#list()).filter(
      ({ document }) => document !== FILES && !this.pinned.has(document),
    )
    await this.#delete(pages.sort((a, b) => b.used - a.used).slice(this.#keep))
  }

  async #list(): Promise<StoredPage[]> {
    try {
      return await this.#stored.list()
    } catch (error) {
      this.#warn('The stored pages of history could not be read', error)
      return []
    }
  }

  async #delete(pages: readonly StoredPage[]): Promise<boolean> {
    const documents = new Set(pages.map(({ document }) => document))
    try {
      for (const sid of documents) {
        const hashes = pages.flatMap(({ document, hash }) => (document === sid ? hash : []))
        await this.#stored.delete(sid, hashes)
        this.changed(sid)
      }
    } catch (error) {
      this.#warn('Stored pages of history could not be removed', error)
      return false
    }
    return pages.length > 0
  }
}

/** A page and its name, of these records. */
export function makePage(records: Records): { bytes: Uint8Array; hash: string } {
  const bytes = encodePage(records)
  return { bytes, hash: pageHash(bytes) }
}
