/**
 * One conversation's sealed history as this device follows it: pages that the relay makes of messages that are here
 * are made here as well, with nothing fetched; pages that the manifest no longer names go; and what changed in sealed
 * messages is told by comparing with the page as it was.
 */
import {
  EMPTY_MANIFEST,
  isGone,
  type Json,
  jsonEqual,
  type MessageRecord,
  pageOf,
  type SealedPage,
} from '@confab/core'
import type { MessageView } from './engine.ts'
import type { ConversationHost } from './host.ts'
import { makePage } from './pages.ts'
import type { Replica } from './replica.ts'
import type { ReplicaChanges } from './replica-changes.ts'
import type { Seen } from './seen.ts'
import { Serial } from './serial.ts'

type Records = readonly MessageRecord[]

/** What happened to the document, as far as its history goes. */
export type HistoryChanges = Pick<ReplicaChanges, 'messages' | 'sealed' | 'edited' | 'manifest'>

/** Milliseconds that a page is waited for which the relay is making anew. */
const REMADE_WITHIN = 10_000

export interface HistoryEvents {
  /** How a sealed message was before it changed, as it was seen. */
  changed(before: MessageView | undefined, record: MessageRecord): void
  /** A sealed message was removed. */
  removed(sid: string): void
  /** Something is at hand that wasn't. */
  loaded(): void
}

export class History {
  readonly #host: ConversationHost
  readonly #sid: string
  readonly #events: HistoryEvents
  readonly #serial: Serial
  #replica: Replica | null = null
  /** Pages made here that the relay has yet to name, by their first index. */
  readonly #made = new Map<number, { hash: string; records: Records }>()
  /** What was here of pages that must be fetched anew, by their first index. */
  readonly #stale = new Map<number, Records>()
  #stored: Promise<unknown> = Promise.resolve()
  #waiting: (() => void)[] = []
  /** Of which history the document is: what was begun in another is no longer said. */
  #life = 0

  constructor(host: ConversationHost, sid: string, events: HistoryEvents) {
    this.#host = host
    this.#sid = sid
    this.#events = events
    this.#serial = new Serial((error) => host.warn('A page of history could not be made', { sid, error }))
  }

  /** Nothing is being made or compared. */
  get idle(): boolean {
    return this.#serial.idle && this.#stale.size === 0
  }

  /** This identity is no participant any more. */
  lose(): void {
    this.leave()
    this.sweep()
  }

  /** What comes is of another history: its indices are others. */
  leave(): void {
    this.#life++
    this.#made.clear()
    this.#stale.clear()
  }

  /** Goes on with another document, or none. */
  use(replica: Replica | null): void {
    this.#replica = replica
    this.#wake()
  }

  /** Resolves when pages made here are stored: only then may the document forget their messages. */
  async stored(): Promise<void> {
    await this.#serial.settled()
    await this.#stored
  }

  /** The records of a page, if they are decoded. */
  atHand = (page: SealedPage): Records | undefined => {
    if (page.count === 0) return []
    const made = this.#made.get(page.first)
    if (page.hash === '' || made?.hash === page.hash) return made?.records
    return this.#host.pages.decoded(this.#sid, page.hash)
  }

