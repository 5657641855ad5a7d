/** The admission's way through the model relay: read, judge, commit, answer. */
import {
  type Admission,
  admitUpdate,
  type ParsedUpdate,
  readUpdate,
  type UpdateBounds,
  UpdateViolation,
} from '../src/update/index.ts'
import type { RelayModel } from './relay-model.ts'

export const TEST_BOUNDS: UpdateBounds = { bytes: 1024 * 1024, structs: 20_000, jsonDepth: 64 }

/** What the boundary says to these bytes, without committing anything. */
export function judge(relay: RelayModel, outbox: string, update: Uint8Array, room?: number): Admission {
  let parsed: ParsedUpdate
  try {
    parsed = readUpdate(update, TEST_BOUNDS)
  } catch (error) {
    if (error instanceof UpdateViolation) return { kind: 'violation', message: error.message }
    throw error
  }
  return admitUpdate(parsed, relay.knowledge(outbox, room))
}

/** Takes what is admitted: each operation becomes a message. Gives what the identity's devices are sent. */
export function upload(
  relay: RelayModel,
  outbox: string,
  update: Uint8Array,
): { admission: Admission; replies: Uint8Array[] } {
  const admission = judge(relay, outbox, update)
  if (admission.kind !== 'admitted' || admission.structs.length === 0) return { admission, replies: [] }
  for (const { value } of admission.operations) relay.append('messages', { operation: value })
  return { admission, replies: [relay.commit(), relay.take(outbox, admission)] }
}
