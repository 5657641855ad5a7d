/**
 * Where a client keeps what it must not lose. Four parts with different promises:
 *
 * - the **journal** (operations, summaries, the session): ordered, awaited, durable when its promise resolves;
 * - the **documents**: a cache of Yjs documents that the relay and the journal can rebuild;
 * - the **pages** of sealed history: a cache that the relay can fill again;
 * - the **media**: content of attachments by its hash, durable when its promise resolves, as what wasn't sent yet is here
 *   alone.
 *
 * `indexedDB()`, `directory(path)` and `memory()` implement it; all pass the suite in `storage-suite.ts`.
 */
import type { Operation } from '@confab/core'
import type * as Y from 'yjs'

/** Whose data a store holds. One store per owner: a second owner on the same device never meets the first's. */
export interface StoreOwner {
  /** The relay's URL as the app gave it. */
  relay: string
  accountSid: string
  serviceSid: string
  identity: string
}

export type JournalState =
  /** Undecided: not yet sent, on its way, or being decided. */
  | 'pending'
  /** Refused, or stranded by a removal: kept until the person resends or discards it. */
  | 'held'
  /** Accepted, and kept for a while: a relay that is restored from an older backup may lack it. */
  | 'kept'

/** One operation of this identity. */
export interface JournalEntry {
  /** The operation's id. */
  id: string
  document: string
  operation: Operation
  state: JournalState
  /** The index of the message that it is about, where it is sealed or known: where to look for it. */
  messageIndex?: number
  /** Position in the journal: ascending in the order of writing, across documents and tabs. Given by the store. */
  position: number
  /** Why it is held. */
  error?: { code: number; message: string }
  /** When it was held, or accepted, milliseconds since the epoch. */
  heldAt?: number
  /** Of a kept one: a commit of its document by which it had been accepted. */
  acceptedBy?: { commitsId: number; clock: number }
}

export type NewJournalEntry = Omit<JournalEntry, 'position'>

/** What a list needs to know of a conversation without opening its document. JSON; the engine owns its shape. */
export interface StoredSummary {
  document: string
  /** The epoch under which the document is kept. */
  epoch: number
  /** The resume point that this summary reflects. */
  commitsId: number
  clock: number
  /** The engine's own JSON. */
  data: unknown
}

/** An accepted operation to be kept for a while. */
export interface Keep {
  id: string
  heldAt: number
  acceptedBy: { commitsId: number; clock: number }
  /** Where the message is that it posts or changes, as far as that is known. */
  messageIndex: number | undefined
}

/**
 * One atomic change of the journal database. Applied in full or not at all; removals first, then additions, then holds
 * and keeps.
 */
export interface JournalWrite {
  /** An id that is there already keeps its entry and its position; a kept one is pending again. */
  append?: NewJournalEntry[]
  /** Sets pending entries aside, by id; unknown ids are ignored. */
  keep?: Keep[]
  /** Forgets kept entries: those of before this time, and all but the newest. */
  prune?: { before: number; most: number }
  /** Replaces the state and error of entries by id; unknown ids are ignored. */
  hold?: { id: string; error: { code: number; message: string }; heldAt: number }[]
  /** Removes entries by id; unknown ids are ignored. */
  remove?: string[]
  /** The same, after which nothing that they said is left in a file of the store's, as far as it has files of its own. */
  erase?: string[]
  summaries?: StoredSummary[]
  removeSummaries?: string[]
  /** Small JSON values of the engine by key (the session, settings); `undefined` removes. */
  values?: { [key: string]: unknown }
}

export interface Journal {
  /** Everything but what is kept, read in one go at start: entries in order of position, summaries, values. */
  load(): Promise<{ entries: JournalEntry[]; summaries: StoredSummary[]; values: { [key: string]: unknown } }>
  /**
   * Resolves when the write is on disk, with the appended entries and their positions; writes of one client
   * complete in the order they were asked for. Rejects with `ConfabError` 70501 (and the cause) when storage fails
   * or is full: then nothing of it was written, and the store stays usable.
   */
  write(write: JournalWrite): Promise<JournalEntry[]>
  /** What is kept of a document, or of all, in the order of writing. */
  kept(document?: string): Promise<JournalEntry[]>
  close(): Promise<void>
}

/** A document's life in the store while it is open. */
export interface StoredDocument {
  /**
   * Resolves once what was stored is in the Y.Doc (in a transaction that is not local). From then on every update of
   * the doc is stored. Rejects with `ConfabError` 70501 when the copy can't be read: the doc is then to be thrown
   * away, as it is when a write was lost and `isComplete(doc)` (`stored-document.ts`) is false.
   */
  readonly loaded: Promise<void>
  /**
   * Rewrites the stored state as one update, so that nothing removed remains in older rows. Resolves when they are
   * gone; rejects with 70501 when that failed.
   */
  compact(): Promise<void>
  /** Waits for what can be waited for, and stops storing. The Y.Doc itself stays. */
  close(): Promise<void>
}

