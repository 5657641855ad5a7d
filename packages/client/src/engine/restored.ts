/** What it means for a conversation here that its relay was restored from an older backup. */
import {
  type Json,
  jsonEqual,
  type MessageRecord,
  type ResumePoint,
  restoreId,
  type SealedPage,
} from '@confab/core'
import * as Y from 'yjs'
import type { JournalEntry, NewJournalEntry } from '../storage/storage.ts'
import type { Replica } from './replica.ts'

/** A document goes on in another history than the one that was here. */
export interface Restored {
  /** Operations of this identity that are undecided again, durable; offers among them. */
  again: JournalEntry[]
  /** What the app was told can't be compared with what is now: it is told the conversation anew. */
  anew: boolean
}

/** Whether a copy is of the history in which another went to `from`, as far as that shows. @param told how far the copy was read */
export const isLostWith = ({ from }: { from: ResumePoint }, copy: Replica, told: ResumePoint): boolean =>
  copy.knows(from) || told.commitsId === from.commitsId

/**
 * Whether what an app was told of one document can be compared with another of another history. An index may be another
 * message's there, so a sealed message is the same only where everything sealed is.
 */
export const isComparable = (old: Replica, next: Replica): boolean =>
  old.conversation !== null &&
  old.manifest.pages.length === next.manifest.pages.length &&
  old.manifest.pages.every((page, i) => isSamePage(page, next.manifest.pages[i])) &&
  jsonEqual(editedIn(old), editedIn(next))

const isSamePage = (a: SealedPage, b: SealedPage | undefined): boolean =>
  a.last === b?.last && a.hash === b.hash && a.gone === b.gone && (a.hash !== '' || a.count === 0)

/** What was sealed, and is in the document because it was edited since. */
const editedIn = (replica: Replica): Json =>
  replica.ordered.slice(0, replica.position(replica.manifest.end)) as unknown as Json

/** Those of the old document that the relay's lacks without having removed them, ascending by index. */
export function lostMessages(old: Replica, next: Replica): MessageRecord[] {
  const taken = new Set(next.ordered.map(({ index }) => index))
  const lost: MessageRecord[] = []
  for (const [record, client, clock] of old.messageItems()) {
    if (next.message(record.sid)) continue
    // In the same epoch an item that is known was removed, or sealed. Another has other items: there an index that
    // nobody has was.
    const isKnown = clock < Y.getState(next.doc.store, client)
    const isGap = old.epoch !== next.epoch && record.index <= next.highestIndex && !taken.has(record.index)
    if (!isKnown && !isGap) lost.push(record)
  }
  return lost.sort((a, b) => a.index - b.index)
}

/** The operation that offers it, and keeps it where nobody may. */
export function offer(record: MessageRecord, document: string, identity: string): NewJournalEntry {
  const { dateUpdated: _, lastUpdatedBy: __, restored: ___, dateWritten, ...message } = record
  const id = restoreId(identity, record.sid)
  const written = dateWritten ?? record.dateCreated
  return {
    id,
    document,
    operation: { ...message, id, type: 'message.restore', dateWritten: written },
    state: 'pending',
  }
}
