/** What it means for a conversation here that its relay was restored from an older backup. */
import {
  isGone,
  type Json,
  jsonEqual,
  type MessageRecord,
  messageSidOf,
  type Operation,
  pageOf,
  postOf,
  type ResumePoint,
  restoreId,
  type SealedPage,
} from '@confab/core'
import * as Y from 'yjs'
import type { JournalEntry, NewJournalEntry } from '../storage/storage.ts'
import type { Replica } from './replica.ts'

/** A document goes on in another history than the one that was here. */
export interface Restored {
  /** Operations of this identity that are undecided again, durable; offers of others' messages among them. */
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

/** How the pages of two histories of one conversation are read; null for what can't be had. */
export interface PageReader {
  /** A page of the history that was here, from this device alone. */
  old(page: SealedPage): Promise<readonly MessageRecord[] | null>
  /** A page of the relay's, which knows more than this device. */
  next(page: SealedPage): Promise<readonly MessageRecord[] | null>
}

interface Comparison {
  /**
   * What this device has, live or sealed, and the relay's document lacks, ascending by index. What the relay has removed
   * may be among it, and what is in a page that can't be read now: it knows, and takes neither twice.
   */
  lost: MessageRecord[]
  /** Whether the relay certainly has this message, which was at this index. */
  isThere(sid: string, index: number | undefined): boolean
}

/**
 * Compares what is here with a whole document of the relay's.
 * @param read null where both are of one history: then nothing is lost
 */
async function compare(old: Replica, next: Replica, read: PageReader | null): Promise<Comparison> {
  const here = read ? await messagesHere(old, next, read) : []
  const known = new Set(old.manifest.pages.map(({ hash }) => hash))
  const sealed = new Set<string>()
  for (const page of next.manifest.pages) {
    if (!read || here.length === 0) break
    if (page.count === 0 || page.hash === '' || known.has(page.hash)) continue
    for (const { sid } of (await read.next(page)) ?? []) sealed.add(sid)
  }
  const isShared = (index: number) => {
    const page = pageOf(next.manifest, index)
    return page !== undefined && page.hash !== '' && known.has(page.hash) && !isGone(page, index)
  }
  return {
    lost: here.filter(({ sid }) => !sealed.has(sid)).sort((a, b) => a.index - b.index),
    isThere: (sid, index) =>
      sealed.has(sid) || next.message(sid) !== undefined || (index !== undefined && isShared(index)),
  }
}

/** What is here and isn't certainly there, as far as the two documents tell. */
async function messagesHere(old: Replica, next: Replica, read: PageReader): Promise<MessageRecord[]> {
  const here: MessageRecord[] = []
  const live = new Set<number>()
  for (const [record, client, clock] of old.messageItems()) {
    live.add(record.index)
    // an item that is known there was removed, edited or sealed since
    const isKnown = clock < Y.getState(next.doc.store, client)
    if (!isKnown && !next.message(record.sid)) here.push(record)
  }
  const same = new Set(next.manifest.pages.map(({ hash }) => hash))
  for (const page of old.manifest.pages) {
    if (page.count === 0 || (page.hash !== '' && same.has(page.hash))) continue
    for (const record of (await read.old(page)) ?? []) {
      const { index, sid } = record
      if (!isGone(page, index) && !live.has(index) && !next.message(sid)) here.push(record)
    }
  }
  return here
}

/** What brings a message again: its author posts it once more, under the id that it had; anybody else offers it. */
function bring(record: MessageRecord, document: string, identity: string): NewJournalEntry {
  const { dateUpdated: _, lastUpdatedBy: __, restored: ___, receipts: ____, ...message } = record
  const dateWritten = record.dateWritten ?? record.dateCreated
  const { sid, author, index, participantSid, dateCreated, ...content } = message
  const operation: Operation =
    author === identity
      ? { ...content, id: postOf(sid), type: 'message.post', dateWritten }
      : { ...message, id: restoreId(identity, sid), type: 'message.restore', dateWritten }
  return { id: operation.id, document, operation, state: 'pending' }
}

export interface ToBring {
  /** In the order in which it is to be undecided. */
  again: readonly (JournalEntry | NewJournalEntry)[]
  /** Ids of the edits among it: they come behind what they change. */
  edits: string[]
}

/**
 * What the relay's document lacks: of this person's own what the journal has kept, and other people's messages.
 * @param kept this person's accepted operations
 * @param pending their undecided ones
 * @param read null where both documents are of one history
 */
export async function toBring(
  { old, next, sid: document, identity }: { old: Replica; next: Replica; sid: string; identity: string },
  kept: readonly JournalEntry[],
  pending: readonly JournalEntry[],
  read: PageReader | null,
): Promise<ToBring> {
  const { lost, isThere } = await compare(old, next, read)
  // one that was accepted in an earlier epoch is brought again, unless its message shows
  const own = kept.filter(
    ({ id, operation, acceptedBy, messageIndex }) =>
      !next.knows(acceptedBy) &&
      !(operation.type === 'message.post' && isThere(messageSidOf(id), messageIndex)),
  )
  const posted = new Set([...own, ...pending].map(({ id }) => messageSidOf(id)))
  const brought = lost.filter(({ sid }) => !posted.has(sid))
  // what changes them comes behind them
  const sids = new Set(brought.map(({ sid }) => sid))
  const edits = own.filter(({ operation }) => operation.type === 'message.edit' && sids.has(operation.sid))
  return {
    again: [
      ...own.filter((entry) => !edits.includes(entry)),
      ...brought.map((record) => bring(record, document, identity)),
      ...edits,
    ],
    edits: edits.map(({ id }) => id),
  }
}