  /** What this device has of a page, newer than the page or not. */
  async held(page: SealedPage): Promise<Records | null> {
    await this.#serial.settled()
    const known = this.atHand(page) ?? this.#stale.get(page.first)
    return known ?? (page.hash === '' ? null : this.#host.pages.read(this.#sid, page.hash, false))
  }

  /** Reads a page, from the relay if need be; null when it can't be had now. `ask` false: from this device alone. */
  async load(page: SealedPage, ask = true): Promise<Records | null> {
    const known = this.atHand(page)
    if (known) {
      this.#recall(known)
      return known
    }
    const life = this.#life
    let { hash } = page
    if (hash === '') {
      if (!ask || !this.#host.link.connected) return null
      hash = await this.#named(page)
    }
    const records = hash && (await this.#host.pages.read(this.#sid, hash, ask && this.#host.link.connected))
    if (!records || life !== this.#life) return null
    this.#recall(records)
    return records
  }

  /** Makes the sealed message at hand for who decides or shows an operation on it; undefined when it isn't to be had. */
  async recall(sid: string, index: number | undefined, ask: boolean): Promise<MessageRecord | undefined> {
    const replica = this.#replica
    const page = replica && index !== undefined && replica.isSealed(index) && pageOf(replica.manifest, index)
    const record = page && (await this.load(page, ask))?.find((one) => one.sid === sid)
    if (!record || !this.#replica?.isSealed(record.index)) return undefined
    this.#replica.recalled.set(sid, record)
    return record
  }

  /** Reads ahead: the page in which this index is. */
  prefetch(index: number): void {
    const page = this.#replica && pageOf(this.#replica.manifest, index)
    if (page?.hash && !this.atHand(page)) void this.load(page)
  }

  /**
   * The document has changed.
   * @param was what was seen before
   * @param known up to which index messages were known here: what is above, and sealed by now, is told by nobody
   */
  follow(changes: HistoryChanges, was: Seen, known: number): void {
    const replica = this.#replica
    if (!replica) return
    const noted = new Set(changes.messages.keys())
    const before = changes.manifest
    // first: how they were is in the page that is about to be another
    for (const record of changes.edited) {
      if (record.index > known) continue
      const page = pageOf(before ?? replica.manifest, record.index) ?? pageOf(replica.manifest, record.index)
      const tell = (records: Records | null) => {
        const old = records?.find(({ sid }) => sid === record.sid)
        // whatever may have changed is said to have, when it isn't known how it was
        const { sid, index, author, dateCreated } = record
        this.#tell(old ?? { sid, index, author, dateCreated }, record, was)
      }
      this.#soon(() => this.#atHandOr(page, tell))
    }
    if (before) {
      this.#wake()
      for (const page of replica.manifest.pages) {
        const old = before.pages[page.number]
        if (old?.hash === page.hash && old.gone === page.gone && old.last === page.last) continue
        const sealed = changes.sealed.filter(({ index }) => index >= page.first && index <= page.last)
        const same = old?.first === page.first && old.last === page.last ? old : undefined
        if (!same && sealed.length === 0) continue
        this.#soon(() => this.#turn(same, page, sealed, was, noted))
      }
    }
  }

  #soon(task: () => void | Promise<void>): void {
    const life = this.#life
    this.#serial.run(() => (life === this.#life ? task() : undefined))
  }

  /**
   * Fetches what isn't here, the newest first, and waits in between.
   * @param pause between two pages
   */
  async fetch(pause: () => Promise<void>): Promise<void> {
    const { pages, link } = this.#host
    const here = new Set(await pages.hashes(this.#sid))
    for (const page of [...(this.#replica?.manifest.pages ?? [])].reverse()) {
      if (page.count === 0 || page.hash === '' || here.has(page.hash)) continue
      if (!link.connected || !this.#replica) return
      await pages.read(this.#sid, page.hash, true)
      await pause()
    }
  }

  /** Deletes what is stored and named by the manifest no more. */
  sweep(): void {
    this.#serial.run(async () => {
      await this.#findMade()
      await this.#host.pages.sweep(this.#sid, this.#known())
    })
  }

  #known(): Set<string> {
    const named = this.#replica?.manifest.pages.map(({ hash }) => hash) ?? []
    return new Set([...named, ...[...this.#made.values()].map(({ hash }) => hash)])
  }

  /** Pages that were made here before this start, and that the relay has yet to name. */
  async #findMade(): Promise<void> {
    const manifest = this.#replica?.manifest ?? EMPTY_MANIFEST
    const isMissing = (page: SealedPage) => page.hash === '' && page.count > 0 && !this.#made.has(page.first)
    if (!manifest.pages.some(isMissing)) return
    const { pages } = this.#host
    const known = this.#known()
    for (const hash of await pages.hashes(this.#sid)) {
      const records = known.has(hash) ? null : await pages.read(this.#sid, hash, false)
      const page = records?.[0] && pageOf(manifest, records[0].index)
      if (!records || !page || !isMissing(page) || records.length !== page.count) continue
      if (records.every(({ index }) => pageOf(manifest, index) === page && !isGone(page, index)))
        this.#made.set(page.first, { hash, records })
    }
  }

  /** There is a relay again: what couldn't be fetched is. */
  retry(): void {
    const pages = this.#replica?.manifest.pages
    for (const page of pages ?? []) if (this.#stale.has(page.first)) void this.#renew(page)
  }

  /**
   * Finds posts that the relay accepted and sealed while this device was away.
   * @param from they are at this index or above
   */
  async find(sids: ReadonlySet<string>, from: number): Promise<'found' | 'gone' | 'unknown'> {
    const left = new Set(sids)
    for (const page of this.#replica?.manifest.pages ?? []) {
      if (page.last < from || page.count === 0) continue
      const records = await this.load(page)
      if (!records) return 'unknown'
      for (const record of records) {
        if (left.delete(record.sid) && this.#replica?.isSealed(record.index))
          this.#replica.recalled.set(record.sid, record)
      }
      if (left.size === 0) return 'found'
    }
    return 'gone'
  }

  settled(): Promise<void> {
    return this.#serial.settled()
  }

  /** A page is there, is made anew, or is gone in part. */
  #turn(
    old: SealedPage | undefined,
    page: SealedPage,
    sealed: Records,
    was: Seen,
    noted: ReadonlySet<string>,
  ): void | Promise<void> {
    return this.#atHandOr(old, (records) => {
      if (old) this.#tellGone(records ?? [], old, page, was, noted)
      const made = this.#made.get(page.first)
      this.#made.delete(page.first)
      // it never was here, and nothing of it was shown as something newer
      if (old && !records && sealed.length === 0) return
      const held = new Map((records ?? []).map((record) => [record.index, record]))
      for (const record of sealed) held.set(record.index, record)
      this.#make(page, held, made?.hash)
    })
  }

  #make(page: SealedPage, held: Map<number, MessageRecord>, madeBefore: string | undefined): void {
    const replica = this.#replica
    if (!replica) return
    for (const record of replica.ordered.slice(replica.position(page.first), replica.position(page.last + 1)))
      held.set(record.index, record)
    const records = [...held.values()].filter(({ index }) => !isGone(page, index))
    if (page.count === 0) return
    records.sort((a, b) => a.index - b.index)
    const { hash, bytes } = makePage(records)
    const isMade = page.hash === '' && records.length === page.count
    if (isMade) this.#made.set(page.first, { hash, records })
    if (isMade || page.hash === hash) {
      this.#stale.delete(page.first)
      if (hash !== madeBefore) {
        this.#stored = Promise.all([this.#stored, this.#host.pages.keep(this.#sid, hash, records, bytes)])
      } else this.#host.pages.keep(this.#sid, hash, records, null)
      return
    }
    // something happened to it that this device didn't see
    this.#stale.set(page.first, records)
    void this.#renew(page)
  }

  async #renew(page: SealedPage): Promise<void> {
    const records = await this.load(page)
    const old = this.#stale.get(page.first)
    if (!records || !old || pageOf(this.#replica?.manifest ?? EMPTY_MANIFEST, page.first)?.hash !== page.hash)
      return
    this.#stale.delete(page.first)
    const now = new Map(records.map((record) => [record.sid, record]))
    for (const before of old) {
      const record = now.get(before.sid)
      if (record && !jsonEqual(before as unknown as Json, record as unknown as Json)) {
        if (this.#replica?.isSealed(record.index)) this.#replica.recalled.set(record.sid, record)
        this.#events.changed({ record: before, status: 'accepted' }, record)
      }
    }
  }

  #tellGone(
    records: Records,
    old: SealedPage,
    page: SealedPage,
    was: Seen,
    noted: ReadonlySet<string>,
  ): void {
    for (const record of records) {
      const { sid, index } = record
      if (!isGone(page, index) || isGone(old, index)) continue
      this.#events.removed(sid)
      if (!noted.has(sid)) this.#tell(record, record, was)
    }
  }

  /** @param old how the relay had it. What an undecided operation showed in its place was noted with the operation. */
  #tell(old: MessageRecord, record: MessageRecord, was: Seen): void {
    if (!was.isTouched(record.sid)) this.#events.changed({ record: old, status: 'accepted' }, record)
  }

  /** The records of a page as they are on this device: at once if they are decoded. */
  #atHandOr(page: SealedPage | undefined, use: (records: Records | null) => void): void | Promise<void> {
    const records = page ? (this.atHand(page) ?? this.#stale.get(page.first)) : null
    if (records !== undefined || !page?.hash) return use(records ?? null)
    const life = this.#life
    return this.#host.pages.read(this.#sid, page.hash, false).then((read) => {
      if (life === this.#life) use(read)
    })
  }

  /** Of a page that was just read: what operations of this device are about. */
  #recall(records: Records): void {
    const replica = this.#replica
    if (!replica || this.#host.journal.pending(this.#sid).length === 0) return
    const wanted = this.#host.journal.messagesOf(this.#sid)
    let any = false
    for (const record of records) {
      if (!wanted.has(record.sid) || !replica.isSealed(record.index)) continue
      any ||= !replica.recalled.has(record.sid)
      replica.recalled.set(record.sid, record)
    }
    if (any) this.#events.loaded()
  }

  /** The page's name, once the relay has made it anew; '' when that takes too long, or the connection ends. */
  async #named({ first }: SealedPage): Promise<string> {
    const hash = () => pageOf(this.#replica?.manifest ?? EMPTY_MANIFEST, first)?.hash ?? ''
    let timedOut = false
    const { platform, link } = this.#host
    const timer = platform.setTimeout(() => {
      timedOut = true
      this.#wake()
    }, REMADE_WITHIN)
    while (hash() === '' && !timedOut && link.connected)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    platform.clearTimeout(timer)
    return hash()
  }

  /** The manifest or the connection is another. */
  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  disconnected(): void {
    this.#wake()
  }
}
