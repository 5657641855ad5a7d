/**
 * One conversation on this device: its document (opened when needed), the operations of this identity that are
 * undecided, what is seen of both, and what the app was told. Longer than two screens because everything here turns
 * on the same few fields; what can stand alone stands in `replica`, `seen`, `ledger`, `kept-document`, `decided`.
 */
import {
  type Decision,
  DraftState,
  decide,
  messageSidOf,
  type Operation,
  type Outcome,
  pageOf,
  type ResumePoint,
  type SealedPage,
} from '@confab/core'
import * as Y from 'yjs'
import type { JournalEntry, StoredSummary } from '../storage/storage.ts'
import type { DocumentNews, OpenRequest } from '../transport/transport.ts'
import { applyOutcomes, isDoor, strand } from './decided.ts'
import type { ConversationView, EngineEvents, MessagePage, MessageView, ParticipantView } from './engine.ts'
import { History } from './history.ts'
import { Horizons, isHorizon } from './horizons.ts'
import type { ConversationHost } from './host.ts'
import { KeptDocument } from './kept-document.ts'
import { Ledger, type LedgerEvent, type Part } from './ledger.ts'
import { LOCAL } from './outbox.ts'
import type { PeerMessage, PeerNews } from './peers.ts'
import { randomFraction, randomUint32 } from './platform.ts'
import { ofRemoved, removalsOf } from './removed.ts'
import { Replica, type ReplicaChanges } from './replica.ts'
import { bring, compare, isComparable, isLostWith, type PageReader, type Restored } from './restored.ts'
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
import type { SeenParticipant } from './timeline.ts'
import { Typing } from './typing.ts'
import { covers, PEER, RELAY } from './y-document.ts'

export type RelayNews = DocumentNews

