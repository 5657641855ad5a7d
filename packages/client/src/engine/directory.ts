/**
 * `user/<identity>` on this device: which conversations the relay says this identity has, its refusals, its settings,
 * and the outbox in which it says things about itself. Longer than two screens: relay, tabs and this person write to
 * one small document, and each way in is a few lines on the same fields.
 */
import {
  type DirectoryRecord,
  type DocumentName,
  type Operation,
  type Outcome,
  PUSH_KEY,
  type PushRegistrationRecord,
  type RefusalRecord,
  type ResumePoint,
  type SettingRecord,
} from '@confab/core'
import * as Y from 'yjs'
import type { JournalEntry, StoredSummary } from '../storage/storage.ts'
import type { DocumentNews, OpenRequest } from '../transport/transport.ts'
import { applyOutcomes } from './decided.ts'
import type { ConversationHost } from './host.ts'
import { KeptDocument } from './kept-document.ts'
import { Outbox } from './outbox.ts'
import type { PeerMessage, PeerNews } from './peers.ts'
import { randomUint32 } from './platform.ts'
import type { RootArray, RootMap } from './root-types.ts'
import { Uplink } from './uplink.ts'
import { covers, NOTHING, PEER, RELAY, YDocument } from './y-document.ts'

class UserDocument extends YDocument {
  readonly conversations: RootMap<DirectoryRecord>
  readonly refusals: RootArray<RefusalRecord>
  readonly settings: RootMap<unknown>
  readonly outbox: Outbox

  constructor(epoch: number, clientId: number, identity: string) {
    super(epoch, clientId)
    this.conversations = this.doc.getMap('conversations')
    this.refusals = this.doc.getArray('refusals')
    this.settings = this.doc.getMap('settings')
    this.outbox = new Outbox(this.doc, identity)
  }

  /** The newest item of a conversation's entry, which Yjs keeps when it is deleted (`_map`, internal). */
  entry(conversationSid: string): Y.Item | undefined {
    return this.conversations._map.get(conversationSid)
  }
}

export interface DirectoryListener {
  changed(records: DirectoryRecord[]): void
  /** Settings, or what is pending, may have changed. */
  userChanged(): void
  /**
   * The relay has lost a conversation's entry, as far as this document tells.
   * @param removal the older removal that shows instead, if one does
   */
  forgotten(conversationSid: string, removal: string | null): void
  /** The relay was restored from an older backup. */
  lost(): void
  /** The entry went with an epoch: it was removed meanwhile. */
  removed(conversationSid: string): void
  /** A refusal that the relay keeps; its outcome may have been lost on the way. */
  refused(document: DocumentName, outcome: Outcome): void
}

/** Always open: it is small, and everything else is found by it. */
export class Directory {
  readonly name: DocumentName
  readonly #host: ConversationHost
  readonly #kept: KeptDocument
  readonly #listener: DirectoryListener
  readonly #uplink: Uplink
  #document: UserDocument
  #isOpen = false
  /** The next news is a whole document: this one can't be continued. */
  #startOver = false
  /** What is here is no part of the relay's history, and is compared with what comes. */
  #isLost = false
  /** How far this document had gone, if the stored copy has lost a write since. */
  #went: StoredSummary | null = null
  /** Who waits for the relay's answer; null when it was given. */
  #unsettled: (() => void)[] | null = null

