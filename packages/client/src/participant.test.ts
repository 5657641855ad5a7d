import { CHANNEL_ADMIN, CHANNEL_USER, SERVICE_USER } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { open, participantView, record, T0 } from '../test/fake-engine.ts'
import { Participant } from './index.ts'

async function withParticipant(values: Partial<Parameters<typeof participantView>[0]> = {}) {
  const opened = await open()
  const view = opened.engine.addPerson('CH1', participantView({ sid: 'MB1', identity: 'bob', ...values }))
  const [participant] = await opened.conversation.getParticipants()
  return { ...opened, view, participant: participant as Participant }
}

test('it shows who takes part, and how far they have read', async () => {
  const { participant, view, conversation, engine } = await withParticipant()
  expect(participant).toMatchObject({
    sid: 'MB1',
    identity: 'bob',
    type: 'chat',
    attributes: {},
    bindings: {},
  })
  expect(participant.conversation).toBe(conversation)
  expect(participant.lastReadMessageIndex).toBeNull()
  expect(participant.lastReadTimestamp).toBeNull()
  const read = { participantSid: 'MB1', lastReadMessageIndex: 4, lastReadTimestamp: T0 }
  engine.tell.participantUpdated('CH1', { ...view, read }, ['lastReadMessageIndex'])
  expect(participant.lastReadMessageIndex).toBe(4)
  expect(participant.lastReadTimestamp).toEqual(new Date(T0))
})

describe('events', () => {
  test('of a participant reach it, its conversation, and the client', async () => {
    const { client, conversation, participant, view, engine } = await withParticipant()
    const heard: string[] = []
    participant.on('updated', () => heard.push('participant'))
    conversation.on('participantUpdated', () => heard.push('conversation'))
    client.on('participantUpdated', ({ participant: about }) => heard.push(`client ${about === participant}`))
    engine.tell.participantUpdated('CH1', view, ['attributes'])
    expect(heard).toEqual(['participant', 'conversation', 'client true'])
  })

  test('of typing carry a participant who is typing', async () => {
    const { client, participant, view, engine } = await withParticipant()
    const heard: boolean[] = []
    participant.on('typingStarted', ({ isTyping }) => heard.push(isTyping))
    client.on('typingEnded', ({ isTyping }) => heard.push(isTyping))
    engine.tell.typingStarted('CH1', { ...view, typing: true })
    engine.tell.typingEnded('CH1', view)
    expect(heard).toEqual([true, false])
  })
})

test('its attributes are updated as a difference, and shown before the event', async () => {
  const { participant, engine } = await withParticipant({ attributes: { a: 1 } })
  const heard = record(participant, ['updated'])
  expect(await participant.updateAttributes({ a: 1, b: 2 })).toBe(participant)
  expect(engine.submitted[0]?.draft).toEqual({
    type: 'participant.update',
    sid: 'MB1',
    attributes: { set: [[['b'], 2]] },
  })
  expect(participant.attributes).toEqual({ a: 1, b: 2 })
  expect(heard).toEqual([])
  engine.tell.participantUpdated('CH1', engine.people.get('CH1')![0]!, ['attributes'])
  expect(heard).toEqual([['updated', { participant, updateReasons: ['attributes'] }]])
})

test('removing one removes it from its conversation', async () => {
  const { participant, engine } = await withParticipant()
  await participant.remove()
  expect(engine.submitted[0]?.draft).toEqual({ type: 'participant.remove', sid: 'MB1' })
})

test('a role is given by its name or its sid, and only when it is another', async () => {
  const { participant, engine } = await withParticipant({ roleSid: CHANNEL_USER })
  expect(await participant.updateRole('channel admin')).toBe(participant)
  await participant.updateRole(SERVICE_USER)
  await participant.updateRole('channel user')
  expect(engine.submitted.map(({ draft }) => draft)).toEqual([
    { type: 'participant.update', sid: 'MB1', roleSid: CHANNEL_ADMIN },
    { type: 'participant.update', sid: 'MB1', roleSid: SERVICE_USER },
  ])
})

test('one who left keeps showing who it was; one who comes back is another object', async () => {
  const { participant, view, conversation, engine } = await withParticipant()
  engine.tell.participantLeft('CH1', view)
  expect(participant.identity).toBe('bob')
  const [back] = await conversation.getParticipants()
  expect(back).toBeInstanceOf(Participant)
  expect(back).not.toBe(participant)
})

test('its user is the one with its identity; one by an address has none', async () => {
  const { client, participant, conversation, engine } = await withParticipant()
  expect(await participant.getUser()).toBe(await client.getUser('bob'))
  const binding = { address: '+15550002', proxyAddress: '+15550001' }
  engine.people.set('CH1', [participantView({ sid: 'MB2', type: 'sms', binding })])
  const [other] = await conversation.getParticipants()
  await expect(other?.getUser()).rejects.toMatchObject({ code: 50432 })
})
