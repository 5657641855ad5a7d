/** What is kept of a conversation beside its document, so that lists need not open it. Relay state only. */
import {
  type ConversationRecord,
  EMPTY_MANIFEST,
  type ParticipantRecord,
  type ReadRecord,
  type ResumePoint,
} from '@confab/core'
import type { StoredSummary } from '../storage/storage.ts'
import type { ConversationView } from './engine.ts'
import type { OrderedState } from './seen.ts'

interface SummaryData {
  record: ConversationRecord
  participant: ParticipantRecord | null
  read: ReadRecord | null
  lastMessage: { index: number; dateCreated: number } | null
  messageCount: number
  unreadCount: number | null
  /** Messages above it were not told of yet. */
  highestIndex: number
  /** See `LocalConversation.forget`. */
  forgotten?: string
}

export function summarise(view: ConversationView, point: ResumePoint, highestIndex: number): StoredSummary {
  const { sid, record, participant, read, lastMessage, messageCount, unreadCount } = view
  const data: SummaryData = {
    record,
    participant,
    read,
    lastMessage,
    messageCount,
    unreadCount,
    highestIndex,
  }
  return { document: sid, ...point, data }
}

export const pointOf = ({ epoch, commitsId, clock }: StoredSummary): ResumePoint => ({
  epoch,
  commitsId,
  clock,
})

export const highestIndexOf = (summary: StoredSummary): number => (summary.data as SummaryData).highestIndex

export const forgottenOf = (summary: StoredSummary): string | null =>
  (summary.data as SummaryData).forgotten ?? null

export function withForgotten(summary: StoredSummary, forgotten: string | null): StoredSummary {
  const { forgotten: _, ...data } = summary.data as SummaryData
  return { ...summary, data: forgotten === null ? data : { ...data, forgotten } }
}

export function viewOf(summary: StoredSummary): ConversationView {
  // field by field: a rest of an object costs ten times as much, and a start makes a thousand of these
  const { record, participant, read, lastMessage, messageCount, unreadCount } = summary.data as SummaryData
  return {
    sid: summary.document,
    record,
    status: participant ? 'joined' : 'notParticipating',
    participant,
    read,
    lastMessage,
    messageCount,
    unreadCount,
    pending: false,
  }
}

/**
 * The conversation as far as its summary tells, for when its document was lost and there is no relay to ask: it stays
 * on the list, and its person can go on writing.
 */
export function stateOfSummary(summary: StoredSummary): OrderedState {
  const { record, participant, read, lastMessage, messageCount, unreadCount, highestIndex } =
    summary.data as SummaryData
  return {
    conversation: record,
    highestIndex,
    participantCount: participant ? 1 : 0,
    nonChatCount: 0,
    participant: (sid) => (participant?.sid === sid ? participant : undefined),
    participants: () => (participant ? [participant] : []),
    message: () => undefined,
    read: (sid) => (read?.participantSid === sid ? read : undefined),
    messageCount,
    countBelow: () => 0,
    manifest: EMPTY_MANIFEST,
    ordered: [],
    position: () => 0,
    lost: { lastMessage, unreadCount },
  }
}
