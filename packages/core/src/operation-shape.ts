/**
 * What each operation is made of, read strictly: what is not spelled out here is refused. `parseOperation` bounds a
 * value before it comes here.
 *
 * By hand, because a device runs it too and a schema library is a tenth of its bundle; the schemas are the oracle of
 * its test (`test/operation-schema.ts`). The table is typed by `operations.ts`, so that neither can gain a key alone.
 */
import { type AttributesPatch, type AttributesPath, attributesDepth } from './attributes.ts'
import { ConfabError, type ErrorCode } from './error.ts'
import { cleanFileName } from './file-name.ts'
import { bindingType, isLongerThan, normaliseIdentity } from './identity.ts'
import { INVITE_EXPIRY_LATEST, INVITE_SECRET_BYTES, inviteSecretBytes } from './invite.ts'
import { isForbiddenKey, isJsonObject, isPlainJson, type Json, type JsonScalar } from './json.ts'
import type { Limits } from './limits.ts'
import type { DeliveryReport, Operation } from './operations.ts'
import type { MediaRecord, MessagingBindingRecord, TimersRecord } from './records.ts'
import { isHexId, isSid, type SidPrefix } from './sid.ts'
import { timersProblem } from './timers.ts'

/** Gives the value if it is what it must be at this path; throws a ConfabError that says why not. */
type Read<T> = (value: unknown, path: string, limits: Limits) => T
/** May be absent. */
interface Optional<T> {
  optional: Read<T>
}
type Shape<T> = {
  [Key in keyof T]-?: undefined extends T[Key] ? Optional<Exclude<T[Key], undefined>> : Read<T[Key]>
}

/** Messages are stored and sent: what they quote of a stranger's keys is cut. */
const MESSAGE_LENGTH = 200

function invalid(path: string, message: string): ConfabError {
  const where = path === '' ? '' : `${path}: `
  return new ConfabError(20001, (where + message).slice(0, MESSAGE_LENGTH).toWellFormed())
}

const ofType = (path: string, type: string) => invalid(path, `Must be of type ${type}`)

const text: Read<string> = (value, path) => {
  if (typeof value !== 'string') throw ofType(path, 'string')
  return value
}

/** Text that passes a test. */
const textThat =
  (
    test: (value: string, limits: Limits) => boolean,
    code: ErrorCode,
    message: (limits: Limits) => string,
  ): Read<string> =>
  (value, path, limits) => {
    const read = text(value, path, limits)
    if (!test(read, limits)) throw new ConfabError(code, message(limits))
    return read
  }

const integer =
  (least: number, most: number): Read<number> =>
  (value, path) => {
    if (typeof value !== 'number') throw ofType(path, 'number')
    if (!Number.isInteger(value)) throw ofType(path, 'int')
    if (value < least) throw invalid(path, `Must be at least ${least}`)
    if (value > most) throw invalid(path, `Must be at most ${most}`)
    return value
  }

const oneOf =
  <T extends string>(...words: T[]): Read<T> =>
  (value, path) => {
    const known = words.find((word) => word === value)
    if (known === undefined) throw invalid(path, `Must be one of ${words.join(', ')}`)
    return known
  }

const list =
  <T>(entry: Read<T>): Read<T[]> =>
  (value, path, limits) => {
    if (!Array.isArray(value)) throw ofType(path, 'array')
    return value.map((one, at) => entry(one, `${path}.${at}`, limits))
  }

const pair =
  <A, B>(first: Read<A>, second: Read<B>): Read<[A, B]> =>
  (value, path, limits) => {
    if (!Array.isArray(value)) throw ofType(path, 'tuple')
    if (value.length < 2) throw invalid(path, 'Must be at least 2')
    if (value.length > 2) throw invalid(path, 'Must be at most 2')
    return [first(value[0], `${path}.0`, limits), second(value[1], `${path}.1`, limits)]
  }

const nullable =
  <T>(read: Read<T>): Read<T | null> =>
  (value, path, limits) =>
    value === null ? null : read(value, path, limits)

const optional = <T>(read: Read<T>): Optional<T> => ({ optional: read })

