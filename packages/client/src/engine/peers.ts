/** What the clients (tabs) that share a store tell each other. All of it is idempotent. */
import type { DocumentName, ResumePoint } from '@confab/core'
import type { JournalEntry } from '../storage/storage.ts'
import type { Hold } from './journal.ts'

/** The relay wrote; `accepted` of this identity's operations are in it. */
export interface PeerNews {
  kind: 'news'
  document: DocumentName
  /** The updates are a whole document, in place of the one that was. */
  replace: boolean
  epoch: number
  updates: Uint8Array[]
  accepted: string[]
  /** The relay was restored: what was here went to `from`, and these operations are undecided again. */
  restored: { from: ResumePoint; again: JournalEntry[] } | null
}

export type PeerMessage =
  /** Operations became durable; `updates` put them into the outbox. `removed` are journal entries that went with it. */
  | {
      kind: 'appended'
      document: DocumentName
      entries: JournalEntry[]
      removed: string[]
      updates: Uint8Array[]
      /** When the invite ends by which the conversation was opened, milliseconds since the epoch. */
      inviteEnds?: number | undefined
    }
  | PeerNews
  | { kind: 'held'; document: DocumentName; holds: Hold[] }
  /** Entries were discarded. */
  | { kind: 'removed'; document: DocumentName; ids: string[] }
  /** This identity is no participant any more. */
  | { kind: 'lost'; document: DocumentName }
  /** How far attachments are. */
  | { kind: 'attachments'; document: DocumentName; news: unknown }
