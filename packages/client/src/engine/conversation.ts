/**
 * One conversation on this device: its document, opened when needed, and which of the relay's words, other tabs' and
 * this person's it goes on with. Longer than two screens because each of them turns on the same few fields: the
 * document, what is seen of it, and how far the relay believes it to be. What they do stands in rooms of its own:
 * `undecided` (this person's operations), `uplink` (their way to the relay), `seen`, `history`, `awaited-posts`,
 * `teller` (what the app is told), `eraser` and `restored`.
 */
import type { Decision, Operation, Outcome, ResumePoint, SealedPage } from '@confab/core'
import { messageSidOf, pageOf } from '@confab/core'
import * as Y from 'yjs'
import type { JournalEntry, StoredSummary } from '../storage/storage.ts'
import type { DocumentNews, OpenRequest } from '../transport/transport.ts'
import { AwaitedPosts } from './awaited-posts.ts'
import { applyOutcomes, isDoor, strand } from './decided.ts'
import type { ConversationView, EngineEvents, MessagePage, MessageView, ParticipantView } from './engine.ts'
import { Eraser } from './eraser.ts'
import { History } from './history.ts'
import { Horizons } from './horizons.ts'
import type { ConversationHost } from './host.ts'
import { KeptDocument } from './kept-document.ts'
import type { Part } from './ledger.ts'
import type { PeerMessage, PeerNews } from './peers.ts'
import { randomUint32 } from './platform.ts'
import { Replica } from './replica.ts'
import { changesTo, type ReplicaChanges } from './replica-changes.ts'
import { isComparable, isLostWith, type PageReader, type Restored, toBring } from './restored.ts'
import { type OrderedState, type PageQuery, type ReadPage, Seen } from './seen.ts'
import { Serial } from './serial.ts'
import {
  forgottenOf,
  highestIndexOf,
  pointOf,
  stateOfSummary,
  summarise,
  viewOf,
  withForgotten,
} from './summary.ts'
import { Teller } from './teller.ts'
import { Undecided } from './undecided.ts'
import { Uplink } from './uplink.ts'
import { covers, NOTHING, PEER, RELAY } from './y-document.ts'

export class LocalConversation {
  readonly sid: string
  /** For closing the documents that were used least recently. */
  lastUsed = 0
  readonly horizons = new Horizons()
  /** What the relay said last against an upload. */
  lastNack: { at: number; code: number; retryAfter: number } | null = null
  readonly #host: ConversationHost
  readonly #kept: KeptDocument
  readonly #history: History
  readonly #serial: Serial
  readonly #uplink: Uplink
  readonly #undecided: Undecided
  readonly #awaited = new AwaitedPosts()
  readonly #eraser: Eraser
  readonly #teller: Teller
  #replica: Replica | null = null
  #seen: Seen | null = null
  #opening: Promise<void> | null = null
  #summary: StoredSummary | null
  #view: ConversationView | null
  #channel: 'closed' | 'open' | 'absent' = 'closed'
  /** Where the relay believes this device to be; null when not open. */
  #asked: ResumePoint | null = null
  /** The relay takes this device to have nothing: what it says next is all there is. */
  #givesAll = false
  /** The next news is a whole document: this one can't be continued. */
  #startOver = false
  /** What is here shows half of some news, and is about to be replaced: nothing is told of it. */
  #isReloading = false
  #answered: (() => void)[] = []
  /**
   * The relay knows no more of this conversation, having been restored from an older backup: what is here stays. Which
   * removal its list showed then, '' for none; null while it is known.
   */
  #forgotten: string | null
  /** A page was read while the relay's messages were not here: none of them is history to its reader. */
  #readWithout = false
  /** The highest index known here when it was last projected. */
  #known = -1

