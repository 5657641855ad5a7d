import { expect, test } from 'vitest'
import {
  directoryRecordSchema,
  isConversationRecord,
  isMessageRecord,
  isParticipantRecord,
  isReadRecord,
  receiptRecordSchema,
  refusalRecordSchema,
} from './record-schema.ts'
import { relayWith } from './reducer/testing.ts'
import { CHANNEL_USER } from './roles.ts'

test('what the reducer writes are records', () => {
  const relay = relayWith({ creator: 'alice' })
  const invite = { hash: 'ab'.repeat(32), roleSid: CHANNEL_USER, expiresAt: 1_000_000, maxUses: 1 }
  relay.must('alice', { type: 'invite.create', ...invite })
  expect(isConversationRecord(relay.state.conversation)).toBe(true)
  relay.must('alice', { type: 'conversation.join' })
  relay.must('alice', {
    type: 'conversation.update',
    state: 'inactive',
    timers: { inactive: 'PT5M' },
    uniqueName: 'x',
  })
  relay.must('alice', {
    type: 'participant.add',
    binding: { address: '+4915112345', proxyAddress: '+18005550100' },
  })
  const sid = relay.post('alice', 'hello')
  relay.must('alice', { type: 'message.edit', sid, attributes: { set: [[['a', 'b'], [null]]] } })
  relay.must('alice', { type: 'read.advance', index: 0 })
  expect(isConversationRecord(relay.state.conversation)).toBe(true)
  expect([...relay.state.participants()].map(isParticipantRecord)).toEqual([true, true])
  expect(isMessageRecord(relay.state.message(sid))).toBe(true)
  expect(isReadRecord(relay.state.read(relay.memberSid('alice')))).toBe(true)
  const [directory] = relay.must('alice', { type: 'conversation.update', uniqueName: 'y' }).slice(1)
  expect(
    directory?.type === 'directory.put' && directoryRecordSchema.safeParse(directory.record).success,
  ).toBe(true)
})

test('a record with a key that is not known here is still one', () => {
  const message = { sid: 'IM1', index: 0, author: 'alice', dateCreated: 1, fromTheFuture: { x: 1 } }
  expect(isMessageRecord(message)).toBe(true)
})

test.each([
  ['nothing', undefined],
  ['a text', 'message'],
  ['an index below 0', { sid: 'IM1', index: -1, author: 'alice', dateCreated: 1 }],
  ['no author', { sid: 'IM1', index: 0, dateCreated: 1 }],
  ['a body that is no text', { sid: 'IM1', index: 0, author: 'alice', dateCreated: 1, body: 1 }],
])('%s is no message', (_, value) => {
  expect(isMessageRecord(value)).toBe(false)
})

test('receipts and refusals are recognised', () => {
  const receipt = { participantSid: 'MB1', status: 'sent', dateUpdated: 1 }
  expect(receiptRecordSchema.safeParse(receipt).success).toBe(true)
  expect(receiptRecordSchema.safeParse({ ...receipt, status: 'lost' }).success).toBe(false)
  const refusal = { id: '1', document: 'CH1', code: 50430, message: 'no', at: 1 }
  expect(refusalRecordSchema.safeParse(refusal).success).toBe(true)
  expect(refusalRecordSchema.safeParse({ ...refusal, code: 'x' }).success).toBe(false)
})
