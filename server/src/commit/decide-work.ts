/**
 * Decides what one upload brought, operation by operation, on the document as it stands: seen before, belongs,
 * authorised, the reducer, the app's last word. Synchronous; where a hook answers with a promise it stops and is
 * called again with the answer.
 */
import {
  type Change,
  type ConversationCreate,
  can,
  type DecideContext,
  type Decision,
  type DecisionAgainst,
  decide,
  decideUser,
  type Limits,
  type Operation,
  type Outcome,
  outcomeOf,
  ownsSid,
  type ParsedOperation,
  parseOperation,
  postOf,
  type RefusalRecord,
  SERVICE_ADMIN,
  standingOf,
  type UserChange,
  type UserDecision,
  type UserState,
} from '@confab/core'
import { isPossibleAddress } from '../address.ts'
import { eventsOf, type PostEvent, preEventOf } from '../events.ts'
import type { Authorization, Awaitable, BeforeCommitAnswer, Hooks, OperationRequest } from '../hooks.ts'
import type { ServiceConfiguration } from '../services/service-book.ts'
import type { DecidedOperation } from '../store/store.ts'
import type { DocumentModel } from './document.ts'
import type { Lookups } from './lookups.ts'
import type { EngineSettings } from './options.ts'
import { applyUserChanges, ownerOf, type ProfileOf, userStateOf } from './user-state.ts'
import {
  type Author,
  type HookState,
  isEntry,
  queuedBehindRefused,
  strangersOutcomes,
  type Work,
} from './work.ts'

/** What deciding needs beside the document and the work. */
export interface Scene {
  readonly model: DocumentModel
  readonly lookups: Lookups
  /** Decided in this document before, by id: those that the works name, and those of this turn. */
  readonly decided: Map<string, DecidedOperation>
  readonly limits: Limits
  readonly book: EngineSettings['book']
  readonly authorize: Hooks['authorize']
  /** Who has a last word, in the order in which they are asked. */
  readonly lastWords: readonly LastWord[]
  /** Whether messages have only attachments that the relay has. */
  readonly mediaChecked: boolean
  readonly now: number
  readonly profileOf: ProfileOf
  /** Judges a stranger's update again, with the real knowledge. False: it can't be taken, and the work has its answer. */
  admitStranger(work: Work): boolean
  /** Takes note of changes in private documents. */
  refused(identity: string, refusal: RefusalRecord): void
  directory(change: DirectoryChange): void
  failed(error: unknown, what: string): void
}

/** Somebody who is asked before a commit. */
export interface LastWord {
  ask(request: OperationRequest): Awaitable<BeforeCommitAnswer>
  /** Milliseconds that it may take. */
  deadline: number
}

/** Whose what system actors decided is. */
const NOBODY = ''

export type DirectoryChange = Extract<Change, { type: 'directory.put' | 'directory.delete' }>

/** `wait`: for a hook's answer, so many milliseconds, or as many as hooks have. `again`: an amended operation may name what isn't loaded. */
export type Progress =
  | { kind: 'done' }
  | { kind: 'again' }
  | { kind: 'wait'; for: PromiseLike<unknown>; hook: HookName; deadline: number | null }
export type HookName = 'authorize' | 'beforeCommit'

export function decideWork(work: Work, scene: Scene): Progress {
  while (work.next < work.operations.length) {
    const progress = decideNext(work, scene)
    if (progress !== null) {
      if (progress.kind !== 'done') return progress
      break
    }
    work.next++
    work.hook = null
  }
  // an app that says no to a timer is asked again after as long
  if (work.due && work.outcomes.at(-1)?.verdict === 'refused') scene.model.restartTimers(scene.now)
  return { kind: 'done' }
}

/** Null: decided, on to the next. `done`: the rest of the work is answered as well. */
function decideNext(work: Work, scene: Scene): Progress | null {
  const { author } = work
  if (work.due && !scene.model.awaits(work.due)) return { kind: 'done' }
  const parsed = work.operations[work.next] as ParsedOperation
  if ('error' in parsed) {
    const { id, code, message } = parsed.error
    // without an id there is nobody to tell, and nothing to hold it under: it only goes
    if (id !== null) concludeOnce(work, scene, { id, verdict: 'refused', code, message })
    return null
  }
  const operation = parsed.ok
  const isStranger = author.principal !== null && !scene.model.isMember(author.identity)
  const before = scene.decided.get(operation.id)
  if (before) {
    // that somebody has used an id is nothing to tell a stranger
    if (isStranger && before.identity !== author.identity) return turnAway(work)
    replay(work, scene, before)
    return null
  }
  if (work.poisoned) {
    conclude(work, scene, queuedBehindRefused(operation.id))
    return null
  }
  if (isStranger && !isEntry(operation)) return turnAway(work)
  if (work.hook?.stage === 'against') {
    const { code, message } = work.hook
    return against(work, scene, operation, { verdict: 'refused', code, message })
  }
  return judge(work, scene, operation, isStranger)
}

