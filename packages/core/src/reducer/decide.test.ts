import { describe, expect, test } from 'vitest'
import { EMPTY_STATE } from '../draft-state.ts'
import { inviteSecretText } from '../invite.ts'
import { CHANNEL_ADMIN, CHANNEL_USER, DEFAULT_ROLES, SERVICE_USER } from '../roles.ts'
import { inviteHash, participantSid } from '../sid.ts'
import type { Change } from '../state.ts'
import { type Draft, NONCE, relayWith, SYSTEM, verdictOf } from './testing.ts'

const SECRET = new Uint8Array(32).fill(7)
const HASH = inviteHash(SECRET)
const FAR = 1_000_000
const invite = (
  more: { roleSid?: string; maxUses?: number; expiresAt?: number; hash?: string } = {},
): Draft => ({
  type: 'invite.create',
  hash: HASH,
  roleSid: CHANNEL_USER,
  expiresAt: FAR,
  maxUses: 1,
  ...more,
})
const joinByInvite: Draft = { type: 'conversation.join', invite: inviteSecretText(SECRET) }
const PAIR = { address: '+4915112345678', proxyAddress: '+18005550100' }

/** alice created it and joined; the others are channel users. */
function group(...others: string[]) {
  const relay = relayWith({ creator: 'alice' })
  relay.must('alice', { type: 'conversation.join' })
  for (const identity of others) relay.must('alice', { type: 'participant.add', identity })
  return relay
}
const types = (changes: readonly Change[]) => changes.map((change) => change.type)

describe('creating', () => {
  test('makes a conversation whose creator is listed and waits to join', () => {
    const relay = relayWith()
    const changes = relay.must('alice', {
      type: 'conversation.create',
      nonce: NONCE,
      uniqueName: 'team',
      attributes: {},
    })
    expect(changes).toEqual([
      {
        type: 'conversation.set',
        values: {
          sid: relay.sid,
          uniqueName: 'team',
          createdBy: 'alice',
          dateCreated: relay.now,
          creatorPending: true,
        },
      },
      {
        type: 'directory.put',
        identity: 'alice',
        record: { sid: relay.sid, status: 'created', uniqueName: 'team', since: relay.now },
      },
    ])
  })

  test('under a unique name that is taken goes without it, and says so', () => {
    const relay = relayWith()
    const decision = relay.ask(
      'alice',
      { type: 'conversation.create', nonce: NONCE, uniqueName: 'team' },
      { uniqueNameOwner: () => 'CHother' },
    )
    if (decision.verdict !== 'accepted') throw new Error('refused')
    expect(decision.warnings?.map((warning) => warning.code)).toEqual([50353])
    expect(JSON.stringify(decision.changes)).not.toContain('team')
  })

  test('twice is refused, and so is one conversation more than a person may have', () => {
    const relay = relayWith({ creator: 'alice' })
    const create: Draft = { type: 'conversation.create', nonce: NONCE }
    expect(verdictOf(relay.ask('alice', create))).toBe(70105)
    expect(verdictOf(relayWith().ask('alice', create, { conversationCount: () => 1000 }))).toBe(50422)
  })

  test('by the system leaves nobody waiting', () => {
    const relay = relayWith({ creator: SYSTEM })
    expect(relay.state.conversation).toEqual({ sid: relay.sid, createdBy: 'system', dateCreated: relay.now })
    // a person of that name is nobody special
    expect(verdictOf(relay.ask('system', { type: 'conversation.join' }))).toBe('later 70201')
  })
})

