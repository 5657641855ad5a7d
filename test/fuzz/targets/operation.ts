/**
 * Operations: whatever is in an outbox is read as the schemas say, and whatever is read can be decided. The reducer
 * says a verdict or nothing, changes nothing that it is given, and writes valid records.
 */
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import {
  type Actor,
  CHANNEL_ADMIN,
  CHANNEL_USER,
  type Change,
  conversationSid,
  DEFAULT_LIMITS,
  DEFAULT_ROLES,
  type DecideContext,
  DraftState,
  decide,
  decideUser,
  directoryRecordSchema,
  EMPTY_STATE,
  ERROR_CODES,
  inviteHash,
  isConversationRecord,
  isJsonObject,
  isMessageRecord,
  isParticipantRecord,
  isPlainJson,
  isReadRecord,
  type Limits,
  limitsWith,
  messageSidOf,
  type Operation,
  parseOperation,
  participantSid,
  project,
  SERVICE_ADMIN,
  SERVICE_USER,
  toHex,
  type UserChange,
  type UserDecideContext,
  UserDraft,
} from '../../../packages/core/src/index.ts'
import { expectedOf } from '../../../packages/core/test/operation-schema.ts'
import { Choices, someText, someValue } from '../choices.ts'
import { Finding, shown, type Target } from '../target.ts'

const PEOPLE = ['alice', 'bob', 'eve', 'Zoe\u0301']
const NONCE = '0'.repeat(32)
const SID = conversationSid('alice', NONCE)
const SECRETS = [1, 2].map((fill) => new Uint8Array(32).fill(fill))
const HASHES = SECRETS.map((secret) => inviteHash(secret))
const HEX = 'abcdef0123456789'
/** So small that a few operations meet each. */
const SMALL = limitsWith({
  participants: 4,
  nonChatParticipants: 1,
  invites: 2,
  conversationsPerIdentity: 3,
  pushRegistrations: 2,
  nameLength: 6,
  attributesBytes: 60,
  conversationAttributesBytes: 80,
  bodyBytes: 50,
  operationBytes: 1500,
  mediaPerMessage: 1,
  jsonDepth: 8,
})
const FIRST_PASS = /^(An operation |A message body |Attributes have at most |A patch has at most )/

const idOf = (number: number): string => number.toString(16).padStart(32, '0')

/** What may stand at a key: right for it more often than not. */
class Maker {
  readonly choices: Choices
  #operations = 0

  constructor(choices: Choices) {
    this.choices = choices
  }

