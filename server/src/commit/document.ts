/**
 * One document as the relay holds it: plain records, and which Yjs item holds each. Takes the changes of accepted
 * operations and turns them at once into the bytes of the next commit. Pure and synchronous; it knows no store and
 * no connection. Messages aren't in it: those that an operation names are given to it for the commit.
 *
 * Longer than two screens: reading the state, writing it and finishing a commit share every field, and apart they
 * would have to trust each other with all of them.
 */
import {
  type Change,
  type ConversationRecord,
  type ConversationState,
  type DirectoryRecord,
  encodeStateVector,
  type MessageRecord,
  nextTransition,
  type OutboxStruct,
  type Outcome,
  outboxName,
  type ParticipantRecord,
  type ReadRecord,
  type RefusalRecord,
  type ResumePoint,
  type StateTransition,
  UpdateWriter,
  userDocument,
  withValues,
} from '@confab/core'
import {
  type DecidedOperation,
  type DocumentCommit,
  type Head,
  type ItemId,
  type LiveMessage,
  type LoadedDocument,
  type MapItem,
  NO_HISTORY,
  type OutboxClient,
  type PrivatePart,
  type StoredMessage,
  type StoredRead,
} from '../store/store.ts'
import { entryOf, History, type MadePage, weightOf } from './history.ts'
import { RootIds, type RunIds } from './root-ids.ts'

/** Keys of maps that hold nothing any more, beyond which a new epoch forgets them: some 45 bytes each. */
const GONE_KEYS = 2_000
/** Items that its maps have made beyond what they hold, after which a new epoch forgets them: most don't merge, 8 bytes. */
const PAST_VALUES = 10_000
/** Root arrays, of which what was deleted merges into a few runs. */
const ARRAYS = new Set(['messages', 'reads', 'commits', 'refusals'])
/** Client ids of all identities together, as a multiple of what one may have. */
const CLIENTS_OF_ALL = 10

/** Refusals that a user document keeps. */
const REFUSALS = 100

/** What no commit is using: a document has one only from its first change to the end of the commit. */
export type WriterPool = Gathered[]

/** What a commit has gathered since the last one. Used again and again: making ten collections for each is not free. */
export interface Gathered {
  writer: UpdateWriter
  mapItems: Map<MapItem, MapItem>
  puts: Map<string, LiveMessage>
  deletes: Set<string>
  readPuts: Map<string, StoredRead>
  readDeletes: Set<string>
  clients: Map<number, OutboxClient>
  structs: Map<string, OutboxStruct[]>
  outcomes: Map<string, Outcome[]>
  decided: DecidedOperation[]
  members: Map<string, DirectoryRecord['status'] | null>
  bindings: NonNullable<DocumentCommit['bindings']>
  uniqueNameBefore: string | null
  invitesBefore: ConversationRecord['invites']
  /** What the timers do next, if that has changed. */
  transition: StateTransition | null | undefined
  deleted: boolean
  seals: boolean
  removes: boolean
  pages: NonNullable<DocumentCommit['pages']>
  edits: NonNullable<DocumentCommit['edits']>
  media: NonNullable<DocumentCommit['media']>
}

export class DocumentModel implements ConversationState {
  readonly head: Head
  conversation: ConversationRecord | null = null
  participantCount = 0
  nonChatCount = 0
  /** `dateCreated` of the newest message, 0 when there is none. */
  newestMessageAt = 0
  readonly #ids: RootIds
  readonly #writers: WriterPool
  readonly #maps = new Map<string, Map<string, MapItem>>()
  /** Keys that hold something, by root. */
  readonly #sizes = new Map<string, number>()
  /** Keys that hold nothing any more, of all roots: each is remembered, for its next value. */
  #gone = 0
  /** Identities of chat participants. */
  readonly #members = new Set<string>()
  readonly #reads = new Map<string, StoredRead>()
  readonly #outbox = new Map<number, OutboxClient>()
  /** Items that the maps have made in this epoch. */
  #mapItems: number
  #history: History
  /** The sequence number of the newest commit that may have taken content out of the live document; −1: none has. */
  sealedAt = -1
  /** Messages that have changed since a page of them was begun, by index: their new weight; null: removed. */
  #changed: Map<number, number | null> | null = null
  /** Client ids per identity. */
  readonly #outboxSizes = new Map<string, number>()
  /** Messages that the operations of the next commit name, and those that it has made. */
  readonly #messages = new Map<string, StoredMessage>()
  #gathered: Gathered | null = null
  /** Slot of the newest refusal: they lie in a ring, so that the store needs no row for what was trimmed. */
  #newestRefusal: number | null = null