describe('joining', () => {
  test('for the first time makes the creator channel admin, for good', () => {
    const relay = relayWith({ creator: 'alice' })
    relay.must('alice', { type: 'conversation.join' })
    expect(relay.state.participant(relay.memberSid('alice'))?.roleSid).toBe(CHANNEL_ADMIN)
    expect(relay.state.conversation).not.toHaveProperty('creatorPending')
    expect(relay.must('alice', { type: 'conversation.join' })).toEqual([])
    relay.must('alice', { type: 'conversation.leave' })
    expect(verdictOf(relay.ask('alice', { type: 'conversation.join' }))).toBe('later 70201')
  })

  test("by somebody else leaves the creator's right to join alone", () => {
    const relay = relayWith({ creator: 'alice' })
    relay.must('alice', invite())
    relay.must('bob', joinByInvite)
    expect(relay.state.conversation?.creatorPending).toBe(true)
    relay.must('alice', { type: 'conversation.join' })
    expect(relay.state.participant(relay.memberSid('alice'))?.roleSid).toBe(CHANNEL_ADMIN)
  })

  test('by an invite gives its role and uses it up', () => {
    const relay = group()
    relay.must('alice', invite({ roleSid: CHANNEL_ADMIN, maxUses: 2 }))
    relay.must('bob', joinByInvite)
    expect(relay.state.participant(relay.memberSid('bob'))?.roleSid).toBe(CHANNEL_ADMIN)
    relay.must('carol', joinByInvite)
    expect(verdictOf(relay.ask('dave', joinByInvite))).toBe('later 70201')
  })

  test('by an invite that is expired, revoked or of a role that is gone is put off, in the same words as a forged one', () => {
    const relay = group()
    const forged = relay.ask('bob', joinByInvite)
    relay.must('alice', invite())
    const answers = [
      relay.ask('bob', joinByInvite, { now: FAR }),
      relay.ask('bob', joinByInvite, {
        roles: new Map([...DEFAULT_ROLES].filter(([sid]) => sid !== CHANNEL_USER)),
      }),
    ]
    relay.must('alice', { type: 'invite.revoke', hash: HASH })
    answers.push(relay.ask('bob', joinByInvite))
    for (const answer of answers) expect(answer).toEqual(forged)
  })

  test('needs the permission to join before anything is looked up', () => {
    const context = { serviceRoleSid: CHANNEL_ADMIN }
    const relay = group()
    relay.must('alice', invite())
    expect(relay.ask('bob', joinByInvite, context)).toEqual(relayWith().ask('bob', joinByInvite, context))
    expect(verdictOf(relay.ask('bob', joinByInvite, context))).toBe(20403)
  })

  test('on a device is hoped for, and everything else there works at once', () => {
    const device = relayWith()
    device.context.trustInvites = true
    device.must('bob', joinByInvite)
    device.post('bob', 'hello?')
    expect(device.state.conversation?.sid).toBe(device.sid)
    expect(device.state.participant(device.memberSid('bob'))?.roleSid).toBe(CHANNEL_USER)
    expect(device.state.highestIndex).toBe(0)
  })

  test('a full conversation is refused', () => {
    const relay = relayWith({ creator: 'alice', limits: { participants: 1 } })
    relay.must('alice', { type: 'conversation.join' })
    relay.must('alice', invite())
    expect(verdictOf(relay.ask('bob', joinByInvite))).toBe(50417)
    expect(verdictOf(relay.ask('alice', { type: 'participant.add', identity: 'bob' }))).toBe(50417)
  })
})

describe('invites', () => {
  test('fall with the one who made them: removed, gone, or of another role', () => {
    const endings: Draft[] = [
      { type: 'participant.remove', sid: group().memberSid('bob') },
      { type: 'participant.update', sid: group().memberSid('bob'), roleSid: CHANNEL_ADMIN },
    ]
    for (const ending of endings) {
      const relay = group('bob')
      relay.must('bob', invite())
      relay.must('alice', ending)
      expect(verdictOf(relay.ask('dave', joinByInvite))).toBe('later 70201')
      expect(relay.state.conversation).not.toHaveProperty('invites')
    }
    const relay = group('bob')
    relay.must('bob', invite())
    relay.must('bob', { type: 'conversation.leave' })
    expect(verdictOf(relay.ask('bob', joinByInvite))).toBe('later 70201')
  })

  test('of others stay when somebody goes', () => {
    const relay = group('bob')
    relay.must('alice', invite())
    relay.must('bob', { type: 'conversation.leave' })
    relay.must('bob', joinByInvite)
  })

  test('have a limit that used-up and expired ones do not count for', () => {
    const relay = relayWith({ creator: 'alice', limits: { invites: 1 } })
    relay.must('alice', invite())
    const other = { hash: 'ef'.repeat(32), expiresAt: 2 * FAR }
    expect(verdictOf(relay.ask('alice', invite(other)))).toBe(20001)
    expect(verdictOf(relay.ask('alice', invite(other), { now: FAR }))).toBe('accepted')
    relay.must('bob', joinByInvite)
    relay.must('alice', invite(other))
    expect(Object.keys(relay.state.conversation?.invites ?? {})).toEqual([other.hash])
  })

  test('that expired, that stand already, or of a role of the service are refused', () => {
    const relay = group()
    relay.must('alice', invite())
    expect(verdictOf(relay.ask('alice', invite({ hash: 'ef'.repeat(32), expiresAt: 1 })))).toBe(70202)
    expect(verdictOf(relay.ask('alice', invite()))).toBe(70105)
    expect(verdictOf(relay.ask('alice', invite({ hash: 'ef'.repeat(32), roleSid: SERVICE_USER })))).toBe(
      50434,
    )
  })

  test("are revoked by their maker, and revoking what isn't there changes nothing", () => {
    const relay = group('bob')
    relay.must('bob', invite())
    relay.must('bob', { type: 'invite.revoke', hash: HASH })
    expect(relay.must('bob', { type: 'invite.revoke', hash: HASH })).toEqual([])
  })
})