function judge(work: Work, scene: Scene, operation: Operation, isStranger: boolean): Progress | null {
  const { author } = work
  if (work.hook === null) {
    // before any hook hears of what a stranger only guesses
    const guessed = isStranger ? decided(operation, author, scene, false) : null
    if (guessed && guessed.verdict !== 'accepted') return against(work, scene, operation, guessed)
    if (scene.authorize && author.principal) {
      return ask(work, scene, 'authorize', operation) ?? decideNext(work, scene)
    }
  }
  const hook = work.hook as Exclude<HookState, { stage: 'against' }>
  const final = hook?.stage === 'agreed' ? hook.operation : operation
  // it is there, or was removed, or was refused: nothing is to be brought again, and anybody may hear that
  const isDecided = final.type === 'message.restore' && scene.decided.has(postOf(final.sid))
  const decision: Decision | UserDecision = isDecided
    ? { verdict: 'accepted', changes: [] }
    : decided(final, author, scene, hook?.allowed === true)
  if (decision.verdict !== 'accepted') return against(work, scene, operation, decision)
  const missing = missingMedia(final, author, scene)
  if (missing) {
    tellOnly(work, scene, { ...missing, id: operation.id })
    return null
  }
  if (askedOf(work) < scene.lastWords.length) {
    return ask(work, scene, 'beforeCommit', final, decision) ?? decideNext(work, scene)
  }
  if (work.stranger && !scene.admitStranger(work)) return { kind: 'done' }
  accept(work, scene, final, decision)
  if (final.type === 'message.remove' && !scene.decided.has(postOf(final.sid)))
    settlePost(scene, final.sid, remover(final, author, scene, hook?.allowed === true))
  return null
}

/** A message with what the relay doesn't have would be seen before its attachments are. */
function missingMedia(
  operation: Operation,
  author: Author,
  scene: Scene,
): (DecisionAgainst & { verdict: 'refused' }) | null {
  if (!scene.mediaChecked || operation.type !== 'message.post' || !operation.media) return null
  const identity = author.principal ? author.identity : null
  const missing = scene.lookups.missingMedia(scene.model, identity, operation.media)
  if (!missing) return null
  return {
    verdict: 'refused',
    code: 70606,
    message: `The relay does not have ${missing.sid}: upload it first`,
  }
}

function contextOf(operation: Operation, author: Author, scene: Scene, allowed: boolean): DecideContext {
  const { model, lookups, limits, book, now } = scene
  const { serviceSid, document } = model.head
  return {
    actor: author.principal
      ? ({ kind: 'identity', identity: author.identity } as const)
      : ({ kind: 'system', source: author.source } as const),
    // a message isn't dated before the one ahead of it, whatever was done to the clock
    now: operation.type === 'message.post' ? Math.max(now, model.newestMessageAt) : now,
    limits,
    roles: book.roles(serviceSid),
    serviceRoleSid:
      allowed || !author.principal
        ? SERVICE_ADMIN
        : book.serviceRole(serviceSid, author.identity, author.principal.serviceRoleSid),
    defaultRoles: book.defaultRoles(serviceSid),
    conversationSid: document,
    uniqueNameOwner: (name) => lookups.uniqueNameOwner(serviceSid, name),
    bindingOwner: (address, proxyAddress) => lookups.bindingOwner(serviceSid, address, proxyAddress),
    isPossibleAddress,
    conversationCount: (identity) => lookups.conversationCount(serviceSid, identity),
    trustInvites: false,
  }
}

