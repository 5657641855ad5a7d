/**
 * One conversation's document on this device, read as records. The relay writes every root but the outbox, so
 * what it says is kept as plain records beside the Y.Doc and brought up to date by each transaction alone: loading
 * 100,000 messages costs what Yjs itself costs, and a new message costs the same in a long conversation as in a
 * short one.
 *
 * The structs of a transaction are read from Yjs's store (internal, as `_start` is): `event.changes` would walk the
 * whole array for each message.
 */
import {
  type ConversationRecord,
  EMPTY_MANIFEST,
  isGone,
  type Manifest,
  type MessageRecord,
  type ParticipantRecord,
  pageOf,
  type ReadRecord,
  readManifest,
  sealedBelow,
} from '@confab/core'
import * as Y from 'yjs'
import { Outbox } from './outbox.ts'
import { noChanges, type ReplicaChanges } from './replica-changes.ts'
import type { RootArray, RootMap } from './root-types.ts'
import type { OrderedState } from './seen.ts'
import { YDocument } from './y-document.ts'

export class Replica extends YDocument implements OrderedState {
  readonly outbox: Outbox
  conversation: ConversationRecord | null = null
  /** Another object after every change of a participant or a horizon. */
  roster: object = {}
  nonChatCount = 0
  /** What is sealed. The records of `ordered` below its end were edited since. */
  manifest: Manifest = EMPTY_MANIFEST
  /** Sealed messages that something here turns on: an operation that is undecided, an event that is due. By sid. */
  readonly recalled = new Map<string, MessageRecord>()

  readonly #conversationMap: RootMap<unknown>
  readonly #historyMap: RootMap<unknown>
  readonly #participantMap: RootMap<ParticipantRecord>
  readonly #messageArray: RootArray<MessageRecord>
  readonly #readArray: RootArray<ReadRecord>

  #participants = new Map<string, ParticipantRecord>()
  #reads = new Map<string, ReadRecord>()
  /** Made when first needed: showing the last page of a long conversation needs none. */
  #bySid: Map<string, MessageRecord> | null = null
  /** Ascending by index. */
  #ordered: MessageRecord[] = []
  #changes: ReplicaChanges = noChanges()
  /** Messages that left the document since: they were edited, sealed or removed. */
  readonly #dropped: MessageRecord[] = []

  constructor(epoch: number, clientId: number, identity: string) {
    super(epoch, clientId)
    this.outbox = new Outbox(this.doc, identity)
    this.#conversationMap = this.doc.getMap('conversation')
    this.#historyMap = this.doc.getMap('history')
    this.#participantMap = this.doc.getMap('participants')
    this.#messageArray = this.doc.getArray('messages')
    this.#readArray = this.doc.getArray('reads')
  }