describe('participants', () => {
  test('are added under a sid that follows from who they are, as channel users, and listed', () => {
    const relay = group()
    const changes = relay.must('alice', { type: 'participant.add', identity: 'bob' })
    expect(changes).toEqual([
      {
        type: 'participant.put',
        record: {
          sid: relay.memberSid('bob'),
          type: 'chat',
          identity: 'bob',
          roleSid: CHANNEL_USER,
          dateCreated: relay.now,
        },
      },
      {
        type: 'directory.put',
        identity: 'bob',
        record: { sid: relay.sid, status: 'joined', since: relay.now },
      },
    ])
    expect(verdictOf(relay.ask('alice', { type: 'participant.add', identity: 'bob' }))).toBe(50433)
  })

  test('come back under the same sid, without a horizon', () => {
    const relay = group('bob')
    relay.post('alice', 'one')
    relay.must('bob', { type: 'read.advance', index: 0 })
    const gone = relay.must('alice', { type: 'participant.remove', sid: relay.memberSid('bob') })
    expect(types(gone)).toEqual(['participant.delete', 'read.delete', 'directory.delete'])
    expect(relay.must('alice', { type: 'participant.remove', sid: relay.memberSid('bob') })).toEqual([])
    relay.must('alice', { type: 'participant.add', identity: 'bob' })
    expect(relay.state.read(relay.memberSid('bob'))).toBeUndefined()
  })

  test('the creator who is added before joining is channel admin, whoever adds them and as what', () => {
    const relay = relayWith({ creator: 'alice' })
    relay.must('alice', { type: 'participant.add', identity: 'bob' })
    relay.must('bob', { type: 'participant.add', identity: 'alice', roleSid: CHANNEL_USER })
    expect(relay.state.participant(relay.memberSid('alice'))?.roleSid).toBe(CHANNEL_ADMIN)
    expect(relay.state.conversation).not.toHaveProperty('creatorPending')
  })

  test('a role must be one of a conversation', () => {
    const relay = group('bob')
    expect(
      verdictOf(relay.ask('alice', { type: 'participant.add', identity: 'c', roleSid: SERVICE_USER })),
    ).toBe(50434)
    expect(
      verdictOf(
        relay.ask('alice', {
          type: 'participant.update',
          sid: relay.memberSid('bob'),
          roleSid: `RL${NONCE}`,
        }),
      ),
    ).toBe(50434)
  })

  test('with addresses have the type of their channel and no directory', () => {
    const relay = group()
    const changes = relay.must('alice', { type: 'participant.add', binding: PAIR })
    expect(changes).toEqual([
      {
        type: 'participant.put',
        record: {
          sid: participantSid(relay.sid, PAIR),
          type: 'sms',
          binding: PAIR,
          roleSid: CHANNEL_USER,
          dateCreated: relay.now,
        },
      },
    ])
    expect([relay.state.participantCount, relay.state.nonChatCount]).toEqual([2, 1])
    expect(verdictOf(relay.ask('alice', { type: 'participant.add', binding: PAIR }))).toBe(50425)
  })

  test('a pair of addresses that another conversation has is refused, and too many of them', () => {
    const relay = group()
    const draft: Draft = { type: 'participant.add', binding: PAIR }
    expect(verdictOf(relay.ask('alice', draft, { bindingOwner: () => 'CHother' }))).toBe(50416)
    const none = relayWith({ creator: 'alice', limits: { nonChatParticipants: 0 } })
    expect(verdictOf(none.ask('alice', draft))).toBe(50418)
  })

  test('their attributes merge and are bounded in what comes out', () => {
    const relay = group('bob')
    const set = (key: string, value: string): Draft => ({
      type: 'participant.update',
      sid: relay.memberSid('bob'),
      attributes: { set: [[[key], value]] },
    })
    relay.must('bob', set('a', 'x'.repeat(3000)))
    expect(verdictOf(relay.ask('bob', set('b', 'x'.repeat(3000))))).toBe(70102)
    relay.must('alice', set('b', 'y'))
    expect(relay.must('bob', set('b', 'y'))).toEqual([])
    expect(Object.keys(relay.state.participant(relay.memberSid('bob'))?.attributes as object)).toEqual([
      'a',
      'b',
    ])
  })
})

