/** For tests: a conversation that operations are decided on, one after the other, as a relay would. */
import { DraftState, EMPTY_STATE } from '../draft-state.ts'
import { DEFAULT_LIMITS, type Limits, limitsWith } from '../limits.ts'
import { messageSidOf, type Operation } from '../operations.ts'
import { parseOperation } from '../parse-operation.ts'
import { DEFAULT_ROLES, SERVICE_USER } from '../roles.ts'
import { conversationSid, participantSid } from '../sid.ts'
import type { Actor, Change, DecideContext, Decision } from '../state.ts'
import { decide } from './decide.ts'

/** An operation without what the scene adds. */
export type Draft = Operation extends infer One
  ? One extends Operation
    ? Omit<One, 'id' | 'dateWritten'>
    : never
  : never

export const NONCE = '0'.repeat(32)
export const SYSTEM: Actor = { kind: 'system', source: 'test' }
export const person = (identity: string): Actor => ({ kind: 'identity', identity })

export interface Relay {
  state: DraftState
  readonly sid: string
  /** Milliseconds; each decision is one later. */
  now: number
  context: Partial<DecideContext>
  /** Decides on the state as it stands; changes nothing. */
  ask(actor: Actor | string, draft: Draft, context?: Partial<DecideContext>): Decision
  /** Decides and applies; throws when it is not accepted. */
  must(actor: Actor | string, draft: Draft, context?: Partial<DecideContext>): Change[]
  /** Posts; gives the message's sid. */
  post(actor: Actor | string, body: string): string
  memberSid(identity: string): string
  /** The same conversation, to try something on. */
  fork(): Relay
}

/** A relay with one conversation, created by `creator` when given. Nobody has joined. */
export function relayWith(options: { creator?: string | Actor; limits?: Partial<Limits> } = {}): Relay {
  const actor = toActor(options.creator ?? 'alice')
  const sid = conversationSid(actor.kind === 'identity' ? actor.identity : '', NONCE)
  const relay = makeRelay(sid, new DraftState(EMPTY_STATE), 1000, { limits: limitsWith(options.limits) })
  if (options.creator !== undefined) relay.must(actor, { type: 'conversation.create', nonce: NONCE })
  return relay
}

let lastId = 0

function makeRelay(sid: string, state: DraftState, now: number, context: Partial<DecideContext>): Relay {
  const complete = (draft: Draft): Operation => {
    const id = (++lastId).toString(16).padStart(32, '0')
    const parsed = parseOperation({ id, dateWritten: 7, ...draft }, context.limits ?? DEFAULT_LIMITS)
    if ('error' in parsed) throw new Error(`Not well-formed: ${parsed.error.message}`)
    return parsed.ok
  }
  const decideNow = (actor: Actor | string, operation: Operation, more?: Partial<DecideContext>) =>
    decide(relay.state, operation, {
      actor: toActor(actor),
      conversationSid: sid,
      now: ++relay.now,
      limits: DEFAULT_LIMITS,
      roles: DEFAULT_ROLES,
      serviceRoleSid: SERVICE_USER,
      uniqueNameOwner: () => null,
      bindingOwner: () => null,
      conversationCount: () => 0,
      trustInvites: false,
      ...relay.context,
      ...more,
    })
  const accept = (decision: Decision): Change[] => {
    if (decision.verdict !== 'accepted')
      throw new Error(`${decision.verdict}: ${decision.code} ${decision.message}`)
    relay.state.apply(decision.changes)
    return decision.changes
  }
  const relay: Relay = {
    state,
    sid,
    now,
    context,
    ask: (actor, draft, more) => decideNow(actor, complete(draft), more),
    must: (actor, draft, more) => accept(decideNow(actor, complete(draft), more)),
    post(actor, body) {
      const operation = complete({ type: 'message.post', body })
      accept(decideNow(actor, operation))
      return messageSidOf(operation.id)
    },
    memberSid: (identity) => participantSid(sid, { identity }),
    fork: () => makeRelay(sid, new DraftState(relay.state), relay.now, relay.context),
  }
  return relay
}

function toActor(actor: Actor | string): Actor {
  return typeof actor === 'string' ? person(actor) : actor
}

/** `accepted`, or the code that is against it; `later` is marked, because it isn't final. */
export function verdictOf(decision: Decision): 'accepted' | number | `later ${number}` {
  if (decision.verdict === 'accepted') return 'accepted'
  return decision.verdict === 'later' ? `later ${decision.code}` : decision.code
}
