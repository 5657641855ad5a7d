/** What judging an upload needs beside core's `admitUpdate`. */
import { type Admission, type AdmissionKnowledge, ConfabError } from '@confab/core'
import type { UploadAnswer } from '../engine.ts'
import type { DocumentModel } from './document.ts'
import type { Work } from './work.ts'

/** Asks for everything: nothing is held. */
export const EMPTY_STATE_VECTOR = Uint8Array.of(0)

/** The knowledge of a document that doesn't exist. */
export const strangersKnowledge = (identity: string, room: number): AdmissionKnowledge => ({
  outbox: `outbox/${encodeURIComponent(identity)}`,
  clock: () => 0,
  owner: () => null,
  room,
})

/** `replaced`: a whole copy of an earlier epoch, of a device that hasn't heard yet. */
export type Judged = Admission | { kind: 'replaced' }

export function answerAgainst(admission: Exclude<Judged, { kind: 'admitted' }>): UploadAnswer {
  if (admission.kind === 'violation') return admission
  if (admission.kind === 'replaced') return { kind: 'nack', error: new ConfabError(70603), retryAfter: 0 }
  return { kind: 'nack', error: new ConfabError(70602), retryAfter: 0 }
}

/** Whether a judged work still stands on what is committed: something that it builds on may have been turned away. */
export function stands(work: Work, model: DocumentModel): boolean {
  if (!work.admission || work.stranger) return true
  const { structs } = work.admission
  // one alone stands before nothing
  const clocks = structs.length > 1 ? new Map<number, number>() : null
  const clockOf = (client: number) => clocks?.get(client) ?? model.clock(client)
  for (const { client, clock, length, origin, rightOrigin } of structs) {
    if (clock !== clockOf(client)) return false
    if (origin && origin[0] !== client && origin[1] >= clockOf(origin[0])) return false
    if (rightOrigin && rightOrigin[0] !== client && rightOrigin[1] >= clockOf(rightOrigin[0])) return false
    clocks?.set(client, clock + length)
  }
  return true
}