  constructor(loaded: LoadedDocument, run: RunIds, writers: WriterPool) {
    this.head = loaded.head
    this.newestMessageAt = loaded.newestMessageAt ?? 0
    this.#ids = new RootIds(loaded.head, run, (client) => this.#outbox.has(client))
    this.#writers = writers
    for (const item of loaded.mapItems) this.#putItem(item)
    for (const read of loaded.reads) this.#reads.set(read.record.participantSid, read)
    for (const client of loaded.outboxClients) this.#bind(client)
    this.#history = new History((key) => this.value('history', key))
    this.sealedAt = loaded.sealedAt ?? -1
    this.#mapItems = loaded.head.roots.reduce(
      (sum, { root, clock }) => sum + (ARRAYS.has(root) ? 0 : clock),
      0,
    )
    this.#readState()
  }

  /** A document that doesn't exist yet. */
  static fresh(
    serviceSid: string,
    document: string,
    kind: Head['kind'],
    run: RunIds,
    writers: WriterPool,
  ): DocumentModel {
    const head: Head = {
      key: 0,
      serviceSid,
      document,
      kind,
      epoch: 1,
      seq: 0,
      roots: [],
      highestIndex: -1,
      messageCount: 0,
      history: { ...NO_HISTORY },
    }
    return new DocumentModel({ head, mapItems: [], reads: [], outboxClients: [] }, run, writers)
  }

  // ── the state that the reducer sees ───────────────────────────────────────────────────────────────

  get highestIndex(): number {
    return this.head.highestIndex
  }

  participant(sid: string): ParticipantRecord | undefined {
    return this.#maps.get('participants')?.get(sid)?.value as ParticipantRecord | undefined
  }

  *participants(): Iterable<ParticipantRecord> {
    for (const { value } of this.#maps.get('participants')?.values() ?? []) {
      if (value !== undefined) yield value as ParticipantRecord
    }
  }

  message(sid: string): MessageRecord | undefined {
    return this.#messages.get(sid)?.record
  }

  read(participantSid: string): ReadRecord | undefined {
    return this.#reads.get(participantSid)?.record
  }

  /** Messages that were loaded for the operations about to be decided. */
  know(messages: readonly StoredMessage[]): void {
    for (const message of messages) this.#messages.set(message.record.sid, message)
  }

  knowsMessage(sid: string): boolean {
    return this.#messages.has(sid)
  }

  /** May read and write here: a participant, the creator who hasn't joined yet, the owner of a user document. */
  isMember(identity: string): boolean {
    if (this.head.kind !== 'conversation') return this.head.document === userDocument(identity)
    return (
      this.#members.has(identity) ||
      (this.conversation?.creatorPending === true && this.conversation.createdBy === identity)
    )
  }

  // ── ids and clocks ────────────────────────────────────────────────────────────────────────────────

  get point(): ResumePoint {
    const { epoch } = this.head
    const newest = this.#ids.newest('commits')
    return { epoch, commitsId: newest?.client ?? 0, clock: newest?.clock ?? 0 }
  }

  isRelayId(client: number): boolean {
    return this.#ids.has(client)
  }

  /** An id of `commits` in an earlier epoch. */
  isRetired(client: number): boolean {
    return this.#ids.isRetired(client)
  }

  /** Whose outbox a client id writes to, and its clock. */
  outboxClient(client: number): OutboxClient | undefined {
    return this.#outbox.get(client)
  }

  /** Client ids bound to an identity. */
  outboxSize(identity: string): number {
    return this.#outboxSizes.get(identity) ?? 0
  }

  /** Items held of a client, whoever's it is. */
  clock(client: number): number {
    return this.#outbox.get(client)?.clock ?? this.#ids.clock(client)
  }

  /** Everything that a copy of this identity's may hold: the relay's roots and the own outbox. */
  stateVector(identity: string): Uint8Array {
    const clocks = this.#ids.clocks()
    for (const { client, clock, identity: owner } of this.#outbox.values()) {
      if (owner === identity) clocks.set(client, clock)
    }
    return encodeStateVector(clocks)
  }

  /** Why a new epoch is due, or null. */
  epochDue(outboxClients: number): boolean {
    if (this.head.deleted) return false
    if (this.#ids.renewals > 64 || this.#gone > GONE_KEYS) return true
    if (this.#mapItems > PAST_VALUES && this.#mapItems - this.#held() > PAST_VALUES) return true
    if (this.#outbox.size > CLIENTS_OF_ALL * outboxClients) return true
    for (const size of this.#outboxSizes.values()) if (size > outboxClients) return true
    return false
  }

  // ── changes ───────────────────────────────────────────────────────────────────────────────────────

  /** Takes the changes of an accepted operation; those of the directory only as far as they say who belongs. */
  apply(changes: readonly Change[]): void {
    for (const change of changes) this.#apply(change)
  }

  #apply(change: Change): void {
    const { head } = this
    switch (change.type) {
      case 'conversation.set':
        this.#setConversation(change.values)
        break
      case 'conversation.delete':
        this.#gather().deleted = true
        this.#empty()
        this.restartTimers(0)
        break
      case 'participant.put': {
        const { record } = change
        const before = this.participant(record.sid)
        if (!before && record.binding) {
          const { address, proxyAddress } = record.binding
          this.#gather().bindings.put.push({ address, proxyAddress, participantSid: record.sid })
        }
        this.#count(before, -1)
        this.#count(record, 1)
        this.#set('participants', record.sid, record)
        break
      }
      case 'participant.delete':
        this.#count(this.participant(change.record.sid), -1)
        this.#freeBinding(change.record)
        this.#unset('participants', change.record.sid)
        break
      case 'message.append':
        this.newestMessageAt = change.record.dateCreated
        head.highestIndex = Math.max(head.highestIndex, change.record.index)
        head.messageCount++
        head.history.live++
        head.history.liveBytes += weightOf(change.record)
        this.#putMessage(change.record)
        for (const { sid } of change.record.media ?? [])
          this.#gather().media.push({ sid, messageSid: change.record.sid })
        this.restartTimers(change.record.dateCreated)
        break
      case 'message.replace':
        this.#replaceMessage(change.record)
        break
      case 'message.delete': {
        this.#removeMessage(change.record)
        break
      }
      case 'read.put':
        this.#putRead(change.record)
        break
      case 'read.delete':
        this.#deleteItem(this.#reads.get(change.participantSid))
        this.#reads.delete(change.participantSid)
        this.#gather().readPuts.delete(change.participantSid)
        this.#gather().readDeletes.add(change.participantSid)
        break
      case 'directory.put':
        this.#gather().members.set(change.identity, change.record.status)
        break
      case 'directory.delete':
        this.#gather().members.set(change.identity, null)
        break
    }
  }

  /** A message of it has this attachment, which came after it. */
  attach(sid: string, messageSid: string): void {
    this.#gather().media.push({ sid, messageSid })
  }

  #setConversation(values: Partial<ConversationRecord>): void {
    const gathered = this.#gather()
    this.conversation = withValues(this.conversation, values)
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined) this.#unset('conversation', key)
      else this.#set('conversation', key, value)
    }
    const at = values.dateUpdated ?? values.dateCreated
    if (at !== undefined && ('timers' in values || 'state' in values)) this.restartTimers(at)
    // a closed conversation holds no pair of addresses
    if (values.state?.current === 'closed')
      for (const record of this.participants()) this.#freeBinding(record, gathered)
  }

  /** The timers run anew: something has happened, or what they brought was refused. Costs nothing where there are none. */
  restartTimers(since: number): void {
    const { head, conversation } = this
    if (!head.transition && !conversation?.timers) return
    const next = conversation ? nextTransition(conversation, since) : null
    if (next) head.transition = next
    else delete head.transition
    this.#gather().transition = next
  }

  /** Whether this is still what the timers do next. */
  awaits({ to, at }: StateTransition): boolean {
    const { transition } = this.head
    return transition?.to === to && transition.at === at
  }

  /** A user document: an entry of the list of conversations. */
  putDirectory(record: DirectoryRecord): void {
    this.#set('conversations', record.sid, record)
  }

  /**
   * What a person set for a conversation goes with it, and so does what people called it.
   * @param entered in this very turn: a removal is left nonetheless, by which devices that had the conversation before
   *   a backup was restored tell that nobody has forgotten it
   */
  deleteDirectory(conversationSid: string, entered: boolean): void {
    const before = this.value('conversations', conversationSid) as DirectoryRecord | undefined
    if (before?.uniqueName !== undefined) this.#gather().removes = true
    if (entered && before === undefined) this.#set('conversations', conversationSid, null)
    this.#unset('conversations', conversationSid)
    this.#unset('settings', conversationSid)
  }

  // ── map roots by their keys ───────────────────────────────────────────────────────────────────────

  value(root: string, key: string): unknown {
    return this.#maps.get(root)?.get(key)?.value
  }

  *values(root: string): Iterable<[key: string, value: unknown]> {
    for (const { key, value } of this.#maps.get(root)?.values() ?? [])
      if (value !== undefined) yield [key, value]
  }

  /** How many keys hold something. */
  size(root: string): number {
    return this.#sizes.get(root) ?? 0
  }

  /** `undefined` deletes the key. */
  setValue(root: string, key: string, value: unknown): void {
    if (value === undefined) this.#unset(root, key)
    else this.#set(root, key, value)
  }

  /** Empties a map for good: what stood there goes from log and snapshot, too. */
  eraseValues(root: string): void {
    for (const [key] of [...this.values(root)]) this.#unset(root, key)
    this.#gather().removes = true
  }

  /** A user document: one more refusal; the oldest beyond a hundred goes. */
  putRefusal(record: RefusalRecord): void {
    const ring = this.#mapOf('refusals')
    const slot = String(this.#newestRefusal === null ? 0 : (this.#newestRefusal + 1) % REFUSALS)
    this.#deleteItem(ring.get(slot))
    const origin = this.#ids.last('refusals')
    const item = this.#ids.next('refusals')
    this.#gather().writer.append('refusals', item, origin, record)
    this.#change({ root: 'refusals', key: slot, item, value: record })
    this.#newestRefusal = Number(slot)
  }

  /** Items of an author's outbox that are decided now, and what became of the operations in them. */
  settle(
    identity: string,
    structs: readonly OutboxStruct[],
    clients: readonly { client: number; clock: number }[],
  ): void {
    const gathered = this.#gather()
    const list = gathered.structs.get(identity)
    if (list) list.push(...structs)
    else gathered.structs.set(identity, [...structs])
    for (const { client, clock } of clients) {
      const bound = { identity, client, clock }
      this.#bind(bound)
      gathered.clients.set(client, bound)
    }
  }

  /** The outcome of an operation, for its author's devices. `recorded`: it was decided before. */
  conclude(identity: string, outcome: Outcome, recorded: boolean): void {
    const gathered = this.#gather()
    const list = gathered.outcomes.get(identity)
    if (list) list.push(outcome)
    else gathered.outcomes.set(identity, [outcome])
    if (!recorded) gathered.decided.push({ id: outcome.id, identity, outcome })
  }

  /** Remembered, and told to nobody: a system actor's operation, or a post that somebody else brought again. */
  remember(outcome: Outcome, identity = ''): void {
    this.#gather().decided.push({ id: outcome.id, identity, outcome })
  }

  // ── sealing ───────────────────────────────────────────────────────────────────────────────────────

  get history(): History {
    return this.#history
  }

  /** Begins to note which messages change, for a page that is made of them as they are stored now. */
  watch(): void {
    this.#changed = new Map()
  }

  /**
   * The oldest live messages become a page. One that was edited since they were read stays live; one that was removed
   * leaves the page to be made anew.
   * @param messages as they were stored at `watch`
   */
  seal(messages: readonly LiveMessage[], made: MadePage): void {
    const { history } = this.head
    const { pages, edits } = this.#gather()
    const changed = this.#takeChanged()
    const exists = new Set<number>()
    let isLost = false
    for (const message of messages) {
      const { record } = message
      const weight = changed.get(record.index)
      if (weight === null) isLost = true
      else {
        exists.add(record.index)
        history.live--
        history.liveBytes -= weight ?? weightOf(record)
        if (weight === undefined) this.#deleteItem(message)
        else {
          history.edited++
          history.editedBytes += weight
          edits.live.push(record.index)
        }
      }
    }
    const last = (messages.at(-1) as LiveMessage).record.index
    const { hash, bytes, deflated } = made
    this.#history.add(entryOf(this.#history.end, last, exists, { bytes, hash: isLost ? '' : hash }))
    if (!isLost) pages.put.push({ hash, deflated })
    history.sealedTo = this.#history.end
    history.unmade = this.#history.unmade
    this.#sealed()
  }

  /**
   * A sealed page is made anew, of its messages as they are: those of them that are live leave the live document.
   * False: one was removed meanwhile, and it has to be made once more.
   * @param messages as they were stored at `watch`
   */
  reseal(number: number, messages: readonly StoredMessage[], made: MadePage): boolean {
    const changed = this.#takeChanged()
    const { first, entry } = this.#history.page(number)
    for (const [index, weight] of changed)
      if (weight === null && index >= first && index <= entry[0]) return false
    const { history } = this.head
    const { pages, edits } = this.#gather()
    for (const message of messages) {
      const { record, item } = message
      if (!item || changed.has(record.index)) continue
      this.#deleteItem(message)
      history.edited--
      history.editedBytes -= weightOf(record)
      edits.sealed.push(record.index)
    }
    const { hash, deflated } = made
    if (entry[3] !== '' && entry[3] !== hash) pages.delete.push(entry[3])
    pages.put.push({ hash, deflated })
    this.#history.replace(number, made)
    history.unmade = this.#history.unmade
    this.#sealed()
    return true
  }

  #sealed(): void {
    this.sealedAt = this.head.seq
    this.#gather().seals = true
  }

  #takeChanged(): Map<number, number | null> {
    const changed = this.#changed ?? new Map<number, number | null>()
    this.#changed = null
    return changed
  }

  // ── commits ───────────────────────────────────────────────────────────────────────────────────────

  /** Something waits to be committed. */
  get isDirty(): boolean {
    return this.#gathered !== null
  }

  /** Everything since the last commit, as one. Null when there is nothing. */
  finish(): DocumentCommit | null {
    const gathered = this.#gathered
    if (!gathered) return null
    for (const [key, entries] of this.#history.takeBooks()) this.#set('history', key, entries)
    this.#gathered = null
    this.#messages.clear()
    const { head } = this
    const { writer } = gathered
    const expectedSeq = head.seq
    const origin = this.#ids.last('commits')
    writer.appendDeleted('commits', this.#ids.next('commits'), origin)
    head.seq++
    const update = writer.finish()
    const members = [...gathered.members]
    const commit: DocumentCommit = {
      head: this.#headCopy(),
      expectedSeq,
      entry: { seq: expectedSeq, update, private: this.#privateParts(gathered) },
      mapItems: [...gathered.mapItems.values()],
      messages: { put: [...gathered.puts.values()], delete: [...gathered.deletes] },
      reads: { put: [...gathered.readPuts.values()], delete: [...gathered.readDeletes] },
      outboxClients: [...gathered.clients.values()],
      decided: gathered.decided,
    }
    const uniqueName = this.conversation?.uniqueName ?? null
    if (uniqueName !== gathered.uniqueNameBefore)
      commit.uniqueName = { from: gathered.uniqueNameBefore, to: uniqueName }
    if (members.length > 0) {
      commit.members = {
        put: members.flatMap(([identity, status]) => (status === null ? [] : [{ identity, status }])),
        delete: members.flatMap(([identity, status]) => (status === null ? [identity] : [])),
      }
    }
    if (gathered.bindings.put.length + gathered.bindings.delete.length > 0)
      commit.bindings = gathered.bindings
    if (this.conversation?.invites !== gathered.invitesBefore)
      commit.invites = changesOfHashes(gathered.invitesBefore, this.conversation?.invites)
    if (gathered.transition !== undefined) commit.transition = gathered.transition
    const { pages, edits } = gathered
    if (pages.put.length + pages.delete.length > 0) commit.pages = pages
    if (edits.live.length + edits.sealed.length > 0) commit.edits = edits
    if (gathered.media.length > 0) commit.media = gathered.media
    if (gathered.seals) commit.seals = true
    if (gathered.removes) commit.removes = true
    if (gathered.deleted) {
      commit.deleted = true
      head.deleted = true
    }
    this.#release(gathered)
    return commit
  }

  #privateParts({ structs, outcomes, writer }: Gathered): PrivatePart[] {
    const parts: PrivatePart[] = []
    // an author's items are decided with an outcome each, but for those that have no id to be told by
    for (const identity of outcomes.keys()) if (!structs.has(identity)) structs.set(identity, [])
    for (const [identity, own] of structs) {
      const outbox = outboxName(identity)
      for (const struct of own) writer.outboxDeleted(outbox, struct)
      parts.push({
        identity,
        update: own.length > 0 ? writer.finish() : new Uint8Array(0),
        outcomes: outcomes.get(identity) ?? [],
      })
    }
    return parts
  }

  /**
   * A fresh document of the same state: every root under new ids, the outboxes forgotten.
   * @param messages those in the live document, ascending by index
   */
  newEpoch(messages: readonly LiveMessage[]): DocumentCommit {
    const { head } = this
    const expectedSeq = head.seq
    const gathered = this.#gather()
    const { writer } = gathered
    this.#ids.startEpoch()
    this.#outbox.clear()
    this.#outboxSizes.clear()
    this.#gone = 0
    this.#mapItems = 0
    this.sealedAt = -1
    head.epoch++
    head.seq = 0
    const mapItems: MapItem[] = []
    for (const [root, items] of this.#maps) {
      const array = root === 'refusals'
      const live = [...items.values()].filter(({ value }) => value !== undefined)
      if (array) live.sort((a, b) => this.#refusalAge(b) - this.#refusalAge(a))
      items.clear()
      for (const { key, value } of live) {
        const origin = this.#ids.last(root)
        const item = this.#ids.next(root)
        if (array) writer.append(root, item, origin, value)
        else {
          writer.setKey(root, key, item, null, value)
          this.#mapItems++
        }
        const moved = { root, key, item, value }
        items.set(key, moved)
        mapItems.push(moved)
      }
    }
    const moved: LiveMessage[] = []
    for (const { record } of messages) moved.push({ record, item: this.#append('messages', record) })
    const reads: StoredRead[] = []
    for (const { record } of this.#reads.values()) reads.push({ record, item: this.#append('reads', record) })
    for (const read of reads) this.#reads.set(read.record.participantSid, read)
    writer.appendDeleted('commits', this.#ids.next('commits'), null)
    head.seq = 1
    const update = writer.finish()
    this.#gathered = null
    this.#release(gathered)
    return {
      head: this.#headCopy(),
      expectedSeq,
      entry: { seq: 0, update, private: [] },
      mapItems: [],
      messages: { put: [], delete: [] },
      reads: { put: [], delete: [] },
      outboxClients: [],
      decided: [],
      epoch: { snapshot: { seq: 1, update }, messages: moved, mapItems, reads },
    }
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────────────

  #gather(): Gathered {
    if (this.#gathered) return this.#gathered
    const used = this.#writers.pop()
    if (used) {
      // what a commit keeps is made anew
      used.decided = []
      used.bindings = { put: [], delete: [] }
      used.uniqueNameBefore = this.conversation?.uniqueName ?? null
      used.invitesBefore = this.conversation?.invites
      used.transition = undefined
      used.deleted = used.seals = used.removes = false
      used.pages = { put: [], delete: [] }
      used.edits = { live: [], sealed: [] }
      used.media = []
      this.#gathered = used
      return used
    }
    this.#gathered = {
      writer: new UpdateWriter(),
      mapItems: new Map(),
      puts: new Map(),
      deletes: new Set(),
      readPuts: new Map(),
      readDeletes: new Set(),
      clients: new Map(),
      structs: new Map(),
      outcomes: new Map(),
      decided: [],
      members: new Map(),
      bindings: { put: [], delete: [] },
      uniqueNameBefore: this.conversation?.uniqueName ?? null,
      invitesBefore: this.conversation?.invites,
      transition: undefined,
      deleted: false,
      seals: false,
      removes: false,
      pages: { put: [], delete: [] },
      edits: { live: [], sealed: [] },
      media: [],
    }
    return this.#gathered
  }

  /** Empty, and for whoever is next. */
  #release(gathered: Gathered): void {
    const { mapItems, puts, deletes, readPuts, readDeletes, clients, structs, outcomes, members } = gathered
    // clearing one makes a new table, whether or not there was anything in it
    for (const collection of [mapItems, puts, deletes, readPuts, readDeletes])
      if (collection.size > 0) collection.clear()
    for (const collection of [clients, structs, outcomes, members])
      if (collection.size > 0) collection.clear()
    this.#writers.push(gathered)
  }

  #mapOf(root: string): Map<string, MapItem> {
    let map = this.#maps.get(root)
    if (!map) {
      map = new Map()
      this.#maps.set(root, map)
    }
    return map
  }

  #putItem(item: MapItem): void {
    const map = this.#mapOf(item.root)
    const before = map.get(item.key)
    if (before) this.#countItem(before, -1)
    this.#countItem(item, 1)
    map.set(item.key, item)
  }

  #countItem({ root, value }: MapItem, by: 1 | -1): void {
    if (value === undefined) this.#gone += by
    else this.#sizes.set(root, this.size(root) + by)
  }

  /** Notes what a key of a root holds now. Of several changes in one commit the last one is stored. */
  #change(item: MapItem): void {
    const before = this.#mapOf(item.root).get(item.key)
    const { mapItems } = this.#gather()
    if (before) mapItems.delete(before)
    mapItems.set(item, item)
    this.#putItem(item)
  }

  #set(root: string, key: string, value: unknown): void {
    const origin = this.#maps.get(root)?.get(key)?.item ?? null
    const item = this.#ids.next(root)
    this.#mapItems++
    this.#gather().writer.setKey(root, key, item, origin, value)
    this.#change({ root, key, item, value })
  }

  #unset(root: string, key: string): void {
    const before = this.#maps.get(root)?.get(key)
    if (!before || before.value === undefined) return
    this.#deleteItem(before)
    this.#change({ root, key, item: before.item, value: undefined })
  }

  #append(root: string, record: unknown): ItemId {
    const origin = this.#ids.last(root)
    const item = this.#ids.next(root)
    this.#gather().writer.append(root, item, origin, record)
    return item
  }

  #deleteItem(held: { item: ItemId | null } | undefined): void {
    if (held?.item) this.#gather().writer.delete(held.item[0], held.item[1], 1)
  }

  #putMessage(record: MessageRecord): void {
    const message = { record, item: this.#append('messages', record) }
    this.#messages.set(record.sid, message)
    this.#gather().puts.set(record.sid, message)
  }

  #replaceMessage(record: MessageRecord): void {
    const { history } = this.head
    const before = this.#messages.get(record.sid)
    const weight = weightOf(record)
    const more = weight - (before ? weightOf(before.record) : 0)
    this.#deleteItem(before)
    if (record.index >= this.#history.end) history.liveBytes += more
    else if (before?.item) history.editedBytes += more
    else {
      history.edited++
      history.editedBytes += weight
    }
    this.#changed?.set(record.index, weight)
    this.#putMessage(record)
  }

  #removeMessage({ sid, index }: MessageRecord): void {
    const { head } = this
    const { history } = head
    const gathered = this.#gather()
    const before = this.#messages.get(sid)
    const weight = before ? weightOf(before.record) : 0
    this.#deleteItem(before)
    this.#messages.delete(sid)
    head.messageCount--
    if (index >= this.#history.end) {
      history.live--
      history.liveBytes -= weight
    } else {
      if (before?.item) {
        history.edited--
        history.editedBytes -= weight
      }
      this.#loseSealed(index, gathered)
    }
    this.#changed?.set(index, null)
    gathered.puts.delete(sid)
    gathered.deletes.add(sid)
    gathered.removes = true
  }

  /** A page without one of its messages: its bytes go at once, and it is made anew. */
  #loseSealed(index: number, gathered: Gathered): void {
    const hash = this.#history.remove(index)
    if (hash !== null) gathered.pages.delete.push(hash)
    this.head.history.unmade = this.#history.unmade
  }

  #putRead(record: ReadRecord): void {
    this.#deleteItem(this.#reads.get(record.participantSid))
    const read = { record, item: this.#append('reads', record) }
    this.#reads.set(record.participantSid, read)
    this.#gather().readDeletes.delete(record.participantSid)
    this.#gather().readPuts.set(record.participantSid, read)
  }

  #freeBinding({ binding }: ParticipantRecord, gathered = this.#gather()): void {
    if (!binding) return
    const { address, proxyAddress } = binding
    const pending = gathered.bindings.put.findIndex(
      (put) => put.address === address && put.proxyAddress === proxyAddress,
    )
    if (pending >= 0) gathered.bindings.put.splice(pending, 1)
    gathered.bindings.delete.push({ address, proxyAddress })
  }

  #bind(client: OutboxClient): void {
    if (!this.#outbox.has(client.client)) {
      this.#outboxSizes.set(client.identity, (this.#outboxSizes.get(client.identity) ?? 0) + 1)
    }
    this.#outbox.set(client.client, client)
  }

  #count(record: ParticipantRecord | undefined, by: 1 | -1): void {
    if (!record) return
    this.participantCount += by
    if (record.type !== 'chat') this.nonChatCount += by
    if (record.identity === undefined) return
    if (by === 1) this.#members.add(record.identity)
    else this.#members.delete(record.identity)
  }

  #readState(): void {
    const values: Record<string, unknown> = {}
    for (const { key, value } of this.#maps.get('conversation')?.values() ?? []) {
      if (value !== undefined) values[key] = value
    }
    if ('sid' in values) this.conversation = values as unknown as ConversationRecord
    for (const record of this.participants()) this.#count(record, 1)
    let newest: MapItem | null = null
    for (const item of this.#maps.get('refusals')?.values() ?? []) {
      if (newest === null || this.#ids.compare('refusals', item.item, newest.item) > 0) newest = item
    }
    if (newest) this.#newestRefusal = Number(newest.key)
  }

  /** 0 for the newest. */
  #refusalAge({ key }: MapItem): number {
    return ((this.#newestRefusal ?? 0) - Number(key) + REFUSALS) % REFUSALS
  }

  #empty(): void {
    this.conversation = null
    this.participantCount = this.nonChatCount = 0
    this.head.messageCount = 0
    this.#maps.clear()
    this.#sizes.clear()
    this.#gone = 0
    this.#members.clear()
    this.#reads.clear()
    this.#messages.clear()
    this.#history = new History(() => undefined)
    this.head.history = { ...NO_HISTORY }
    this.#gather().removes = true
  }

  /** Values that the maps hold, arrays aside. */
  #held(): number {
    let held = 0
    for (const [root, size] of this.#sizes) if (!ARRAYS.has(root)) held += size
    return held
  }

  #headCopy(): Head {
    const { roots, history } = this.head
    return { ...this.head, roots: roots.map((root) => ({ ...root })), history: { ...history } }
  }
}

/** What became of the invites that can still be used, as hashes. */
function changesOfHashes(
  before: ConversationRecord['invites'],
  after: ConversationRecord['invites'],
): NonNullable<DocumentCommit['invites']> {
  const was = usableHashes(before)
  const is = usableHashes(after)
  return { put: is.filter((hash) => !was.includes(hash)), delete: was.filter((hash) => !is.includes(hash)) }
}

const usableHashes = (invites: ConversationRecord['invites'] = {}): string[] =>
  Object.keys(invites).filter((hash) => (invites[hash]?.usesLeft ?? 0) > 0)
