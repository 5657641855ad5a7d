/**
 * What the relay keeps, and the only way it is reached. The embedded implementation is `sqlite/`; others must
 * pass `store-suite.ts`. Everything is asynchronous so that a store can be on another machine; reading is by
 * document, writing is one atomic batch for everything that was decided together.
 */
import type {
  ConversationRecord,
  DirectoryRecord,
  DocumentKind,
  MessageRecord,
  Outcome,
  ParticipantRecord,
  ReadRecord,
  StateTransition,
} from '@confab/core'
import type { AuditTrail } from '../administration/audit.ts'
import type { ChannelStore } from '../channels/desk.ts'
import type { QueuedEvent, WebhookQueue } from '../webhooks/queue.ts'
import type { MediaStore } from './media.ts'
import type { Catalogue, ObjectStore } from './objects.ts'

/** The id of a Yjs item: (client, clock). */
export type ItemId = [client: number, clock: number]

/** One relay client id of one root. Ids of a root are in the order of their making; the last one is written to. */
export interface RootId {
  root: string
  client: number
  /** Items so far. */
  clock: number
  /** For `commits`: the sequence number of its first item. */
  base?: number
  /** The run of the engine that made it (random): another run renews it, so that a restored backup reuses no id. */
  run?: number
}

/** The small part of a document that every commit needs and changes. Kept as one row. */
export interface Head {
  /** Numeric key of the document in this store; 0 for one that isn't stored yet. */
  key: number
  serviceSid: string
  document: string
  kind: DocumentKind
  epoch: number
  /** Commits so far in this epoch: the sequence number of the next. */
  seq: number
  roots: RootId[]
  /** Conversation: the highest index ever given, −1 at first. */
  highestIndex: number
  /** Conversation: messages that exist. */
  messageCount: number
  /** Conversation: how its messages lie, live and sealed. */
  history: HistoryCounts
  /** Conversation: what its timers do next; absent when none runs. */
  transition?: StateTransition
  /** `commits` ids of earlier epochs and how far each went, newest last: what has one of them can't be continued. */
  retired?: [client: number, clock: number][]
  /** The conversation was deleted: nothing but this row and its decided operations is left. */
  deleted?: true
}

/** What of a conversation's messages is in the live document, and what the sealer has to do there. */
export interface HistoryCounts {
  /** The first index that isn't sealed. */
  sealedTo: number
  /** Messages from there on, and their bytes. */
  live: number
  liveBytes: number
  /** Sealed messages that were edited since and are in the live document again, and their bytes. */
  edited: number
  editedBytes: number
  /** Pages that lost a message and have to be made anew. */
  unmade: number
}

export const NO_HISTORY: Readonly<HistoryCounts> = Object.freeze({
  sealedTo: 0,
  live: 0,
  liveBytes: 0,
  edited: 0,
  editedBytes: 0,
  unmade: 0,
})

/** From how much on a conversation is for the sealer. */
export interface SealingBounds {
  messages: number
  /** Of the live messages. */
  bytes: number
  edited: number
  editedBytes: number
}

/** What a document's map roots hold now, and which item holds it. Loaded with the head. */
export interface MapItem {
  root: string
  key: string
  item: ItemId
  /** Undefined: deleted (its id is still the next value's origin). */
  value: unknown
}

export interface StoredRead {
  record: ReadRecord
  item: ItemId
}
export interface StoredMessage {
  record: MessageRecord
  /** Null: sealed, and not in the live document. */
  item: ItemId | null
}
/** A message that is in the live document. */
export interface LiveMessage extends StoredMessage {
  item: ItemId
}
/** A client id bound to an identity in a document, and how many of its outbox items the relay has. */
export interface OutboxClient {
  identity: string
  client: number
  clock: number
}

export interface LoadedDocument {
  head: Head
  mapItems: MapItem[]
  reads: StoredRead[]
  outboxClients: OutboxClient[]
  /** `dateCreated` of the newest message that exists: no later one is dated before it. */
  newestMessageAt?: number
  /** Sequence number of the newest commit that `seals`; −1, or left out: there was none in this epoch. */
  sealedAt?: number
}

/** What one author's devices get beside the common update of a commit. */
export interface PrivatePart {
  identity: string
  /** Outbox structs as deleted, and their delete set. Empty when there is none. */
  update: Uint8Array
  outcomes: Outcome[]
}

