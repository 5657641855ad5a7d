/**
 * What a decision looks at and what it changes. The relay keeps a state as plain records; a device
 * reads one out of its Yjs document. Both hand it to the same `decide`.
 */
import type { Limits } from './limits.ts'
import type { Outcome } from './operations.ts'
import type {
  ConversationRecord,
  DirectoryRecord,
  MessageRecord,
  ParticipantRecord,
  ReadRecord,
} from './records.ts'
import type { DefaultRoles, RoleTable } from './roles.ts'

/** A conversation as it stands. Reading only; the relay loads the messages an operation names beforehand. */
export interface ConversationState {
  /** Null when the conversation doesn't exist, or isn't known here. */
  readonly conversation: ConversationRecord | null
  /** The highest index ever given; −1 when there was none. */
  readonly highestIndex: number
  readonly participantCount: number
  readonly nonChatCount: number
  participant(sid: string): ParticipantRecord | undefined
  participants(): Iterable<ParticipantRecord>
  message(sid: string): MessageRecord | undefined
  read(participantSid: string): ReadRecord | undefined
}

/** Who asks. A system actor (REST, a channel, a timer) has every permission and no outbox. */
export type Actor = { kind: 'identity'; identity: string } | { kind: 'system'; source: string }

/** What a decision may know beside the state. Time and look-ups are passed in: the reducer has none of its own. */
export interface DecideContext {
  actor: Actor
  /** The conversation that the operation is for. */
  conversationSid: string
  /** Acceptance time on the relay, `dateWritten` on a device; milliseconds since the epoch. */
  now: number
  limits: Limits
  roles: RoleTable
  defaultRoles?: DefaultRoles | undefined
  /** The actor's role in the whole service. */
  serviceRoleSid: string
  /** Sid of the conversation that has this unique name in the service; null when free or unknown. */
  uniqueNameOwner(uniqueName: string): string | null
  /** Sid of the open conversation in which this pair of addresses is bound; null when free or unknown. */
  bindingOwner(address: string, proxyAddress: string): string | null
  /** Whether an address can be somebody's, where that is known beyond its form (50407). */
  isPossibleAddress?(address: string): boolean
  /** How many conversations this identity has; 0 when unknown. */
  conversationCount(identity: string): number
  /**
   * True on a device: an invite that isn't known here is hoped for, and when one ends is not judged by a clock that may
   * be wrong. A relay judges it by its record and its own clock.
   */
  trustInvites: boolean
}

/** One record-level effect of an accepted operation. The relay turns them into bytes; a device into a view. */
export type Change =
  /** Keys with value `undefined` are deleted. */
  | { type: 'conversation.set'; values: Partial<ConversationRecord> }
  /** The conversation is gone for everybody. */
  | { type: 'conversation.delete' }
  | { type: 'participant.put'; record: ParticipantRecord }
  | { type: 'participant.delete'; record: ParticipantRecord }
  | { type: 'message.append'; record: MessageRecord }
  | { type: 'message.replace'; record: MessageRecord }
  | { type: 'message.delete'; record: MessageRecord }
  | { type: 'read.put'; record: ReadRecord }
  | { type: 'read.delete'; participantSid: string }
  /** In the private document of that identity. */
  | { type: 'directory.put'; identity: string; record: DirectoryRecord }
  | { type: 'directory.delete'; identity: string; conversationSid: string }

export type Decision =
  | { verdict: 'accepted'; changes: Change[]; warnings?: { code: number; message: string }[] }
  | DecisionAgainst

/** Refused for good, or (`later`) answered "not now": the same for forged, unknown and not yet arrived. */
export type DecisionAgainst = { verdict: 'refused' | 'later'; code: number; message: string }

/** The outcome that goes to the author's devices. */
export function outcomeOf(
  id: string,
  decision: { verdict: 'accepted'; warnings?: { code: number; message: string }[] } | DecisionAgainst,
): Outcome {
  if (decision.verdict !== 'accepted')
    return { id, verdict: decision.verdict, code: decision.code, message: decision.message }
  return decision.warnings
    ? { id, verdict: 'accepted', warnings: decision.warnings }
    : { id, verdict: 'accepted' }
}
