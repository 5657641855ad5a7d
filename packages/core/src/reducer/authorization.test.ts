/**
 * Who may do what: every operation × every role × member, non-member, removed, creator who has not joined.
 * A cell is the verdict: `yes`, the code of a refusal, or `later` (70201).
 */
import { describe, expect, test } from 'vitest'
import { inviteSecretText } from '../invite.ts'
import type { ConversationOperation, OperationType } from '../operations.ts'
import { CHANNEL_ADMIN, CHANNEL_USER, SERVICE_ADMIN, SERVICE_USER } from '../roles.ts'
import { inviteHash } from '../sid.ts'
import { type Draft, NONCE, type Relay, relayWith, SYSTEM, verdictOf } from './testing.ts'

const SECRET = new Uint8Array(32).fill(1)
const HASH = inviteHash(SECRET)
const OTHER_HASH = 'cd'.repeat(32)
const OTHER_PAIR = { address: '+4915112345678', proxyAddress: '+18005550100' }

/**
 * The columns. `person` asks; alice created the conversation and joined it, bob is a channel user in it. Service
 * admins have every permission, once they belong: to somebody who doesn't, a conversation doesn't exist.
 */
const COLUMNS = [
  'user, admin', // service user, channel admin
  'user, user', // service user, channel user
  'admin, user', // service admin, channel user
  'admin, admin', // service admin, channel admin
  'user, creator', // service user who created it and hasn't joined
  'admin, creator', // service admin, likewise
  'user, none', // service user who never was in it
  'admin, none', // service admin who never was in it
  'user, removed', // service user who was removed
  'admin, removed', // service admin who was removed
  'system',
] as const
type Column = (typeof COLUMNS)[number]

interface Stage {
  relay: Relay
  ask(draft: Draft): ReturnType<typeof verdictOf>
  /** Sids of messages by the one who asks (where they could write one) and by bob. */
  own: string
  others: string
}

function stage(column: Column): Stage {
  const [serviceRole, role] = column.split(', ') as [string, string | undefined]
  const relay = relayWith({ creator: role === 'creator' ? 'person' : 'alice' })
  if (role !== 'creator') relay.must('alice', { type: 'conversation.join' })
  relay.must(SYSTEM, { type: 'participant.add', identity: 'bob' })
  relay.must(SYSTEM, {
    type: 'invite.create',
    hash: HASH,
    roleSid: CHANNEL_USER,
    expiresAt: 1_000_000,
    maxUses: 5,
  })
  if (role === 'admin' || role === 'user' || role === 'removed') {
    const roleSid = role === 'admin' ? CHANNEL_ADMIN : CHANNEL_USER
    relay.must(SYSTEM, { type: 'participant.add', identity: 'person', roleSid })
  }
  const mine = column === 'system' ? SYSTEM : 'person'
  const canWrite = role !== 'none'
  const own = canWrite ? relay.post(mine, 'mine') : relay.post(SYSTEM, 'nobody wrote for them')
  const others = relay.post('bob', "bob's")
  if (role === 'removed') relay.must(SYSTEM, { type: 'participant.remove', sid: relay.memberSid('person') })
  const serviceRoleSid = serviceRole === 'admin' ? SERVICE_ADMIN : SERVICE_USER
  return { relay, own, others, ask: (draft) => verdictOf(relay.ask(mine, draft, { serviceRoleSid })) }
}

type Row = [operation: OperationType, what: string, draft: (stage: Stage) => Draft, ...verdicts: string[]]