export interface LogEntry {
  seq: number
  /** For every reader. */
  update: Uint8Array
  private: PrivatePart[]
}

/** What is served to somebody who has nothing, or too little. Log entries from `seq` on follow it. */
export interface Snapshot {
  seq: number
  update: Uint8Array
}

/** One decided operation, remembered for ever by id. */
export interface DecidedOperation {
  id: string
  identity: string
  outcome: Outcome
}

/** Everything that one commit of one document changes. */
export interface DocumentCommit {
  /** After the commit. `key` 0: a new document. */
  head: Head
  /** Sequence number before it: another one in the store means a second writer, and the batch fails. */
  expectedSeq: number
  entry: LogEntry
  mapItems: MapItem[]
  messages: { put: LiveMessage[]; delete: string[] }
  /** Pages of sealed messages, deflated (zlib format), by their hash; and those that nobody may read any more. */
  pages?: { put: { hash: string; deflated: Uint8Array }[]; delete: string[] }
  /**
   * Sealed messages, by index, that are in the live document (`put` says so by itself: these were edited while their
   * page was made), and those that no longer are because their page has them as they are.
   */
  edits?: { live: number[]; sealed: number[] }
  /** It takes messages out of the live document: a snapshot from before it still has their content. */
  seals?: true
  /** It removed messages: until `erase` their text is in the log and in the snapshot. */
  removes?: true
  reads: { put: StoredRead[]; delete: string[] }
  outboxClients: OutboxClient[]
  decided: DecidedOperation[]
  /** Look-ups across documents, for conversations. */
  uniqueName?: { from: string | null; to: string | null }
  members?: { put: { identity: string; status: DirectoryRecord['status'] }[]; delete: string[] }
  bindings?: {
    put: { address: string; proxyAddress: string; participantSid: string }[]
    delete: { address: string; proxyAddress: string }[]
  }
  /** Hashes of invites that came to stand on the conversation, and of those that no longer do. */
  invites?: { put: string[]; delete: string[] }
  /** The head's transition, when the commit changed it; null: no timer runs any more. */
  transition?: StateTransition | null
  /**
   * A new epoch: everything kept of the old one is dropped and replaced by this snapshot, whose `seq` is the head's;
   * messages that are sealed and their pages stay.
   * `entry` and the lists above aren't stored then; decided operations and look-ups stay as they are.
   */
  epoch?: { snapshot: Snapshot; messages: LiveMessage[]; mapItems: MapItem[]; reads: StoredRead[] }
  /** The conversation was deleted: only its tombstone and decided operations remain. */
  deleted?: boolean
  /** Attachments that messages of it have from now on. */
  media?: { sid: string; messageSid: string }[]
  /** What webhooks are to be told of it. */
  events?: readonly QueuedEvent[]
}

/** A conversation whose timers will change its state. */
export interface DueTransition extends StateTransition {
  serviceSid: string
  document: string
}

/** A row of "which of my documents changed", for a batch resume. */
export interface DocumentPoint {
  document: string
  key: number
  epoch: number
  /** Sequence number of the next commit. */
  seq: number
  /** Newest `commits` id and its number of items; 0, 0 before the first commit. */
  commitsId: number
  clock: number
}