  constructor(host: ConversationHost, sid: string, summary: StoredSummary | null) {
    this.sid = sid
    this.#host = host
    this.#summary = summary
    this.#view = summary && viewOf(summary)
    this.#forgotten = summary && forgottenOf(summary)
    const warn = (message: string, error: unknown) => host.warn(message, { sid, error })
    this.#history = new History(host, sid, {
      changed: (before, record) => {
        this.#note(record.sid, before, null)
        host.changed(this)
      },
      removed: (sid) => this.#eraser.note(sid),
      loaded: () => this.pendingChanged(),
    })
    this.#kept = new KeptDocument(host.documents, sid, warn, () => this.#history.stored())
    this.#serial = new Serial((error) => warn('A conversation could not be brought up to date', error))
    this.#undecided = new Undecided(host, sid)
    this.#uplink = new Uplink(
      host,
      sid,
      () => this.#channel !== 'closed',
      () => this.#reopen(),
    )
    this.#eraser = new Eraser(host, sid, {
      kept: this.#kept,
      history: this.#history,
      replica: () => this.#replica,
    })
    this.#teller = new Teller(host, sid, () => ({
      view: this.#view,
      seen: this.#seen,
      roster: this.pending.length > 0 ? this.#seen : (this.#replica?.roster ?? null),
    }))
  }

  /** Null when there is nothing here for this identity. */
  get view(): ConversationView | null {
    return this.#view
  }

  get seen(): Seen {
    if (!this.#seen) throw new Error('The conversation is not open')
    return this.#seen
  }

  /** The highest index that the relay has given, as far as it is known here. */
  get highestAccepted(): number {
    return this.#replica ? this.#base(this.#replica).highestIndex : -1
  }

  get pending(): readonly JournalEntry[] {
    return this.#undecided.entries
  }

  /** Up to where the relay's decisions are known here; null when nothing is. */
  get point(): ResumePoint | null {
    return this.#replica?.point ?? (this.#summary && pointOf(this.#summary))
  }

  /** Where a message is that is at hand. */
  indexOf(messageSid: string): number | undefined {
    return this.#replica?.message(messageSid)?.index
  }

  /** What is stored of its sealed history, or being made here; nothing is asked of the relay. */
  stored(page: SealedPage): ReturnType<History['load']> {
    return this.#history.load(page, false)
  }

  get channel(): 'closed' | 'open' | 'absent' {
    return this.#channel
  }

  /** Operations that are not decided, those on their way to the disk included. */
  get waiting(): number {
    return this.#undecided.count
  }

  participants(): ParticipantView[] {
    return this.#teller.participants()
  }

  /**
   * A page of messages; the page of history that must be loaded first, if one must.
   * @param loaded what was loaded for it so far, null for what can't be had now
   */
  page(query: PageQuery, loaded: ReadPage): MessagePage | SealedPage {
    if (this.#replica?.conversation === null) this.#readWithout = true
    const page = this.seen.page(query, (one) => this.#history.atHand(one) ?? loaded(one))
    if ('items' in page) {
      const step = query.direction === 'backwards' ? -query.count : query.count
      const edge = step < 0 ? page.items[0] : page.items.at(-1)
      if (edge) this.#history.prefetch(Math.max(0, edge.record.index + step))
    }
    return page
  }

  load(page: SealedPage): ReturnType<History['load']> {
    return this.#history.load(page)
  }

  /** Fetches what isn't here of its history, waiting in between. */
  async fetchHistory(pause: () => Promise<void>): Promise<void> {
    await this.opened()
    await this.#history.fetch(pause)
  }

  /**
   * One message as it is seen.
   * @param index where it is: without it, sealed ones are found only while something turns on them
   */
  async message(sid: string, index?: number): Promise<MessageView | undefined> {
    const seen = this.seen.message(sid)
    if (seen) return seen
    const record = await this.#history.recall(sid, index, true)
    return record && this.#seen?.message(sid, () => record)
  }

  /** Makes sealed messages at hand that are to be changed, so that it can be decided on them. */
  async recall(sid: string, index: number | undefined): Promise<void> {
    if (!this.seen.message(sid)) await this.#history.recall(sid, index, true)
  }

  /** Resolves when the document is readable. */
  opened(): Promise<void> {
    this.lastUsed = this.#host.platform.now()
    if (this.#replica) return Promise.resolve()
    this.#opening ??= new Promise((resolve, reject) => {
      this.#serial.run(async () => {
        try {
          if (!this.#replica) await this.#load()
          resolve()
        } catch (error) {
          reject(error)
        } finally {
          this.#opening = null
        }
      })
    })
    return this.#opening
  }

  // --- this person's operations

  /**
   * Decides an operation on what is seen and what is on its way to the disk, and remembers it if it is accepted.
   * @param index of the message that it is about
   */
  admit(operation: Operation, index?: number): Decision {
    return this.#undecided.admit(operation, this.seen, this.isSealed(index))
  }

  /** Whether a sealed message is at this index. */
  isSealed(index: number | undefined): boolean {
    return index !== undefined && this.#replica?.isSealed(index) === true
  }

  /** Takes back what was admitted: it was not stored. */
  dismiss(operations: readonly Operation[]): void {
    this.#undecided.dismiss(operations)
  }

  /**
   * Ids of the undecided horizons that need no decision once this one is there; none for other operations. One that
   * is on its way to the relay is left alone: it has probably been decided.
   */
  outdatedBy(operations: readonly Operation[]): string[] {
    return this.#undecided.outdatedBy(operations, this.#channel === 'open')
  }

  /** Shows and sends operations that are durable; those withdrawn left the journal in the same write. */
  appended(entries: readonly JournalEntry[], withdrawn: readonly string[]): void {
    this.#undecided.stored(entries)
    const operations = entries.map((entry) => entry.operation)
    const waits = this.#channel === 'open' && this.#undecided.holdsBack(operations)
    const sent = waits ? [] : this.#undecided.sendable(operations)
    const updates = this.#uplink.write(sent, new Set(withdrawn))
    this.#tellPeers(entries, updates, withdrawn)
    if (withdrawn.length > 0 || !this.#extend(operations)) this.#rebuild(null)
    this.#openChannel()
    this.#refresh()
  }

  /** The effect of an operation in flight or pending is not told until `release`. */
  withhold(parts: readonly Part[]): void {
    this.#teller.ledger.withheld.withhold(parts)
  }

  release(parts: readonly Part[]): void {
    this.#teller.ledger.withheld.release(parts)
    this.#host.changed(this)
  }

  /** Ids of the undecided operations that make or edit this message. */
  pendingOf(messageSid: string): string[] {
    return this.#undecided.of(messageSid)
  }

  /** Sends what waited for its attachments. */
  sendReady(): void {
    this.#withReplica(() => this.#tellPeers([], this.#restoreOutbox(), []))
  }

  /** Whether the operation is on its way to the relay, or was. */
  async isSent(id: string): Promise<boolean> {
    await this.opened()
    return this.#replica?.outbox.live().has(id) === true
  }

  announceTyping(): void {
    if (this.#channel === 'open') this.#host.link.awareness(this.sid, this.#teller.announceTyping())
  }

  // --- the relay

  /** What to ask of a relay that was just met. */
  connected(): OpenRequest {
    if (this.#replica) this.#restoreOutbox()
    this.#channel = 'open'
    this.#asked = this.#startOver
      ? NOTHING
      : (this.#replica?.point ?? (this.#summary ? pointOf(this.#summary) : NOTHING))
    this.#givesAll = this.#asked.commitsId === 0
    return { document: this.sid, point: this.#asked, pending: this.pending.length > 0 }
  }

  disconnected(): void {
    this.#channel = 'closed'
    this.#asked = null
    this.#teller.clearTyping()
    this.#history.disconnected()
    this.#uplink.stop()
    this.#answer()
  }

  /** Resolves when the relay has answered for this document, or can't. */
  answered(): Promise<void> {
    return new Promise((resolve) => this.#answered.push(resolve))
  }

  current(): void {
    this.#answer()
    this.#catchUp()
  }

  received(news: DocumentNews): void {
    const asked = this.#asked ?? NOTHING
    // outcomes alone say nothing of the document
    const hasUpdates = news.updates.length > 0
    const isAll = this.#givesAll && hasUpdates
    // at once: until this has its turn the relay may have said something else
    if (this.#channel !== 'closed') this.#channel = 'open'
    if (hasUpdates) this.#givesAll = false
    this.#withReplica((replica, isFresh) => {
      if (!news.replace && !isAll && (this.#startOver || !covers(replica.point, asked))) {
        // the stored copy lost a write that the summary has: this news doesn't fit on it
        this.#reopen()
        return
      }
      const isOther = news.lost === true || (isAll && this.#forgotten !== null)
      const replace = news.replace || (isAll && (this.#startOver || isOther))
      // who lost their copy, or was removed in one of two histories, may have something to bring, too
      if (!isOther && !isAll) this.#take(news, replace, null)
      else
        return this.#bringAgain(replica, news, isOther, isFresh).then((restored) => {
          this.#take(news, replace || restored !== null, restored)
          // what a snapshot has decided it has no outcome of: the relay answers who asks again
          if (this.#replica) this.#restoreOutbox()
        })
    })
  }

  #take({ updates, outcomes, point }: DocumentNews, replace: boolean, restored: Restored | null): void {
    const replica = this.#replica as Replica
    const epoch = point?.epoch ?? replica.epoch
    const known = this.#knownHistory(replica)
    if (restored) this.#leaveHistory()
    // without the change that it made nobody can tell which commit an outcome is of
    const accepted = this.#settle(outcomes, updates.length > 0 ? (point ?? replica.point) : NOTHING)
    const other = replace && restored ? { again: restored.again, from: this.#reached(replica) } : null
    this.#host.post({ kind: 'news', document: this.sid, replace, epoch, updates, accepted, restored: other })
    if (replace) this.#replaceWith(epoch, updates, restored?.anew)
    else {
      const current = this.#replica as Replica
      if (current.conversation === null) current.epoch = epoch
      if (updates.length > 0) this.#forgotten = null
      current.apply(updates, RELAY)
      this.#baseChanged(current, known)
    }
    if (this.#channel === 'open') this.#asked = this.#replica?.point ?? null
    this.#answer()
    this.#catchUp()
  }

  /**
   * What the relay's document lacks of this person's own is undecided again, and what it lacks of other people's is
   * offered: durable before the old document goes. Null when nothing shows that there is another history.
   * @param isOther the document is known to be of another history; otherwise it may be
   * @param isFresh what is here was read from the store just now
   */
  async #bringAgain(
    old: Replica,
    { point, updates }: DocumentNews,
    isOther: boolean,
    isFresh: boolean,
  ): Promise<Restored | null> {
    const { journal, identity } = this.#host
    const accepted = await journal.kept(this.sid)
    if (!isOther && accepted.length === 0 && old.conversation === null && !this.#summary) return null
    const next = this.#read(point?.epoch ?? old.epoch, updates)
    const differs = isOther || !this.#goesOn(old, next)
    const documents = { old, next, sid: this.sid, identity }
    const pages = differs ? this.#pagesOfBoth() : null
    const { again, edits } = await toBring(documents, accepted, this.pending, pages)
    if (!differs && again.length === 0) return null
    // should storing fail, whatever comes next is answered with this question again
    this.#asked = point
    const anew = differs && !this.#isToldOf(old, next, isFresh)
    next.doc.destroy()
    return {
      again: again.length > 0 ? await journal.again(again, edits) : [],
      anew,
    }
  }

  #pagesOfBoth(): PageReader {
    const { pages, link } = this.#host
    return {
      old: (page) => this.#history.held(page),
      next: ({ hash }) => pages.read(this.sid, hash, link.connected),
    }
  }

  /** How far this conversation had come here: further than the document, if its stored copy lost a write. */
  #reached(replica: Replica): ResumePoint {
    const summary = this.#summary
    return summary && summary.commitsId !== 0 && !replica.knows(summary) ? pointOf(summary) : replica.point
  }

  /** Whether `next` goes on from what was here, as far as that shows. */
  #goesOn(old: Replica, next: Replica): boolean {
    const reached = this.#reached(old)
    const isUnknown = old.conversation === null && reached.epoch !== next.epoch
    return reached.commitsId === 0 || isUnknown || next.knows(reached)
  }

  /** Whether what the app was told is what `old` says, and can be compared. */
  #isToldOf(old: Replica, next: Replica, isFresh: boolean): boolean {
    // another client on this store may have put the newer one there already
    return !(isFresh && next.knows(old.point)) && isComparable(old, next)
  }

  /** What the relay said of indices holds no more. */
  #leaveHistory(): void {
    this.#history.leave()
    this.#eraser.leave()
    this.#awaited.leave()
  }

  #read(epoch: number, updates: readonly Uint8Array[]): Replica {
    const replica = this.#make(epoch)
    replica.apply(updates, RELAY)
    replica.attach()
    return replica
  }

  /** The relay has forgotten it. @param removal an older removal that its list shows instead */
  forget(removal: string | null): void {
    if (!this.#summary && !this.#replica?.conversation) return
    this.#setForgotten(removal ?? '')
  }

  /** It was forgotten, and came to be removed. */
  get isRemovedAfterAll(): boolean {
    if (this.#forgotten === null) return false
    const removal = this.#host.listing.removal(this.sid)
    return removal !== null && removal !== this.#forgotten
  }

  #setForgotten(forgotten: string | null): void {
    if (this.#forgotten === forgotten) return
    this.#forgotten = forgotten
    if (this.#summary) this.#summary = withForgotten(this.#summary, forgotten)
    this.#saveSummary()
  }

  /** The relay may lack what was accepted here, and nothing of it is at hand: it was made here, and left. */
  bringBack(): void {
    this.#withReplica(async () => {
      if (this.#view) return
      await this.#outlive()
      this.#openChannel()
    })
  }

  /** Goes on with what is here: what was accepted is undecided again, until somebody lets this identity in. */
  async #outlive(): Promise<void> {
    this.#host.inviteExpiry.delete(this.sid)
    const kept = await this.#host.journal.kept(this.sid)
    if (kept.length === 0) return
    const entries = await this.#host.journal.again(kept)
    this.#tellPeers(entries, [], [])
    // in the order of writing: what creates the conversation comes before what is undecided for longer
    const { outbox } = this.#replica as Replica
    this.#uplink.write(this.#undecided.sendable(), outbox.live())
    this.#rebuild(null)
    this.#refresh()
  }

  outcomes(outcomes: readonly Outcome[]): void {
    this.#withReplica(() => {
      const accepted = this.#settle(outcomes, NOTHING)
      // it is known again, and whoever is let in is given the document first: they were removed since
      if (this.#forgotten !== null && accepted.length > 0) this.lose(true)
      if (accepted.length > 0) this.#host.post({ kind: 'removed', document: this.sid, ids: accepted })
      this.#rebuild(null)
      this.#refresh()
      this.#catchUp()
    })
  }

  requested(stateVector: Uint8Array): void {
    this.#withReplica(() => this.#uplink.upload(Y.decodeStateVector(stateVector)))
  }

  absent(): void {
    const asked = this.#asked ?? NOTHING
    if (this.#channel !== 'closed') {
      this.#channel = 'absent'
      this.#asked = NOTHING
      this.#givesAll = true
    }
    this.#serial.run(async () => {
      if (this.#replica?.conversation && asked.commitsId === 0 && !this.#startOver) {
        // What another client on this store heard since this one asked is newer than the answer: ask with that.
        this.#reopen()
        return
      }
      if (this.#summary || this.#replica?.conversation) {
        if (!this.#replica) await this.#load()
        await this.#miss()
      } else this.#strandIfShut()
      this.#answer()
    })
  }

  /** The relay gives this identity nothing: it was removed, or the relay has forgotten. Its own list tells. */
  async #miss(): Promise<void> {
    const { listing } = this.#host
    await listing.settled()
    // the connection went meanwhile, or it was let in: it is asked again, or was
    if (this.#channel !== 'absent') return
    if (this.#forgotten === null && !listing.has(this.sid) && listing.removal(this.sid) === null)
      this.forget(null)
    if (this.#forgotten === null || this.isRemovedAfterAll) this.lose(true)
    else if (listing.has(this.sid)) this.#reopen()
    else await this.#outlive()
  }

  awareness(update: Uint8Array): void {
    this.#withReplica(() => this.#teller.heardTyping(update))
  }

  nack(error: { code: number; retryAfter: number }): void {
    this.lastNack = { ...error, at: this.#host.platform.now() }
    if (error.code !== 70602) {
      this.#uplink.refused(error.retryAfter)
      return
    }
    this.#withReplica((replica) => {
      if (replica.point.commitsId === 0) {
        this.#install(this.#make(0))
        this.#restoreOutbox()
        this.#rebuild(null)
      } else this.#startOver = true
      this.#reopen()
    })
  }

  // --- other clients on the same store

  #tellPeers(entries: readonly JournalEntry[], updates: Uint8Array[], withdrawn: readonly string[]): void {
    this.#host.post({
      kind: 'appended',
      document: this.sid,
      entries: [...entries],
      removed: [...withdrawn],
      updates,
      inviteEnds: this.#host.inviteExpiry.get(this.sid),
    })
  }

  peerAppended({ entries, removed, updates, inviteEnds }: Extract<PeerMessage, { kind: 'appended' }>): void {
    if (inviteEnds !== undefined) this.#host.inviteExpiry.set(this.sid, inviteEnds)
    for (const id of removed) this.#host.journal.forget(id)
    for (const entry of entries) this.#host.journal.add(entry)
    this.#undecided.sendable(entries.map(({ operation }) => operation))
    this.#withReplica((replica) => {
      // stands on what only the other has: then it is written here as well, and the relay takes it once
      if (!replica.applyOwn(updates)) this.#restoreOutbox()
      this.#rebuild(null)
      this.#openChannel()
      // the one that wrote it may have no connection
      for (const update of updates) this.#host.link.update(this.sid, update)
      this.#refresh()
    }, updates)
  }

  peerNews({ replace, epoch, updates, accepted, restored }: PeerNews): void {
    this.#withReplica((replica, isFresh) => {
      for (const entry of restored?.again ?? []) this.#host.journal.add(entry)
      // this client's own connection says more, and in order
      if (this.#channel === 'absent') return
      const next = restored && this.#read(epoch, updates)
      const told = isFresh && this.#summary ? pointOf(this.#summary) : replica.point
      const isLost = next && !next.knows(told) && isLostWith(restored, replica, told)
      if (isLost) this.#leaveHistory()
      this.#awaited.accepted(accepted, this.pending)
      for (const id of accepted) {
        this.#host.journal.forget(id)
        this.#host.verdicts.accepted(id)
      }
      if (isLost) {
        this.#replaceWith(epoch, updates, !this.#isToldOf(replica, next, isFresh))
        return
      }
      const known = this.#knownHistory(replica)
      if (replica.epoch === epoch && restored) {
        // it goes on in the other history already, or hears of it itself
        this.pendingChanged()
        return
      }
      if (replace && replica.epoch !== epoch) {
        this.#replaceWith(epoch, updates)
        return
      }
      const lost = replica.conversation === null && this.#summary !== null
      if (replica.conversation === null) replica.epoch = epoch
      if (replica.epoch === epoch && !lost) replica.apply(updates, PEER)
      // one that lacks what the news stands on shows half of it: what it was before is compared with the next one
      if (replica.complete) {
        this.#baseChanged(replica, known)
        this.#catchUp()
      }
      // it missed what came before: the other's stored copy has it, or the relay
      if (lost || replica.epoch !== epoch || !replica.complete) return this.#reload(epoch, updates)
    })
  }

  /** Operations left the pending list elsewhere. */
  pendingChanged(): void {
    if (!this.#replica) return
    this.#rebuild(null)
    this.#refresh()
  }

  // --- what the app is told

  /** Says what is due. */
  flush(events: EngineEvents): void {
    if (this.#isReloading) return
    this.#teller.tell(events)
    // nothing turns on them any more
    if (this.#teller.ledger.settled && this.waiting === 0 && this.#history.idle)
      this.#replica?.recalled.clear()
  }

  // --- its life

  /**
   * This identity is no participant any more: the copy goes, and what was written here is held.
   * @param tellPeers whether the other clients on this store are to do the same
   */
  lose(tellPeers: boolean): void {
    const epoch = this.#replica?.epoch ?? this.#summary?.epoch ?? 0
    this.#teller.ledger.lose()
    this.#readWithout = false
    this.#summary = null
    this.#forgotten = null
    this.#install(this.#make(0))
    this.#kept.remove(epoch)
    this.#history.lose()
    this.#awaited.forget()
    this.#host.journal.saveSummary(this.sid, () => this.#summarise())
    if (tellPeers) {
      this.#host.post({ kind: 'lost', document: this.sid })
      strand(this.#host, this.sid, 70401)
    }
    this.#rebuild(null)
    this.#refresh()
  }

  /** Whether its document may be closed: nothing of it is at work. */
  get quiet(): boolean {
    return (
      this.#replica !== null &&
      this.#serial.idle &&
      this.#history.idle &&
      this.waiting === 0 &&
      this.#teller.ledger.settled &&
      this.#eraser.idle
    )
  }

  /** Nothing is known, told or pending: it may be forgotten. */
  get empty(): boolean {
    return this.#view === null && !this.#summary && this.waiting === 0
  }

  /** Closes the document; the summary remains. */
  async close(): Promise<void> {
    this.#eraser.hurry()
    this.#teller.clearTyping()
    this.#uplink.stop()
    if (!this.#replica) return
    this.#summary = this.#summarise()
    this.#replica = null
    this.#seen = null
    this.#undecided.seenAnew()
    this.#uplink.follow(null)
    await this.#kept.close()
    await this.#history.settled()
    await this.#eraser.settled()
    this.#history.use(null)
  }

  /**
   * Removes what is stored of it but its summary: it stays on the list, and is fetched again when it is opened.
   * Gives whether it did: not while something of it is undecided.
   */
  async dropStored(): Promise<boolean> {
    this.#eraser.hurry()
    await this.settled()
    const epoch = this.#replica?.epoch ?? this.#summary?.epoch
    if (epoch === undefined || this.waiting > 0) return false
    await this.close()
    this.#kept.remove(epoch)
    await this.#kept.close()
    await this.#host.pages.sweep(this.sid, new Set())
    return true
  }

  async settled(): Promise<void> {
    await this.#serial.settled()
    await this.#history.settled()
  }

  /** @param task is told whether the document was read from the store just now */
  #withReplica(
    task: (replica: Replica, isFresh: boolean) => void | Promise<void>,
    before: readonly Uint8Array[] = [],
  ): void {
    this.#serial.run(() => {
      if (this.#replica) return task(this.#replica, false)
      return this.#load(before).then(() => task(this.#replica as Replica, true))
    })
  }

  /** @param more updates that belong to the document and may not be stored yet */
  async #load(more: readonly Uint8Array[] = []): Promise<void> {
    const summary = this.#summary
    const make = (epoch: number) => this.#make(epoch)
    const replica = summary ? await this.#kept.load(summary.epoch, make) : make(0)
    replica.apply(more, PEER)
    this.#install(replica)
    this.#restoreOutbox()
    for (const { operation, messageIndex } of this.pending) {
      if ('sid' in operation) await this.#history.recall(operation.sid, messageIndex, false)
    }
    const seen = this.#project(replica)
    this.#seen = seen
    if (replica.manifest.end > 0) this.#history.sweep()
    // what was stored after the summary was told of is news to this client
    const from = summary ? replica.position(highestIndexOf(summary) + 1) : replica.ordered.length
    for (const record of replica.ordered.slice(from)) this.#teller.ledger.note(record.sid, undefined)
    this.#teller.takeParticipants()
    // what the relay has for it now tells whether anything of this person's went with the writes that were lost
    if (summary && summary.commitsId !== 0 && !replica.knows(summary)) this.#startOver = true
    if (this.#asked && !covers(replica.point, this.#asked)) this.#reopen()
    this.#refresh()
  }

  #make(epoch: number): Replica {
    return new Replica(epoch, randomUint32(this.#host.platform), this.#host.identity)
  }

  #install(replica: Replica): void {
    replica.attach()
    this.#replica = replica
    this.#history.use(replica)
    this.#undecided.seenAnew()
    this.#uplink.follow(replica)
  }

  /** What the relay is known to have accepted: the document, or the summary when the document was lost. */
  #base(replica: Replica): OrderedState {
    return replica.conversation === null && this.#summary ? stateOfSummary(this.#summary) : replica
  }

  #project(replica: Replica): Seen {
    const base = this.#base(replica)
    this.#awaited.follow(base, this.pending)
    this.#known = base.highestIndex
    const operations = [...this.#awaited.operations, ...this.#undecided.operations]
    return new Seen(base, operations, this.#host.contextFor(this.sid))
  }

  /** Appends what the journal has and the outbox lacks: a write that was lost, or an epoch. */
  #restoreOutbox(): Uint8Array[] {
    return this.#uplink.restore(this.#undecided.sendable())
  }

  /** A conversation that the relay hasn't been asked for yet: it answers with a request for what is pending. */
  #openChannel(): void {
    if (this.#channel === 'closed' && this.#host.link.connected) this.#host.link.open([this.connected()])
  }

  #reopen(): void {
    if (this.#host.link.connected) this.#host.link.reopen(this.connected())
  }

  /**
   * When nothing of the conversation was held here: up to which index its messages are history to this client, which
   * is told of none of them. Null when nothing is history.
   */
  #knownHistory(replica: Replica): number | null {
    if (replica.conversation !== null || this.#readWithout) return null
    if (this.#summary) return highestIndexOf(this.#summary)
    // a creator was here before any message; somebody who was added or invited comes to all there is
    const isCreator = this.#seen?.state.conversation?.createdBy === this.#host.identity
    return isCreator ? null : Number.POSITIVE_INFINITY
  }

  #baseChanged(replica: Replica, history: number | null): void {
    const changes = replica.takeChanges()
    this.#rebuild(changes, history)
    if (!this.#kept.keeping && replica.point.commitsId !== 0) {
      this.#kept.keep(replica, () => {
        // an older copy may have been there
        if (this.#replica === replica) this.#rebuild(replica.takeChanges(), history)
      })
    }
    for (const sid of changes.removed) this.#eraser.note(sid)
    if (changes.manifest) this.#eraser.soon()
    if (changes.manifest) this.#host.historyChanged(this)
    this.#saveSummary()
    this.#refresh()
  }

  /**
   * Goes on with a whole document that the relay sent in place of this one.
   * @param anew the app is told the conversation anew, because the two can't be compared
   */
  #replaceWith(epoch: number, updates: readonly Uint8Array[], anew = false): void {
    const old = (this.#replica as Replica).epoch
    const next = this.#make(epoch)
    next.apply(updates, RELAY)
    if (anew) this.#begin(next)
    else this.#adopt(next)
    this.#kept.replace(next, old, () => this.#host.journal.flush())
  }

  /** Goes on with what another client on this store keeps. */
  async #reload(epoch: number, updates: readonly Uint8Array[]): Promise<void> {
    this.#isReloading = true
    try {
      await this.#kept.close()
      const next = await this.#kept.load(epoch, (number) => this.#make(number))
      next.apply(updates, PEER)
      if (next.point.commitsId !== 0 && next.complete) this.#adopt(next)
      else {
        await this.#kept.close()
        this.#reopen()
      }
    } finally {
      this.#isReloading = false
      this.#refresh()
    }
  }

  /** Goes on with another document; what is undecided is appended to it again. */
  #adopt(next: Replica): void {
    const old = this.#replica as Replica
    const was = this.#seen as Seen
    const history = this.#knownHistory(old)
    const known = history === null ? this.#known : -1
    this.#install(next)
    const changes = changesTo(next, old)
    const seen = this.#goOn(next)
    const edited = new Set(changes.edited)
    const before = (sid: string) => changes.messages.get(sid) ?? old.recalled.get(sid)
    const note = (sid: string) =>
      this.#note(sid, was.base === old ? was.message(sid, before) : was.message(sid), history)
    for (const sid of changes.messages.keys()) note(sid)
    for (const record of next.ordered) if (!edited.has(record)) note(record.sid)
    for (const sid of [...was.touched(), ...seen.touched()]) note(sid)
    if (history !== null) this.#teller.takeParticipants()
    this.#history.follow(changes, was, known)
    this.#adopted()
  }

  /** Goes on with another document as with one that was never here. */
  #begin(next: Replica): void {
    this.#teller.ledger.lose()
    this.#readWithout = false
    this.#install(next)
    // nobody is shown them as undecided
    this.#awaited.forget()
    this.#goOn(next)
    for (const { operation, messageIndex } of this.pending)
      if ('sid' in operation) void this.#history.recall(operation.sid, messageIndex, true)
    this.#adopted()
  }

  #goOn(next: Replica): Seen {
    this.#startOver = false
    this.#forgotten = null
    this.#restoreOutbox()
    this.#seen = this.#project(next)
    return this.#seen
  }

  #adopted(): void {
    this.#eraser.soon()
    this.#host.historyChanged(this)
    this.#saveSummary()
    this.#refresh()
  }

  /** Applies outcomes to the journal; gives the ids of what was accepted. */
  #settle(outcomes: readonly Outcome[], point: ResumePoint): string[] {
    const ids = outcomes.flatMap(({ id, verdict }) => (verdict === 'accepted' ? id : []))
    this.#awaited.accepted(ids, this.pending)
    const { accepted, later } = applyOutcomes(
      this.#host,
      this.sid,
      outcomes,
      this.#replica?.conversation === null,
      point,
    )
    if (this.#replica?.conversation === null && this.pending.length === 0) {
      // what was refused with the creation, or the joining, must not be sent after all
      const live = this.#replica.outbox.live()
      if (live.size > 0) this.#install(this.#make(0))
    }
    if (later && !this.#strandIfShut()) this.#uplink.backOff()
    else if (accepted.length > 0) this.#uplink.taken()
    if (accepted.length > 0 && this.#undecided.freesEdit()) this.#restoreOutbox()
    return accepted
  }

  /**
   * The relay knows no such conversation of this identity's. What is pending may still open it; otherwise it is held.
   * Gives whether it was.
   */
  #strandIfShut(): boolean {
    if (this.#channel !== 'absent' || this.#forgotten !== null || this.pending.length === 0) return false
    if (this.pending.some((entry) => isDoor(entry.operation))) return false
    strand(this.#host, this.sid, 70401)
    if (this.#replica) {
      this.#install(this.#make(0))
      this.#rebuild(null)
      this.#refresh()
    }
    return true
  }

  /** Takes posts into what is seen; gives false when everything is to be projected again. */
  #extend(operations: readonly Operation[]): boolean {
    if (!this.#seen || operations.some((operation) => operation.type !== 'message.post')) return false
    for (const operation of operations) {
      this.#teller.ledger.note(messageSidOf(operation.id), undefined)
      this.#seen.extend(operation)
    }
    return true
  }

  /**
   * Projects again.
   * @param changes what the relay changed since the last time
   * @param history see `#knownHistory`
   */
  #rebuild(changes: ReplicaChanges | null, history: number | null = null): void {
    const replica = this.#replica
    if (!replica) return
    const was = this.#seen
    const base = changes ?? replica.takeChanges()
    const known = history === null ? this.#known : -1
    const seen = this.#project(replica)
    this.#seen = seen
    this.#undecided.seenAnew()
    if (!was) return
    // The replica goes on under `was`, so how its messages were is in the changes; a summary stays as it is.
    const goesOn = was.base === replica
    const before = (sid: string) => (base.messages.has(sid) ? base.messages.get(sid) : replica.message(sid))
    const changed = goesOn ? base.messages.keys() : replica.ordered.map(({ sid }) => sid)
    for (const sid of new Set([...changed, ...was.touched(), ...seen.touched()])) {
      this.#note(sid, goesOn ? was.message(sid, before) : was.message(sid), history)
    }
    this.#history.follow(base, was, known)
    if (history !== null) this.#teller.takeParticipants()
  }

  #note(sid: string, before: MessageView | undefined, history: number | null): void {
    const now = this.#seen?.message(sid)
    if (before?.record === now?.record && before?.status === now?.status) return
    const isHistory =
      before === undefined && now?.status === 'accepted' && now.record.index <= (history ?? -1)
    if (isHistory && !this.#teller.ledger.isNew(sid)) return
    this.#teller.ledger.note(sid, before)
  }

  #refresh(): void {
    if (this.#replica && this.#undecided.freesHorizon()) this.#restoreOutbox()
    const pending = this.pending.length > 0
    const { identity } = this.#host
    this.#view = this.#seen
      ? this.#seen.view(this.sid, identity, pending, this.#history.atHand, this.#view?.lastMessage)
      : this.#summary && viewOf(this.#summary)
    const last = this.#view?.lastMessage?.index ?? -1
    const page = this.#replica?.isSealed(last) && pageOf(this.#replica.manifest, last)
    // everything in the document was removed: the date of the newest message is in a page
    if (page && !this.#history.atHand(page))
      void this.#history.load(page).then((records) => records && this.#refresh())
    this.#host.changed(this)
  }

  #saveSummary(): void {
    this.#host.journal.saveSummary(this.sid, () => this.#summarise())
  }

  #summarise(): StoredSummary | null {
    const replica = this.#replica
    if (!replica || replica.conversation === null) return this.#summary
    const { identity } = this.#host
    const accepted = new Seen(replica, [], this.#host.contextFor(this.sid)).view(
      this.sid,
      identity,
      false,
      this.#history.atHand,
      this.#view?.lastMessage,
    )
    this.#summary =
      accepted && withForgotten(summarise(accepted, replica.point, replica.highestIndex), this.#forgotten)
    return this.#summary
  }

  /** What the relay sealed while this device was away may hold something that is waited for. */
  #catchUp(): void {
    this.#history.retry()
    void this.#awaited.lookIn(this.#history).then((posts) => {
      if (!posts || !this.#replica) return
      // those that were found are at hand; the others were removed
      this.#awaited.drop(posts)
      this.#rebuild(null)
      this.#refresh()
    })
  }

  #answer(): void {
    for (const resolve of this.#answered.splice(0)) resolve()
  }
}