const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }
/** Milliseconds after a removal until the stored copy is rewritten: several removals share one rewriting. */
const COMPACT_AFTER = 1000
/** First and longest wait, in milliseconds, before an operation that was answered "not now" is sent again. */
const RETRY_FIRST = 1000
const RETRY_MOST = 60_000
/** Share of `limits.updateBytes` that an upload fills: its headers are estimated. */
const FILL = 0.9

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
  readonly #ledger = new Ledger()
  readonly #typing: Typing
  #replica: Replica | null = null
  #seen: Seen | null = null
  #opening: Promise<void> | null = null
  #summary: StoredSummary | null
  #view: ConversationView | null
  #roster: { key: object; participants: Map<string, SeenParticipant> } | null = null
  /** Decided here and on their way to the disk. */
  #inflight: Operation[] = []
  /** What is seen, with the ones in flight. */
  #draft: DraftState | null = null
  #channel: 'closed' | 'open' | 'absent' = 'closed'
  /** Where the relay believes this device to be; null when not open. */
  #asked: ResumePoint | null = null
  /** The relay takes this device to have nothing: what it says next is all there is. */
  #givesAll = false
  /** The next news is a whole document: this one can't be continued. */
  #startOver = false
  #compactTimer: unknown = null
  /** Messages that are known to be removed, until what was written of them is erased. */
  readonly #removed = new Set<string>()
  #erasing: Promise<void> = Promise.resolve()
  /** What is here shows half of some news, and is about to be replaced: nothing is told of it. */
  #isReloading = false
  #retryTimer: unknown = null
  #retryDelay = RETRY_FIRST
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
  /** What `#known` was when a post was first seen undecided, by its id: it got a higher index. */
  readonly #postedAfter = new Map<string, number>()
  /** Posts that the relay accepted, and whose records are in no page that was read so far. */
  #accepted: Operation[] = []
  /** An edit waits for the attachments of the post that it changes. */
  #editWaits = false
  /** A read horizon is pending that the relay isn't told of while it decides the one before. */
  #horizonWaits = false

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
      removed: (sid) => this.#noteRemoved(sid),
      loaded: () => this.pendingChanged(),
    })
    this.#kept = new KeptDocument(host.documents, sid, warn, () => this.#history.stored())
    this.#serial = new Serial((error) => warn('A conversation could not be brought up to date', error))
    this.#typing = new Typing(host.platform, host.identity, (identity, typing) =>
      this.#tellTyping(identity, typing),
    )
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
    return this.#host.journal.pending(this.sid)
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
    return this.pending.length + this.#inflight.length
  }

  participants(): ParticipantView[] {
    return [...this.#participants().values()].map((participant) => this.#participantView(participant))
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
    const contextFor = this.#host.contextFor(this.sid)
    if (!this.#draft) {
      this.#draft = new DraftState(this.seen.state)
      for (const before of this.#inflight) {
        const decision = decide(this.#draft, before, contextFor(before))
        if (decision.verdict === 'accepted') this.#draft.apply(decision.changes)
      }
    }
    let decision = decide(this.#draft, operation, contextFor(operation))
    // its page can't be read now: then it is the relay's to decide
    if (
      operation.type === 'message.edit' &&
      decision.verdict === 'refused' &&
      !this.#draft.message(operation.sid) &&
      this.isSealed(index)
    )
      decision = { verdict: 'accepted', changes: [] }
    if (decision.verdict === 'accepted' && decision.changes.length > 0) this.#draft.apply(decision.changes)
    if (decision.verdict === 'accepted') this.#inflight.push(operation)
    return decision
  }

  /** Whether a sealed message is at this index. */
  isSealed(index: number | undefined): boolean {
    return index !== undefined && this.#replica?.isSealed(index) === true
  }

  /** Takes back what was admitted: it was not stored. */
  dismiss(operations: readonly Operation[]): void {
    this.#inflight = this.#inflight.filter((one) => !operations.includes(one))
    this.#draft = null
  }

  /**
   * Ids of the undecided horizons that need no decision once this one is there; none for other operations. One that
   * is on its way to the relay is left alone: it has probably been decided.
   */
  outdatedBy(operations: readonly Operation[]): string[] {
    const horizons = this.#pendingHorizons()
    const [operation] = operations
    if (!operation || !isHorizon(operation) || horizons.length === 0) return []
    // an advance from where a set puts it needs the set
    const lastSet = horizons.findLastIndex((entry) => entry.operation.type === 'read.set')
    const first = Math.max(operation.type === 'read.set' ? 0 : lastSet + 1, this.#channel === 'open' ? 1 : 0)
    return horizons.slice(first).map((entry) => entry.id)
  }

  #pendingHorizons(): JournalEntry[] {
    return this.pending.filter((entry) => isHorizon(entry.operation))
  }

  /** Shows and sends operations that are durable; those withdrawn left the journal in the same write. */
  appended(entries: readonly JournalEntry[], withdrawn: readonly string[]): void {
    const ids = new Set(entries.map((entry) => entry.id))
    this.#inflight = this.#inflight.filter((one) => !ids.has(one.id))
    if (this.#inflight.length === 0) this.#draft = null
    const operations = entries.map((entry) => entry.operation)
    const waits =
      this.#channel === 'open' &&
      operations.every(isHorizon) &&
      this.#pendingHorizons().length > entries.length
    if (waits) this.#horizonWaits = true
    const sent = waits ? [] : this.#sendable(operations)
    const updates = this.#write(sent, new Set(withdrawn))
    this.#tellPeers(entries, updates, withdrawn)
    if (withdrawn.length > 0 || !this.#extend(operations)) this.#rebuild(null)
    this.#openChannel()
    this.#refresh()
  }

  /** The effect of an operation in flight or pending is not told until `release`. */
  withhold(parts: readonly Part[]): void {
    this.#ledger.withhold(parts)
  }

  release(parts: readonly Part[]): void {
    this.#ledger.release(parts)
    this.#host.changed(this)
  }

  /** Ids of the undecided operations that make or edit this message. */
  pendingOf(messageSid: string): string[] {
    return this.pending
      .filter(({ id, operation }) =>
        operation.type === 'message.post'
          ? messageSidOf(id) === messageSid
          : operation.type === 'message.edit' && operation.sid === messageSid,
      )
      .map((entry) => entry.id)
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
    if (this.#channel === 'open') this.#host.link.awareness(this.sid, this.#typing.announce())
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
    this.#typing.clear()
    this.#history.disconnected()
    this.#host.platform.clearTimeout(this.#retryTimer)
    this.#retryTimer = null
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

  received(news: RelayNews): void {
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

  #take({ updates, outcomes, point }: RelayNews, replace: boolean, restored: Restored | null): void {
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
    { point, updates }: RelayNews,
    isOther: boolean,
    isFresh: boolean,
  ): Promise<Restored | null> {
    const { journal, identity } = this.#host
    const accepted = await journal.kept(this.sid)
    if (!isOther && accepted.length === 0 && old.conversation === null && !this.#summary) return null
    const next = this.#read(point?.epoch ?? old.epoch, updates)
    const differs = isOther || !this.#goesOn(old, next)
    const { lost, isThere } = await compare(old, next, differs ? this.#pagesOfBoth() : null)
    // one that was accepted in an earlier epoch is brought again, unless its message shows
    const kept = accepted.filter(
      ({ id, operation, acceptedBy, messageIndex }) =>
        !next.knows(acceptedBy) &&
        !(operation.type === 'message.post' && isThere(messageSidOf(id), messageIndex)),
    )
    const own = new Set([...kept, ...this.pending].map(({ id }) => messageSidOf(id)))
    const brought = lost.filter(({ sid }) => !own.has(sid))
    // what changes them comes behind them
    const sids = new Set(brought.map(({ sid }) => sid))
    const edits = kept.filter(({ operation }) => operation.type === 'message.edit' && sids.has(operation.sid))
    const again = [
      ...kept.filter((entry) => !edits.includes(entry)),
      ...brought.map((record) => bring(record, this.sid, identity)),
      ...edits,
    ]
    if (!differs && again.length === 0) return null
    // should storing fail, whatever comes next is answered with this question again
    this.#asked = point
    const anew = differs && !this.#isToldOf(old, next, isFresh)
    next.doc.destroy()
    return {
      again:
        again.length > 0
          ? await journal.again(
              again,
              edits.map(({ id }) => id),
            )
          : [],
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
    this.#removed.clear()
    this.#accepted = []
    this.#postedAfter.clear()
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
    outbox.write(this.#sendable(), outbox.live())
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
    this.#withReplica(() => this.#upload(Y.decodeStateVector(stateVector)))
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
    this.#withReplica(() => this.#typing.received(update))
  }

  nack(error: { code: number; retryAfter: number }): void {
    this.lastNack = { ...error, at: this.#host.platform.now() }
    if (error.code !== 70602) {
      this.#retry(Math.max(error.retryAfter, RETRY_FIRST))
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
    this.#sendable(entries.map(({ operation }) => operation))
    this.#withReplica((replica) => {
      replica.apply(updates, PEER)
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
      this.#awaitPosts(accepted)
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
    const seen = this.#seen
    const due = this.#ledger.tell({
      view: this.#view,
      participants: () => this.#participants(),
      message: (sid) => seen?.message(sid),
    })
    for (const event of due) this.#emit(events, event)
    // nothing turns on them any more
    if (this.#ledger.settled && this.waiting === 0 && this.#history.idle) this.#replica?.recalled.clear()
  }

  #emit(events: EngineEvents, event: LedgerEvent): void {
    switch (event.type) {
      case 'conversationUpdated':
        events.conversationUpdated(event.view, event.previous, event.reasons)
        break
      case 'conversationAdded':
      case 'conversationJoined':
      case 'conversationLeft':
      case 'conversationRemoved':
        events[event.type](event.view)
        break
      case 'participantJoined':
      case 'participantLeft':
        events[event.type](this.sid, this.#participantView(event.participant))
        break
      case 'participantUpdated':
        events.participantUpdated(this.sid, this.#participantView(event.participant), event.reasons)
        break
      case 'messageAdded':
        this.#endTyping(events, event.message.record.author)
        events.messageAdded(this.sid, event.message)
        break
      case 'messageRemoved':
        events.messageRemoved(this.sid, event.message)
        break
      case 'messageUpdated':
        events.messageUpdated(this.sid, event.message, event.reasons)
    }
  }

  // --- its life

  /**
   * This identity is no participant any more: the copy goes, and what was written here is held.
   * @param tellPeers whether the other clients on this store are to do the same
   */
  lose(tellPeers: boolean): void {
    const epoch = this.#replica?.epoch ?? this.#summary?.epoch ?? 0
    this.#ledger.lose()
    this.#readWithout = false
    this.#summary = null
    this.#forgotten = null
    this.#install(this.#make(0))
    this.#kept.remove(epoch)
    this.#history.lose()
    this.#accepted = []
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
      this.pending.length === 0 &&
      this.#inflight.length === 0 &&
      this.#ledger.settled &&
      this.#compactTimer === null
    )
  }

  /** Nothing is known, told or pending: it may be forgotten. */
  get empty(): boolean {
    return this.#view === null && !this.#summary && this.pending.length === 0 && this.#inflight.length === 0
  }

  /** Closes the document; the summary remains. */
  async close(): Promise<void> {
    if (this.#compactTimer !== null) this.#compactNow()
    this.#typing.clear()
    this.#host.platform.clearTimeout(this.#retryTimer)
    if (!this.#replica) return
    this.#summary = this.#summarise()
    this.#replica = null
    this.#seen = null
    this.#draft = null
    await this.#kept.close()
    await this.#history.settled()
    await this.#erasing
    this.#history.use(null)
  }

  /**
   * Removes what is stored of it but its summary: it stays on the list, and is fetched again when it is opened.
   * Gives whether it did: not while something of it is undecided.
   */
  async dropStored(): Promise<boolean> {
    if (this.#compactTimer !== null) this.#compactNow()
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
    for (const record of replica.ordered.slice(from)) this.#ledger.note(record.sid, undefined)
    this.#ledger.takeParticipants(this.#participants())
    // what the relay has for it now tells whether anything of this person's went with the writes that were lost
    if (summary && summary.commitsId !== 0 && !replica.knows(summary)) this.#startOver = true
    if (this.#asked && !covers(replica.point, this.#asked)) this.#reopen()
    this.#refresh()
  }

  /** Everybody as they are seen; made once for all readers until something changes. */
  #participants(): Map<string, SeenParticipant> {
    const { pending } = this
    if (!this.#seen || !this.#replica) return new Map()
    const key = pending.length > 0 ? this.#seen : this.#replica.roster
    if (this.#roster?.key !== key) this.#roster = { key, participants: this.#seen.participants() }
    return this.#roster.participants
  }

  #make(epoch: number): Replica {
    return new Replica(epoch, randomUint32(this.#host.platform), this.#host.identity)
  }

  #install(replica: Replica): void {
    replica.attach()
    this.#replica = replica
    this.#history.use(replica)
    this.#draft = null
    replica.doc.on(
      'update',
      (update: Uint8Array, origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
        if (origin !== LOCAL || this.#replica !== replica) return
        if (update.length > this.#host.limits.updateBytes * FILL) this.#upload(transaction.beforeState)
        else if (this.#channel !== 'closed') this.#host.link.update(this.sid, update)
      },
    )
  }

  /** What the relay is known to have accepted: the document, or the summary when the document was lost. */
  #base(replica: Replica): OrderedState {
    return replica.conversation === null && this.#summary ? stateOfSummary(this.#summary) : replica
  }

  #project(replica: Replica): Seen {
    const base = this.#base(replica)
    for (const { id, operation } of this.pending) {
      if (operation.type === 'message.post' && !this.#postedAfter.has(id))
        this.#postedAfter.set(id, base.highestIndex)
    }
    this.#accepted = this.#accepted.filter(({ id }) => {
      const isPlaced = base.manifest.end === 0 || base.message(messageSidOf(id)) !== undefined
      if (isPlaced) this.#postedAfter.delete(id)
      return !isPlaced
    })
    this.#known = base.highestIndex
    return new Seen(base, [...this.#accepted, ...this.#operations()], this.#host.contextFor(this.sid))
  }

  /** Appends what the journal has and the outbox lacks: a write that was lost, or an epoch. */
  #restoreOutbox(): Uint8Array[] {
    const replica = this.#replica as Replica
    const pending = this.#sendable()
    if (pending.length === 0) return []
    const live = replica.outbox.live()
    const missing = pending.filter((operation) => !live.has(operation.id))
    return missing.length > 0 ? this.#write(missing, new Set()) : []
  }

  /** Those that don't wait for attachments. */
  #sendable(operations = this.#operations()): Operation[] {
    return operations.filter((operation) => {
      const waits = this.#host.attachments.waits(operation)
      if (waits && operation.type === 'message.edit') this.#editWaits = true
      return !waits
    })
  }

  #operations(): Operation[] {
    return this.pending.map((entry) => entry.operation)
  }

  /** Changes the outbox; gives the updates that did it. */
  #write(operations: readonly Operation[], withdrawn: ReadonlySet<string>): Uint8Array[] {
    const replica = this.#replica as Replica
    const updates: Uint8Array[] = []
    const collect = (update: Uint8Array) => void updates.push(update)
    replica.doc.on('update', collect)
    replica.outbox.write(operations, withdrawn)
    replica.doc.off('update', collect)
    return updates
  }

  #upload(stateVector: ReadonlyMap<number, number>): void {
    if (this.#channel === 'closed' || !this.#replica) return
    const bytes = this.#host.limits.updateBytes * FILL
    for (const update of this.#replica.outbox.encodeAbove(stateVector, bytes))
      this.#host.link.update(this.sid, update)
  }

  /** A conversation that the relay hasn't been asked for yet: it answers with a request for what is pending. */
  #openChannel(): void {
    if (this.#channel === 'closed' && this.#host.link.connected) this.#host.link.open([this.connected()])
  }

  #reopen(): void {
    if (this.#host.link.connected) this.#host.link.reopen(this.connected())
  }

  #retry(delay: number): void {
    if (this.#retryTimer !== null || this.#channel === 'closed') return
    this.#retryTimer = this.#host.platform.setTimeout(() => {
      this.#retryTimer = null
      if (this.pending.length > 0) this.#reopen()
    }, delay)
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
    for (const sid of changes.removed) this.#removed.add(sid)
    if (changes.removed.length > 0 || changes.manifest) this.#compactSoon()
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
    if (history !== null) this.#ledger.takeParticipants(this.#participants())
    this.#history.follow(changes, was, known)
    this.#adopted()
  }

  /** Goes on with another document as with one that was never here. */
  #begin(next: Replica): void {
    this.#ledger.lose()
    this.#readWithout = false
    this.#install(next)
    // nobody is shown them as undecided
    this.#accepted = []
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
    this.#compactSoon()
    this.#host.historyChanged(this)
    this.#saveSummary()
    this.#refresh()
  }

  /** Applies outcomes to the journal; gives the ids of what was accepted. */
  #settle(outcomes: readonly Outcome[], point: ResumePoint): string[] {
    this.#awaitPosts(outcomes.flatMap(({ id, verdict }) => (verdict === 'accepted' ? id : [])))
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
    if (later && !this.#strandIfShut()) {
      this.#retry(this.#retryDelay * (0.5 + randomFraction(this.#host.platform)))
      this.#retryDelay = Math.min(RETRY_MOST, this.#retryDelay * 2)
    } else if (accepted.length > 0) this.#retryDelay = RETRY_FIRST
    if (accepted.length > 0 && this.#editWaits) {
      this.#editWaits = false
      this.#restoreOutbox()
    }
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
      this.#ledger.note(messageSidOf(operation.id), undefined)
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
    this.#draft = null
    if (!was) return
    // The replica goes on under `was`, so how its messages were is in the changes; a summary stays as it is.
    const goesOn = was.base === replica
    const before = (sid: string) => (base.messages.has(sid) ? base.messages.get(sid) : replica.message(sid))
    const changed = goesOn ? base.messages.keys() : replica.ordered.map(({ sid }) => sid)
    for (const sid of new Set([...changed, ...was.touched(), ...seen.touched()])) {
      this.#note(sid, goesOn ? was.message(sid, before) : was.message(sid), history)
    }
    this.#history.follow(base, was, known)
    if (history !== null) this.#ledger.takeParticipants(this.#participants())
  }

  #note(sid: string, before: MessageView | undefined, history: number | null): void {
    const now = this.#seen?.message(sid)
    if (before?.record === now?.record && before?.status === now?.status) return
    const isHistory =
      before === undefined && now?.status === 'accepted' && now.record.index <= (history ?? -1)
    if (isHistory && !this.#ledger.isNew(sid)) return
    this.#ledger.note(sid, before)
  }

  #sendNextHorizon(): void {
    if (!this.#horizonWaits || !this.#replica || this.#pendingHorizons().length > 1) return
    this.#horizonWaits = false
    this.#restoreOutbox()
  }

  #refresh(): void {
    this.#sendNextHorizon()
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

  #compactSoon(): void {
    if (this.#compactTimer !== null) return
    this.#compactTimer = this.#host.platform.setTimeout(() => this.#compactNow(), COMPACT_AFTER)
  }

  #compactNow(): void {
    this.#host.platform.clearTimeout(this.#compactTimer)
    this.#compactTimer = null
    this.#kept.compact()
    this.#history.sweep()
    const replica = this.#replica
    if (replica?.conversation) this.#erasing = this.#erasing.then(() => this.#erase(replica))
  }

  #noteRemoved(messageSid: string): void {
    this.#removed.add(messageSid)
    this.#compactSoon()
  }

  /** What this person's accepted operations said of removed messages leaves the journal. */
  async #erase(replica: Replica): Promise<void> {
    const { journal, identity, platform } = this.#host
    const removed = new Set(this.#removed)
    try {
      const kept = await journal.kept(this.sid)
      // another document has taken its place: its indices may be another history's
      if (this.#replica && this.#replica !== replica) return
      const erased = ofRemoved(kept, replica, removed)
      if (erased.length > 0) {
        const instead = removalsOf(erased, kept, identity, platform.now())
        await journal.erase(
          erased.map(({ id }) => id),
          instead,
          replica.point,
        )
      }
      for (const sid of removed) this.#removed.delete(sid)
    } catch (error) {
      this.#host.warn('What removed messages said could not be erased: it will be tried again', {
        sid: this.sid,
        error,
      })
    }
  }

  /** Posts of this device that were accepted are still shown as they were until their records are at hand. */
  #awaitPosts(accepted: readonly string[]): void {
    const ids = new Set(accepted)
    for (const { id, operation } of this.pending) {
      if (operation.type === 'message.post' && ids.has(id)) this.#accepted.push(operation)
    }
  }

  /** What the relay sealed while this device was away may hold something that is waited for. */
  #catchUp(): void {
    this.#history.retry()
    if (this.#accepted.length === 0) return
    const waited = this.#accepted
    const from = Math.min(...waited.map(({ id }) => this.#postedAfter.get(id) ?? -1)) + 1
    const sids = new Set(waited.map(({ id }) => messageSidOf(id)))
    void this.#history.find(sids, from).then((found) => {
      if (found === 'unknown' || !this.#replica) return
      // those that were found are at hand; the others were removed
      this.#accepted = this.#accepted.filter((one) => !waited.includes(one))
      for (const { id } of waited) this.#postedAfter.delete(id)
      this.#rebuild(null)
      this.#refresh()
    })
  }

  #answer(): void {
    for (const resolve of this.#answered.splice(0)) resolve()
  }

  #participantView({ record, read }: SeenParticipant): ParticipantView {
    const typing = record.identity !== undefined && this.#typing.isTyping(record.identity)
    return { record, read: read ?? null, typing }
  }

  #tellTyping(identity: string, typing: boolean): void {
    const view = this.#typist(identity, typing)
    if (!view) return
    this.#host.tell((events) =>
      typing ? events.typingStarted(this.sid, view) : events.typingEnded(this.sid, view),
    )
  }

  #endTyping(events: EngineEvents, identity: string): void {
    const view = this.#typing.stop(identity) && this.#typist(identity, false)
    if (view) events.typingEnded(this.sid, view)
  }

  #typist(identity: string, typing: boolean): ParticipantView | null {
    const participant = [...this.#participants().values()].find((one) => one.record.identity === identity)
    if (!participant || this.#view?.status !== 'joined') return null
    return { ...this.#participantView(participant), typing }
  }
}

/** How the history changes when another document takes the place of one. */
function changesTo(next: Replica, old: Replica): ReplicaChanges {
  const here = new Set(next.ordered.map(({ sid }) => sid))
  const before = new Map(old.ordered.map((record) => [record.sid, record]))
  // as it was before news that it could take only half of
  const half = old.takeChanges(true)
  for (const record of half.sealed) before.set(record.sid, record)
  for (const [sid, record] of half.messages) {
    if (record) before.set(sid, record)
    else before.delete(sid)
  }
  const records = [...before.values()].sort((a, b) => a.index - b.index)
  const sealed = records.filter(({ sid, index }) => !here.has(sid) && next.isSealed(index))
  for (const record of [...old.recalled.values(), ...sealed]) {
    if (next.isSealed(record.index)) next.recalled.set(record.sid, record)
  }
  const edited = next.ordered.filter(({ sid, index }) => index < next.manifest.end && !before.has(sid))
  return {
    messages: before,
    sealed,
    edited,
    manifest: half.manifest ?? old.manifest,
    removed: [],
    any: true,
  }
}
