/**
 * What this person's accepted operations said of messages that were removed since. Their text goes; what stays for a
 * relay that is restored from an older backup is that they were removed.
 */
import { isGone, messageSidOf, type Operation, pageOf, removalId } from '@confab/core'
import type { JournalEntry, NewJournalEntry } from '../storage/storage.ts'
import type { Replica } from './replica.ts'

/** The message of which an operation says something; undefined for operations that quote none. */
export const messageOf = (operation: Operation): string | undefined =>
  operation.type === 'message.post'
    ? messageSidOf(operation.id)
    : operation.type === 'message.edit'
      ? operation.sid
      : undefined

/**
 * Those of the kept operations that say something of a removed message.
 * @param removed sids of messages that are known to be, whatever the document tells
 */
export function ofRemoved(
  kept: readonly JournalEntry[],
  replica: Replica,
  removed: ReadonlySet<string>,
): JournalEntry[] {
  return kept.filter((entry) => {
    const sid = messageOf(entry.operation)
    return sid !== undefined && (removed.has(sid) || isRemoved(replica, sid, entry))
  })
}

/** Whether the document tells that the message was removed. One that may be sealed is known by its index alone. */
function isRemoved(
  replica: Replica,
  sid: string,
  { messageIndex: index, acceptedBy }: JournalEntry,
): boolean {
  if (replica.message(sid)) return false
  if (index === undefined) return replica.manifest.end === 0 && replica.knows(acceptedBy)
  const page = pageOf(replica.manifest, index)
  if (page) return isGone(page, index)
  return index <= replica.highestIndex && replica.ordered[replica.position(index)]?.index !== index
}

/** What takes the place of this person's own posts: that they are removed, by whomever they were. */
export function removalsOf(
  erased: readonly JournalEntry[],
  kept: readonly JournalEntry[],
  identity: string,
  now: number,
): NewJournalEntry[] {
  const known = new Set(
    kept.flatMap(({ operation }) => (operation.type === 'message.remove' ? operation.sid : [])),
  )
  return erased.flatMap(({ document, operation }) => {
    const sid = messageSidOf(operation.id)
    if (operation.type !== 'message.post' || known.has(sid)) return []
    const id = removalId(identity, sid)
    return [
      { id, document, operation: { id, type: 'message.remove', sid, dateWritten: now }, state: 'pending' },
    ]
  })
}
