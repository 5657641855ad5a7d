/**
 * The oracle of `parseOperation`: what operations are, said a second time by schemas (zod), which are too large to be
 * on a device. Strict, so that what is not spelled out here is refused. A check that has a code of its own carries it
 * in `params`.
 */
import * as z from 'zod/mini'
import { attributesDepth } from '../src/attributes.ts'
import { ConfabError, ERROR_CODES, type ErrorCode } from '../src/error.ts'
import { cleanFileName } from '../src/file-name.ts'
import { bindingType, isLongerThan, normaliseIdentity } from '../src/identity.ts'
import { INVITE_EXPIRY_LATEST, INVITE_SECRET_BYTES, inviteSecretBytes } from '../src/invite.ts'
import { isForbiddenKey, isPlainJson, type Json } from '../src/json.ts'
import type { Limits } from '../src/limits.ts'
import type { Operation } from '../src/operations.ts'
import { isHexId, isSid, type SidPrefix } from '../src/sid.ts'
import { timersProblem } from '../src/timers.ts'

const check = <T>(test: (value: T) => boolean, code: ErrorCode, error: string) =>
  z.refine<T>(test, { error, params: { code }, abort: true })

/** One set of schemas per set of limits. */
const schemas = new WeakMap<Limits, ReturnType<typeof makeSchema>>()

/** The schema of any operation under these limits. */
export function operationSchema(limits: Limits): ReturnType<typeof makeSchema> {
  let schema = schemas.get(limits)
  if (!schema) {
    schema = makeSchema(limits)
    schemas.set(limits, schema)
  }
  return schema
}

const hexId = z.string().check(check(isHexId, 20001, 'Must be 32 lower-case hex digits'))
const sid = (prefix: SidPrefix) =>
  z
    .string()
    .check(check((text) => isSid(prefix, text), 20001, `Must be ${prefix} and 32 lower-case hex digits`))
const hash = z
  .string()
  .check(check((text) => /^[0-9a-f]{64}$/.test(text), 20001, 'Must be 64 lower-case hex digits'))
/** Not `z.int()`, which says of a number beyond 2^53 how large such numbers are, and not how large this one may be. */
const integer = () =>
  z.number().check((context) => {
    if (Number.isInteger(context.value)) return
    context.issues.push({ code: 'invalid_type', expected: 'int', input: context.value, continue: false })
  })
const count = integer().check(z.nonnegative(), z.maximum(Number.MAX_SAFE_INTEGER))
/** The last time that a `Date` can hold. */
const time = integer().check(z.nonnegative(), z.maximum(8_640_000_000_000_000))
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])
const timers = z.strictObject({ inactive: z.optional(z.string()), closed: z.optional(z.string()) }).check(
  problemOf((value) => {
    const problem = timersProblem(value)
    if (problem) throw new ConfabError(problem.code, problem.message)
  }),
)
const secret = z.string().check(
  problemOf((text) => {
    // its length first: decoding costs
    if (text.length > 2 * INVITE_SECRET_BYTES) throw new ConfabError(70203)
    inviteSecretBytes(text)
  }),
)

const channelType = z.enum(['apn', 'fcm', 'twilsock'])
/** The longest that push services give (a web push subscription as JSON) stay below. */
const PUSH_TOKEN_LENGTH = 4096
const pushToken = z
  .string()
  .check(
    check(
      (text) => text !== '' && text.length <= PUSH_TOKEN_LENGTH,
      20001,
      `A push registration has 1 to ${PUSH_TOKEN_LENGTH} characters`,
    ),
  )

