/** What the families of the reducer share: how a verdict is said, and what every decision looks at. */
import { type AttributesPatch, applyAttributesPatch, attributesDepth } from '../attributes.ts'
import { ConfabError, ERROR_CODES, type ErrorCode } from '../error.ts'
import { isPlainJson, type Json, jsonBytes, jsonEqual } from '../json.ts'
import type { Limits } from '../limits.ts'
import type { ConversationRecord, DirectoryRecord } from '../records.ts'
import { can, type Permission, type Standing } from '../roles.ts'
import type { Change, ConversationState, DecideContext, Decision, DecisionAgainst } from '../state.ts'

/** A decision's surroundings, once it is clear that the conversation exists and the actor belongs to it. */
export interface Scene {
  readonly state: ConversationState
  readonly conversation: ConversationRecord
  readonly context: DecideContext
  readonly standing: Standing
}

export function accepted(...changes: Change[]): Decision {
  return { verdict: 'accepted', changes }
}

export function refused(code: ErrorCode, message: string = ERROR_CODES[code].title): DecisionAgainst {
  return { verdict: 'refused', code, message }
}

/** "Not now": forged, unknown, used up and not yet arrived have one answer, in every letter. */
export function later(): DecisionAgainst {
  return { verdict: 'later', code: 70201, message: ERROR_CODES[70201].title }
}

/** What becomes of everything that was queued behind a `conversation.create` that was refused. */
export function behindRefusedCreate(): DecisionAgainst {
  return refused(70402, 'The conversation could not be created')
}

/** @throws ConfabError 20403 when the actor lacks the permission */
export function need(standing: Standing, permission: Permission): void {
  if (!can(standing, permission)) throw new ConfabError(20403, `This needs the permission ${permission}`)
}

/**
 * Attributes after the patch; undefined when it changes nothing. `{}` is kept as absent: records leave out defaults.
 * @param most UTF-8 bytes of the result as JSON
 * @throws ConfabError 70102 when the result is larger; 70104 when it is nested deeper than attributes may be
 */
export function patchedAttributes(
  current: Json | undefined,
  patch: AttributesPatch | undefined,
  most: number,
  limits: Limits,
): { attributes: Json | undefined } | undefined {
  if (patch === undefined) return undefined
  const before = current === undefined ? {} : current
  const after = applyAttributesPatch(before, patch)
  if (jsonEqual(before, after)) return undefined
  if (jsonBytes(after) > most) throw new ConfabError(70102, `Attributes have at most ${most} bytes of JSON`)
  const depth = attributesDepth(limits)
  if (!isPlainJson(after, depth)) throw new ConfabError(70104, `Attributes are nested at most ${depth} deep`)
  return { attributes: orAbsent(after) }
}

/** `{}` is the default of attributes, and left out. */
export function orAbsent(attributes: Json | undefined): Json | undefined {
  return jsonEqual(attributes, {}) ? undefined : attributes
}

/** An object without the keys whose value is undefined: records are plain JSON. */
export function defined<Shape extends object>(shape: Shape): Shape {
  const result: Partial<Shape> = {}
  for (const key of Object.keys(shape) as (keyof Shape)[])
    if (shape[key] !== undefined) result[key] = shape[key]
  return result as Shape
}

/** What a person's directory says of the conversation. */
export function directoryRecord(
  conversation: Pick<ConversationRecord, 'sid' | 'uniqueName'>,
  status: DirectoryRecord['status'],
  since: number,
): DirectoryRecord {
  return defined({ sid: conversation.sid, status, uniqueName: conversation.uniqueName, since })
}