  /** Reads what the document holds and follows it from now on. Call once, after loading. */
  attach(): void {
    this.#readConversation()
    this.#readParticipants()
    this.#readReads()
    this.#readHistory()
    this.#ordered = this.#messageArray.toArray().sort((a, b) => a.index - b.index)
    // before Yjs drops the content of what the transaction deleted
    this.doc.on('afterTransaction', (transaction) => this.#follow(transaction))
  }

  get highestIndex(): number {
    const live = Math.max(this.#ordered.at(-1)?.index ?? -1, this.conversation?.highestIndex ?? -1)
    return Math.max(live, this.manifest.end - 1)
  }

  get participantCount(): number {
    return this.#participants.size
  }

  get messageCount(): number {
    return this.countBelow(Number.POSITIVE_INFINITY)
  }

  countBelow(index: number): number {
    const { end } = this.manifest
    const live = index > end ? this.position(index) - this.position(end) : 0
    return sealedBelow(this.manifest, index) + live
  }

  /** Whether the message at this index exists in a page, and the document has nothing newer. */
  isSealed(index: number): boolean {
    const page = pageOf(this.manifest, index)
    return page !== undefined && !isGone(page, index) && this.#ordered[this.position(index)]?.index !== index
  }

  participant(sid: string): ParticipantRecord | undefined {
    return this.#participants.get(sid)
  }

  participants(): Iterable<ParticipantRecord> {
    return this.#participants.values()
  }

  message(sid: string): MessageRecord | undefined {
    return this.#messages.get(sid) ?? this.recalled.get(sid)
  }

  read(participantSid: string): ReadRecord | undefined {
    return this.#reads.get(participantSid)
  }

  /** Accepted messages in the document, ascending by index. Not to be changed. */
  get ordered(): readonly MessageRecord[] {
    return this.#ordered
  }

  /** How many of `ordered` have an index below `index`: the position at which it stands, or would. */
  position(index: number): number {
    let low = 0
    let high = this.#ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ordered[middle] as MessageRecord).index < index) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Accepted messages with the items that hold them. */
  *messageItems(): Iterable<[record: MessageRecord, client: number, clock: number]> {
    // `_start` is internal to Yjs
    let item = (this.#messageArray as unknown as { _start: Y.Item | null })._start
    for (; item; item = item.right) {
      if (item.deleted || !(item.content instanceof Y.ContentAny)) continue
      for (const [at, record] of (item.content.arr as MessageRecord[]).entries())
        yield [record, item.id.client, item.id.clock + at]
    }
  }

  /**
   * What changed since the last call. Nothing while the document lacks what a change stands on: of such a change only
   * half shows, and a message that was sealed looks removed.
   * @param isLast it is asked for the last time: another document takes the place of this one
   */
  takeChanges(isLast = false): ReplicaChanges {
    if (!isLast && !this.complete) return noChanges()
    const changes = this.#changes
    for (const record of this.#dropped.splice(0)) this.#tellDropped(record, changes)
    this.#changes = noChanges()
    return changes
  }

  get #messages(): Map<string, MessageRecord> {
    this.#bySid ??= new Map(this.#ordered.map((record) => [record.sid, record]))
    return this.#bySid
  }

  #follow(transaction: Y.Transaction): void {
    if (transaction.changed.size === 0) return
    if (transaction.changed.has(this.#conversationMap as never)) this.#readConversation()
    if (transaction.changed.has(this.#participantMap as never)) this.#readParticipants()
    if (transaction.changed.has(this.#readArray as never)) this.#readReads()
    if (transaction.changed.has(this.#historyMap as never)) {
      this.#changes.manifest ??= this.manifest
      this.#readHistory()
    }
    if (transaction.changed.has(this.#messageArray as never)) this.#followMessages(transaction)
    this.#changes.any = true
  }

  #readConversation(): void {
    const record = this.#conversationMap.toJSON()
    this.conversation = record.sid === undefined ? null : (record as unknown as ConversationRecord)
  }

  #readHistory(): void {
    this.manifest = readManifest((key) => this.#historyMap.get(key))
    for (const [sid, { index }] of this.recalled) {
      const page = pageOf(this.manifest, index)
      if (page && isGone(page, index)) this.recalled.delete(sid)
    }
  }

  #readParticipants(): void {
    this.roster = {}
    this.#participants = new Map(this.#participantMap.entries())
    this.nonChatCount = 0
    for (const record of this.#participants.values()) if (record.type !== 'chat') this.nonChatCount++
  }

  /** The array is trimmed to about one entry a participant, so it is read whole: the last one wins. */
  #readReads(): void {
    this.roster = {}
    this.#reads = new Map()
    for (const record of this.#readArray.toArray()) this.#reads.set(record.participantSid, record)
  }

  #followMessages(transaction: Y.Transaction): void {
    const parent: unknown = this.#messageArray
    Y.iterateDeletedStructs(transaction, transaction.deleteSet, (struct) => {
      if (!(struct instanceof Y.Item) || struct.parent !== parent) return
      if (!(struct.content instanceof Y.ContentAny)) return
      for (const record of struct.content.arr as MessageRecord[]) {
        // an edit deletes the old record and appends the new: only the one that is known may go
        if (this.#messages.get(record.sid) !== record) continue
        this.#drop(record)
        this.#dropped.push(record)
      }
    })
    for (const [client, end] of transaction.afterState) {
      const start = transaction.beforeState.get(client) ?? 0
      if (start === end) continue
      const structs = transaction.doc.store.clients.get(client)
      if (!structs) continue
      for (let i = Y.findIndexSS(structs, start); i < structs.length; i++) {
        const struct = structs[i]
        if (!(struct instanceof Y.Item) || struct.deleted || struct.parent !== parent) continue
        if (!(struct.content instanceof Y.ContentAny)) continue
        for (const record of struct.content.arr.slice(
          Math.max(0, start - struct.id.clock),
        ) as MessageRecord[]) {
          this.#put(record)
        }
      }
    }
  }

  #tellDropped(record: MessageRecord, { messages, sealed, removed }: ReplicaChanges): void {
    const { sid, index } = record
    if (this.#messages.has(sid)) return
    if (!this.isSealed(index)) {
      removed.push(sid)
      return
    }
    // being sealed is no news: who looks for it meanwhile finds it
    if (messages.get(sid) === record) messages.delete(sid)
    sealed.push(record)
    this.recalled.set(sid, record)
  }

  #note(sid: string): void {
    const { messages } = this.#changes
    if (!messages.has(sid)) messages.set(sid, this.#messages.get(sid))
  }

  #drop(record: MessageRecord): void {
    this.#note(record.sid)
    this.#messages.delete(record.sid)
    const at = this.position(record.index)
    if (this.#ordered[at] === record) this.#ordered.splice(at, 1)
  }

  #put(record: MessageRecord): void {
    const known = this.#messages.get(record.sid)
    const { messages, edited } = this.#changes
    if (record.index < this.manifest.end && !known && !messages.has(record.sid)) edited.push(record)
    else this.#note(record.sid)
    this.#messages.set(record.sid, record)
    const at = this.position(record.index)
    const replaces = this.#ordered[at]?.index === record.index
    this.#ordered.splice(at, replaces ? 1 : 0, record)
    if (known && known.index !== record.index) this.#ordered = this.#ordered.filter((one) => one !== known)
  }
}