/** An object of these keys and no others, which are said after what is wrong with these. */
const object =
  <T extends object>(shape: Shape<T>, check?: (value: T) => void): Read<T> =>
  (value, path, limits) => {
    if (!isJsonObject(value)) throw ofType(path, 'object')
    const read: Record<string, unknown> = {}
    const prefix = path === '' ? '' : `${path}.`
    for (const key of Object.keys(shape)) {
      const one: Read<unknown> | Optional<unknown> = shape[key as keyof T]
      const isPresent = Object.hasOwn(value, key)
      if (typeof one === 'function') {
        read[key] = one(isPresent ? value[key] : undefined, prefix + key, limits)
      } else if (isPresent) {
        read[key] = one.optional(value[key], prefix + key, limits)
      }
    }
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(shape, key)) throw invalid(path, `Unknown key ${key}`)
    }
    check?.(read as T)
    return read as T
  }

const hexId = textThat(isHexId, 20001, () => 'Must be 32 lower-case hex digits')
const sid = (prefix: SidPrefix) =>
  textThat(
    (value) => isSid(prefix, value),
    20001,
    () => `Must be ${prefix} and 32 lower-case hex digits`,
  )
const hash = textThat(
  (value) => /^[0-9a-f]{64}$/.test(value),
  20001,
  () => 'Must be 64 lower-case hex digits',
)
const count = integer(0, Number.MAX_SAFE_INTEGER)
/** The last time that a `Date` can hold. */
const time = integer(0, 8_640_000_000_000_000)

const name = textThat(
  (value, { nameLength }) => !isLongerThan(value, nameLength),
  70103,
  ({ nameLength }) => `A name has at most ${nameLength} characters`,
)
/** Not a sid: it could be taken for somebody else's conversation. */
const uniqueName: Read<string> = (value, path, limits) => {
  const read = name(value, path, limits)
  if (read === '' || isSid('CH', read)) {
    throw new ConfabError(20001, 'A unique name is not empty and not a sid')
  }
  return read
}

const identity: Read<string> = (value, path, limits) => normaliseIdentity(text(value, path, limits), limits)

const address = textThat(
  (value, { identityLength }) => !isLongerThan(value, identityLength),
  20001,
  () => 'The address is too long',
)
const binding = object<MessagingBindingRecord>(
  { address, proxyAddress: address, projectedAddress: optional(address) },
  bindingType,
)

const anyJson: Read<Json> = (value) => value as Json
const attributes: Read<Json> = (value, _path, limits) => {
  const depth = attributesDepth(limits)
  if (!isPlainJson(value, depth)) throw new ConfabError(70104, `Attributes are nested at most ${depth} deep`)
  return value
}

const keys = list(text)
const attributesPath: Read<AttributesPath> = (value, path, limits) => {
  const read = keys(value, path, limits)
  if (read.length > attributesDepth(limits) || read.some(isForbiddenKey)) {
    throw new ConfabError(70104, 'Not a path of attributes')
  }
  return read
}
const scalar: Read<JsonScalar> = (value, path) => {
  if (typeof value === 'object' && value !== null) throw invalid(path, 'Unknown kind')
  return value as JsonScalar
}
const patch = object<AttributesPatch>({
  set: optional(list(pair(attributesPath, anyJson))),
  unset: optional(list(attributesPath)),
  add: optional(list(pair(attributesPath, list(scalar)))),
  remove: optional(list(pair(attributesPath, list(scalar)))),
})

const timers = object<TimersRecord>({ inactive: optional(text), closed: optional(text) }, (value) => {
  const problem = timersProblem(value)
  if (problem) throw new ConfabError(problem.code, problem.message)
})

const secret: Read<string> = (value, path, limits) => {
  const read = text(value, path, limits)
  // its length first: decoding costs
  if (read.length > 2 * INVITE_SECRET_BYTES) throw new ConfabError(70203)
  inviteSecretBytes(read)
  return read
}

const fileName: Read<string> = (value, path, limits) => cleanFileName(name(value, path, limits))

const mediaRecord = object<MediaRecord>({
  sid: sid('ME'),
  category: oneOf('media', 'body', 'history'),
  filename: optional(fileName),
  contentType: name,
  size: count,
  sha256: optional(hash),
  width: optional(count),
  height: optional(count),
  placeholder: optional(name),
})
const mediaList = list(mediaRecord)
const media: Read<MediaRecord[]> = (value, path, limits) => {
  const most = limits.mediaPerMessage
  if (Array.isArray(value) && value.length > most) throw invalid(path, `Must be at most ${most}`)
  return mediaList(value, path, limits)
}

