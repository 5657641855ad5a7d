/**
 * What search, export and diagnostics read: what is on this device, nothing asked of the relay. They come in chunks of
 * their own, and are handed all that they need of the engine through here.
 */
import {
  isGone,
  type Manifest,
  type MessageRecord,
  type ProfileRecord,
  pageOf,
  type SealedPage,
} from '@confab/core'
import { FILES, type JournalEntry, type MediaStore, type Pages, type StoredPage } from '../storage/storage.ts'
import type { Attachments } from './attachments.ts'
import type { Connection } from './connection.ts'
import type { LocalConversation } from './conversation.ts'
import type { ConversationView, MessageView, ParticipantView } from './engine.ts'
import type { OperationJournal } from './journal.ts'

/** What the engine lets it at. */
export interface LocalAccess {
  conversation(sid: string): LocalConversation | undefined
  conversations(): ConversationView[]
  /** What somebody says of themselves, as the relay has it; null when that isn't known here. */
  profile(identity: string): ProfileRecord | null
  readonly pages: Pages
  readonly journal: Pick<OperationJournal, 'pending' | 'held' | 'allPending' | 'get'>
  readonly connection: Pick<
    Connection,
    'state' | 'connected' | 'skew' | 'log' | 'tokenExpiresAt' | 'retryAt' | 'token'
  >
  readonly attachments: Attachments
  /** What is kept of attachments. */
  media(): Promise<MediaStore>
  /** Makes room where there is none: pages of history go. Gives whether any did. */
  free(): Promise<boolean>
  isPinned(conversationSid: string): boolean
  /** Holds an operation that was not sent. */
  hold(entry: JournalEntry, error: { code: number; message: string }): void
  /** Tells the other clients on this store how far attachments are. */
  tellOthers(conversationSid: string, news: unknown): void
  /** Bytes of the owner's data where the storage knows them. */
  usage(): Promise<{ used: number | null; quota: number | null }>
  now(): number
  /** The relay's clock as far as it is known, milliseconds since the epoch. */
  relayNow(): number
  /** That many random bytes. */
  random(bytes: number): Uint8Array
  warn(message: string, details?: unknown): void
  readonly followers: Set<(conversationSid: string, pages: boolean) => void>
}

export interface Files {
  names(): Promise<string[]>
  get(name: string): Promise<Uint8Array | null>
  put(name: string, bytes: Uint8Array): Promise<void>
  /** Resolves when nothing of them remains. */
  delete(names: readonly string[]): Promise<void>
}

export interface LocalHistory {
  readonly manifest: Manifest
  /** What the live document holds, ascending by index: what is below the manifest's end was edited since. */
  readonly live: readonly MessageRecord[]
  /** Nothing of it is here but its summary. */
  readonly lost: boolean
}

export interface LocalReader {
  conversations(): ConversationView[]
  /** Another text after each change that the relay decided. No document is opened for it. */
  point(conversationSid: string): string | null
  /** Null when this person has no such conversation. */
  open(conversationSid: string): Promise<LocalHistory | null>
  /** Pages of all conversations that are stored here. */
  pages(): Promise<StoredPage[]>
  /** Null when it isn't here. */
  page(conversationSid: string, page: SealedPage): Promise<readonly MessageRecord[] | null>
  /** The message as it is shown; undefined when there is none at this index, or its page isn't here. */
  message(conversationSid: string, index: number): Promise<MessageView | undefined>
  /** Messages that operations of this device post or change, as they are shown. */
  undecided(conversationSid: string): Promise<MessageView[]>
  participants(conversationSid: string): Promise<ParticipantView[]>
  /** What somebody says of themselves; null when that isn't known here. */
  profile(identity: string): ProfileRecord | null
  /** Files for what is made of all this. They may be missing the next time, when the device had no room left. */
  files(): Files
  warn(message: string, details?: unknown): void
  /** Calls back with conversations of which something changed: stored `pages`, or anything else. Gives what stops it. */
  follow(changed: (conversationSid: string, pages: boolean) => void): () => void
}

/** What is found lies in many pages: so many stay decoded, some 30 MB. */
const LATELY = 100

export class Reader implements LocalReader {
  readonly #from: LocalAccess
  /** Pages that single messages were read from, least recently used first. */
  readonly #lately = new Map<string, readonly MessageRecord[]>()

  constructor(from: LocalAccess) {
    this.#from = from
  }

  conversations(): ConversationView[] {
    return this.#from.conversations()
  }

  point(sid: string): string | null {
    const point = this.#from.conversation(sid)?.point
    return point ? `${point.epoch} ${point.commitsId} ${point.clock}` : null
  }

  async open(sid: string): Promise<LocalHistory | null> {
    const conversation = await this.#opened(sid)
    if (!conversation) return null
    const { base } = conversation.seen
    return { manifest: base.manifest, live: base.ordered, lost: base.lost !== undefined }
  }

  async pages(): Promise<StoredPage[]> {
    return (await this.#from.pages.list()).filter(({ document }) => document !== FILES)
  }

  async page(sid: string, page: SealedPage): Promise<readonly MessageRecord[] | null> {
    return (await this.#opened(sid))?.stored(page) ?? null
  }

  async message(sid: string, index: number): Promise<MessageView | undefined> {
    const conversation = await this.#opened(sid)
    if (!conversation) return undefined
    const { base } = conversation.seen
    const at = base.ordered[base.position(index)]
    const record = at?.index === index ? at : await this.#sealed(conversation, index)
    return record && conversation.seen.message(record.sid, () => record)
  }

  async undecided(sid: string): Promise<MessageView[]> {
    const conversation = this.#from.conversation(sid)
    if (!conversation?.view?.pending || !(await this.#opened(sid))) return []
    return [...conversation.seen.touched()].flatMap((one) => conversation.seen.message(one) ?? [])
  }

  async participants(sid: string): Promise<ParticipantView[]> {
    return (await this.#opened(sid))?.participants() ?? []
  }

  profile(identity: string): ProfileRecord | null {
    return this.#from.profile(identity)
  }

  files(): Files {
    const { pages } = this.#from
    return {
      names: async () =>
        (await pages.list()).flatMap(({ document, hash }) => (document === FILES ? hash : [])),
      get: (name) => pages.get(FILES, name, Date.now()),
      put: (name, bytes) => pages.put(FILES, name, bytes, Date.now()),
      delete: (names) => pages.delete(FILES, names),
    }
  }

  warn(message: string, details?: unknown): void {
    this.#from.warn(message, details)
  }

  follow(changed: (sid: string, pages: boolean) => void): () => void {
    this.#from.followers.add(changed)
    return () => this.#from.followers.delete(changed)
  }

  async #opened(sid: string): Promise<LocalConversation | null> {
    const conversation = this.#from.conversation(sid)
    if (!conversation?.view) return null
    await conversation.opened()
    return conversation.view ? conversation : null
  }

  async #sealed(conversation: LocalConversation, index: number): Promise<MessageRecord | undefined> {
    const page = pageOf(conversation.seen.base.manifest, index)
    if (!page || isGone(page, index)) return undefined
    const name = conversation.sid + page.hash
    const records = this.#lately.get(name) ?? (await conversation.stored(page))
    if (!records) return undefined
    if (page.hash !== '') {
      this.#lately.delete(name)
      this.#lately.set(name, records)
      if (this.#lately.size > LATELY) this.#lately.delete(this.#lately.keys().next().value as string)
    }
    return records.find((record) => record.index === index)
  }
}
