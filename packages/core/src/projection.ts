/**
 * What a person sees: the relay's state and, on top, their own operations that are still undecided. A device
 * runs the same `decide` as the relay, so what is shown offline is what will be there afterwards.
 */
import { DraftState } from './draft-state.ts'
import { messageSidOf, type Operation } from './operations.ts'
import type { MessageRecord } from './records.ts'
import { decide } from './reducer/decide.ts'
import type { ConversationState, DecideContext, DecisionAgainst } from './state.ts'

export interface Projection {
  /** The relay's state with every pending operation that applies: conversation, participants, horizons, messages. */
  readonly state: DraftState
  /**
   * Pending posts as they are shown, in order, with pending edits applied and pending removals left out. Their
   * indices are provisional and follow the highest accepted one.
   */
  readonly posts: readonly MessageRecord[]
  /** Accepted messages as pending operations change them, by sid. */
  readonly edited: ReadonlyMap<string, MessageRecord>
  /** Sids of accepted messages that pending operations remove. */
  readonly removed: ReadonlySet<string>
  /** Pending operations that would be refused as things stand. They stay pending until the relay says so. */
  readonly refusedLocally: readonly { operation: Operation; decision: DecisionAgainst }[]
}

/**
 * @param base what the relay has accepted, as far as it is known here
 * @param pending undecided operations of this device in the order in which they were written
 * @param contextFor the context to decide one in: `now` is its `dateWritten`
 */
export function project(
  base: ConversationState,
  pending: Iterable<Operation>,
  contextFor: (operation: Operation) => DecideContext,
): Projection {
  const state = new DraftState(base)
  const refusedLocally: { operation: Operation; decision: DecisionAgainst }[] = []
  for (const operation of pending) {
    if (isAcceptedAlready(base, operation)) continue
    const decision = decide(state, operation, contextFor(operation))
    if (decision.verdict === 'accepted') state.apply(decision.changes)
    else refusedLocally.push({ operation, decision })
  }

  const posts: MessageRecord[] = []
  const edited = new Map<string, MessageRecord>()
  const removed = new Set<string>()
  for (const [sid, record] of state.changedMessages) {
    const accepted = base.message(sid) !== undefined
    if (record === null) {
      if (accepted) removed.add(sid)
    } else if (accepted) edited.set(sid, record)
    else posts.push(record)
  }
  return { state, posts, edited, removed, refusedLocally }
}

/** Its outcome has not been seen here yet, but its effect has. */
function isAcceptedAlready(base: ConversationState, operation: Operation): boolean {
  if (operation.type === 'message.post') return base.message(messageSidOf(operation.id)) !== undefined
  return operation.type === 'conversation.create' && base.conversation !== null
}