describe('messages', () => {
  test('get consecutive indices, and none a second time', () => {
    const relay = group()
    const sids = ['one', 'two', 'three'].map((body) => relay.post('alice', body))
    expect(sids.map((sid) => relay.state.message(sid)?.index)).toEqual([0, 1, 2])
    const changes = relay.must('alice', { type: 'message.remove', sid: sids[2]! })
    expect(changes[1]).toEqual({ type: 'conversation.set', values: { highestIndex: 2 } })
    expect(types(relay.must('alice', { type: 'message.remove', sid: sids[0]! }))).toEqual(['message.delete'])
    expect(relay.state.message(relay.post('alice', 'four'))?.index).toBe(3)
  })

  test('say when they were written, unless that is when they were accepted', () => {
    const relay = group()
    const later = relay.state.message(relay.post('alice', 'x'))
    expect([later?.dateCreated, later?.dateWritten]).toEqual([relay.now, 7])
    const [change] = relay.must('alice', { type: 'message.post', body: 'x' }, { now: 7 })
    expect(change).toHaveProperty('record.dateCreated', 7)
    expect(change).not.toHaveProperty('record.dateWritten')
  })

  test('of the system name whom they are from, by identity or by address', () => {
    const relay = group()
    relay.must('alice', { type: 'participant.add', binding: PAIR })
    const from = (author?: string) =>
      relay.must(SYSTEM, { type: 'message.post', body: 'x', ...(author && { author }) })[0]
    expect(from('alice')).toMatchObject({
      record: { author: 'alice', participantSid: relay.memberSid('alice') },
    })
    expect(from(PAIR.address)).toMatchObject({ record: { participantSid: participantSid(relay.sid, PAIR) } })
    expect(from()).toMatchObject({ record: { author: 'system' } })
    expect(from('stranger')).not.toHaveProperty('record.participantSid')
  })

  test('edited say when and by whom, and not when nothing changes', () => {
    const relay = group('bob')
    const sid = relay.post('bob', 'one')
    relay.must('alice', { type: 'message.edit', sid, body: 'two' })
    expect(relay.state.message(sid)).toMatchObject({
      body: 'two',
      lastUpdatedBy: 'alice',
      dateUpdated: relay.now,
      index: 0,
      author: 'bob',
    })
    expect(relay.must('bob', { type: 'message.edit', sid, body: 'two', attributes: {} })).toEqual([])
  })

  test('that are gone can be removed again, and not edited', () => {
    const relay = group()
    const sid = relay.post('alice', 'one')
    relay.must('alice', { type: 'message.remove', sid })
    expect(relay.must('alice', { type: 'message.remove', sid })).toEqual([])
    expect(verdictOf(relay.ask('alice', { type: 'message.edit', sid, body: 'x' }))).toBe(20404)
  })

  test('make an inactive conversation active, and do not come into a closed one', () => {
    const relay = group()
    relay.must('alice', { type: 'conversation.update', state: 'inactive' })
    relay.post('alice', 'anybody?')
    expect(relay.state.conversation?.state).toEqual({ current: 'active', dateUpdated: relay.now })
    relay.must('alice', { type: 'conversation.close' })
    expect(verdictOf(relay.ask('alice', { type: 'message.post', body: 'x' }))).toBe(50382)
    expect(verdictOf(relay.ask('alice', { type: 'participant.add', binding: PAIR }))).toBe(50382)
    expect(verdictOf(relay.ask('alice', { type: 'conversation.update', state: 'active' }))).toBe(50377)
    expect(relay.must('alice', { type: 'conversation.close' })).toEqual([])
  })
})

