/**
 * What becomes of this device's operations once somebody has spoken: accepted ones leave the journal, refused ones
 * are held with their text, and what can't be decided any more is held with them.
 */
import {
  type DocumentName,
  ERROR_CODES,
  type ErrorCode,
  errorFromBody,
  isSid,
  type Operation,
  type Outcome,
  type ResumePoint,
  uuidV7,
} from '@confab/core'
import type { JournalEntry } from '../storage/storage.ts'
import type { HeldOperationView } from './engine.ts'
import type { ConversationHost } from './host.ts'

/** Whether the operation can open a conversation to somebody who is no participant. */
export const isDoor = (operation: Operation): boolean =>
  operation.type === 'conversation.create' ||
  (operation.type === 'conversation.join' && operation.invite !== undefined)

/** Nothing that a person wrote, and without a purpose once they are gone from the conversation. */
const isMoot = (operation: Operation): boolean =>
  operation.type === 'conversation.leave' ||
  operation.type === 'read.advance' ||
  operation.type === 'read.set'

/** Null for what was said in one's own `user/<identity>`. */
export const conversationOf = ({ document }: Pick<JournalEntry, 'document'>): string | null =>
  isSid('CH', document) ? document : null

export function heldView(entry: JournalEntry): HeldOperationView {
  return {
    operation: entry.operation,
    conversationSid: conversationOf(entry),
    error: errorFromBody(entry.error ?? { code: 20500 }),
    heldAt: entry.heldAt ?? 0,
  }
}

/** Holds operations, and tells: by the rejected promise where somebody still waits, by an event otherwise. */
export function refuse(
  host: ConversationHost,
  entries: readonly JournalEntry[],
  error: { code: number; message: string },
): void {
  const heldAt = host.platform.now()
  const holds = entries.map(({ id }) => ({ id, error, heldAt }))
  const moved = host.journal.hold(holds)
  if (moved.length === 0) return
  host.post({ kind: 'held', document: (moved[0] as JournalEntry).document, holds })
  for (const entry of moved) {
    // what somebody else wrote is only offered: nobody waits for it
    if (!host.verdicts.refused(entry.id, error) && entry.operation.type !== 'message.restore')
      host.tell((events) => events.operationRefused(heldView(entry)))
  }
}

/** Holds everything that is left undecided in a conversation, but for what means nothing any more. */
export function strand(host: ConversationHost, document: DocumentName, code: ErrorCode): void {
  // a copy: holding and removing change the journal's own list
  const pending = [...host.journal.pending(document)]
  const moot = pending.filter((entry) => isMoot(entry.operation)).map((entry) => entry.id)
  if (moot.length > 0) {
    host.journal.remove(moot)
    for (const id of moot) host.verdicts.accepted(id)
    host.post({ kind: 'removed', document, ids: moot })
  }
  const rest = pending.filter((entry) => !isMoot(entry.operation))
  refuse(host, rest, { code, message: ERROR_CODES[code].title })
}

/**
 * Applies the relay's outcomes. Those of operations that this device doesn't have (another device's) mean nothing
 * here. `unknown`: the conversation isn't known to exist, so a refused door shuts out everything behind it. `point`: where
 * the document stands with them.
 */
export function applyOutcomes(
  host: ConversationHost,
  document: DocumentName,
  outcomes: readonly Outcome[],
  unknown: boolean,
  point: ResumePoint,
): { accepted: string[]; later: boolean } {
  const accepted: string[] = []
  let later = false
  for (const outcome of outcomes) {
    const entry = host.journal.get(outcome.id)
    if (entry?.state !== 'pending' || entry.document !== document) continue
    const { operation } = entry
    if (outcome.verdict === 'accepted') {
      accepted.push(entry.id)
      host.journal.keep(entry, point)
      host.verdicts.accepted(entry.id)
      for (const warning of outcome.warnings ?? []) holdRefusedField(host, entry, warning)
    } else if (outcome.verdict === 'refused') {
      if (outcome.code === 70606 && host.attachments.lacking(entry)) continue
      refuse(host, [entry], outcome)
      if (unknown && isDoor(operation)) strand(host, document, 70402)
    } else if (
      isDoor(operation) &&
      host.link.isPast(host.inviteExpiry.get(document) ?? Number.POSITIVE_INFINITY)
    ) {
      refuse(host, [entry], { code: 70202, message: ERROR_CODES[70202].title })
      strand(host, document, 70402)
    } else later = true
  }
  return { accepted, later }
}

/** A conversation that was created without its unique name: the name is held as an update that was refused. */
function holdRefusedField(
  host: ConversationHost,
  { document, operation }: JournalEntry,
  error: { code: number; message: string },
) {
  if (operation.type !== 'conversation.create' || operation.uniqueName === undefined) return
  const heldAt = host.platform.now()
  const update: Operation = {
    id: uuidV7(heldAt, (bytes) => host.platform.random(bytes)),
    type: 'conversation.update',
    dateWritten: operation.dateWritten,
    uniqueName: operation.uniqueName,
  }
  const held = { id: update.id, document, operation: update, state: 'held' as const, error, heldAt }
  host.journal.append([held]).then(
    ([entry]) => host.tell((events) => events.operationRefused(heldView(entry as JournalEntry))),
    (cause) => host.warn('A refused unique name could not be kept', cause),
  )
}
