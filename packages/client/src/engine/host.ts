/** What a conversation needs of the engine around it. */
import type { DecideContext, DocumentName, Limits, Operation } from '@confab/core'
import type { Documents } from '../storage/storage.ts'
import type { OpenRequest } from '../transport/transport.ts'
import type { Attachments } from './attachments.ts'
import type { LocalConversation } from './conversation.ts'
import type { EngineEvents } from './engine.ts'
import type { OperationJournal } from './journal.ts'
import type { PageCache } from './pages.ts'
import type { PeerMessage } from './peers.ts'
import type { Platform } from './platform.ts'
import type { Verdicts } from './verdicts.ts'

/** The connection as a document sees it. Calls do nothing while there is none. */
export interface Link {
  readonly connected: boolean
  open(requests: OpenRequest[]): void
  /** Opens again from another point. */
  reopen(request: OpenRequest): void
  update(document: DocumentName, update: Uint8Array): void
  awareness(document: DocumentName, update: Uint8Array): void
  /** Rejects when there is no connection, or it ends. A few are asked for at a time. */
  page(document: DocumentName, hash: string): Promise<Uint8Array | null>
  /** The relay's clock as far as it is known, milliseconds since the epoch. */
  relayNow(): number
  /** Whether this moment has gone by, by the relay's clock; while that isn't known, by any clock that is a day wrong. */
  isPast(time: number): boolean
}

export interface Listing {
  /** Resolves when the relay has answered for it on this connection, or there is none. */
  settled(): Promise<void>
  /** Whether the relay says that this identity takes part. */
  has(conversationSid: string): boolean
  /** Which entry was removed; null when none was. */
  removal(conversationSid: string): string | null
}

export interface ConversationHost {
  readonly identity: string
  readonly platform: Platform
  readonly documents: Documents
  readonly pages: PageCache
  readonly journal: OperationJournal
  readonly attachments: Attachments
  readonly verdicts: Verdicts
  readonly link: Link
  readonly limits: Limits
  contextFor(conversationSid: string): (operation: Operation) => DecideContext
  /** By conversation: when the invite ends by which it was opened, milliseconds since the epoch. */
  readonly inviteExpiry: Map<string, number>
  /** What this identity's own private document says of its conversations. */
  readonly listing: Listing
  /** Events of the conversation are due. */
  changed(conversation: LocalConversation): void
  /** There may be pages that this device doesn't have. */
  historyChanged(conversation: LocalConversation): void
  /** What a person set for a conversation is told as a change of the conversation. */
  settingChanged(conversationSid: string, events: EngineEvents): void
  tell(event: (events: EngineEvents) => void): void
  post(message: PeerMessage): void
  warn(message: string, details?: unknown): void
}
