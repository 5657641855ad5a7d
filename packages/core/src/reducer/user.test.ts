/** Users: profiles, settings, push registrations; who may change what, and how changes merge. */
import { describe, expect, test } from 'vitest'
import { diffAttributes } from '../attributes.ts'
import { EMPTY_STATE } from '../draft-state.ts'
import { limitsWith } from '../limits.ts'
import type { Operation, UserOperation } from '../operations.ts'
import { parseOperation } from '../parse-operation.ts'
import { DEFAULT_ROLES, type Role, SERVICE_ADMIN, SERVICE_USER } from '../roles.ts'
import { userSid } from '../sid.ts'
import type { Actor } from '../state.ts'
import {
  projectUser,
  type UserDecideContext,
  type UserDecision,
  UserDraft,
  type UserState,
} from '../user-state.ts'
import { decide } from './decide.ts'
import { person, SYSTEM } from './testing.ts'
import { decideUser } from './user.ts'

type Draft = UserOperation extends infer One
  ? One extends UserOperation
    ? Omit<One, 'id' | 'dateWritten'>
    : never
  : never

const EMPTY: UserState = {
  settingCount: 0,
  pushRegistrations: [],
  setting: () => undefined,
  profile: () => null,
}
const SERVICE = `IS${'5'.repeat(32)}`
const LIMITS = limitsWith({ pushRegistrations: 2, conversationsPerIdentity: 2 })
const conversation = (digit: string) => `CH${digit.repeat(32)}`

let ids = 0
function operationOf(draft: Draft): Operation {
  const parsed = parseOperation(
    { id: (++ids).toString(16).padStart(32, '0'), dateWritten: 7, ...draft },
    LIMITS,
  )
  if ('error' in parsed) throw new Error(parsed.error.message)
  return parsed.ok
}

const context = (more: Partial<UserDecideContext> = {}): UserDecideContext => ({
  actor: person('ada'),
  identity: 'ada',
  serviceSid: SERVICE,
  now: 1000,
  limits: LIMITS,
  roles: DEFAULT_ROLES,
  serviceRoleSid: SERVICE_USER,
  ...more,
})

/** A user document that operations are decided on, one after the other, as a relay would. */
function userOf(identity = 'ada') {
  const state = new UserDraft(EMPTY)
  const ask = (draft: Draft, more: Partial<UserDecideContext> = {}): UserDecision =>
    decideUser(state, operationOf(draft), context({ actor: person(identity), identity, ...more }))
  return {
    state,
    ask,
    must(draft: Draft, more: Partial<UserDecideContext> = {}) {
      const decision = ask(draft, more)
      if (decision.verdict !== 'accepted') throw new Error(decision.message)
      state.apply(decision.changes)
      return decision.changes
    },
  }
}
const verdictOf = (decision: UserDecision) =>
  decision.verdict === 'accepted' ? 'yes' : String(decision.code)

describe('a profile', () => {
  test('begins with the first thing that somebody says of themselves', () => {
    const ada = userOf()
    ada.must({ type: 'user.update', friendlyName: 'Ada' })
    expect(ada.state.profile('ada')).toEqual({
      sid: userSid(SERVICE, 'ada'),
      identity: 'ada',
      friendlyName: 'Ada',
      dateCreated: 1000,
    })
    ada.must({ type: 'user.update', attributes: { set: [[['mood'], 'fine']] } }, { now: 2000 })
    expect(ada.state.profile('ada')).toMatchObject({
      friendlyName: 'Ada',
      attributes: { mood: 'fine' },
      dateCreated: 1000,
      dateUpdated: 2000,
    })
    expect(ada.state.profile('bob')).toBeNull()
  })

  test('that says the same again changes nothing, and null takes a name away', () => {
    const ada = userOf()
    expect(ada.must({ type: 'user.update', friendlyName: null, attributes: {} })).toEqual([])
    ada.must({ type: 'user.update', friendlyName: 'Ada' })
    expect(ada.must({ type: 'user.update', friendlyName: 'Ada' })).toEqual([])
    ada.must({ type: 'user.update', friendlyName: null })
    expect(ada.state.profile('ada')).not.toHaveProperty('friendlyName')
  })

  test('keeps what two devices add to its attributes at the same time', () => {
    const ada = userOf()
    ada.must({ type: 'user.update', attributes: diffAttributes({}, { tags: ['a'], x: 1 }) })
    ada.must({ type: 'user.update', attributes: diffAttributes({}, { tags: ['b'], y: 2 }) })
    expect(ada.state.profile('ada')?.attributes).toEqual({ tags: ['a', 'b'], x: 1, y: 2 })
  })

  test('has at most 4 KB of attributes, after the patch', () => {
    const ada = userOf()
    ada.must({ type: 'user.update', attributes: { set: [[['a'], 'x'.repeat(4000)]] } })
    const more: Draft = { type: 'user.update', attributes: { set: [[['b'], 'x'.repeat(200)]] } }
    expect(ada.ask(more)).toMatchObject({ verdict: 'refused', code: 70102 })
  })
})