function decided(
  operation: Operation,
  author: Author,
  scene: Scene,
  allowed: boolean,
): Decision | UserDecision {
  const { model, book } = scene
  const { serviceSid, document, kind } = model.head
  if (operation.type === 'conversation.create' && model.head.deleted && owns(document, operation, author)) {
    return { verdict: 'refused', code: 70105, message: 'This conversation was deleted' }
  }
  const context = contextOf(operation, author, scene, allowed)
  try {
    if (operation.type === 'conversation.create')
      return decide(model, withTimers(operation, book.configuration(serviceSid)), context)
    if (kind === 'user') {
      const user = { ...context, identity: ownerOf(document), serviceSid }
      return decideUser(userStateOf(model, scene.profileOf), operation, user)
    }
    return decide(model, operation, context)
  } catch (error) {
    // a mistake of ours: this operation is held on its author's device, and everybody else goes on
    scene.failed(error, 'decide')
    return { verdict: 'refused', code: 20500, message: 'The relay failed on this operation' }
  }
}

/** A new conversation that says nothing of timers has its service's. */
const withTimers = (operation: ConversationCreate, { timers }: ServiceConfiguration): ConversationCreate =>
  timers && !operation.timers ? { ...operation, timers } : operation

const owns = (
  document: string,
  operation: Operation & { type: 'conversation.create' },
  author: Author,
): boolean => ownsSid(document, author.principal ? author.identity : null, operation.nonce)

/** How many have said their last word. */
const askedOf = ({ hook }: Work): number => (hook?.stage === 'agreed' ? hook.asked : 0)

/** Calls a hook. Null: it answered at once, and `work.hook` says what. */
function ask(
  work: Work,
  scene: Scene,
  name: HookName,
  operation: Operation,
  decision: Accepted | null = null,
): Progress | null {
  const { model } = scene
  const lastWord = decision ? scene.lastWords[askedOf(work)] : undefined
  const request: OperationRequest = {
    serviceSid: model.head.serviceSid,
    conversationSid: model.head.document,
    principal: work.author.principal,
    source: work.author.principal ? null : work.author.source,
    operation,
    state: model,
    user: userOf(scene),
    event: decision && preEventOf(eventsIn(scene, operation, decision)),
  }
  let answer: Awaitable<Authorization | BeforeCommitAnswer>
  try {
    answer = lastWord ? lastWord.ask(request) : scene.authorize?.(request)
  } catch (error) {
    hookFailed(work, scene, name, error)
    return null
  }
  if (isThenable(answer)) {
    return { kind: 'wait', for: answer, hook: name, deadline: lastWord?.deadline ?? null }
  }
  return hookAnswered(work, scene, name, answer) ? { kind: 'again' } : null
}

type Accepted = (Decision | UserDecision) & { verdict: 'accepted' }

const userOf = ({ model, profileOf }: Scene): UserState | null =>
  model.head.kind === 'user' ? userStateOf(model, profileOf) : null

/** What is to be told of a decision that isn't applied yet. */
const eventsIn = (scene: Scene, operation: Operation, { changes }: Accepted): PostEvent[] =>
  eventsOf(scene.model, userOf(scene), operation, changes)

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/** Takes a hook's answer. True when the operation was amended, so that what it names must be loaded first. */
export function hookAnswered(
  work: Work,
  scene: Pick<Scene, 'limits' | 'failed'>,
  name: HookName,
  answer: unknown,
): boolean {
  const agreed = work.hook?.stage === 'agreed' ? work.hook : null
  const operation = agreed?.operation ?? (work.operations[work.next] as { ok: Operation }).ok
  const allowed = agreed?.allowed ?? (work.hook?.stage === 'authorized' && work.hook.allowed)
  const asked = askedOf(work) + 1
  if (name === 'authorize') {
    const authorization = answer as Authorization
    work.hook =
      authorization?.allow === false
        ? { stage: 'against', code: 20403, message: authorization.reason ?? 'Not permitted here' }
        : { stage: 'authorized', allowed: authorization?.allow === true }
    return false
  }
  const last = answer as BeforeCommitAnswer
  if (last === undefined || last === null) {
    work.hook = { stage: 'agreed', operation, allowed, asked }
    return false
  }
  if ('refuse' in last) {
    work.hook = { stage: 'against', code: 70301, message: String(last.refuse) }
    return false
  }
  const amended = parseOperation(last.amend, scene.limits)
  if ('ok' in amended && amended.ok.id === operation.id && amended.ok.type === operation.type) {
    work.hook = { stage: 'agreed', operation: amended.ok, allowed, asked }
    return true
  }
  const why = 'error' in amended ? amended.error.message : 'an amended operation keeps its id and its type'
  hookFailed(work, scene, name, new TypeError(why))
  return false
}