/** What differs with the limits: text, identities, addresses, attributes and their patches. */
function makeFields(limits: Limits) {
  const { nameLength, identityLength } = limits
  const name = z
    .string()
    .check(
      check((text) => !isLongerThan(text, nameLength), 70103, `A name has at most ${nameLength} characters`),
    )
  // a name that looks like a sid could be taken for somebody else's conversation
  const uniqueName = name.check(
    check((text) => text !== '' && !isSid('CH', text), 20001, 'A unique name is not empty and not a sid'),
  )
  const depth = attributesDepth(limits)
  const attributes = z
    .custom<Json>()
    .check(check((value) => isPlainJson(value, depth), 70104, `Attributes are nested at most ${depth} deep`))
  const path = z
    .array(z.string())
    .check(
      check((keys) => keys.length <= depth && !keys.some(isForbiddenKey), 70104, 'Not a path of attributes'),
    )
  const values = z.array(scalar)
  const patch = z.strictObject({
    set: z.optional(z.array(z.tuple([path, z.custom<Json>()]))),
    unset: z.optional(z.array(path)),
    add: z.optional(z.array(z.tuple([path, values]))),
    remove: z.optional(z.array(z.tuple([path, values]))),
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
    .check(check((text) => !isLongerThan(text, identityLength), 20001, 'The address is too long'))
  const binding = z
    .strictObject({ address, proxyAddress: address, projectedAddress: z.optional(address) })
    .check(problemOf((value) => void bindingType(value)))
  const media = z.strictObject({
    sid: sid('ME'),
    category: z.enum(['media', 'body', 'history']),
    filename: z.optional(z.pipe(name, z.transform(cleanFileName))),
    contentType: name,
    size: count,
    sha256: z.optional(hash),
    width: z.optional(count),
    height: z.optional(count),
    placeholder: z.optional(name),
  })
  return { name, uniqueName, attributes, patch, identity, binding, media }
}

const base = <Type extends Operation['type']>(type: Type) => ({
  id: hexId,
  type: z.literal(type),
  dateWritten: time,
})

function makeSchema(limits: Limits) {
  const { name, uniqueName, attributes, patch, identity, binding, media } = makeFields(limits)
  const { mediaPerMessage } = limits
  return z.discriminatedUnion('type', [
    z.strictObject({
      ...base('conversation.create'),
      nonce: hexId,
      friendlyName: z.optional(name),
      uniqueName: z.optional(uniqueName),
      attributes: z.optional(attributes),
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
        attributes: z.optional(attributes),
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
      attributes: z.optional(attributes),
      media: z.optional(
        z.array(media).check(z.maxLength(mediaPerMessage, `A message has at most ${mediaPerMessage} media`)),
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
    z.strictObject({
      ...base('message.restore'),
      sid: sid('IM'),
      index: count,
      author: identity,
      participantSid: z.optional(sid('MB')),
      dateCreated: time,
      body: z.optional(z.string()),
      subject: z.optional(name),
      attributes: z.optional(attributes),
      media: z.optional(
        z.array(media).check(z.maxLength(mediaPerMessage, `A message has at most ${mediaPerMessage} media`)),
      ),
    }),
    z.strictObject({
      ...base('message.report'),
      sid: sid('IM'),
      receipts: z
        .array(
          z.strictObject({
            participantSid: sid('MB'),
            status: z.enum(['queued', 'sent', 'delivered', 'read', 'undelivered', 'failed']),
            channelMessageSid: z.optional(name),
            errorCode: z.optional(count),
          }),
        )
        .check(z.maxLength(limits.nonChatParticipants)),
    }),
    z.strictObject({ ...base('read.advance'), index: count }),
    z.strictObject({
      ...base('read.set'),
      participantSid: z.optional(sid('MB')),
      index: z.nullable(count),
    }),
    z.strictObject({
      ...base('invite.create'),
      hash,
      roleSid: sid('RL'),
      expiresAt: time.check(z.maximum(INVITE_EXPIRY_LATEST)),
      maxUses: integer().check(z.positive(), z.maximum(limits.participants)),
    }),
    z.strictObject({ ...base('invite.revoke'), hash }),
    z.strictObject({
      ...base('user.update'),
      identity: z.optional(identity),
      friendlyName: z.optional(z.nullable(name)),
      attributes: z.optional(patch),
    }),
    z.strictObject({
      ...base('setting.set'),
      conversationSid: sid('CH'),
      notificationLevel: z.nullable(z.enum(['default', 'muted'])),
    }),
    z.strictObject({ ...base('push.set'), channelType, token: pushToken }),
    z.strictObject({ ...base('push.remove'), channelType, token: pushToken }),
    z.strictObject({ ...base('user.delete') }),
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

/** What `parseOperation` must say of a value that has passed its first pass. */
export function expectedOf(
  value: unknown,
  limits: Limits,
): { ok: Operation } | { code: ErrorCode; message: string } {
  const parsed = z.safeParse(operationSchema(limits), value)
  return parsed.success ? { ok: parsed.data } : firstProblem(parsed.error.issues)
}

interface Problem {
  code: ErrorCode
  message: string
}

/** A schema says its code in `params`; whatever zod finds by itself is an invalid parameter. */
function firstProblem(issues: readonly z.core.$ZodIssue[]): Problem {
  const issue = issues[0]
  if (issue === undefined) return { code: 20001, message: ERROR_CODES[20001].title }
  const code = issue.code === 'custom' ? issue.params?.code : undefined
  if (typeof code === 'number' && code in ERROR_CODES) {
    return { code: code as ErrorCode, message: issue.message }
  }
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''
  return { code: 20001, message: (where + describe(issue)).slice(0, MESSAGE_LENGTH).toWellFormed() }
}

/** Messages are stored and sent: what they quote of a stranger's keys is cut. */
const MESSAGE_LENGTH = 200

// zod/mini brings no words of its own, to stay small
function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `Must be of type ${issue.expected}`
    case 'unrecognized_keys':
      return `Unknown key ${issue.keys[0]}`
    case 'invalid_value':
      return `Must be one of ${issue.values.join(', ')}`
    case 'invalid_union':
      return 'Unknown kind'
    case 'too_small':
      return `Must be at least ${issue.minimum}`
    case 'too_big':
      return `Must be at most ${issue.maximum}`
    default:
      return issue.message
  }
}