export interface Documents {
  /**
   * Opens the copy kept under (document, epoch) and loads it into `doc`.
   * @param before what must be stored before an update of the doc is; never rejects
   */
  open(document: string, epoch: number, doc: Y.Doc, before?: () => Promise<unknown>): StoredDocument
  /** Removes what is stored under (document, epoch). */
  remove(document: string, epoch: number): Promise<void>
}

/** Instead of a document's name: what can be made again from the rest, such as an index, kept as pages are. */
export const FILES = '#files'

/** A page of sealed history as it is kept, but for its bytes. */
export interface StoredPage {
  document: string
  hash: string
  /** Bytes. */
  size: number
  /** When it was last written or read, milliseconds since the epoch. */
  used: number
}

/** Every promise rejects with `ConfabError` 70501 when storage fails. */
export interface Pages {
  list(): Promise<StoredPage[]>
  /**
   * The bytes as they were put; null when they aren't here.
   * @param now noted as its last use
   */
  get(document: string, hash: string, now: number): Promise<Uint8Array | null>
  /** Replaces what is kept under the same name. */
  put(document: string, hash: string, bytes: Uint8Array, now: number): Promise<void>
  /** Resolves when nothing of them remains. */
  delete(document: string, hashes: readonly string[]): Promise<void>
}

/** The content of an attachment as it is kept, but for its bytes: once, however many messages have it. */
export interface StoredContent {
  /** SHA-256 of its bytes, 64 hex digits. */
  hash: string
  /** Bytes. */
  size: number
  /** When it was last written or read, milliseconds since the epoch. */
  used: number
}

/** Why content is kept: an attachment has it. */
export interface MediaUse {
  /** The attachment's sid: there is one use for each. */
  media: string
  hash: string
  conversation: string
  /** The message's sid; '' while it is being written. */
  message: string
  /** The message's index, once the relay has given it. */
  index: number | null
  /** When it was noted, milliseconds since the epoch. */
  since: number
  /** Where its upload goes on. */
  upload?: string
}

/**
 * The content of attachments by its hash, and what it is kept for. Every promise rejects with `ConfabError` 70501 when
 * storage fails or is full; then nothing of it happened.
 */
export interface MediaStore {
  contents(): Promise<StoredContent[]>
  uses(): Promise<MediaUse[]>
  /**
   * The content as it was put, read from where it is kept when it is used; null when it isn't here.
   * @param now noted as its last use
   */
  get(hash: string, now: number): Promise<Blob | null>
  /** Resolves when content and uses are on disk. Content that is there already stays. */
  put(hash: string, content: Blob, uses: readonly MediaUse[], now: number): Promise<void>
  /** Replaces uses, by their attachment. */
  use(uses: readonly MediaUse[]): Promise<void>
  /** Removes uses, by their attachment, and then the content that nothing uses any more. */
  release(media: readonly string[]): Promise<void>
  /**
   * Resolves when this client's turn has come, which the others that have the same store open wait for; to what ends
   * it. It ends with the client, too, whatever ended that. Rejects when `signal` is aborted before.
   */
  lead(signal: AbortSignal): Promise<() => void>
  close(): Promise<void>
}

/** News between the clients (tabs) that have the same store open; never echoed to its sender. */
export interface Peers {
  post(message: unknown): void
  onMessage(listener: (message: unknown) => void): void
  close(): void
}

export interface Store {
  readonly journal: Journal
  readonly documents: Documents
  readonly pages: Pages
  /** Opens what is kept of attachments; the caller closes it before the store. */
  media(): Promise<MediaStore>
  readonly peers: Peers
  /** Bytes that the owner's data takes and may take; null for what isn't known. */
  usage?(): Promise<{ used: number | null; quota: number | null }>
  close(): Promise<void>
}

/** What `new Client(token, { storage })` takes. */
export interface Storage {
  readonly kind: 'indexeddb' | 'directory' | 'memory'
  open(owner: StoreOwner): Promise<Store>
  /** The owner that last opened a store for this relay, for a start with no network and no token. */
  lastOwner(relay: string): Promise<StoreOwner | null>
  rememberOwner(owner: StoreOwner): Promise<void>
  /** Removes everything of this owner, whose store is closed. Resolves when nothing of it remains. */
  destroy?(owner: StoreOwner): Promise<void>
}
