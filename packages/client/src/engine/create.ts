/**
 * `createEngine`: one identity's conversations on one device. Puts the parts together and hands things on: longer than
 * two screens because the contract has so many doors, and each is a line or two that leads to where the work is done.
 */
import {
  ConfabError,
  type DirectoryRecord,
  type DocumentName,
  isSid,
  type Limits,
  limitsWith,
  type Operation,
  type SealedPage,
  userDocument,
} from '@confab/core'
import { isFull } from '../storage/failure.ts'
import type {
  Journal,
  JournalEntry,
  MediaStore,
  Store,
  StoredSummary,
  StoreOwner,
} from '../storage/storage.ts'
import type { Welcome } from '../transport/transport.ts'
import { Attachments } from './attachments.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { contextMaker } from './context.ts'
import { LocalConversation } from './conversation.ts'
import { conversationOf, heldView, refuse } from './decided.ts'
import { Directory } from './directory.ts'
import type {
  ConnectionState,
  ConversationView,
  Engine,
  EngineEvents,
  EngineOptions,
  HeldOperationView,
  MessagePage,
  MessageView,
  OperationDraft,
  ParticipantView,
  PendingOperationView,
  UserView,
} from './engine.ts'
import { HistoryKeeper } from './history-keeper.ts'
import type { ConversationHost } from './host.ts'
import { OperationJournal } from './journal.ts'
import { findOwner } from './owner.ts'
import { PageCache } from './pages.ts'
import type { PeerMessage } from './peers.ts'
import { type Platform, platformOf } from './platform.ts'
import type { LocalAccess } from './reader.ts'
import { TaskQueue } from './task-queue.ts'
import { Users } from './users.ts'
import { shutDownError, Verdicts } from './verdicts.ts'
import { inviteKey, Writer } from './writer.ts'

/** Documents that stay open while nothing is pending in them; those used least recently are closed. */
const OPEN_DOCUMENTS = 50
/** Milliseconds between looking for documents to close. */
const TIDY_EVERY = 30_000
/** Pages of history in the store when the app doesn't say: some 30 MB. */
const KEPT_PAGES = 200
/** Milliseconds that `findConversation` waits for the relay's answer. */
const FIND_WAIT = 5000

export function createEngine(options: EngineOptions): Engine {
  return new LocalEngine(options)
}

/** What exists once the store is open. */
interface Parts {
  owner: StoreOwner
  store: Store
  journal: OperationJournal
  verdicts: Verdicts
  connection: Connection
  host: ConversationHost
  writer: Writer
  directory: Directory
  users: Users
  pages: PageCache
  keeper: HistoryKeeper
}

class LocalEngine implements Engine {
  readonly ready: Promise<void>
  readonly #options: EngineOptions
  readonly #platform: Platform
  readonly #conversations = new Map<string, LocalConversation>()
  readonly #queue: TaskQueue<EngineEvents>
  #settleReady!: { resolve(): void; reject(error: ConfabError): void }
  readonly #followers: LocalAccess['followers'] = new Set()
  #parts: Parts | null = null
  #limits: Limits
  #mediaStore: Promise<MediaStore> | null = null
  readonly #inviteExpiry = new Map<string, number>()
  /** What the journal has of the skew, in milliseconds. */
  #keptSkew = 0
  #wantsOnline = true
  #initialized = false
  #stopping: Promise<void> | null = null
  #tidyTimer: unknown = null

  constructor(options: EngineOptions) {
    this.#options = options
    this.#platform = platformOf(options)
    this.#limits = limitsWith(options.limits)
    this.#queue = new TaskQueue(this.#platform, (error) => this.#warn('A listener threw', error))
    this.ready = new Promise<void>((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    // Whoever calls something hears of it there.
    this.ready.catch(() => {})
  }

  start(events: EngineEvents): void {
    this.#queue.start(events)
    this.#start().catch((cause) => {
      const error = cause instanceof ConfabError ? cause : new ConfabError(70501, undefined, { cause })
      this.#queue.tell((listeners) => listeners.initFailed(error))
      this.#settleReady.reject(error)
    })
  }

  get owner(): StoreOwner {
    return this.#started.owner
  }

