/**
 * A state with changes on top, over any other state and without copying it: what the relay decides several
 * operations of one commit on, and what a device shows (relay state + undecided operations).
 */
import type { ConversationRecord, MessageRecord, ParticipantRecord, ReadRecord } from './records.ts'
import type { Change, ConversationState } from './state.ts'

/** `null`: deleted here, whatever is below. */
type Layer<Value> = Map<string, Value | null>

export class DraftState implements ConversationState {
  readonly #base: ConversationState
  #conversation: ConversationRecord | null
  #highestIndex: number
  #participantCount: number
  #nonChatCount: number
  #gone = false
  // most drafts touch one of the three
  #participants: Layer<ParticipantRecord> | null = null
  #messages: Layer<MessageRecord> | null = null
  #reads: Layer<ReadRecord> | null = null

  constructor(base: ConversationState) {
    this.#base = base
    this.#conversation = base.conversation
    this.#highestIndex = base.highestIndex
    this.#participantCount = base.participantCount
    this.#nonChatCount = base.nonChatCount
  }

  get conversation(): ConversationRecord | null {
    return this.#conversation
  }

  get highestIndex(): number {
    return this.#highestIndex
  }

  get participantCount(): number {
    return this.#participantCount
  }

  get nonChatCount(): number {
    return this.#nonChatCount
  }

  participant(sid: string): ParticipantRecord | undefined {
    const here = this.#participants?.get(sid)
    return here === undefined ? (this.#gone ? undefined : this.#base.participant(sid)) : (here ?? undefined)
  }

  *participants(): Iterable<ParticipantRecord> {
    const layer = this.#participants
    const seen = new Set<string>()
    if (!this.#gone) {
      // a participant keeps their place when their record changes
      for (const below of this.#base.participants()) {
        seen.add(below.sid)
        const here = layer?.get(below.sid)
        if (here !== null) yield here ?? below
      }
    }
    if (layer) for (const [sid, record] of layer) if (record !== null && !seen.has(sid)) yield record
  }

  message(sid: string): MessageRecord | undefined {
    const here = this.#messages?.get(sid)
    return here === undefined ? (this.#gone ? undefined : this.#base.message(sid)) : (here ?? undefined)
  }

  read(participantSid: string): ReadRecord | undefined {
    const here = this.#reads?.get(participantSid)
    return here === undefined
      ? this.#gone
        ? undefined
        : this.#base.read(participantSid)
      : (here ?? undefined)
  }

  /** Messages that differ from the state below, by sid: the new record, or null for a removed one. In order of change. */
  get changedMessages(): ReadonlyMap<string, MessageRecord | null> {
    return this.#messages ?? NOTHING
  }

  /** Takes over the changes of an accepted decision, in order. Directory changes are no part of a conversation. */
  apply(changes: readonly Change[]): void {
    for (const change of changes) this.#applyOne(change)
  }

  #applyOne(change: Change): void {
    switch (change.type) {
      case 'conversation.set':
        this.#conversation = withValues(this.#conversation, change.values)
        this.#highestIndex = Math.max(this.#highestIndex, this.#conversation.highestIndex ?? -1)
        break
      case 'conversation.delete':
        this.#gone = true
        this.#conversation = null
        this.#participants = this.#messages = this.#reads = null
        this.#highestIndex = -1
        this.#participantCount = this.#nonChatCount = 0
        break
      case 'participant.put':
        this.#count(this.participant(change.record.sid), -1)
        this.#count(change.record, 1)
        this.#participants = put(this.#participants, change.record.sid, change.record)
        break
      case 'participant.delete':
        this.#count(this.participant(change.record.sid), -1)
        this.#participants = put(this.#participants, change.record.sid, null)
        break
      case 'message.append':
        this.#highestIndex = Math.max(this.#highestIndex, change.record.index)
        this.#messages = put(this.#messages, change.record.sid, change.record)
        break
      case 'message.replace':
        this.#messages = put(this.#messages, change.record.sid, change.record)
        break
      case 'message.delete':
        this.#messages = put(this.#messages, change.record.sid, null)
        break
      case 'read.put':
        this.#reads = put(this.#reads, change.record.participantSid, change.record)
        break
      case 'read.delete':
        this.#reads = put(this.#reads, change.participantSid, null)
        break
      case 'directory.put':
      case 'directory.delete':
        break
    }
  }

  #count(record: ParticipantRecord | undefined, by: 1 | -1): void {
    if (record === undefined) return
    this.#participantCount += by
    if (record.type !== 'chat') this.#nonChatCount += by
  }
}

const NOTHING: ReadonlyMap<string, null> = new Map()

function put<Value>(layer: Layer<Value> | null, key: string, value: Value | null): Layer<Value> {
  return (layer ?? new Map<string, Value | null>()).set(key, value)
}

/** A conversation record with the values set; those that are `undefined` are left out. */
export function withValues(
  record: ConversationRecord | null,
  values: Partial<ConversationRecord>,
): ConversationRecord {
  const next: Record<string, unknown> = { ...record }
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) delete next[key]
    else next[key] = value
  }
  // the first change of a conversation sets sid, createdBy and dateCreated; they are never unset
  return next as unknown as ConversationRecord
}

/** The state of a conversation that doesn't exist, or isn't known here. */
export const EMPTY_STATE: ConversationState = /* @__PURE__ */ Object.freeze({
  conversation: null,
  highestIndex: -1,
  participantCount: 0,
  nonChatCount: 0,
  participant: () => undefined,
  participants: () => [],
  message: () => undefined,
  read: () => undefined,
})
