/**
 * What an app is told: the difference between what it was last told and what is seen now, as an ordered list.
 * Pure. The rules are semantics.md, "Indices, counts, timeline" and "Events"; each has a sentence in
 * `timeline.test.ts`.
 */
import type { MessageRecord, ParticipantRecord, ReadRecord } from '@confab/core'
import { type Json, jsonEqual } from '@confab/core'
import type {
  ConversationUpdateReason,
  ConversationView,
  MessageUpdateReason,
  MessageView,
  ParticipantUpdateReason,
} from './engine.ts'

export type MessageEvent =
  | { type: 'messageRemoved'; message: MessageView }
  | { type: 'messageAdded'; message: MessageView }
  | { type: 'messageUpdated'; message: MessageView; reasons: MessageUpdateReason[] }

/** One message as it was told and as it is seen; undefined where it isn't. */
export interface MessageChange {
  told: MessageView | undefined
  seen: MessageView | undefined
}

/**
 * - gone: removed, with the index it had;
 * - another index (only a provisional one changes): removed, and added again behind the others' new messages;
 * - the same index: updated, when something is different (being accepted is).
 */
export function messageEvents(changes: Iterable<MessageChange>): MessageEvent[] {
  const removed: MessageView[] = []
  const added: MessageView[] = []
  const own: MessageView[] = []
  const updated: MessageEvent[] = []
  for (const { told, seen } of changes) {
    if (told && seen && told.record.index === seen.record.index) {
      const reasons = messageReasons(told, seen)
      if (reasons.length > 0) updated.push({ type: 'messageUpdated', message: seen, reasons })
      continue
    }
    if (told) removed.push(told)
    if (seen) (told || seen.status === 'pending' ? own : added).push(seen)
  }
  return [
    ...removed.sort(byIndex).map((message): MessageEvent => ({ type: 'messageRemoved', message })),
    ...[...added.sort(byIndex), ...own.sort(byIndex)].map(
      (message): MessageEvent => ({ type: 'messageAdded', message }),
    ),
    ...updated.sort((a, b) => byIndex(a.message, b.message)),
  ]
}

const byIndex = (a: MessageView, b: MessageView) => a.record.index - b.record.index

function messageReasons(told: MessageView, seen: MessageView): MessageUpdateReason[] {
  if (told.record === seen.record && told.status === seen.status) return []
  const reasons = differing<MessageRecord, MessageUpdateReason>(told.record, seen.record, [
    'body',
    'lastUpdatedBy',
    'dateCreated',
    'dateUpdated',
    'attributes',
    'author',
    'subject',
  ])
  if (!jsonEqual(told.record.receipts as Json | undefined, seen.record.receipts as Json | undefined)) {
    reasons.push('deliveryReceipt')
  }
  // its acceptance time took the place of its author's clock, even when they are the same millisecond
  if (told.status !== seen.status && !reasons.includes('dateCreated')) reasons.push('dateCreated')
  return reasons
}

/** A participant with their horizon, as it was told or is seen. */
export interface SeenParticipant {
  record: ParticipantRecord
  read: ReadRecord | undefined
}

export type ParticipantEvent =
  | { type: 'participantLeft' | 'participantJoined'; participant: SeenParticipant }
  | { type: 'participantUpdated'; participant: SeenParticipant; reasons: ParticipantUpdateReason[] }

/**
 * Who left, who joined, whose record or horizon changed. One's own coming and going is `conversationJoined` and
 * `conversationLeft`, and one's own horizon is the conversation's `lastReadMessageIndex`.
 */
export function participantEvents(
  told: ReadonlyMap<string, SeenParticipant>,
  seen: ReadonlyMap<string, SeenParticipant>,
  self: string,
): ParticipantEvent[] {
  const events: ParticipantEvent[] = []
  for (const [sid, participant] of told) {
    if (!seen.has(sid) && sid !== self) events.push({ type: 'participantLeft', participant })
  }
  for (const [sid, participant] of seen) {
    const before = told.get(sid)
    if (!before) {
      if (sid !== self) events.push({ type: 'participantJoined', participant })
      continue
    }
    const reasons = participantReasons(before, participant, sid === self)
    if (reasons.length > 0) events.push({ type: 'participantUpdated', participant, reasons })
  }
  return events
}

function participantReasons(
  told: SeenParticipant,
  seen: SeenParticipant,
  self: boolean,
): ParticipantUpdateReason[] {
  const reasons =
    told.record === seen.record
      ? []
      : differing<ParticipantRecord, ParticipantUpdateReason>(told.record, seen.record, [
          'attributes',
          'dateCreated',
          'dateUpdated',
          'roleSid',
        ])
  if (!self && told.read !== seen.read) {
    if (horizon(told.read) !== horizon(seen.read)) reasons.push('lastReadMessageIndex')
    if (told.read?.lastReadTimestamp !== seen.read?.lastReadTimestamp) reasons.push('lastReadTimestamp')
  }
  return reasons
}

const horizon = (read: ReadRecord | null | undefined) => read?.lastReadMessageIndex ?? null

/**
 * Why `conversationUpdated` is due; empty when it isn't. The newest message counts by its index alone: being
 * accepted at the index it had changes its date, and apps clear drafts on this event.
 */
export function conversationReasons(
  told: ConversationView,
  seen: ConversationView,
): ConversationUpdateReason[] {
  const reasons: ConversationUpdateReason[] = []
  const before = told.record
  const after = seen.record
  if (before !== after) {
    for (const key of [
      'attributes',
      'createdBy',
      'dateCreated',
      'dateUpdated',
      'friendlyName',
      'uniqueName',
    ] as const) {
      if (!jsonEqual(before[key] as Json | undefined, after[key] as Json | undefined)) reasons.push(key)
    }
    if ((before.state?.current ?? 'active') !== (after.state?.current ?? 'active')) reasons.push('state')
  }
  if (horizon(told.read) !== horizon(seen.read)) reasons.push('lastReadMessageIndex')
  if (told.lastMessage?.index !== seen.lastMessage?.index) reasons.push('lastMessage')
  return reasons
}

export type ConversationEventName =
  | 'conversationAdded'
  | 'conversationJoined'
  | 'conversationUpdated'
  | 'conversationLeft'
  | 'conversationRemoved'

/**
 * How a conversation comes and goes. New and joined: added, then joined; known already: joined only; gone: left
 * (if it was joined), then removed.
 */
export function conversationEvents(
  told: ConversationView | null,
  seen: ConversationView | null,
): Exclude<ConversationEventName, 'conversationUpdated'>[] {
  const before = told?.status === 'joined'
  const now = seen?.status === 'joined'
  const events: Exclude<ConversationEventName, 'conversationUpdated'>[] = []
  if (!told && seen) events.push('conversationAdded')
  if (!before && now) events.push('conversationJoined')
  if (before && !now) events.push('conversationLeft')
  if (told && !seen) events.push('conversationRemoved')
  return events
}

/** Those of the keys under which the two records differ. */
function differing<Shape, Key extends string>(a: Shape, b: Shape, keys: (Key & keyof Shape)[]): Key[] {
  return keys.filter((key) => !jsonEqual(a[key] as Json | undefined, b[key] as Json | undefined))
}