  get limits(): Limits {
    return this.#limits
  }

  get connectionState(): ConnectionState {
    return this.#parts?.connection.state ?? 'unknown'
  }

  // --- what is known

  caughtUp(): Promise<void> {
    return this.#queue.told()
  }

  conversations(): ConversationView[] {
    return [...this.#conversations.values()].flatMap((conversation) => conversation.view ?? [])
  }

  conversation(sid: string): ConversationView | undefined {
    return this.#conversations.get(sid)?.view ?? undefined
  }

  async findConversation(sidOrUniqueName: string): Promise<ConversationView | undefined> {
    const { connection, directory, host } = await this.#running()
    const known =
      this.conversation(sidOrUniqueName) ??
      this.conversations().find((view) => view.record.uniqueName === sidOrUniqueName)
    if (known) return known
    const named = directory.byUniqueName(sidOrUniqueName)
    const sid = isSid('CH', sidOrUniqueName) ? sidOrUniqueName : named?.sid
    if (sid === undefined || !connection.connected) return undefined
    const conversation = this.#conversationOf(sid)
    const answer = conversation.answered()
    connection.reopen(conversation.connected())
    const timer = host.platform.setTimeout(() => conversation.current(), FIND_WAIT)
    await answer
    host.platform.clearTimeout(timer)
    const view = conversation.view ?? undefined
    if (!view && conversation.empty) this.#forget(conversation)
    return view
  }

  async participants(conversationSid: string): Promise<ParticipantView[]> {
    return (await this.#opened(conversationSid)).participants()
  }

  async messages(
    conversationSid: string,
    query: { count: number; anchor?: number; direction: 'backwards' | 'forward' },
  ): Promise<MessagePage> {
    const conversation = await this.#opened(conversationSid)
    const loaded = new Map<string, Awaited<ReturnType<typeof conversation.load>>>()
    const nameOf = ({ first, hash }: SealedPage) => first + hash
    while (true) {
      // a page that shows what is yet to be told would show it twice
      await this.#queue.told()
      await conversation.opened()
      const page = conversation.page(query, (one) => loaded.get(nameOf(one)))
      if ('items' in page) {
        // whoever asks on and on for what isn't here keeps out nothing that may bring it
        if (page.absent) await new Promise<void>((turn) => this.#platform.setTimeout(turn, 0))
        return page
      }
      loaded.set(nameOf(page), await conversation.load(page))
    }
  }

  async message(sid: string, messageSid: string, index?: number): Promise<MessageView | undefined> {
    return (await this.#opened(sid)).message(messageSid, index)
  }

  pendingOperations(): PendingOperationView[] {
    return (this.#parts?.journal.allPending() ?? []).map(pendingView)
  }

  heldOperations(): HeldOperationView[] {
    return (this.#parts?.journal.held() ?? []).map(heldView)
  }

  get local(): LocalAccess {
    return {
      conversation: (sid) => this.#conversations.get(sid),
      conversations: () => this.conversations(),
      profile: (identity) => this.#started.users.base.profile(identity),
      pages: this.#started.store.pages,
      journal: this.#started.journal,
      connection: this.#started.connection,
      attachments: this.#started.host.attachments,
      media: () => this.#media(),
      free: () => this.#started.pages.free(),
      isPinned: (sid) => this.#started.pages.pinned.has(sid),
      hold: (entry, error) => {
        refuse(this.#started.host, [entry], error)
        this.#conversations.get(entry.document)?.pendingChanged()
      },
      tellOthers: (document, news) =>
        this.#started.store.peers.post({ kind: 'attachments', document, news } satisfies PeerMessage),
      usage: async () => (await this.#started.store.usage?.()) ?? { used: null, quota: null },
      now: () => this.#platform.now(),
      relayNow: () => this.#started.connection.relayNow(),
      random: (bytes) => this.#platform.random(bytes),
      warn: (message, details) => this.#warn(message, details),
      followers: this.#followers,
    }
  }

  // --- what is changed

  newConversation(fields: Parameters<Engine['newConversation']>[0]): { sid: string; draft: OperationDraft } {
    return this.#started.writer.newConversation(fields)
  }

  async submit(
    conversationSid: string,
    drafts: OperationDraft[],
    options: { wait?: 'verdict' | 'durable'; index?: number } = {},
  ): Promise<Operation[]> {
    const { writer } = await this.#running()
    return writer.submit(conversationSid, drafts, options.wait ?? 'verdict', options.index)
  }

  async removeMessage(conversationSid: string, messageSid: string, index?: number): Promise<void> {
    await (await this.#running()).writer.removeMessage(conversationSid, messageSid, index)
  }

  async pinHistory(conversationSid: string, pinned: boolean): Promise<void> {
    const { journal, pages, keeper } = await this.#running()
    await journal.append([], { values: { [pinKey(conversationSid)]: pinned || undefined } })
    if (pinned) pages.pinned.add(conversationSid)
    else if (pages.pinned.delete(conversationSid)) pages.evictSoon()
    keeper.changed(conversationSid)
  }

  async resend(operationId: string): Promise<void> {
    const { writer, users, journal, host } = await this.#running()
    const entry = journal.get(operationId)
    if (entry?.state !== 'held' || conversationOf(entry) !== null) return writer.resend(operationId)
    const { id, dateWritten: _, ...draft } = entry.operation
    await users.writer.submit([draft as OperationDraft], { remove: [id] })
    host.post({ kind: 'removed', document: entry.document, ids: [id] })
  }

  async discard(operationId: string): Promise<void> {
    const { journal, host } = await this.#running()
    const entry = journal.get(operationId)
    if (entry?.state !== 'held') throw new ConfabError(20404, 'There is no such held operation')
    await journal.append([], { remove: [operationId] })
    host.post({ kind: 'removed', document: entry.document, ids: [operationId] })
  }

  async joinInvited(...invite: Parameters<Engine['joinInvited']>): Promise<ConversationView> {
    return (await this.#running()).writer.joinInvited(...invite)
  }

  // --- people

  user(identity: string): UserView {
    return this.#started.users.view(identity)
  }

  async followUser(identity: string): Promise<UserView> {
    return (await this.#running()).users.follow(identity)
  }

  unfollowUser(identity: string): void {
    this.#parts?.users.unfollow(identity)
  }

  notificationLevel(conversationSid: string): 'default' | 'muted' {
    return this.#parts?.users.notificationLevel(conversationSid) ?? 'default'
  }

  async submitForUser(drafts: OperationDraft[]): Promise<Operation[]> {
    return (await this.#running()).users.writer.submit(drafts)
  }

  async setPushRegistration(...registration: Parameters<Engine['setPushRegistration']>): Promise<void> {
    await (await this.#running()).users.writer.setPush(...registration)
  }

  async removePushRegistration(...registration: Parameters<Engine['removePushRegistration']>): Promise<void> {
    await (await this.#running()).users.writer.removePush(...registration)
  }

  typing(conversationSid: string): void {
    this.#conversations.get(conversationSid)?.announceTyping()
  }

  // --- its life

  async goOffline(): Promise<void> {
    this.#wantsOnline = false
    await (await this.#running()).connection.stop()
  }

  async goOnline(): Promise<void> {
    this.#wantsOnline = true
    const { connection } = await this.#running()
    if (this.#wantsOnline) connection.start()
  }

  async updateToken(token: string): Promise<void> {
    ;(await this.#running()).connection.updateToken(token)
  }

  shutdown(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  get #started(): Parts {
    if (!this.#parts) throw new ConfabError(20500, 'The client is not initialised yet')
    return this.#parts
  }

  async #running(): Promise<Parts> {
    if (this.#stopping) throw shutDownError()
    await this.ready
    if (this.#stopping) throw shutDownError()
    return this.#started
  }

  async #opened(sid: string): Promise<LocalConversation> {
    await this.#running()
    const conversation = this.#conversations.get(sid)
    if (!conversation?.view) throw new ConfabError(20404, 'There is no such conversation')
    await conversation.opened()
    return conversation
  }

  async #start(): Promise<void> {
    const owner = await findOwner(this.#options, this.#platform)
    if (this.#stopping) throw shutDownError()
    const { storage } = this.#options
    const store = await storage.open(owner)
    const [{ entries, summaries, values }] = await Promise.all([
      store.journal.load(),
      storage.rememberOwner(owner),
    ])
    const parts = this.#assemble(owner, store, entries)
    this.#parts = parts
    this.#restoreValues(values)
    for (const summary of summaries) this.#restore(summary)
    const written = parts.journal.documentsWithPending().filter((document) => isSid('CH', document))
    for (const sid of written) this.#conversationOf(sid)
    // a list shows pending operations too, and only an open document can
    await Promise.all([
      parts.directory.load(summaries.find(({ document }) => document === parts.directory.name)),
      ...written.map((sid) => this.#conversationOf(sid).opened()),
    ])
    parts.users.start()
    this.#directoryChanged(parts.directory.conversations())
    store.peers.onMessage((message) => this.#fromPeer(message as PeerMessage))
    if (this.#stopping) throw shutDownError()
    this.#queue.tell((events) => events.initialized())
    this.#initialized = true
    for (const conversation of this.#conversations.values()) parts.host.changed(conversation)
    this.#settleReady.resolve()
    if (this.#wantsOnline) parts.connection.start()
    this.#tidyLater()
  }

  #assemble(owner: StoreOwner, store: Store, entries: readonly JournalEntry[]): Parts {
    const { identity } = owner
    const platform = this.#platform
    const tell = (event: (events: EngineEvents) => void) => this.#queue.tell(event)
    const stored = roomy(store.journal, () => pages.free())
    const journal = new OperationJournal(stored, entries, platform, (error) =>
      this.#warn('The journal could not be written: it will be brought up to date later', error),
    )
    journal.onChange = () => {
      attachments.operationsChanged()
      tell((events) => events.operationsChanged())
    }
    journal.indexOf = (document, sid) => this.#conversations.get(document)?.indexOf(sid)
    const attachments = new Attachments(journal)
    const verdicts = new Verdicts(platform)
    const connection = new Connection({
      url: this.#options.url,
      transport: this.#options.transport,
      token: () => this.#options.token(),
      owner,
      platform,
      tell,
      events: this.#transportEvents(),
    })
    const { history } = this.#options
    const keep = history === 'all' ? Number.POSITIVE_INFINITY : (history?.pages ?? KEPT_PAGES)
    const pages = new PageCache(store.pages, connection, platform, keep, (message, details) =>
      this.#warn(message, details),
    )
    const changed = (sid: string, pages: boolean) => {
      for (const follower of this.#followers) follower(sid, pages)
    }
    pages.changed = (sid) => changed(sid, true)
    const engine = this
    const host: ConversationHost = {
      identity,
      platform,
      documents: store.documents,
      pages,
      journal,
      attachments,
      verdicts,
      link: connection,
      get limits() {
        return engine.#limits
      },
      contextFor: contextMaker(
        identity,
        () => this.#limits,
        () => this.conversations(),
      ),
      inviteExpiry: this.#inviteExpiry,
      get listing() {
        return directory
      },
      changed: (conversation) => {
        changed(conversation.sid, false)
        // what is loaded at start is told in order, once all of it is there
        if (this.#initialized) this.#queue.once(conversation, (events) => conversation.flush(events))
      },
      historyChanged: ({ sid }) => {
        changed(sid, false)
        keeper.changed(sid)
      },
      settingChanged: (conversationSid, events) => {
        const view = this.conversation(conversationSid)
        if (view) events.conversationUpdated(view, view, ['notificationLevel'])
      },
      tell,
      post: (message) => store.peers.post(message),
      warn: (message, details) => this.#warn(message, details),
    }
    const writer = new Writer(host, (sid) => this.#conversationOf(sid))
    const directory = new Directory(host, userDocument(identity), {
      changed: (records) => this.#directoryChanged(records),
      forgotten: (sid, removal) => this.#conversations.get(sid)?.forget(removal),
      lost: () => void this.#bringBack(journal),
      removed: (sid) => this.#conversations.get(sid)?.lose(true),
      userChanged: () => users.changed(),
      refused: (document, outcome) => this.#conversations.get(document)?.outcomes([outcome]),
    })
    const users = new Users(host, owner, directory, {
      changed: (flush) => {
        if (this.#initialized) this.#queue.once(users, flush)
      },
      close: (document) => connection.closeDocuments([document]),
    })
    const keeper = new HistoryKeeper(host, () =>
      [...this.#conversations.values()].filter(
        ({ sid, view }) => view && (history === 'all' || pages.pinned.has(sid)),
      ),
    )
    return { owner, store, journal, verdicts, connection, host, writer, directory, users, pages, keeper }
  }

  #conversationOf(sid: string): LocalConversation {
    let conversation = this.#conversations.get(sid)
    if (!conversation) {
      conversation = new LocalConversation(this.#started.host, sid, null)
      this.#conversations.set(sid, conversation)
    }
    return conversation
  }

  #restore(summary: StoredSummary): void {
    this.#started.users.restore(summary)
    if (!isSid('CH', summary.document)) return
    this.#conversations.set(
      summary.document,
      new LocalConversation(this.#started.host, summary.document, summary),
    )
  }

  #restoreValues(values: { [key: string]: unknown }): void {
    for (const [key, value] of Object.entries(values)) {
      if (key === 'limits')
        this.#limits = { ...this.#limits, ...(value as Partial<Limits>), ...this.#options.limits }
      else if (key === SKEW) this.#started.connection.skew = this.#keptSkew = value as number
      else if (key.startsWith(inviteKey('')))
        this.#inviteExpiry.set(key.slice(inviteKey('').length), value as number)
      else if (key.startsWith(pinKey(''))) this.#started.pages.pinned.add(key.slice(pinKey('').length))
      else this.#started.users.writer.restoreValue(key, value)
    }
  }

  // --- the relay

  #transportEvents(): ConnectionOptions['events'] {
    const to = (document: DocumentName) => {
      const { directory, users } = this.#started
      if (document === directory.name) return directory
      return this.#conversations.get(document) ?? users.profile(document)
    }
    return {
      connected: (welcome) => this.#connected(welcome),
      disconnected: () => this.#disconnected(),
      current: (document) => to(document)?.current(),
      received: (document, news) => to(document)?.received(news),
      outcomes: (document, outcomes) => to(document)?.outcomes(outcomes),
      requested: (document, stateVector) => to(document)?.requested(stateVector),
      absent: (document) => to(document)?.absent(),
      awareness: (document, update) => to(document)?.awareness(update),
      nack: (document, error) => to(document)?.nack(error),
    }
  }

  /** Written down when it has changed by what a connection's own delay doesn't explain, not at each connection. */
  #keepSkew(): void {
    const { connection, journal } = this.#started
    if (connection.skew === null || Math.abs(connection.skew - this.#keptSkew) < DELAY) return
    this.#keptSkew = connection.skew
    journal.saveValue(SKEW, connection.skew)
  }

  #connected(welcome: Welcome): void {
    const { connection, directory, users, journal, keeper, host } = this.#started
    this.#keepSkew()
    if (welcome.limits) {
      this.#limits = { ...welcome.limits, ...this.#options.limits }
      journal.saveValue('limits', welcome.limits)
    }
    connection.open([
      directory.connected(),
      ...users.connected(),
      ...[...this.#conversations.values()].map((conversation) => conversation.connected()),
    ])
    keeper.connected()
    host.attachments.connectionChanged()
  }

  #disconnected(): void {
    const { verdicts, directory, users, host } = this.#started
    verdicts.releaseAll()
    host.attachments.connectionChanged()
    directory.disconnected()
    users.disconnected()
    for (const conversation of this.#conversations.values()) conversation.disconnected()
  }

  /** The others need the conversations that this person made and then left. */
  async #bringBack(journal: OperationJournal): Promise<void> {
    for (const { document, operation } of await journal.kept())
      if (operation.type === 'conversation.create') this.#conversationOf(document).bringBack()
  }

  /**
   * Conversations that the directory names, and that nobody has asked for or that were absent when somebody did. One
   * that it no longer names is told `absent` by itself.
   */
  #directoryChanged(records: readonly DirectoryRecord[]): void {
    const { connection } = this.#started
    const named = records.map(({ sid }) => this.#conversationOf(sid))
    for (const conversation of this.#conversations.values())
      if (conversation.isRemovedAfterAll) conversation.lose(true)
    if (!connection.connected) return
    const fresh = named.filter((conversation) => conversation.channel === 'closed')
    const again = named.filter((conversation) => conversation.channel === 'absent')
    connection.open(fresh.map((conversation) => conversation.connected()))
    for (const conversation of again) connection.reopen(conversation.connected())
  }

  // --- other clients on the same store

  #fromPeer(message: PeerMessage): void {
    if (this.#stopping) return
    const { journal, directory } = this.#started
    if (message.document === directory.name) {
      if (message.kind === 'held') this.#heldElsewhere(message)
      directory.fromPeer(message)
      return
    }
    const conversation = this.#conversationOf(message.document)
    switch (message.kind) {
      case 'appended':
        conversation.peerAppended(message)
        break
      case 'news':
        conversation.peerNews(message)
        break
      case 'attachments':
        this.#started.host.attachments.heard(message.news)
        break
      case 'held':
        this.#heldElsewhere(message)
        conversation.pendingChanged()
        break
      case 'removed':
        for (const id of message.ids) journal.forget(id)
        conversation.pendingChanged()
        break
      case 'lost':
        // one that is open hears it from the relay itself
        if (conversation.channel !== 'open') conversation.lose(false)
    }
  }

  #heldElsewhere({ holds }: Extract<PeerMessage, { kind: 'held' }>): void {
    const { journal, host } = this.#started
    for (const entry of journal.holdInMemory(holds)) {
      host.tell((events) => events.operationRefused(heldView(entry)))
    }
  }

  // --- order

  #tidyLater(): void {
    this.#tidyTimer = this.#platform.setTimeout(() => {
      this.#tidy()
      this.#tidyLater()
    }, TIDY_EVERY)
  }

  #tidy(): void {
    const quiet = [...this.#conversations.values()].filter((conversation) => conversation.quiet)
    quiet.sort((a, b) => b.lastUsed - a.lastUsed)
    for (const conversation of quiet.slice(OPEN_DOCUMENTS)) void conversation.close()
  }

  #forget(conversation: LocalConversation): void {
    this.#conversations.delete(conversation.sid)
    this.#started.connection.closeDocuments([conversation.sid])
  }

  async #stop(): Promise<void> {
    this.#wantsOnline = false
    const parts = this.#parts
    if (!parts) {
      this.#settleReady.reject(shutDownError())
      this.#queue.stop()
      return
    }
    this.#platform.clearTimeout(this.#tidyTimer)
    await parts.connection.stop()
    parts.verdicts.releaseAll()
    for (const conversation of this.#conversations.values()) await conversation.settled()
    await parts.journal.flush()
    for (const conversation of this.#conversations.values()) await conversation.close()
    await parts.directory.close()
    parts.pages.close()
    this.#queue.stop()
    await (await this.#mediaStore?.catch(() => null))?.close()
    await parts.store.close()
  }

  #media(): Promise<MediaStore> {
    this.#mediaStore ??= this.#started.store.media()
    this.#mediaStore.catch(() => {
      this.#mediaStore = null
    })
    return this.#mediaStore
  }

  #warn(message: string, details?: unknown): void {
    this.#options.log('warn', message, details)
  }
}

/** Where the journal's values keep what the relay's clock was ahead of this device's. */
const SKEW = 'skew'

/** Milliseconds that a welcome may take on its way. */
const DELAY = 2000

/** Where the journal's values keep that a conversation's history is pinned. */
const pinKey = (conversationSid: string): string => `pin ${conversationSid}`

/** The journal of a device that is full: what can be fetched again goes first. */
const roomy = (journal: Journal, free: () => Promise<boolean>): Journal => ({
  load: () => journal.load(),
  kept: (document) => journal.kept(document),
  async write(write) {
    try {
      return await journal.write(write)
    } catch (error) {
      if (!isFull(error) || !(await free())) throw error
      return journal.write(write)
    }
  },
  close: () => journal.close(),
})

const pendingView = (entry: JournalEntry): PendingOperationView => ({
  operation: entry.operation,
  conversationSid: conversationOf(entry),
})