const reportList = list(
  object<DeliveryReport>({
    participantSid: sid('MB'),
    status: oneOf('queued', 'sent', 'delivered', 'read', 'undelivered', 'failed'),
    channelMessageSid: optional(name),
    errorCode: optional(count),
  }),
)
const reports: Read<DeliveryReport[]> = (value, path, limits) => {
  const most = limits.nonChatParticipants
  if (Array.isArray(value) && value.length > most) throw invalid(path, `Must be at most ${most}`)
  return reportList(value, path, limits)
}

const uses: Read<number> = (value, path, limits) => {
  const read = integer(Number.NEGATIVE_INFINITY, limits.participants)(value, path, limits)
  if (read <= 0) throw invalid(path, 'Must be at least 0')
  return read
}

const channelType = oneOf('apn', 'fcm', 'twilsock')
/** The longest that push services give (a web push subscription as JSON) stay below. */
const PUSH_TOKEN_LENGTH = 4096
const pushToken = textThat(
  (value) => value !== '' && value.length <= PUSH_TOKEN_LENGTH,
  20001,
  () => `A push registration has 1 to ${PUSH_TOKEN_LENGTH} characters`,
)

/** What every operation has; its type has chosen its shape. */
type Common = Pick<Operation, 'id' | 'type' | 'dateWritten'>
const common: Shape<Common> = { id: hexId, type: (value) => value as Operation['type'], dateWritten: time }

/** What each type has beside. */
type Shapes = {
  [Type in Operation['type']]: Shape<Omit<Extract<Operation, { type: Type }>, keyof Common>>
}
const shapes: Shapes = {
  'conversation.create': {
    nonce: hexId,
    friendlyName: optional(name),
    uniqueName: optional(uniqueName),
    attributes: optional(attributes),
    timers: optional(timers),
  },
  'conversation.update': {
    friendlyName: optional(nullable(name)),
    uniqueName: optional(nullable(uniqueName)),
    attributes: optional(patch),
    state: optional(oneOf('active', 'inactive')),
    timers: optional(timers),
  },
  'conversation.close': {},
  'conversation.delete': {},
  'conversation.join': { invite: optional(secret) },
  'conversation.leave': {},
  'participant.add': {
    identity: optional(identity),
    binding: optional(binding),
    attributes: optional(attributes),
    roleSid: optional(sid('RL')),
  },
  'participant.remove': { sid: sid('MB') },
  'participant.update': { sid: sid('MB'), attributes: optional(patch), roleSid: optional(sid('RL')) },
  'message.post': {
    body: optional(text),
    subject: optional(name),
    attributes: optional(attributes),
    media: optional(media),
    author: optional(identity),
  },
  'message.edit': { sid: sid('IM'), body: optional(text), attributes: optional(patch) },
  'message.remove': { sid: sid('IM') },
  'message.restore': {
    sid: sid('IM'),
    index: count,
    author: identity,
    participantSid: optional(sid('MB')),
    dateCreated: time,
    body: optional(text),
    subject: optional(name),
    attributes: optional(attributes),
    media: optional(media),
  },
  'message.report': { sid: sid('IM'), receipts: reports },
  'read.advance': { index: count },
  'read.set': { participantSid: optional(sid('MB')), index: nullable(count) },
  'invite.create': {
    hash,
    roleSid: sid('RL'),
    expiresAt: integer(0, INVITE_EXPIRY_LATEST),
    maxUses: uses,
  },
  'invite.revoke': { hash },
  'user.update': {
    identity: optional(identity),
    friendlyName: optional(nullable(name)),
    attributes: optional(patch),
  },
  'setting.set': {
    conversationSid: sid('CH'),
    notificationLevel: nullable(oneOf('default', 'muted')),
  },
  'push.set': { channelType, token: pushToken },
  'push.remove': { channelType, token: pushToken },
  'user.delete': {},
}

const readers = new Map<string, Read<Operation>>(
  Object.entries(shapes).map(([type, shape]) => [type, object({ ...common, ...shape } as Shape<Operation>)]),
)

/**
 * Reads an operation, whose identities come out normalised.
 * @throws ConfabError that says what is wrong with it
 */
export function readOperation(value: { [key: string]: Json }, limits: Limits): Operation {
  const read = typeof value.type === 'string' ? readers.get(value.type) : undefined
  if (!read) throw invalid('type', 'Unknown kind')
  const operation = read(value, '', limits)
  if (
    operation.type === 'participant.add' &&
    (operation.identity === undefined) === (operation.binding === undefined)
  ) {
    throw new ConfabError(20001, 'Exactly one of identity and binding is needed')
  }
  return operation
}