test('a name that is too long, a token that is empty and a level that is none are not well-formed', () => {
  const base = { id: '0'.repeat(32), dateWritten: 1 }
  const codeOf = (value: object) => {
    const parsed = parseOperation({ ...base, ...value }, LIMITS)
    return 'error' in parsed ? parsed.error.code : null
  }
  expect(codeOf({ type: 'user.update', friendlyName: 'x'.repeat(257) })).toBe(70103)
  expect(codeOf({ type: 'user.update', attributes: { set: [[[], 'x'.repeat(9000)]] } })).toBe(70102)
  expect(codeOf({ type: 'user.update', identity: '' })).toBe(20001)
  expect(codeOf({ type: 'push.set', channelType: 'fcm', token: '' })).toBe(20001)
  expect(codeOf({ type: 'push.set', channelType: 'fcm', token: 'x'.repeat(4097) })).toBe(20001)
  expect(codeOf({ type: 'push.set', channelType: 'pigeon', token: 'x' })).toBe(20001)
  const setting = { type: 'setting.set', conversationSid: conversation('1') }
  expect(codeOf({ ...setting, notificationLevel: 'loud' })).toBe(20001)
  expect(codeOf({ ...setting, conversationSid: 'CH1', notificationLevel: 'muted' })).toBe(20001)
})

describe('who may change a profile', () => {
  const role = (permissions: Role['permissions']): Partial<UserDecideContext> => ({
    roles: new Map([['RL', { sid: 'RL', friendlyName: 'x', type: 'service', permissions }]]),
    serviceRoleSid: 'RL',
  })
  const own: Draft = { type: 'user.update', friendlyName: 'X' }
  const others: Draft = { type: 'user.update', identity: 'bob', friendlyName: 'X' }
  const table: [who: string, more: Partial<UserDecideContext>, own: string, others: string][] = [
    ['a service user', { serviceRoleSid: SERVICE_USER }, 'yes', '20403'],
    ['a service admin', { serviceRoleSid: SERVICE_ADMIN }, 'yes', 'yes'],
    ['a role that may edit any user', role(new Set(['editAnyUserInfo'])), 'yes', 'yes'],
    ['a role without either permission', role(new Set()), '20403', '20403'],
    ['the system', { actor: SYSTEM as Actor }, 'yes', 'yes'],
  ]
  test.each(table)('%s', (_, more, verdictOfOwn, verdictOfOthers) => {
    expect(verdictOf(userOf().ask(own, more))).toBe(verdictOfOwn)
    expect(verdictOf(userOf().ask(others, more))).toBe(verdictOfOthers)
  })
})

describe('a setting', () => {
  const mute = (digit: string): Draft => ({
    type: 'setting.set',
    conversationSid: conversation(digit),
    notificationLevel: 'muted',
  })
  test('is kept while it differs from the default', () => {
    const ada = userOf()
    ada.must(mute('1'))
    expect(ada.state.setting(conversation('1'))).toEqual({ notificationLevel: 'muted' })
    expect(ada.must(mute('1'))).toEqual([])
    ada.must({ type: 'setting.set', conversationSid: conversation('1'), notificationLevel: 'default' })
    expect(ada.state.setting(conversation('1'))).toBeUndefined()
    expect(ada.state.settingCount).toBe(0)
    expect(
      ada.must({ type: 'setting.set', conversationSid: conversation('1'), notificationLevel: null }),
    ).toEqual([])
  })

  test('is kept for as many conversations as a person may have', () => {
    const ada = userOf()
    ada.must(mute('1'))
    ada.must(mute('2'))
    expect(verdictOf(ada.ask(mute('3')))).toBe('50422')
    expect(verdictOf(ada.ask(mute('2')))).toBe('yes')
  })
})