  constructor(host: ConversationHost, name: DocumentName, listener: DirectoryListener) {
    this.name = name
    this.#host = host
    this.#listener = listener
    this.#kept = new KeptDocument(host.documents, name, (message, error) => host.warn(message, { error }))
    this.#uplink = new Uplink(
      host,
      name,
      () => this.#isOpen,
      () => host.link.reopen(this.connected()),
    )
    this.#document = this.#make(0)
  }

  /** @param summary under which epoch it is kept; without one there is nothing */
  async load(summary: StoredSummary | undefined): Promise<void> {
    // followed once it is loaded, because Yjs encodes a transaction again when anybody listens
    if (summary)
      this.#document = this.#follow(await this.#kept.load(summary.epoch, (epoch) => this.#bare(epoch)))
    if (summary && !covers(this.#document.point, summary)) {
      this.#went = summary
      this.#startOver = true
    }
    this.#restoreOutbox()
  }

  conversations(): DirectoryRecord[] {
    return [...this.#document.conversations.values()]
  }

  settled(): Promise<void> {
    return new Promise((resolve) => (this.#unsettled ? void this.#unsettled.push(resolve) : resolve()))
  }

  has(conversationSid: string): boolean {
    return this.#document.conversations.get(conversationSid) !== undefined
  }

  removal(conversationSid: string): string | null {
    const item = this.#document.entry(conversationSid)
    return item?.deleted ? `${item.id.client} ${item.id.clock}` : null
  }

  byUniqueName(uniqueName: string): DirectoryRecord | undefined {
    return this.conversations().find((record) => record.uniqueName === uniqueName)
  }

  /** What the relay keeps for a conversation. */
  setting(conversationSid: string): SettingRecord | undefined {
    return this.#document.settings.get(conversationSid) as SettingRecord | undefined
  }

  /** Sids of the conversations that have a setting. */
  settings(): string[] {
    return [...this.#document.settings.keys()].filter((key) => key !== PUSH_KEY)
  }

  get pushRegistrations(): readonly PushRegistrationRecord[] {
    return (this.#document.settings.get(PUSH_KEY) as PushRegistrationRecord[] | undefined) ?? []
  }

  /** Undecided operations, in the order of writing. */
  get pending(): Operation[] {
    return this.#host.journal.pending(this.name).map((entry) => entry.operation)
  }

  // --- this person's operations

  /** Shows and sends operations that are durable. */
  appended(entries: readonly JournalEntry[], removed: readonly string[]): void {
    const updates = this.#uplink.write(entries.map((entry) => entry.operation))
    this.#host.post({
      kind: 'appended',
      document: this.name,
      entries: [...entries],
      removed: [...removed],
      updates,
    })
    this.#listener.userChanged()
  }

  // --- the relay

  connected(): OpenRequest {
    this.#restoreOutbox()
    this.#isOpen = true
    this.#unsettled ??= []
    return {
      document: this.name,
      point: this.#startOver ? NOTHING : this.#document.point,
      pending: this.#host.journal.pending(this.name).length > 0,
    }
  }

  disconnected(): void {
    this.#isOpen = false
    this.#uplink.stop()
    this.#settled()
  }

  current(): void {
    // to who asked for everything: there is nothing
    if (this.#startOver) this.received({ replace: true, point: NOTHING, updates: [], outcomes: [] })
    else this.#settled()
  }

  /** One's own private document is never another's. */
  absent(): void {}

  awareness(): void {}

  received(news: DocumentNews): void {
    if (news.lost) {
      this.#isLost = true
      this.#bringAgain(() => {
        this.#startOver = true
        if (this.#isOpen) this.#host.link.reopen(this.connected())
      })
    }
    if (news.lost || (this.#isLost && !this.#startOver)) return
    const old = this.#document
    const accepted = this.#settle(news.outcomes, news.point ?? old.point)
    const replace = news.replace || this.#startOver
    if (replace) {
      this.#document = this.#make(news.point?.epoch ?? old.epoch)
      this.#document.apply(news.updates, RELAY)
      if (this.#went && !this.#document.knows(this.#went)) {
        this.#isLost = true
        this.#bringAgain(() => this.#restoreOutbox())
      }
      this.#went = null
      this.#compare(old)
      if (this.#isLost) this.#listener.lost()
      this.#startOver = this.#isLost = false
      this.#kept.replace(this.#document, old.epoch, () => this.#host.journal.flush())
      this.#restoreOutbox()
    } else {
      const isWhole = old.point.commitsId === 0
      if (isWhole && news.point) this.#rekey(news.point.epoch)
      this.#document.apply(news.updates, RELAY)
      // what a snapshot has decided it has no outcome of: the relay answers who asks again
      if (isWhole) this.#restoreOutbox()
      if (!this.#kept.keeping) this.#kept.keep(this.#document)
    }
    const { epoch } = this.#document
    const { updates } = news
    this.#host.post({ kind: 'news', document: this.name, replace, epoch, updates, accepted, restored: null })
    this.#settled()
    this.#changed()
  }

  /** What the relay has lost of this person's own is undecided again; then, when that is durable, it goes on. */
  #bringAgain(then: () => void): void {
    const { journal, warn } = this.#host
    journal
      .kept(this.name)
      .then((kept) => journal.again(kept))
      .then((entries) => {
        this.#host.post({ kind: 'appended', document: this.name, entries, removed: [], updates: [] })
        then()
      })
      .catch((error) => warn('What a restored relay lacks could not be brought again', { error }))
  }

  /** What has gone from the list with the document: forgotten by the relay, or removed. */
  #compare(old: UserDocument): void {
    for (const sid of old.conversations.keys()) {
      if (this.has(sid)) continue
      const before = old.entry(sid)
      const now = this.#document.entry(sid)
      if (!this.#isLost) {
        if (!now) this.#listener.removed(sid)
        continue
      }
      // removed in the history that goes on: of the entry that was here, or of one that came after it
      const isRemoval =
        now &&
        (Y.compareIDs(now.id, before?.id ?? null) || now.id.clock >= Y.getState(old.doc.store, now.id.client))
      if (!isRemoval) this.#listener.forgotten(sid, this.removal(sid))
    }
  }

  #settled(): void {
    const waiting = this.#unsettled ?? []
    this.#unsettled = null
    for (const resolve of waiting) resolve()
  }

  outcomes(outcomes: readonly Outcome[]): void {
    const accepted = this.#settle(outcomes, NOTHING)
    if (accepted.length > 0) this.#host.post({ kind: 'removed', document: this.name, ids: accepted })
    this.#listener.userChanged()
  }

  requested(stateVector: Uint8Array): void {
    this.#uplink.upload(Y.decodeStateVector(stateVector))
  }

  nack(error: { code: number; retryAfter: number }): void {
    if (error.code === 70602) {
      if (this.#document.point.commitsId === 0) {
        this.#document = this.#make(0)
        this.#restoreOutbox()
      } else this.#startOver = true
      this.#host.link.reopen(this.connected())
      return
    }
    this.#uplink.refused(error.retryAfter)
  }

  // --- other clients on the same store

  fromPeer(message: PeerMessage): void {
    switch (message.kind) {
      case 'news':
        this.#peerNews(message)
        return
      case 'appended':
        for (const id of message.removed) this.#host.journal.forget(id)
        for (const entry of message.entries) this.#host.journal.add(entry)
        if (!this.#document.applyOwn(message.updates)) this.#restoreOutbox()
        // the one that wrote it may have no connection
        for (const update of message.updates) if (this.#isOpen) this.#host.link.update(this.name, update)
        break
      case 'removed':
        for (const id of message.ids) this.#host.journal.forget(id)
    }
    this.#listener.userChanged()
  }

  #peerNews(message: PeerNews): void {
    const { replace, epoch, updates, accepted } = message
    for (const id of accepted) {
      this.#host.journal.forget(id)
      this.#host.verdicts.accepted(id)
    }
    const old = this.#document.epoch
    if (replace && old !== epoch) {
      this.#document = this.#make(epoch)
      this.#kept.replace(this.#document, old, () => this.#host.journal.flush())
    } else if (this.#document.point.commitsId === 0) this.#rekey(epoch)
    if (this.#document.epoch !== epoch) return
    this.#document.apply(updates, PEER)
    if (replace && old !== epoch) this.#restoreOutbox()
    if (!this.#kept.keeping) this.#kept.keep(this.#document)
    this.#changed()
  }

  close(): Promise<void> {
    this.disconnected()
    return this.#kept.close()
  }

  /** An empty document that was kept under another epoch than the relay's first word. */
  #rekey(epoch: number): void {
    if (this.#document.epoch === epoch) return
    const old = this.#document.epoch
    this.#document.epoch = epoch
    if (this.#kept.keeping) this.#kept.replace(this.#document, old, () => this.#host.journal.flush())
  }

  #bare(epoch: number): UserDocument {
    return new UserDocument(epoch, randomUint32(this.#host.platform), this.#host.identity)
  }

  #make(epoch: number): UserDocument {
    return this.#follow(this.#bare(epoch))
  }

  #follow(made: UserDocument): UserDocument {
    this.#uplink.follow(made)
    return made
  }

  /** Appends what the journal has and the outbox lacks: a write that was lost, or an epoch. */
  #restoreOutbox(): void {
    this.#uplink.restore(this.pending)
  }

  /** Applies outcomes to the journal; gives the ids of what was accepted. */
  #settle(outcomes: readonly Outcome[], point: ResumePoint): string[] {
    const { accepted, later } = applyOutcomes(this.#host, this.name, outcomes, false, point)
    if (later) this.#uplink.refused(0)
    return accepted
  }

  #changed(): void {
    this.#host.journal.saveSummary(this.name, () => ({
      document: this.name,
      ...this.#document.point,
      data: null,
    }))
    this.#listener.changed(this.conversations())
    for (const { id, document, code, message } of this.#document.refusals) {
      if (this.#host.journal.get(id)?.state === 'pending') {
        this.#listener.refused(document, { id, verdict: 'refused', code, message })
      }
    }
    this.#listener.userChanged()
  }
}
