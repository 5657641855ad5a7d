import { describe, expect, test } from 'vitest'
import { CHANNEL_ADMIN, DEFAULT_ROLES, rolesRestoring, SERVICE_ADMIN } from '../roles.ts'
import { type Draft, relayWith, verdictOf } from './testing.ts'

const group = () => {
  const relay = relayWith({ creator: 'alice' })
  relay.must('alice', { type: 'conversation.join' })
  for (const identity of ['bob', 'carol']) relay.must('alice', { type: 'participant.add', identity })
  relay.post('bob', 'what the backup has')
  return relay
}

const lost = (sid = `IM${'c'.repeat(32)}`) =>
  ({
    type: 'message.restore',
    sid,
    index: 40,
    author: 'carol',
    dateCreated: 1000,
    body: 'what the backup lacks',
  }) satisfies Draft

describe('restoring what somebody else wrote', () => {
  test('is for service admins, until an administrator lets channel admins, or all members', () => {
    const relay = group()
    const asked = (who: string, from: Parameters<typeof rolesRestoring>[1]) =>
      verdictOf(relay.ask(who, lost(), { roles: rolesRestoring(DEFAULT_ROLES, from) }))
    expect(relay.state.participant(relay.memberSid('alice'))?.roleSid).toBe(CHANNEL_ADMIN)
    expect([asked('alice', 'service admins'), asked('bob', 'service admins')]).toEqual([20403, 20403])
    expect([asked('alice', 'channel admins'), asked('bob', 'channel admins')]).toEqual(['accepted', 20403])
    expect([asked('alice', 'members'), asked('bob', 'members')]).toEqual(['accepted', 'accepted'])
    expect(verdictOf(relay.ask('bob', lost(), { serviceRoleSid: SERVICE_ADMIN }))).toBe('accepted')
    expect(verdictOf(relay.ask('dave', lost(), { serviceRoleSid: SERVICE_ADMIN }))).toBe(50430)
  })

  test('keeps sid and author, takes the next index and the time of now, and is marked', () => {
    const relay = group()
    relay.context = { serviceRoleSid: SERVICE_ADMIN }
    const before = relay.state.highestIndex
    relay.must('bob', lost())
    expect(relay.state.message(lost().sid)).toMatchObject({
      sid: lost().sid,
      index: before + 1,
      author: 'carol',
      body: 'what the backup lacks',
      dateCreated: relay.now,
      restored: true,
    })
  })

  test('changes nothing when the message is there', () => {
    const relay = group()
    relay.context = { serviceRoleSid: SERVICE_ADMIN }
    relay.must('bob', lost())
    expect(relay.must('alice', lost())).toEqual([])
  })
})
