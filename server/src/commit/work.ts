/** One upload or submission on its way: what it brought, how far it was decided, what became of it. */
import {
  type Admitted,
  admittedUntil,
  ERROR_CODES,
  type Limits,
  type Operation,
  type Outcome,
  type ParsedOperation,
  parseOperation,
  type StateTransition,
  type UpdateBounds,
} from '@confab/core'
import type { Principal, UploadAnswer } from '../engine.ts'
import type { CommittedOperation } from '../hooks.ts'

/** Who asks. Without a principal it is a system actor. */
export interface Author {
  principal: Principal | null
  /** `''` for a system actor, which nobody can be. */
  identity: string
  /** Which system actor. */
  source: string
}

/** Where a hook stands with the operation at `next`. */
export type HookState =
  | null
  /** It has answered: what decides now; `asked`: so many had their last word. */
  | { stage: 'authorized'; allowed: boolean }
  | { stage: 'agreed'; operation: Operation; allowed: boolean; asked: number }
  | { stage: 'against'; code: 20403 | 70301 | 70302; message: string }

export interface Work {
  readonly author: Author
  /** What is left of it; null for a system actor's. */
  admission: Admitted | null
  operations: ParsedOperation[]
  /** The operation to decide next. */
  next: number
  hook: HookState
  /** Judged as a stranger's (admission on empty knowledge) and not yet let in: nothing of it is stored. */
  stranger: { update: Uint8Array } | null
  /** A timer's work: done only if the timer hasn't begun anew meanwhile. */
  due: StateTransition | null
  /** An operation that the rest stands on was refused. */
  poisoned: boolean
  outcomes: Outcome[]
  /** Of these, the ones that no commit carries. */
  untold: Outcome[]
  /** Accepted now, for `afterCommit`. */
  committed: CommittedOperation[]
  /** Its end, set when everything in it is decided. */
  answer: UploadAnswer | null
}

export function newWork(
  author: Author,
  admission: Admitted | null,
  operations: ParsedOperation[],
  stranger: Work['stranger'] = null,
): Work {
  return {
    author,
    admission,
    operations,
    next: 0,
    hook: null,
    stranger,
    due: null,
    poisoned: false,
    outcomes: [],
    untold: [],
    committed: [],
    answer: null,
  }
}

export const parseAll = (admission: Admitted, limits: Limits): ParsedOperation[] =>
  admission.operations.map(({ value }) => parseOperation(value, limits))

/** How an uploaded update is read. Twice the depth: an operation that is merely too deep is refused, and no violation. */
export const boundsOf = (limits: Limits): UpdateBounds => ({
  bytes: limits.updateBytes,
  structs: limits.updateStructs,
  jsonDepth: 2 * limits.jsonDepth,
})

/** "Not now": the same for everybody who doesn't belong, whether there is a conversation or not. */
export const notNow = (id: string): Outcome => ({
  id,
  verdict: 'later',
  code: 70201,
  message: ERROR_CODES[70201].title,
})

export const queuedBehindRefused = (id: string): Outcome => ({
  id,
  verdict: 'refused',
  code: 70402,
  message: ERROR_CODES[70402].title,
})

export const idOf = (parsed: ParsedOperation): string | null =>
  'ok' in parsed ? parsed.ok.id : parsed.error.id

/** Whether somebody who doesn't belong may be let in by it. */
export function isEntry(operation: Operation): boolean {
  return (
    operation.type === 'conversation.create' ||
    (operation.type === 'conversation.join' && operation.invite !== undefined)
  )
}

/** What those are told who don't belong: from `next` on, each operation on its own. */
export function strangersOutcomes(operations: readonly ParsedOperation[], next: number): Outcome[] {
  const outcomes: Outcome[] = []
  for (let i = next; i < operations.length; i++) {
    const parsed = operations[i] as ParsedOperation
    if ('ok' in parsed) outcomes.push(notNow(parsed.ok.id))
    else if (parsed.error.id !== null) {
      const { id, code, message } = parsed.error
      outcomes.push({ id, verdict: 'refused', code, message })
    }
  }
  return outcomes
}

/** Cuts the decided part off a work's admission, to be committed; the rest stays, and `next` begins it again. */
export function takeDecided(work: Work): Admitted | null {
  const { admission, next } = work
  if (!admission) return null
  if (next >= work.operations.length) {
    work.admission = { ...admission, operations: [], structs: [], clients: [] }
    work.operations = []
    work.next = 0
    return admission
  }
  if (next === 0) return null
  const decided = admittedUntil(admission, next)
  work.admission = admittedAfter(admission, next)
  work.operations = work.operations.slice(next)
  work.next = 0
  return decided
}

/** What `admittedUntil` leaves. */
function admittedAfter(admission: Admitted, count: number): Admitted {
  const operations = admission.operations.slice(count)
  const next = operations[0] as Admitted['operations'][number]
  const at = admission.structs.findIndex(
    ({ client, clock, length }) =>
      client === next.client && clock <= next.clock && next.clock < clock + length,
  )
  const [first, ...rest] = admission.structs.slice(at) as [
    Admitted['structs'][number],
    ...Admitted['structs'],
  ]
  const skipped = next.clock - first.clock
  const cut =
    skipped === 0
      ? first
      : {
          ...first,
          clock: next.clock,
          length: first.length - skipped,
          origin: [first.client, next.clock - 1] as const,
        }
  const structs = [cut, ...rest]
  const left = new Set(structs.map(({ client }) => client))
  return {
    kind: 'admitted',
    operations,
    structs,
    clients: admission.clients.filter(({ client }) => left.has(client)),
    missing: admission.missing,
  }
}
