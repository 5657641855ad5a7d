import { describe, expect, test } from 'vitest'
import { DraftState } from './draft-state.ts'
import { inviteSecretText } from './invite.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import { messageSidOf, type Operation } from './operations.ts'
import { type Projection, project } from './projection.ts'
import { decide } from './reducer/decide.ts'
import { type Draft, NONCE, type Relay, relayWith } from './reducer/testing.ts'
import { DEFAULT_ROLES, SERVICE_USER } from './roles.ts'
import type { ConversationState, DecideContext } from './state.ts'

/** bob's device: what it has written and the relay has not decided. */
function device(relay: Relay, identity = 'bob') {
  const pending: Operation[] = []
  let written = 0
  const contextFor = (operation: Operation): DecideContext => ({
    actor: { kind: 'identity', identity },
    conversationSid: relay.sid,
    now: operation.dateWritten,
    limits: DEFAULT_LIMITS,
    roles: DEFAULT_ROLES,
    serviceRoleSid: SERVICE_USER,
    uniqueNameOwner: () => null,
    bindingOwner: () => null,
    conversationCount: () => 0,
    trustInvites: true,
  })
  return {
    pending,
    write(draft: Draft): Operation {
      written++
      const operation = {
        id: written.toString(16).padStart(32, 'f'),
        dateWritten: 100 + written,
        ...draft,
      } as Operation
      pending.push(operation)
      return operation
    },
    see: (base: ConversationState = relay.state): Projection => project(base, pending, contextFor),
    /** The relay decides the oldest pending operation. */
    deliver() {
      const operation = pending.shift()!
      const decision = decide(relay.state, operation, {
        ...contextFor(operation),
        now: ++relay.now,
        trustInvites: false,
      })
      if (decision.verdict === 'accepted') relay.state.apply(decision.changes)
      return decision.verdict
    },
  }
}

function group(): Relay {
  const relay = relayWith({ creator: 'alice' })
  relay.must('alice', { type: 'conversation.join' })
  relay.must('alice', { type: 'participant.add', identity: 'bob' })
  return relay
}
const rows = (projection: Projection) => projection.posts.map(({ index, body }) => [index, body])
const post = (body: string): Draft => ({ type: 'message.post', body })

describe('pending posts', () => {
  test('follow the last accepted message with provisional indices, in the order of writing', () => {
    const relay = group()
    relay.post('alice', 'accepted')
    const bob = device(relay)
    for (const body of ['one', 'two']) bob.write(post(body))
    const seen = bob.see()
    expect(rows(seen)).toEqual([
      [1, 'one'],
      [2, 'two'],
    ])
    expect(seen.posts.map(({ dateCreated }) => dateCreated)).toEqual([101, 102])
    expect(relay.state.highestIndex).toBe(0)
  })

  test('move up when somebody else is accepted first', () => {
    const relay = group()
    const bob = device(relay)
    bob.write(post('mine'))
    expect(rows(bob.see())).toEqual([[0, 'mine']])
    relay.post('alice', 'hers')
    expect(rows(bob.see())).toEqual([[1, 'mine']])
  })

  test('that are accepted at the same index change nothing of what the others show', () => {
    const relay = group()
    const bob = device(relay)
    const first = bob.write(post('one'))
    bob.write(post('two'))
    const [before, rest] = bob.see().posts
    expect(bob.deliver()).toBe('accepted')
    expect(bob.see().posts).toEqual([rest])
    const { dateCreated: _, dateWritten, ...accepted } = relay.state.message(messageSidOf(first.id))!
    const { dateCreated, ...provisional } = before!
    expect(accepted).toEqual(provisional)
    expect(dateWritten).toBe(dateCreated)
  })

  test('are shown once while their outcome is on its way', () => {
    const relay = group()
    const bob = device(relay)
    const operation = bob.write(post('one'))
    bob.deliver()
    bob.pending.unshift(operation)
    bob.write(post('two'))
    const seen = bob.see()
    expect(rows(seen)).toEqual([[1, 'two']])
    expect(seen.refusedLocally).toEqual([])
  })

  test('can be edited and removed before anybody else has seen them', () => {
    const relay = group()
    const bob = device(relay)
    const one = bob.write(post('one'))
    const two = bob.write(post('two'))
    bob.write(post('three'))
    bob.write({
      type: 'message.edit',
      sid: messageSidOf(two.id),
      body: 'TWO',
      attributes: { set: [[['a'], 1]] },
    })
    bob.write({ type: 'message.remove', sid: messageSidOf(one.id) })
    const seen = bob.see()
    expect(rows(seen)).toEqual([
      [1, 'TWO'],
      [2, 'three'],
    ])
    expect(seen.posts[0]).toMatchObject({ attributes: { a: 1 }, lastUpdatedBy: 'bob' })
    expect([seen.edited.size, seen.removed.size]).toEqual([0, 0])
    while (bob.pending.length > 0) expect(bob.deliver()).toBe('accepted')
    expect(relay.state.message(messageSidOf(two.id))).toMatchObject({ body: 'TWO', index: 1 })
    expect(relay.state.message(messageSidOf(one.id))).toBeUndefined()
  })

  test('keep the index that the relay will give after the newest one was removed', () => {
    const relay = group()
    const bob = device(relay)
    const one = bob.write(post('one'))
    bob.write({ type: 'message.remove', sid: messageSidOf(one.id) })
    const two = bob.write(post('two'))
    expect(rows(bob.see())).toEqual([[1, 'two']])
    while (bob.pending.length > 0) bob.deliver()
    expect(relay.state.message(messageSidOf(two.id))?.index).toBe(1)
  })
})

