/** Messages that are here and that a relay lacks which was restored from an older backup. */
import { type MessageRecord, restoreId } from '@confab/core'
import * as Y from 'yjs'
import type { NewJournalEntry } from '../storage/storage.ts'
import type { Replica } from './replica.ts'

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