// biome-ignore format: a table is read by its columns
const TABLE: Row[] = [
  // operation, what of it                                     user    user    admin   admin   user    admin   user    admin   user    admin   system
  //                                                           admin   user    user    admin   creator creator none    none    removed removed
  ['conversation.update', 'the name', () => ({ type: 'conversation.update', friendlyName: 'x' }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.update', 'the unique name', () => ({ type: 'conversation.update', uniqueName: 'x' }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.update', 'the attributes', () => ({ type: 'conversation.update', attributes: { set: [[['a'], 1]] } }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.update', 'the state', () => ({ type: 'conversation.update', state: 'inactive' }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.update', 'the timers', () => ({ type: 'conversation.update', timers: { inactive: 'PT1M' } }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.close', 'it', () => ({ type: 'conversation.close' }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.delete', 'it', () => ({ type: 'conversation.delete' }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['conversation.join', 'without an invite', () => ({ type: 'conversation.join' }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'later','later','later','later','20001'],
  ['conversation.join', 'by an invite', () => ({ type: 'conversation.join', invite: inviteSecretText(SECRET) }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '20001'],
  ['conversation.join', 'by a forged invite', () => ({ type: 'conversation.join', invite: inviteSecretText(new Uint8Array(32)) }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'later','later','later','later','20001'],
  ['conversation.leave', 'it', () => ({ type: 'conversation.leave' }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  'yes'],
  ['participant.add', 'somebody', () => ({ type: 'participant.add', identity: 'carol' }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.add', 'somebody as channel admin', () => ({ type: 'participant.add', identity: 'carol', roleSid: CHANNEL_ADMIN }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.add', 'an address', () => ({ type: 'participant.add', binding: OTHER_PAIR }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.remove', 'somebody else', ({ relay }) => ({ type: 'participant.remove', sid: relay.memberSid('bob') }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.remove', 'themselves', ({ relay }) => ({ type: 'participant.remove', sid: relay.memberSid('person') }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.update', "somebody else's attributes", ({ relay }) => ({ type: 'participant.update', sid: relay.memberSid('bob'), attributes: { set: [[['a'], 1]] } }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.update', 'their own attributes', ({ relay }) => ({ type: 'participant.update', sid: relay.memberSid('person'), attributes: { set: [[['a'], 1]] } }),
                                                               'yes',  'yes',  'yes',  'yes',  '50432','50432','50430','50430','50430','50430','50432'],
  ['participant.update', "somebody else's role", ({ relay }) => ({ type: 'participant.update', sid: relay.memberSid('bob'), roleSid: CHANNEL_ADMIN }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['participant.update', 'their own role', ({ relay }) => ({ type: 'participant.update', sid: relay.memberSid('person'), roleSid: CHANNEL_ADMIN }),
                                                               'yes',  '20403','yes',  'yes',  '50432','50432','50430','50430','50430','50430','50432'],
  ['message.post', 'text', () => ({ type: 'message.post', body: 'x' }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.post', 'media', () => ({ type: 'message.post', media: [{ sid: `ME${NONCE}`, category: 'media', contentType: 'a/b', size: 1 }] }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.post', 'as somebody else', () => ({ type: 'message.post', body: 'x', author: 'bob' }),
                                                               '20403','20403','20403','20403','20403','20403','50430','50430','50430','50430','yes'],
  ['message.edit', 'their own body', ({ own }) => ({ type: 'message.edit', sid: own, body: 'x' }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.edit', "somebody else's body", ({ others }) => ({ type: 'message.edit', sid: others, body: 'x' }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.edit', 'their own attributes', ({ own }) => ({ type: 'message.edit', sid: own, attributes: { set: [[['a'], 1]] } }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.edit', "somebody else's attributes", ({ others }) => ({ type: 'message.edit', sid: others, attributes: { set: [[['a'], 1]] } }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.remove', 'their own', ({ own }) => ({ type: 'message.remove', sid: own }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.remove', "somebody else's", ({ others }) => ({ type: 'message.remove', sid: others }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['message.restore', "somebody else's", () => ({ type: 'message.restore', sid: `IM${NONCE}`, index: 1, author: 'bob', dateCreated: 1, body: 'x' }),
                                                               '20403','20403','yes',  'yes',  '20403','yes',  '50430','50430','50430','50430','yes'],
  ['message.report', 'how far one came', ({ own }) => ({ type: 'message.report', sid: own, receipts: [] }),
                                                               '20403','20403','20403','20403','20403','20403','50430','50430','50430','50430','yes'],
  ['read.advance', 'their horizon', () => ({ type: 'read.advance', index: 0 }),
                                                               'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','50430','50430','50430'],
  ['read.set', 'their horizon', () => ({ type: 'read.set', index: 0 }),
                                                               'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','50430','50430','50430'],
  ['read.set', "somebody else's horizon", ({ relay }) => ({ type: 'read.set', participantSid: relay.memberSid('bob'), index: 0 }),
                                                               '20403','20403','20403','20403','20403','20403','50430','50430','50430','50430','yes'],
  ['invite.create', 'for a channel user', () => ({ type: 'invite.create', hash: OTHER_HASH, roleSid: CHANNEL_USER, expiresAt: 1_000_000, maxUses: 1 }),
                                                               'yes',  'yes',  'yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['invite.create', 'for a channel admin', () => ({ type: 'invite.create', hash: OTHER_HASH, roleSid: CHANNEL_ADMIN, expiresAt: 1_000_000, maxUses: 1 }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
  ['invite.revoke', "somebody else's", () => ({ type: 'invite.revoke', hash: HASH }),
                                                               'yes',  '20403','yes',  'yes',  'yes',  'yes',  '50430','50430','50430','50430','yes'],
]

// Creating has no members yet: what counts is whose sid it is, and the service role.
const CREATE: [who: string, creator: string, serviceRoleSid: string, verdict: string][] = [
  ['a service user, under their own sid', 'person', SERVICE_USER, 'yes'],
  ['a service admin, under their own sid', 'person', SERVICE_ADMIN, 'yes'],
  ["a service user, under somebody else's sid", 'alice', SERVICE_USER, '20001'],
  ["a service admin, under somebody else's sid", 'alice', SERVICE_ADMIN, '20001'],
  ['somebody whose service role permits nothing', 'person', CHANNEL_USER, '20403'],
]

const cell = (verdict: ReturnType<typeof verdictOf>) =>
  verdict === 'accepted' ? 'yes' : verdict === 'later 70201' ? 'later' : String(verdict)

describe('who may do what', () => {
  for (const [operation, what, draft, ...verdicts] of TABLE) {
    test(`${operation}: ${what}`, () => {
      const found = COLUMNS.map((column) => {
        const scene = stage(column)
        return [column, cell(scene.ask(draft(scene)))]
      })
      expect(Object.fromEntries(found)).toEqual(
        Object.fromEntries(COLUMNS.map((column, i) => [column, verdicts[i]])),
      )
    })
  }

  test.each(CREATE)('conversation.create: by %s', (_, creator, serviceRoleSid, verdict) => {
    const unknown = relayWith({ creator: undefined })
    const named = creator === 'person' ? relayFor('person') : unknown
    expect(
      cell(verdictOf(named.ask('person', { type: 'conversation.create', nonce: NONCE }, { serviceRoleSid }))),
    ).toBe(verdict)
  })

  test('the answer to creating over a sid is the same whether or not it is in use', () => {
    const free = relayWith()
    const taken = relayWith({ creator: 'alice' })
    const draft: Draft = { type: 'conversation.create', nonce: NONCE }
    expect(free.ask('mallory', draft)).toEqual(taken.ask('mallory', draft))
  })

  test('a stranger to a conversation that does not exist is told so, and a join is put off as for one that does', () => {
    const nowhere = relayWith()
    const somewhere = stage('user, none')
    for (const [operation, , draft] of TABLE) {
      const verdict = cell(verdictOf(nowhere.ask('person', draft(somewhere))))
      expect([operation, verdict]).toEqual([operation, operation === 'conversation.join' ? 'later' : '20404'])
    }
    const join: Draft = { type: 'conversation.join', invite: inviteSecretText(new Uint8Array(32)) }
    expect(nowhere.ask('person', join)).toEqual(somewhere.relay.ask('person', join))
  })

  test('every operation stands in the table, with a verdict for every column', () => {
    const covered = new Set<OperationType>(['conversation.create', ...TABLE.map(([operation]) => operation)])
    const every: { [Type in ConversationOperation['type']]: true } = {
      'conversation.create': true,
      'conversation.update': true,
      'conversation.close': true,
      'conversation.delete': true,
      'conversation.join': true,
      'conversation.leave': true,
      'participant.add': true,
      'participant.remove': true,
      'participant.update': true,
      'message.post': true,
      'message.edit': true,
      'message.remove': true,
      'message.restore': true,
      'message.report': true,
      'read.advance': true,
      'read.set': true,
      'invite.create': true,
      'invite.revoke': true,
    }
    expect([...covered].sort()).toEqual(Object.keys(every).sort())
    for (const [, , , ...verdicts] of TABLE) expect(verdicts).toHaveLength(COLUMNS.length)
  })
})

/** A relay that knows nothing, asked about the sid that `creator` would make. */
function relayFor(creator: string): Relay {
  const relay = relayWith({ creator })
  relay.must(SYSTEM, { type: 'conversation.delete' })
  return relay
}
