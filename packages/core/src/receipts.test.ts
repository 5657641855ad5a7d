import { describe, expect, test } from 'vitest'
import { deliveryAmount } from './receipts.ts'
import type { DeliveryStatus, ReceiptRecord } from './records.ts'
import { type Draft, relayWith, SYSTEM, verdictOf } from './reducer/testing.ts'
import { participantSid } from './sid.ts'

const OURS = '+15550009999'
const PHONES = ['+15550001111', '+15550002222'] as const

const group = () => {
  const relay = relayWith({ creator: 'alice' })
  relay.must('alice', { type: 'conversation.join' })
  for (const address of PHONES) {
    relay.must('alice', { type: 'participant.add', binding: { address, proxyAddress: OURS } })
  }
  const [first, second] = PHONES.map((address) => participantSid(relay.sid, { address, proxyAddress: OURS }))
  const receipts = (sid: string) => relay.state.message(sid)?.receipts
  const report = (sid: string, ...reports: Extract<Draft, { type: 'message.report' }>['receipts']) =>
    relay.must(SYSTEM, { type: 'message.report', sid, receipts: reports })
  const status = (sid: string, of: string | undefined) =>
    receipts(sid)?.find(({ participantSid }) => participantSid === of)?.status
  return { relay, first: first as string, second: second as string, receipts, report, status }
}

describe('delivery receipts', () => {
  test('begin as queued, one for each phone number and none for people with the SDK', () => {
    const { relay, first, second, receipts } = group()
    const sid = relay.post('alice', 'hello')
    expect(receipts(sid)).toEqual(
      [first, second].sort().map((sid) => ({ participantSid: sid, status: 'queued' })),
    )
  })

  test('are absent while there is no phone number', () => {
    const relay = relayWith({ creator: 'alice' })
    relay.must('alice', { type: 'conversation.join' })
    expect(relay.state.message(relay.post('alice', 'hello'))).not.toHaveProperty('receipts')
  })

  test('nobody is sent what they wrote', () => {
    const { relay, first, second } = group()
    const [change] = relay.must(SYSTEM, { type: 'message.post', body: 'by phone', author: PHONES[0] })
    expect(change).toMatchObject({
      record: { participantSid: first, receipts: [{ participantSid: second, status: 'queued' }] },
    })
  })

  test('move forward only, in whichever order reports come', () => {
    const { relay, first, report, status } = group()
    const sid = relay.post('alice', 'hello')
    report(sid, { participantSid: first, status: 'delivered' })
    expect(report(sid, { participantSid: first, status: 'sent' })).toEqual([])
    expect(report(sid, { participantSid: first, status: 'failed', errorCode: 7 })).toEqual([])
    expect(status(sid, first)).toBe('delivered')
    report(sid, { participantSid: first, status: 'read' })
    expect(status(sid, first)).toBe('read')
  })

  test("a delivery after a failure counts, and the failure's error goes", () => {
    const { relay, first, report, receipts } = group()
    const sid = relay.post('alice', 'hello')
    report(sid, { participantSid: first, status: 'failed', errorCode: 7 })
    expect(receipts(sid)).toContainEqual(
      expect.objectContaining({ participantSid: first, status: 'failed', errorCode: 7 }),
    )
    report(sid, { participantSid: first, status: 'delivered' })
    const receipt = receipts(sid)?.find(({ participantSid }) => participantSid === first)
    expect(receipt?.status).toBe('delivered')
    expect(receipt).not.toHaveProperty('errorCode')
  })

  test("keep the channel's name for the message, and its own date", () => {
    const { relay, second, report, receipts } = group()
    const sid = relay.post('alice', 'hello')
    report(sid, { participantSid: second, status: 'sent', channelMessageSid: 'smsc-1' })
    expect(receipts(sid)).toContainEqual({
      participantSid: second,
      status: 'sent',
      channelMessageSid: 'smsc-1',
      dateUpdated: relay.now,
    })
  })

  test('stay when the message is edited', () => {
    const { relay, first, report, status } = group()
    const sid = relay.post('alice', 'hello')
    report(sid, { participantSid: first, status: 'sent' })
    relay.must('alice', { type: 'message.edit', sid, body: 'hello!' })
    expect(status(sid, first)).toBe('sent')
  })

  test('of somebody whom the message did not go to are nothing', () => {
    const { relay, report } = group()
    const sid = relay.post('alice', 'hello')
    expect(report(sid, { participantSid: relay.memberSid('alice'), status: 'read' })).toEqual([])
  })

  test('of a message that is gone are refused', () => {
    const { relay } = group()
    const report: Draft = { type: 'message.report', sid: `IM${'c'.repeat(32)}`, receipts: [] }
    expect(verdictOf(relay.ask(SYSTEM, report))).toBe(20404)
  })

  test('add up to none, some and all; what was read was delivered and sent', () => {
    const amounts = (...statuses: DeliveryStatus[]) => {
      const receipts: ReceiptRecord[] = statuses.map((status, i) => ({ participantSid: `MB${i}`, status }))
      return (['sent', 'delivered', 'read', 'undelivered', 'failed'] as const).map((status) =>
        deliveryAmount(receipts, status),
      )
    }
    expect(amounts('queued', 'queued')).toEqual(['none', 'none', 'none', 'none', 'none'])
    expect(amounts('read', 'delivered')).toEqual(['all', 'all', 'some', 'none', 'none'])
    expect(amounts('sent', 'failed')).toEqual(['some', 'none', 'none', 'none', 'some'])
    expect(amounts('undelivered')).toEqual(['all', 'none', 'none', 'all', 'none'])
  })
})
