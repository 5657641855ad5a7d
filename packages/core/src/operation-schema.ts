/**
 * The boundary for operations: from anything that somebody sent to an `Operation`, or to the code that says why not.
 * Device and relay run the same function, so a person hears of a limit before the network does, in the same words.
 *
 * Two passes. The first bounds the value (plain JSON, depth, bytes), so that the second, the schemas, never meets
 * something hostile.
 */
import * as z from 'zod/mini'
import { patchBytes } from './attributes.ts'
import { ConfabError, ERROR_CODES, type ErrorCode } from './error.ts'
import { bindingType, isLongerThan, normaliseIdentity } from './identity.ts'
import { INVITE_SECRET_BYTES, inviteSecretBytes } from './invite.ts'
import { isForbiddenKey, isJsonObject, isPlainJson, type Json, jsonBytes, utf8Length } from './json.ts'
import type { Limits } from './limits.ts'
import type { Operation } from './operations.ts'
import { isHexId, isSid, type SidPrefix } from './sid.ts'
import { timersProblem } from './timers.ts'

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
    const present = Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined))
    if (typeof present.id === 'string' && isHexId(present.id)) id = present.id
    if (!isPlainJson(present, limits.jsonDepth)) {
      return against(
        id,
        70104,
        `An operation is plain JSON with well-formed text, at most ${limits.jsonDepth} deep`,
      )
    }
    const problem = sizeProblem(present, limits)
    if (problem) return against(id, problem.code, problem.message)
    const parsed = z.safeParse(schemaFor(limits), present)
    if (parsed.success) return { ok: parsed.data as Operation }
    return { error: { id, ...firstProblem(parsed.error.issues) } }
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
  if (typeof value.body === 'string' && utf8Length(value.body) > limits.bodyBytes) {
    return { code: 70101, message: `A message body has at most ${limits.bodyBytes} bytes of UTF-8` }
  }
  const ofConversation = value.type === 'conversation.create' || value.type === 'conversation.update'
  const most = ofConversation ? limits.conversationAttributesBytes : limits.attributesBytes
  const isPatch = typeof value.type === 'string' && PATCHING.has(value.type)
  // what a patch gives is measured where it is applied; here only what `diffAttributes` may need to say it
  if (jsonBytes(value.attributes) > (isPatch ? patchBytes(most) : most)) {
    return { code: 70102, message: `Attributes have at most ${most} bytes of JSON` }
  }
  if (jsonBytes(value) > limits.operationBytes) {
    return { code: 70106, message: `An operation has at most ${limits.operationBytes} bytes of JSON` }
  }
  return null
}

const PATCHING: ReadonlySet<string> = new Set<Operation['type']>([
  'conversation.update',
  'participant.update',
  'message.edit',
])

interface Problem {
  code: ErrorCode
  message: string
}

/** A schema says its code in `params`; whatever zod finds by itself is an invalid parameter. */
function firstProblem(issues: readonly z.core.$ZodIssue[]): Problem {
  const issue = issues[0]
  const code = issue?.code === 'custom' ? issue.params?.code : undefined
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : ''
  const message = issue?.message ?? 'Invalid'
  return typeof code === 'number' && code in ERROR_CODES
    ? { code: code as ErrorCode, message }
    : { code: 20001, message: `${where}${message}` }
}

const check = <T>(test: (value: T) => boolean, code: ErrorCode, error: string) =>
  z.refine<T>(test, { error, params: { code }, abort: true })

/** One set of schemas per set of limits. */
const schemas = new WeakMap<Limits, ReturnType<typeof makeSchema>>()

function schemaFor(limits: Limits): ReturnType<typeof makeSchema> {
  let schema = schemas.get(limits)
  if (!schema) {
    schema = makeSchema(limits)
    schemas.set(limits, schema)
  }
  return schema
}

// the value is plain JSON already, and bounded
const json = z.custom<Json>(() => true)

const hexId = z.string().check(check(isHexId, 20001, 'Must be 32 lower-case hex digits'))
const sid = (prefix: SidPrefix) =>
  z
    .string()
    .check(check((text) => isSid(prefix, text), 20001, `Must be ${prefix} and 32 lower-case hex digits`))
const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/, 'Must be 64 lower-case hex digits'))
const count = z.int().check(z.nonnegative())
const path = z.array(
  z.string().check(check((key) => !isForbiddenKey(key), 70104, 'A path has no key __proto__')),
)
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])

