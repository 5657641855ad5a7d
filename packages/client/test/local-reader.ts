/** What is on a device, made up: conversations with pages and a live document, to see what is made of them. */
import { EMPTY_MANIFEST, goneBits, type MessageRecord, type SealedPage } from '@confab/core'
import type { ConversationView, MessageView } from '../src/engine/engine.ts'
import type { Files, LocalHistory, LocalReader } from '../src/engine/reader.ts'
import type { StoredPage } from '../src/storage/storage.ts'

interface Held {
  records: Map<number, MessageRecord>
  /** Below it everything is sealed, in pages of `pageSize`. */
  sealed: number
  /** First indices of pages that aren't here. */
  absent: Set<number>
  gone: Set<number>
  version: number
}

export class FakeReader implements LocalReader {
  readonly warnings: unknown[] = []
  readonly held = new Map<string, Held>()
  readonly kept = new Map<string, Uint8Array>()
  readonly #followers = new Set<(sid: string, pages: boolean) => void>()
  /** Conversations that were opened, in order. */
  readonly opened: string[] = []
  readonly pageSize: number

  constructor(pageSize = 50) {
    this.pageSize = pageSize
  }

  add(sid: string, record: MessageRecord): void {
    const held = this.#of(sid)
    held.records.set(record.index, record)
    this.#changed(sid, held, false)
  }

  remove(sid: string, index: number): void {
    const held = this.#of(sid)
    held.records.delete(index)
    if (index < held.sealed) held.gone.add(index)
    this.#changed(sid, held, index < held.sealed)
  }

  /** Everything below this index is in pages from now on. */
  seal(sid: string, end: number): void {
    const held = this.#of(sid)
    held.sealed = end
    this.#changed(sid, held, true)
  }

  evict(sid: string, index: number, absent = true): void {
    const held = this.#of(sid)
    const first = index - (index % this.pageSize)
    if (absent) held.absent.add(first)
    else held.absent.delete(first)
    this.#changed(sid, held, true)
  }

  forget(sid: string): void {
    this.held.delete(sid)
    for (const follower of this.#followers) follower(sid, true)
  }

  conversations(): ConversationView[] {
    return [...this.held.keys()].map((sid) => ({ sid }) as ConversationView)
  }

  point(sid: string): string | null {
    return String(this.held.get(sid)?.version)
  }

  async open(sid: string): Promise<LocalHistory | null> {
    const held = this.held.get(sid)
    if (!held) return null
    this.opened.push(sid)
    const pages = this.#pagesOf(held)
    const live = [...held.records.values()].filter(({ index }) => index >= held.sealed)
    live.sort((a, b) => a.index - b.index)
    return { manifest: { ...EMPTY_MANIFEST, pages, end: held.sealed }, live, lost: false }
  }

  async pages(): Promise<StoredPage[]> {
    return [...this.held].flatMap(([document, held]) =>
      this.#pagesOf(held)
        .filter(({ first }) => !held.absent.has(first))
        .map(({ hash }) => ({ document, hash, size: 1, used: 0 })),
    )
  }

  async page(sid: string, { first, last }: SealedPage): Promise<MessageRecord[] | null> {
    const held = this.#of(sid)
    if (held.absent.has(first)) return null
    return [...held.records.values()].filter(({ index }) => index >= first && index <= last)
  }

  async message(sid: string, index: number): Promise<MessageView | undefined> {
    const record = this.held.get(sid)?.records.get(index)
    const first = index - (index % this.pageSize)
    if (!record || (index < this.#of(sid).sealed && this.#of(sid).absent.has(first))) return undefined
    return { record, status: 'accepted' }
  }

  undecided = async (): Promise<MessageView[]> => []
  participants = async () => []
  profile = () => null
  warn = (...warning: unknown[]) => void this.warnings.push(warning)

  files(): Files {
    const { kept } = this
    return {
      names: async () => [...kept.keys()],
      get: async (name) => kept.get(name) ?? null,
      put: async (name, bytes) => void kept.set(name, bytes),
      async delete(names) {
        for (const name of names) kept.delete(name)
      },
    }
  }

  follow(changed: (sid: string, pages: boolean) => void): () => void {
    this.#followers.add(changed)
    return () => this.#followers.delete(changed)
  }

  #of(sid: string): Held {
    let held = this.held.get(sid)
    if (!held) {
      held = { records: new Map(), sealed: 0, absent: new Set(), gone: new Set(), version: 0 }
      this.held.set(sid, held)
    }
    return held
  }

  #pagesOf(held: Held): SealedPage[] {
    const pages: SealedPage[] = []
    for (let first = 0; first < held.sealed; first += this.pageSize) {
      const last = Math.min(first + this.pageSize, held.sealed) - 1
      const gone = goneBits(
        first,
        last,
        [...held.gone].filter((index) => index >= first && index <= last),
      )
      const records = [...held.records.values()].filter(({ index }) => index >= first && index <= last)
      const hash = `${first}-${last}-${records.map(({ body }) => body).join().length}`
      pages.push({
        number: pages.length,
        first,
        last,
        count: records.length,
        before: 0,
        bytes: 1,
        hash,
        gone,
      })
    }
    return pages
  }

  #changed(sid: string, held: Held, pages: boolean): void {
    held.version++
    for (const follower of this.#followers) follower(sid, pages)
  }
}