export interface Store {
  /** Null when the service has no such document. A deleted conversation has its head and nothing else. */
  load(serviceSid: string, document: string): Promise<LoadedDocument | null>
  /** The numeric key of a document; null when the service has no such document. */
  keyOf(serviceSid: string, document: string): Promise<number | null>
  /** The messages with these sids, those that exist. They are found by the decided operations that posted them. */
  messages(key: number, sids: readonly string[]): Promise<StoredMessage[]>
  /** At most `limit` messages with an index in [from, to), ascending, or from the end on `backwards`. */
  messageRange(
    key: number,
    from: number,
    to: number,
    limit?: number,
    backwards?: boolean,
  ): Promise<StoredMessage[]>
  /** The messages that are in the live document with an index below `to`, ascending: edited ones and those not sealed. */
  liveMessages(key: number, to: number): Promise<LiveMessage[]>
  /** A page, deflated; null when there is none with this hash in this document. */
  page(key: number, hash: string): Promise<Uint8Array | null>
  /** Conversations beyond these bounds, or with pages to be made anew. */
  sealable(
    bounds: SealingBounds,
    limit: number,
  ): Promise<{ key: number; serviceSid: string; document: string }[]>
  /** Outcomes of operations decided before, those of these ids that were. */
  decided(key: number, ids: readonly string[]): Promise<DecidedOperation[]>
  /**
   * Resume points of those among `documents` that exist and that this identity may read: its conversations, its
   * own user document, profiles. One query.
   */
  points(serviceSid: string, identity: string, documents: readonly string[]): Promise<DocumentPoint[]>
  /** Whether this identity is a participant of, or the not yet joined creator of, the conversation. */
  isMember(key: number, identity: string): Promise<boolean>
  /** Log entries with seq ≥ `fromSeq`, private parts of this identity only; null when trimmed away. */
  log(key: number, fromSeq: number, identity: string): Promise<LogEntry[] | null>
  /** The newest snapshot and this identity's own part of it (their outbox, deleted). */
  snapshot(key: number, identity: string): Promise<{ snapshot: Snapshot | null; outbox: Uint8Array | null }>
  /** Which conversation of the service has the unique name. */
  uniqueNameOwner(serviceSid: string, uniqueName: string): Promise<string | null>
  bindingOwner(serviceSid: string, address: string, proxyAddress: string): Promise<string | null>
  conversationCount(serviceSid: string, identity: string): Promise<number>
  /**
   * Whether an invite with this hash stands on the conversation. Found by the hash first: to a guess, a conversation
   * that exists costs exactly what one costs that doesn't.
   */
  hasInvite(serviceSid: string, document: string, hash: string): Promise<boolean>
  /** What timers do next, the soonest first, whether or not it is due; found by an index. */
  transitions(limit: number): Promise<DueTransition[]>

  /**
   * Writes all commits in one transaction; on disk when it resolves. Gives the keys of new documents, in order.
   * Rejects (70502) with nothing written.
   */
  commit(commits: readonly DocumentCommit[]): Promise<number[]>

  /**
   * Documents whose log is due for compaction: at least `atLeast` entries since the newest snapshot, and at least
   * half as many as the snapshot stands for (so that all compactions of a document together stay linear), though
   * never more than 4,096. `seq` is the snapshot's. The newest commits, up to a quarter of `atLeast`, may not be counted yet.
   */
  compactable(atLeast: number, limit: number): Promise<{ key: number; seq: number; entries: number }[]>
  /** Documents whose snapshot, or lack of one, is from before their newest sealing; found by an index. */
  stale(limit: number): Promise<{ key: number }[]>
  /** Replaces the snapshots (common and per identity) up to `seq` and trims log entries below `keepFrom`. */
  compact(
    key: number,
    snapshot: Snapshot,
    outboxes: { identity: string; update: Uint8Array }[],
    keepFrom: number,
  ): Promise<void>
  /** The parts of a document that compaction merges: its newest snapshots and every log entry from there on,
   * or `withTail` those before, too. */
  compactionInput(
    key: number,
    withTail?: boolean,
  ): Promise<{
    /** Sequence number of the next commit. */
    seq: number
    snapshot: Snapshot | null
    outboxes: { identity: string; update: Uint8Array }[]
    entries: LogEntry[]
  }>

  /** Documents that lost messages since their log and snapshot were last gone through. */
  erasable(limit: number): Promise<{ key: number }[]>
  /**
   * Puts these in the place of the log entries and of the common snapshot with the same `seq`, all before `before`,
   * and then leaves no byte of what was overwritten or deleted in any of its files.
   * @param before the head's `seq` when they were read: what was removed since is still to be erased
   */
  erase(
    key: number,
    before: number,
    snapshot: Snapshot | null,
    entries: { seq: number; update: Uint8Array }[],
  ): Promise<void>
  /**
   * Copies everything as it is at one moment between commits into a new file, while others go on.
   * Rejects (70502) with nothing left behind.
   */
  backup(file: string): Promise<void>

  readonly objects: ObjectStore
  readonly catalogue: Catalogue
  /** What is kept for people without the SDK. */
  readonly channels: ChannelStore
  readonly webhooks: WebhookQueue
  readonly media: MediaStore
  readonly audit: AuditTrail

  close(): Promise<void>
}

export type { ConversationRecord, ParticipantRecord }