function makeSchema(limits: Limits) {
  const name = z
    .string()
    .check(
      check(
        (text) => !isLongerThan(text, limits.nameLength),
        70103,
        `A name has at most ${limits.nameLength} characters`,
      ),
    )
  // a name that looks like a sid could be taken for somebody else's conversation
  const uniqueName = name.check(
    check((text) => text !== '' && !isSid('CH', text), 20001, 'A unique name is not empty and not a sid'),
  )
  const longPath = check<string[]>((keys) => keys.length <= limits.jsonDepth, 70104, 'A path is too deep')
  const patch = z.strictObject({
    set: z.optional(z.array(z.tuple([path.check(longPath), json]))),
    unset: z.optional(z.array(path.check(longPath))),
    add: z.optional(z.array(z.tuple([path.check(longPath), z.array(scalar)]))),
    remove: z.optional(z.array(z.tuple([path.check(longPath), z.array(scalar)]))),
  })
  const identity = z.pipe(
    z.string(),
    z.transform((text: string, context) => {
      try {
        return normaliseIdentity(text, limits)
      } catch (error) {
        context.issues.push({ code: 'custom', input: text, ...customOf(error) })
        return z.NEVER
      }
    }),
  )
  const address = z
    .string()
    .check(check((text) => !isLongerThan(text, limits.identityLength), 20001, 'The address is too long'))
  const binding = z
    .strictObject({ address, proxyAddress: address, projectedAddress: z.optional(address) })
    .check(problemOf((value) => void bindingType(value)))
  const timers = z.strictObject({ inactive: z.optional(z.string()), closed: z.optional(z.string()) }).check(
    problemOf((value) => {
      const problem = timersProblem(value)
      if (problem) throw new ConfabError(problem.code, problem.message)
    }),
  )
  const media = z.strictObject({
    sid: sid('ME'),
    category: z.enum(['media', 'body', 'history']),
    filename: z.optional(name),
    contentType: name,
    size: count,
  })
  const secret = z.string().check(
    problemOf((text) => {
      // its length first: decoding costs
      if (text.length > 2 * INVITE_SECRET_BYTES) throw new ConfabError(70203)
      inviteSecretBytes(text)
    }),
  )

  const base = <Type extends Operation['type']>(type: Type) => ({
    id: hexId,
    type: z.literal(type),
    dateWritten: count,
  })
  return z.discriminatedUnion('type', [
    z.strictObject({
      ...base('conversation.create'),
      nonce: hexId,
      friendlyName: z.optional(name),
      uniqueName: z.optional(uniqueName),
      attributes: z.optional(json),
      timers: z.optional(timers),
    }),
    z.strictObject({
      ...base('conversation.update'),
      friendlyName: z.optional(z.nullable(name)),
      uniqueName: z.optional(z.nullable(uniqueName)),
      attributes: z.optional(patch),
      state: z.optional(z.enum(['active', 'inactive'])),
      timers: z.optional(timers),
    }),
    z.strictObject(base('conversation.close')),
    z.strictObject(base('conversation.delete')),
    z.strictObject({ ...base('conversation.join'), invite: z.optional(secret) }),
    z.strictObject(base('conversation.leave')),
    z
      .strictObject({
        ...base('participant.add'),
        identity: z.optional(identity),
        binding: z.optional(binding),
        attributes: z.optional(json),
        roleSid: z.optional(sid('RL')),
      })
      .check(
        check(
          (value) => (value.identity === undefined) !== (value.binding === undefined),
          20001,
          'Exactly one of identity and binding is needed',
        ),
      ),
    z.strictObject({ ...base('participant.remove'), sid: sid('MB') }),
    z.strictObject({
      ...base('participant.update'),
      sid: sid('MB'),
      attributes: z.optional(patch),
      roleSid: z.optional(sid('RL')),
    }),
    z.strictObject({
      ...base('message.post'),
      body: z.optional(z.string()),
      subject: z.optional(name),
      attributes: z.optional(json),
      media: z.optional(
        z
          .array(media)
          .check(
            z.maxLength(limits.mediaPerMessage, `A message has at most ${limits.mediaPerMessage} media`),
          ),
      ),
      author: z.optional(identity),
    }),
    z.strictObject({
      ...base('message.edit'),
      sid: sid('IM'),
      body: z.optional(z.string()),
      attributes: z.optional(patch),
    }),
    z.strictObject({ ...base('message.remove'), sid: sid('IM') }),
    z.strictObject({ ...base('read.advance'), index: count }),
    z.strictObject({ ...base('read.set'), index: z.nullable(count) }),
    z.strictObject({
      ...base('invite.create'),
      hash,
      roleSid: sid('RL'),
      expiresAt: count,
      maxUses: z.int().check(z.positive(), z.maximum(limits.participants)),
    }),
    z.strictObject({ ...base('invite.revoke'), hash }),
  ])
}

/** A check by a function that throws a ConfabError. */
function problemOf<T>(test: (value: T) => void) {
  return z.check<T>((context) => {
    try {
      test(context.value)
    } catch (error) {
      context.issues.push({ code: 'custom', input: context.value, ...customOf(error) })
    }
  })
}

function customOf(error: unknown): { message: string; params: { code: ErrorCode } } {
  if (!(error instanceof ConfabError)) throw error
  return { message: error.message, params: { code: error.code } }
}