/** An app that fails is one that didn't answer: the author keeps the text and can send it again. */
export function hookFailed(work: Work, scene: Pick<Scene, 'failed'>, name: HookName, error: unknown): void {
  scene.failed(error, name)
  work.hook = { stage: 'against', code: 70302, message: 'The application did not answer' }
}

function accept(work: Work, scene: Scene, operation: Operation, decision: Accepted): void {
  const { author } = work
  const { model } = scene
  const { serviceSid, document, kind } = model.head
  const events = eventsIn(scene, operation, decision)
  // each kind of document has its own reducer, and so its own changes
  if (kind === 'user') applyUserChanges(model, scene.profileOf, decision.changes as UserChange[])
  else apply(scene, decision.changes as Change[])
  conclude(work, scene, outcomeOf(operation.id, decision))
  if (operation.type === 'message.restore') settlePost(scene, operation.sid, operation.author)
  work.committed.push({
    serviceSid,
    conversationSid: document,
    principal: author.principal,
    source: author.principal ? null : author.source,
    operation,
    changes: decision.changes,
    events,
  })
}

/** The post of a message counts as decided: it was brought again by another, or removed before it came again. */
function settlePost({ model, decided }: Scene, messageSid: string, whose: string): void {
  const id = postOf(messageSid)
  if (decided.has(id)) return
  const outcome: Outcome = { id, verdict: 'accepted' }
  decided.set(id, { id, identity: whose, outcome })
  model.remember(outcome, whose)
}

/** In whose name a message is gone that never was here: who may remove only their own takes nobody else's. */
function remover(operation: Operation, author: Author, scene: Scene, allowed: boolean): string {
  const standing = standingOf(scene.model, contextOf(operation, author, scene, allowed))
  return can(standing, 'deleteAnyMessage') ? NOBODY : author.identity
}

function apply({ model, lookups, directory }: Scene, changes: readonly Change[]): void {
  lookups.follow(model, changes)
  for (const change of changes) {
    if (change.type === 'directory.put' || change.type === 'directory.delete') directory(change)
  }
  model.apply(changes)
}

function against(work: Work, scene: Scene, operation: Operation, decision: DecisionAgainst): Progress | null {
  if (decision.verdict === 'later') return turnAway(work)
  // who isn't let in has nothing to do behind the door
  if (operation.type === 'conversation.create' || work.stranger) work.poisoned = true
  conclude(work, scene, outcomeOf(operation.id, decision))
  return null
}

/** "Not now", for this operation and everything behind it. Nothing of that part is stored. */
function turnAway(work: Work): Progress {
  const outcomes = strangersOutcomes(work.operations, work.next)
  work.outcomes.push(...outcomes)
  work.untold.push(...outcomes)
  return { kind: 'done' }
}

function concludeOnce(work: Work, scene: Scene, outcome: Outcome): void {
  const before = scene.decided.get(outcome.id)
  if (before) replay(work, scene, before)
  else conclude(work, scene, outcome)
}

/**
 * The outcome that was recorded, for its author, and for everybody when no person was; anybody else has taken an id
 * that isn't theirs.
 */
function replay(work: Work, scene: Scene, before: DecidedOperation): void {
  const { author, stranger } = work
  const outcome: Outcome =
    before.identity === author.identity || before.identity === NOBODY
      ? before.outcome
      : { id: before.id, verdict: 'refused', code: 70105, message: 'The id was used by somebody else' }
  work.outcomes.push(outcome)
  if (stranger) work.untold.push(outcome)
  else if (author.principal) scene.model.conclude(author.identity, outcome, true)
}

/** Refused for now: the same operation may come again, and is decided anew. */
function tellOnly({ author, outcomes }: Work, { model }: Scene, outcome: Outcome): void {
  outcomes.push(outcome)
  if (author.principal) model.conclude(author.identity, outcome, true)
}

function conclude(work: Work, scene: Scene, outcome: Outcome): void {
  const { author, stranger } = work
  work.outcomes.push(outcome)
  // nothing of a stranger's is stored
  if (stranger) {
    work.untold.push(outcome)
    return
  }
  const { model } = scene
  scene.decided.set(outcome.id, { id: outcome.id, identity: author.identity, outcome })
  if (author.principal) {
    model.conclude(author.identity, outcome, false)
    if (outcome.verdict === 'refused') {
      const { id, code, message } = outcome
      scene.refused(author.identity, { id, document: model.head.document, code, message, at: scene.now })
    }
  } else if (outcome.verdict === 'accepted') {
    model.remember(outcome)
  }
}
