/**
 * The boundary for operations: from anything that somebody sent to an `Operation`, or to the code that says why not.
 * Device and relay run the same function, so a person hears of a limit before the network does, in the same words.
 *
 * Two passes. The first bounds the value (plain JSON, depth, bytes), so that the second, which reads it key by key
 * (`operation-shape.ts`), never meets something hostile.
 */
import { PATCH_ENTRIES, patchBytes, patchEntries } from './attributes.ts'
import { ConfabError, type ErrorCode } from './error.ts'
import { isJsonObject, isLonger, isPlainJson, type Json } from './json.ts'
import type { Limits } from './limits.ts'
import { readOperation } from './operation-shape.ts'
import type { Operation } from './operations.ts'
import { isHexId } from './sid.ts'

export type ParsedOperation =
  | { ok: Operation }
  /** `id`: the operation's own, when it has a readable one: its outcome can then be told. */
  | { error: { id: string | null; code: ErrorCode; message: string } }

/**
 * Reads one operation. Identities come out normalised; unknown keys, and keys that don't belong to its type, are
 * refused; a key whose value is `undefined` counts as absent. Never throws, whatever it is given.
 */
export function parseOperation(value: unknown, limits: Limits): ParsedOperation {
  let id: string | null = null
  try {
    if (!isJsonObject(value)) return against(id, 70104, 'An operation is an object')
    // an own key that is not a person's to set must not survive the copy
    if (Object.hasOwn(value, '__proto__')) return against(id, 70104, 'An operation has no key __proto__')
    const present: { [key: string]: Json } = {}
    for (const key of Object.keys(value)) if (value[key] !== undefined) present[key] = value[key]
    if (typeof present.id === 'string' && isHexId(present.id)) id = present.id
    if (!isPlainJson(present, limits.jsonDepth)) {
      return against(
        id,
        70104,
        `An operation is plain JSON with well-formed text, at most ${limits.jsonDepth} deep`,
      )
    }
    // no operation has as many: what is wrong need not be said key by key
    if (Object.keys(present).length > 16) return against(id, 20001, 'An operation has no such keys')
    const problem = sizeProblem(present, limits)
    if (problem) return against(id, problem.code, problem.message)
    return { ok: readOperation(present, limits) }
  } catch (error) {
    // a proxy or a getter that throws: nothing that came out of JSON or a Yjs update
    if (error instanceof ConfabError) return against(id, error.code, error.message)
    return against(id, 70104, 'An operation is plain JSON')
  }
}

const against = (id: string | null, code: ErrorCode, message: string): ParsedOperation => ({
  error: { id, code, message },
})

/** Sizes first: a body that is too long is that, before it makes the whole operation too large. */
function sizeProblem(value: { [key: string]: Json }, limits: Limits): Problem | null {
  if (typeof value.body === 'string' && isLonger(value.body, limits.bodyBytes)) {
    return { code: 70101, message: `A message body has at most ${limits.bodyBytes} bytes of UTF-8` }
  }
  const ofConversation = value.type === 'conversation.create' || value.type === 'conversation.update'
  const most = ofConversation ? limits.conversationAttributesBytes : limits.attributesBytes
  const isPatch = typeof value.type === 'string' && PATCHING.has(value.type)
  // what a patch gives is measured where it is applied; here only what `diffAttributes` may need to say it
  const { attributes } = value
  if (attributes !== undefined && isLonger(JSON.stringify(attributes), isPatch ? patchBytes(most) : most)) {
    return { code: 70102, message: `Attributes have at most ${most} bytes of JSON` }
  }
  // reading would go through each of them
  if (isPatch && isJsonObject(value.attributes) && patchEntries(value.attributes) > PATCH_ENTRIES) {
    return { code: 70106, message: `A patch has at most ${PATCH_ENTRIES} entries` }
  }
  if (isLonger(JSON.stringify(value), limits.operationBytes)) {
    return { code: 70106, message: `An operation has at most ${limits.operationBytes} bytes of JSON` }
  }
  return null
}

const PATCHING: ReadonlySet<string> = new Set<Operation['type']>([
  'conversation.update',
  'participant.update',
  'message.edit',
  'user.update',
])

interface Problem {
  code: ErrorCode
  message: string
}