describe('read horizons', () => {
  test('advance up to what there is, and never back', () => {
    const relay = group()
    const horizon = () => relay.state.read(relay.memberSid('alice'))?.lastReadMessageIndex
    expect(relay.must('alice', { type: 'read.advance', index: 5 })).toEqual([])
    for (const body of ['a', 'b', 'c']) relay.post('alice', body)
    relay.must('alice', { type: 'read.advance', index: 9 })
    expect(horizon()).toBe(2)
    expect(relay.must('alice', { type: 'read.advance', index: 1 })).toEqual([])
    relay.must('alice', { type: 'read.set', index: 0 })
    expect(horizon()).toBe(0)
    relay.must('alice', { type: 'read.set', index: null })
    expect(horizon()).toBeNull()
    expect(relay.must('alice', { type: 'read.set', index: null })).toEqual([])
    relay.must('alice', { type: 'read.advance', index: 0 })
    expect(horizon()).toBe(0)
  })
})

describe('a conversation', () => {
  test('changes only where a value differs', () => {
    const relay = group()
    relay.must('alice', {
      type: 'conversation.update',
      friendlyName: 'Team',
      attributes: { set: [[['a'], 1]] },
    })
    const { dateUpdated } = relay.state.conversation!
    expect(dateUpdated).toBe(relay.now)
    expect(
      relay.must('alice', {
        type: 'conversation.update',
        friendlyName: 'Team',
        uniqueName: null,
        attributes: {},
        timers: {},
        state: 'active',
      }),
    ).toEqual([])
    relay.must('alice', { type: 'conversation.update', friendlyName: null })
    expect(relay.state.conversation).not.toHaveProperty('friendlyName')
  })

  test('that gets a unique name tells every directory', () => {
    const relay = group('bob')
    const changes = relay.must('alice', { type: 'conversation.update', uniqueName: 'team' })
    expect(changes.slice(1)).toMatchObject(
      ['alice', 'bob'].map((identity) => ({
        type: 'directory.put',
        identity,
        record: { status: 'joined', uniqueName: 'team' },
      })),
    )
    const taken = relay.ask(
      'alice',
      { type: 'conversation.update', uniqueName: 'x' },
      { uniqueNameOwner: () => 'CHother' },
    )
    expect(verdictOf(taken)).toBe(50353)
  })

  test('that is deleted leaves every directory, and is gone', () => {
    const relay = relayWith({ creator: 'alice' })
    relay.must('alice', { type: 'participant.add', identity: 'bob' })
    const changes = relay.must('alice', { type: 'conversation.delete' })
    expect(changes).toEqual([
      { type: 'directory.delete', identity: 'bob', conversationSid: relay.sid },
      { type: 'directory.delete', identity: 'alice', conversationSid: relay.sid },
      { type: 'conversation.delete' },
    ])
    expect(relay.state).toMatchObject({ conversation: null, participantCount: 0, highestIndex: -1 })
  })
})

test('asking changes nothing, neither the state nor the operation', () => {
  const relay = group('bob')
  const sid = relay.post('bob', 'one')
  const seen = () =>
    JSON.stringify([relay.state.conversation, [...relay.state.participants()], relay.state.message(sid)])
  const before = seen()
  const drafts: Draft[] = [
    { type: 'conversation.update', friendlyName: 'x', attributes: { set: [[['a'], { b: 1 }]] } },
    { type: 'message.edit', sid, attributes: { add: [[['r'], ['x']]] } },
    { type: 'participant.remove', sid: relay.memberSid('bob') },
    invite(),
    { type: 'conversation.delete' },
  ]
  for (const draft of drafts) relay.ask('alice', draft)
  expect(seen()).toBe(before)
  expect(EMPTY_STATE.conversation).toBeNull()
})