describe('push registrations', () => {
  const push = (type: 'push.set' | 'push.remove', token: string): Draft => ({
    type,
    channelType: 'fcm',
    token,
  })
  test('say in the profile that somebody can be notified, and that they no longer can', () => {
    const ada = userOf()
    ada.must(push('push.set', 'one'))
    expect(ada.state.pushRegistrations).toEqual([{ channelType: 'fcm', token: 'one', dateCreated: 1000 }])
    expect(ada.state.profile('ada')).toMatchObject({ identity: 'ada', notifiable: true })
    expect(ada.must(push('push.set', 'one'))).toEqual([])
    expect(ada.must(push('push.set', 'two'))).toHaveLength(1)
    ada.must(push('push.remove', 'one'))
    ada.must(push('push.remove', 'two'))
    expect(ada.state.pushRegistrations).toEqual([])
    expect(ada.state.profile('ada')).not.toHaveProperty('notifiable')
    expect(ada.must(push('push.remove', 'two'))).toEqual([])
  })

  test('are bounded: the oldest goes', () => {
    const ada = userOf()
    for (const token of ['one', 'two', 'three']) ada.must(push('push.set', token))
    expect(ada.state.pushRegistrations.map(({ token }) => token)).toEqual(['two', 'three'])
  })
})

describe('an administrator', () => {
  test('alone deletes a person, whoever else asks', () => {
    const ada = userOf()
    expect(verdictOf(ada.ask({ type: 'user.delete' }))).toBe('20403')
    expect(verdictOf(ada.ask({ type: 'user.delete' }, { serviceRoleSid: SERVICE_ADMIN }))).toBe('20403')
    expect(ada.must({ type: 'user.delete' }, { actor: SYSTEM })).toEqual([
      { type: 'user.erase', identity: 'ada' },
    ])
  })

  test('makes somebody known of whom nothing is said yet, which nobody does of themselves', () => {
    const ada = userOf()
    expect(ada.must({ type: 'user.update' })).toEqual([])
    expect(ada.must({ type: 'user.update' }, { actor: SYSTEM })).toMatchObject([
      { type: 'profile.set', identity: 'ada', values: { identity: 'ada', dateCreated: 1000 } },
    ])
    expect(ada.must({ type: 'user.update' }, { actor: SYSTEM })).toEqual([])
  })
})

test('operations of users are for no conversation, and those of conversations for no user', () => {
  const update = operationOf({ type: 'user.update', friendlyName: 'X' })
  const asked = decide(EMPTY_STATE, update, {
    ...context(),
    conversationSid: conversation('1'),
    uniqueNameOwner: () => null,
    bindingOwner: () => null,
    conversationCount: () => 0,
    trustInvites: false,
  })
  expect(asked).toMatchObject({ verdict: 'refused', code: 20001 })
  const leave: Operation = { id: '0'.repeat(32), dateWritten: 1, type: 'conversation.leave' }
  expect(decideUser(EMPTY, leave, context())).toMatchObject({ verdict: 'refused', code: 20001 })
})

test('a device shows what is pending, and passes over what would be refused', () => {
  const pending = [
    operationOf({ type: 'user.update', friendlyName: 'Ada' }),
    operationOf({ type: 'user.update', identity: 'bob', friendlyName: 'Mine' }),
    operationOf({ type: 'setting.set', conversationSid: conversation('1'), notificationLevel: 'muted' }),
  ]
  const seen = projectUser(EMPTY, pending, (operation) => context({ now: operation.dateWritten }))
  expect(seen.profile('ada')).toMatchObject({ friendlyName: 'Ada', dateCreated: 7 })
  expect(seen.profile('bob')).toBeNull()
  expect(seen.setting(conversation('1'))).toEqual({ notificationLevel: 'muted' })
})