  operation(): Record<string, unknown> {
    const { choices } = this
    const type = choices.pick(TYPES)
    // an id comes again now and then
    const id = idOf(choices.once(8) ? choices.int(this.#operations + 1) : ++this.#operations)
    const made: Record<string, unknown> = { id, type, dateWritten: 1_700_000_000_000 + this.#operations }
    for (const [key, make] of Object.entries<Make>(FIELDS[type])) {
      const isNeeded = !OPTIONAL.has(key) || (type === 'message.restore' && key === 'author')
      if (isNeeded || choices.int(3) > 0) made[key] = make(this)
    }
    if (choices.once(6)) this.#wound(made)
    return made
  }

  /** One key, here or further in, gets another value, goes, or is one too many. */
  #wound(made: Record<string, unknown>): void {
    const { choices } = this
    let inside: Record<string, unknown> = made
    for (let depth = choices.int(4); depth > 0; depth--) {
      const deeper = Object.values(inside).filter((one) => typeof one === 'object' && one !== null)
      if (deeper.length === 0) break
      inside = choices.pick(deeper) as Record<string, unknown>
    }
    const keys = Object.keys(inside)
    const key = choices.once(4) || keys.length === 0 ? choices.pick(STRANGE_KEYS) : choices.pick(keys)
    if (choices.once(4)) delete inside[key]
    else {
      const value = choices.int(2) === 0 ? choices.pick(STRANGE) : someValue(choices, 3, true)
      Object.defineProperty(inside, key, { value, enumerable: true, writable: true, configurable: true })
    }
  }

  get text(): string {
    return someText(this.choices, true)
  }

  person(): string {
    return this.choices.once(12) ? this.text : this.choices.pick(PEOPLE)
  }

  member(): string {
    const identity = this.choices.pick(PEOPLE).normalize('NFC')
    return this.choices.once(5)
      ? participantSid(SID, { address: '+4915112345678', proxyAddress: '+18005550100' })
      : participantSid(SID, { identity })
  }

  message(): string {
    return messageSidOf(idOf(1 + this.choices.int(this.#operations + 1)))
  }

  scalar(): unknown {
    return this.choices.pick(['a', 'b', 1, true, null, 'bob', ''])
  }

  path(): string[] {
    return Array.from({ length: this.choices.int(4) }, () =>
      this.choices.pick(['a', 'b', 'c', '__proto__x', '']),
    )
  }

  patch(): unknown {
    const { choices } = this
    const list = (make: () => unknown) => Array.from({ length: choices.int(3) }, make)
    const patch: Record<string, unknown> = {}
    if (choices.int(2)) patch.set = list(() => [this.path(), someValue(choices, 2)])
    if (choices.int(3) === 0) patch.unset = list(() => this.path())
    if (choices.int(2)) patch.add = list(() => [this.path(), list(() => this.scalar())])
    if (choices.int(3) === 0) patch.remove = list(() => [this.path(), list(() => this.scalar())])
    return patch
  }
}

type Make = (maker: Maker) => unknown
const name: Make = ({ choices, text }) => (choices.once(5) ? null : choices.once(4) ? 'x'.repeat(300) : text)
const given: Make = ({ choices, text }) => (choices.once(6) ? 'taken' : text)
const value: Make = ({ choices }) => someValue(choices)
const patch: Make = (maker) => maker.patch()
const role: Make = ({ choices }) =>
  choices.pick([CHANNEL_USER, CHANNEL_ADMIN, SERVICE_USER, SERVICE_ADMIN, `RL${idOf(1)}`])
const timers: Make = ({ choices }) =>
  choices.pick([
    {},
    { inactive: 'PT1M' },
    { closed: 'PT10M' },
    { inactive: 'PT1S' },
    { closed: 'P1Y2M3DT4H5M6S' },
  ])
const addressText: Make = ({ choices, text }) =>
  choices.pick(['+4915112345678', '+18005550100', 'whatsapp:+18005550100', 'a@b.c', text])
const binding: Make = (maker) => ({
  address: addressText(maker),
  proxyAddress: addressText(maker),
  ...(maker.choices.once(3) ? { projectedAddress: addressText(maker) } : {}),
})
const media: Make = ({ choices }) =>
  Array.from({ length: choices.int(3) }, () => ({
    sid: `ME${idOf(choices.int(9))}`,
    category: choices.pick(['media', 'body', 'history']),
    contentType: 'a/b',
    size: choices.int(99),
  }))
const index: Make = ({ choices }) => (choices.once(6) ? choices.pick([2 ** 53 - 1, -1, 0.5]) : choices.int(6))
const nullableIndex: Make = (maker) => (maker.choices.once(3) ? null : index(maker))
const hash: Make = ({ choices }) => (choices.once(5) ? HEX.repeat(4) : choices.pick(HASHES))
const secret: Make = ({ choices, text }) =>
  choices.once(8) ? text : Buffer.from(choices.pick(SECRETS)).toString('base64url')
const member: Make = (maker) => maker.member()
const person: Make = (maker) => maker.person()
const message: Make = (maker) => maker.message()
const body: Make = ({ choices, text }) => (choices.once(9) ? '😀'.repeat(20) : text)
const channelType: Make = ({ choices }) => choices.pick(['apn', 'fcm', 'twilsock'])
const token: Make = ({ choices }) => choices.pick(['a', 'b', 'c', '', 'd'])

const FIELDS = {
  'message.post': { body, subject: name, attributes: value, media, author: person },
  'conversation.join': { invite: secret },
  'participant.add': { identity: person, binding, attributes: value, roleSid: role },
  'message.edit': { sid: message, body, attributes: patch },
  'message.remove': { sid: message },
  'message.restore': {
    sid: message,
    index: ({ choices }: Maker) => choices.int(9),
    author: person,
    participantSid: member,
    dateCreated: ({ choices }: Maker) => 900 + choices.int(200),
    body,
    subject: name,
    attributes: value,
    media,
  },
  'message.report': {
    sid: message,
    receipts: (maker: Maker) =>
      Array.from({ length: maker.choices.int(4) }, () => ({
        participantSid: maker.member(),
        status: maker.choices.pick(['queued', 'sent', 'delivered', 'read', 'undelivered', 'failed', 'lost']),
        ...(maker.choices.int(2) ? { channelMessageSid: 'a' } : {}),
        ...(maker.choices.int(2) ? { errorCode: maker.choices.int(9) } : {}),
      })),
  },
  'conversation.create': {
    nonce: () => NONCE,
    friendlyName: given,
    uniqueName: given,
    attributes: value,
    timers,
  },
  'conversation.update': {
    friendlyName: name,
    uniqueName: name,
    attributes: patch,
    state: ({ choices }: Maker) => choices.pick(['active', 'inactive']),
    timers,
  },
  'conversation.close': {},
  'conversation.delete': {},
  'conversation.leave': {},
  'participant.remove': { sid: member },
  'participant.update': { sid: member, attributes: patch, roleSid: role },
  'read.advance': { index },
  'read.set': { index: nullableIndex },
  'invite.create': {
    hash,
    roleSid: role,
    expiresAt: ({ choices }: Maker) => 2000 + choices.int(3000),
    maxUses: ({ choices }: Maker) => choices.int(4),
  },
  'invite.revoke': { hash },
  'user.update': { identity: person, friendlyName: name, attributes: patch },
  'setting.set': {
    conversationSid: ({ choices }: Maker) => `CH${idOf(choices.int(5))}`,
    notificationLevel: ({ choices }: Maker) => choices.pick(['muted', 'default', null]),
  },
  'push.set': { channelType, token },
  'push.remove': { channelType, token },
  'user.delete': {},
} satisfies { [Type in Operation['type']]: { [key: string]: Make } }
const TYPES = Object.keys(FIELDS) as (keyof typeof FIELDS)[]
const OPTIONAL = new Set(
  'friendlyName uniqueName attributes timers state invite identity binding roleSid body subject media author participantSid'.split(
    ' ',
  ),
)
const STRANGE_KEYS = ['extra', '__proto__', 'constructor', 'toString', 'id', 'type', '\ud800']
const STRANGE = [
  undefined,
  null,
  -1,
  0.5,
  2 ** 53,
  8.64e15 + 1,
  '',
  '\udc00',
  [],
  {},
  [[['a'], 1, 2]],
  { a: { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } } },
  'conversation.create',
  JSON.parse('{"__proto__":{"author":"eve"}}'),
]

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────

function read(value: Record<string, unknown>, limits: Limits): Operation | null {
  const before = structuredClone(value)
  const parsed = parseOperation(value, limits)
  if (!isDeepStrictEqual(before, value))
    throw new Finding('reading an operation changes it', { before, value })
  if ('error' in parsed) {
    const { code, message: text } = parsed.error
    if (!(code in ERROR_CODES)) throw new Finding('an unknown code', parsed.error)
    if (text.length > 300 || !text.isWellFormed())
      throw new Finding('a message that cannot be told', parsed.error)
    // what the first pass refuses never reaches a schema
    if (FIRST_PASS.test(text)) return null
  }
  const told = 'ok' in parsed ? parsed : { code: parsed.error.code, message: parsed.error.message }
  // a key whose value is undefined is an absent one
  const present = Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined))
  const expected = expectedOf(present, limits)
  if (!isDeepStrictEqual(plain(told), plain(expected)))
    throw new Finding('the schemas say something else', { value, told, expected })
  if (!('ok' in parsed)) return null
  const again = parseOperation(parsed.ok, limits)
  if (!isDeepStrictEqual(again, parsed))
    throw new Finding('what is taken once is not taken again', { parsed, again })
  if (!isPlainJson(parsed.ok, limits.jsonDepth)) throw new Finding('taken, and no plain JSON', parsed)
  return parsed.ok
}

/** Prototypes and absent keys don't matter. */
const plain = (one: unknown): unknown => JSON.parse(JSON.stringify(one))

// ── deciding ────────────────────────────────────────────────────────────────────────────────────────

function frozen<T>(one: T): T {
  if (typeof one === 'object' && one !== null && !Object.isFrozen(one)) {
    Object.freeze(one)
    for (const inner of Object.values(one)) frozen(inner)
  }
  return one
}

class Scene {
  readonly choices: Choices
  readonly limits: Limits
  readonly state = new DraftState(EMPTY_STATE)
  readonly user = new UserDraft({
    settingCount: 0,
    pushRegistrations: [],
    setting: () => undefined,
    profile: () => null,
  })
  readonly trace: string[] = []
  #now = 1000
  #highest = -1

  constructor(choices: Choices, limits: Limits) {
    this.choices = choices
    this.limits = limits
  }

  context(actor: Actor, trustInvites: boolean): DecideContext & UserDecideContext {
    const { choices } = this
    const many = choices.once(8) ? 3 : 0
    return {
      actor,
      conversationSid: SID,
      now: ++this.#now,
      limits: this.limits,
      roles: DEFAULT_ROLES,
      serviceRoleSid: choices.once(4) ? SERVICE_ADMIN : choices.once(9) ? CHANNEL_USER : SERVICE_USER,
      uniqueNameOwner: (taken) => (taken === 'taken' ? `CH${idOf(1)}` : null),
      bindingOwner: (address) => (address.startsWith('whatsapp') ? `CH${idOf(1)}` : null),
      conversationCount: () => many,
      trustInvites,
      identity: actor.kind === 'identity' ? actor.identity : 'system',
      serviceSid: `IS${idOf(1)}`,
    }
  }

  actor(): Actor {
    const { choices } = this
    if (choices.once(6)) return { kind: 'system', source: 'fuzz' }
    return { kind: 'identity', identity: choices.pick(PEOPLE).normalize('NFC') }
  }

  decide(operation: Operation): void {
    const actor = this.actor()
    frozen(operation)
    const context = this.context(actor, false)
    this.#decideUser(operation, context)
    const decision = decide(this.state, operation, context)
    this.trace.push(`${JSON.stringify(actor)} ${JSON.stringify(operation)}: ${JSON.stringify(decision)}`)
    if (decision.verdict !== 'accepted') {
      expectAgainst(decision)
      if (decision.verdict === 'later' && decision.code !== 70201)
        throw new Finding('later, with a code of its own')
      return
    }
    for (const change of decision.changes) expectValid(change, actor, operation)
    // whoever changes a record that was handed out throws from now on
    this.state.apply(frozen(decision.changes))
    this.#expectConsistent()
    if (this.state.conversation && operation.type !== 'conversation.create') {
      // asking again changes nothing more than it did
      decide(this.state, operation, context)
      this.#expectConsistent()
    }
  }

  /** What a device shows of them meanwhile. */
  project(pending: readonly Operation[]): void {
    const actor: Actor = { kind: 'identity', identity: this.choices.pick(PEOPLE).normalize('NFC') }
    const seen = project(this.state, frozen(pending), (operation) => ({
      ...this.context(actor, true),
      now: operation.dateWritten,
    }))
    let last = this.state.highestIndex
    for (const post of seen.posts) {
      if (!isMessageRecord(post)) throw new Finding('a pending message that is no record', post)
      if (post.index <= last) throw new Finding('pending messages out of order', seen.posts)
      last = post.index
    }
    for (const record of seen.edited.values())
      if (!isMessageRecord(record)) throw new Finding('an edited message that is no record', record)
    for (const { decision } of seen.refusedLocally) expectAgainst(decision)
    const conversation = seen.state.conversation
    if (conversation && !isConversationRecord(conversation))
      throw new Finding('a projected conversation that is no record', conversation)
    this.#expectConsistent()
  }

  #decideUser(operation: Operation, context: UserDecideContext): void {
    const decision = decideUser(this.user, operation, context)
    if (decision.verdict !== 'accepted') {
      expectAgainst(decision)
      return
    }
    for (const change of decision.changes) expectValidUser(change, this.limits)
    this.user.apply(frozen(decision.changes))
    if (this.user.settingCount > this.limits.conversationsPerIdentity) throw new Finding('too many settings')
    if (this.user.settingCount < 0) throw new Finding('settings are counted wrongly')
  }

  #expectConsistent(): void {
    const { state, limits } = this
    const { conversation } = state
    const participants = [...state.participants()]
    const nonChat = participants.filter(({ type }) => type !== 'chat').length
    if (state.participantCount !== participants.length || state.nonChatCount !== nonChat)
      throw new Finding('participants are counted wrongly', participants)
    if (participants.length > limits.participants || nonChat > limits.nonChatParticipants)
      throw new Finding('too many participants', participants)
    if (new Set(participants.map(({ sid }) => sid)).size !== participants.length)
      throw new Finding('a participant twice', participants)
    if (conversation === null) {
      this.#highest = -1
      if (participants.length > 0 || state.highestIndex !== -1)
        throw new Finding('something is left of nothing')
      return
    }
    if (!isConversationRecord(conversation))
      throw new Finding('a conversation that is no record', conversation)
    const invites = Object.values(conversation.invites ?? {})
    if (invites.length > limits.invites) throw new Finding('too many invites', invites)
    if (invites.some(({ usesLeft }) => usesLeft < 0)) throw new Finding('an invite used too often', invites)
    if (state.highestIndex < this.#highest) throw new Finding('an index that may be given twice')
    this.#highest = state.highestIndex
  }
}

function expectAgainst(decision: { verdict: string; code: number; message: string }): void {
  if (!(decision.code in ERROR_CODES) || !decision.message?.isWellFormed())
    throw new Finding('a verdict that cannot be told', decision)
}

function expectValid(change: Change, actor: Actor, operation: Operation): void {
  const wrong = (): never => {
    throw new Finding(`an invalid record: ${change.type}`, { change, operation })
  }
  if (!isPlain(change)) wrong()
  switch (change.type) {
    case 'participant.put':
      if (!isParticipantRecord(change.record)) wrong()
      break
    case 'message.append':
    case 'message.replace':
      if (!isMessageRecord(change.record)) wrong()
      if (isForged(change, actor, operation))
        throw new Finding('a message in the name of somebody else', change)
      break
    case 'read.put':
      if (!isReadRecord(change.record)) wrong()
      break
    case 'directory.put':
      if (!directoryRecordSchema.safeParse(change.record).success) wrong()
      break
  }
}

/** Posted under another name than the actor's, by somebody who is neither the system nor allowed to restore. */
const isForged = (change: Change, actor: Actor, operation: Operation): boolean =>
  change.type === 'message.append' &&
  actor.kind === 'identity' &&
  change.record.author !== actor.identity &&
  operation.type !== 'message.restore'

/** Plain JSON but for keys that are `undefined` on purpose, which stand for a deletion. */
function isPlain(change: object): boolean {
  return Object.values(change).every((one) => {
    const present = isJsonObject(one)
      ? Object.fromEntries(Object.entries(one).filter(([, inner]) => inner !== undefined))
      : one
    return isPlainJson(present, 64)
  })
}

const registrations = z.array(
  z.strictObject({
    channelType: z.enum(['apn', 'fcm', 'twilsock']),
    token: z.string(),
    dateCreated: z.number(),
  }),
)

function expectValidUser(change: UserChange, limits: Limits): void {
  if (!isPlain(change)) throw new Finding(`an invalid record: ${change.type}`, change)
  if (change.type !== 'push.put') return
  if (
    !registrations.safeParse(change.registrations).success ||
    change.registrations.length > limits.pushRegistrations
  )
    throw new Finding('invalid push registrations', change)
}

function play(input: Uint8Array): Scene {
  const choices = new Choices(input)
  const limits = choices.int(2) === 0 ? DEFAULT_LIMITS : SMALL
  const maker = new Maker(choices)
  const scene = new Scene(choices, limits)
  try {
    if (choices.int(4) > 0) begin(scene)
    const pending: Operation[] = []
    while (!choices.isSpent) {
      const value = maker.operation()
      const operation = read(value, limits)
      if (!operation) scene.trace.push(`refused: ${shown(value)}`)
      else if (choices.once(4)) pending.push(operation)
      else scene.decide(operation)
      if (pending.length > 3) scene.project(pending.splice(0))
    }
    scene.project(pending)
  } catch (error) {
    if (error instanceof Error) Object.assign(error, { trace: scene.trace })
    throw error
  }
  return scene
}

/** Most of what can be said needs a conversation with people in it. */
function begin(scene: Scene): void {
  const base = (number: number) => ({
    id: toHex(Uint8Array.of(...new Array(15).fill(0xee), number)),
    dateWritten: 1,
  })
  const actor: Actor = { kind: 'identity', identity: 'alice' }
  for (const operation of [
    { ...base(1), type: 'conversation.create', nonce: NONCE },
    { ...base(2), type: 'conversation.join' },
    { ...base(3), type: 'participant.add', identity: 'bob' },
    { ...base(4), type: 'message.post', body: 'hello' },
  ] as Operation[]) {
    const decision = decide(scene.state, operation, {
      ...scene.context(actor, false),
      serviceRoleSid: SERVICE_ADMIN,
      conversationCount: () => 0,
    })
    if (decision.verdict !== 'accepted') throw new Finding('the beginning is refused', decision)
    scene.state.apply(frozen(decision.changes))
  }
}

export const operationTarget: Target = {
  name: 'operation',
  about:
    'operations read as the schemas say and decided, by any actor on any state: only verdicts, only valid records',
  bytes: 300,
  sources: ['/packages/core/src/'],
  run(input) {
    play(input)
  },
  describe(input) {
    try {
      return play(input).trace.join('\n')
    } catch (error) {
      return (error as { trace?: string[] }).trace?.join('\n') ?? ''
    }
  },
}