describe('accepted messages', () => {
  test('are shown as pending edits and removals leave them', () => {
    const relay = group()
    const mine = relay.post('bob', 'mine')
    const other = relay.post('bob', 'other')
    const hers = relay.post('alice', 'hers')
    const bob = device(relay)
    bob.write({ type: 'message.edit', sid: mine, body: 'MINE' })
    bob.write({ type: 'message.remove', sid: other })
    bob.write({ type: 'message.edit', sid: hers, attributes: { add: [[['reactions', '👍'], ['bob']]] } })
    const seen = bob.see()
    expect(seen.edited.get(mine)).toMatchObject({ body: 'MINE', index: 0 })
    expect(seen.edited.get(hers)).toMatchObject({ attributes: { reactions: { '👍': ['bob'] } } })
    expect([...seen.removed]).toEqual([other])
    expect(seen.posts).toEqual([])
  })
})

describe('a pending operation that cannot apply any more', () => {
  test('is left out of what is shown, named, and stays pending', () => {
    const relay = group()
    const sid = relay.post('bob', 'mine')
    const bob = device(relay)
    const edit = bob.write({ type: 'message.edit', sid, body: 'MINE' })
    bob.write(post('still fine'))
    relay.must('alice', { type: 'message.remove', sid })
    const seen = bob.see()
    expect(seen.refusedLocally).toMatchObject([{ operation: edit, decision: { code: 20404 } }])
    expect(rows(seen)).toEqual([[1, 'still fine']])
    expect(bob.pending).toHaveLength(2)
  })

  test('after a removal is every one of them', () => {
    const relay = group()
    const bob = device(relay)
    bob.write(post('one'))
    bob.write(post('two'))
    relay.must('alice', { type: 'participant.remove', sid: relay.memberSid('bob') })
    const seen = bob.see()
    expect(seen.posts).toEqual([])
    expect(seen.refusedLocally.map(({ decision }) => decision.code)).toEqual([50430, 50430])
  })
})

describe('with no network at all', () => {
  test('a conversation can be created, joined, filled and read, and ends up the same', () => {
    const relay = relayWith({ creator: undefined })
    const alice = device(relay, 'alice')
    alice.write({ type: 'conversation.create', nonce: NONCE, friendlyName: 'Weekend' })
    alice.write({ type: 'conversation.join' })
    alice.write({ type: 'participant.add', identity: 'bob' })
    alice.write(post('hello'))
    alice.write({ type: 'read.advance', index: 0 })
    const seen = alice.see()
    expect(seen.refusedLocally).toEqual([])
    expect(seen.state.conversation).toMatchObject({ sid: relay.sid, friendlyName: 'Weekend' })
    expect([...seen.state.participants()].map(({ identity }) => identity)).toEqual(['alice', 'bob'])
    expect(seen.state.read(relay.memberSid('alice'))?.lastReadMessageIndex).toBe(0)
    expect(rows(seen)).toEqual([[0, 'hello']])

    const created = alice.pending[0]!
    while (alice.pending.length > 0) expect(alice.deliver()).toBe('accepted')
    // the outcome of the first is still on its way
    alice.pending.push(created)
    const after = alice.see()
    expect(after.refusedLocally).toEqual([])
    expect([...after.state.participants()].map(({ identity }) => identity)).toEqual(['alice', 'bob'])
  })

  test('an invite opens a conversation that nobody here has seen', () => {
    const relay = relayWith({ creator: undefined })
    const bob = device(relay)
    bob.write({ type: 'conversation.join', invite: inviteSecretText(new Uint8Array(32)) })
    bob.write(post('hello?'))
    const seen = bob.see()
    expect(seen.refusedLocally).toEqual([])
    expect(rows(seen)).toEqual([[0, 'hello?']])
    expect(bob.deliver()).toBe('later')
  })
})

test('projecting changes nothing of the state below', () => {
  const relay = group()
  const base = new DraftState(relay.state)
  const bob = device(relay)
  bob.write(post('one'))
  bob.write({ type: 'conversation.leave' })
  bob.see(base)
  expect([base.highestIndex, base.participantCount, base.changedMessages.size]).toEqual([-1, 2, 0])
})
