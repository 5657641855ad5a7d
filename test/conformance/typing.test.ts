/** Typing, with Twilio's timing, by clocks that the test turns. */
import type { Participant } from '@confab/client'
import { expect, test } from 'vitest'
import { connected, heard, inTime, next, relayOf, together } from './stage.ts'

const EVENTS = ['typingStarted', 'typingEnded']
const named = (event: string, { identity }: Participant) => `${event} ${identity}`

async function twoInTime() {
  const relay = await relayOf()
  const times = { alice: inTime(), bob: inTime() }
  const alice = await connected('alice', relay, times.alice.options)
  const bob = await connected('bob', relay, times.bob.options)
  const [conversation, bobs] = await together(alice, bob)
  return { alice, bob, conversation: conversation!, bobs: bobs!, times }
}

test('typing lasts 5 s: typingEnded comes after the period plus 1 s', async () => {
  const { conversation, bobs, times } = await twoInTime()
  const events = heard(bobs, EVENTS, named)
  const started = next<Participant>(bobs, 'typingStarted')
  await conversation.typing()
  const participant = await started
  expect(participant.isTyping).toBe(true)
  times.bob.pass(5900)
  expect(events).toEqual(['typingStarted alice'])
  const ended = next(bobs, 'typingEnded')
  times.bob.pass(200)
  await ended
  expect(participant.isTyping).toBe(false)
  expect(events).toEqual(['typingStarted alice', 'typingEnded alice'])
})

test('typingEnded comes at once when that author’s message arrives, and before it', async () => {
  const { conversation, bobs } = await twoInTime()
  const events = heard(bobs, [...EVENTS, 'messageAdded'])
  const started = next(bobs, 'typingStarted')
  await conversation.typing()
  await started
  const added = next(bobs, 'messageAdded')
  await conversation.sendMessage('here it is')
  await added
  expect(events).toEqual(['typingStarted', 'typingEnded', 'messageAdded'])
  expect((await bobs.getParticipantByIdentity('alice')).isTyping).toBe(false)
})

test('sends are throttled to one per period', async () => {
  const { conversation, bobs, times } = await twoInTime()
  const events = heard(bobs, EVENTS)
  const first = next(bobs, 'typingStarted')
  await conversation.typing()
  await first
  const ended = next(bobs, 'typingEnded')
  times.bob.pass(6001)
  await ended
  // within alice's period nothing is sent, so what bob hears next is a message and not a sign of typing
  times.alice.pass(4900)
  await conversation.typing()
  const added = next(bobs, 'messageAdded')
  await conversation.sendMessage('a message')
  await added
  expect(events).toEqual(['typingStarted', 'typingEnded'])
  times.alice.pass(200)
  const again = next(bobs, 'typingStarted')
  await conversation.typing()
  await again
})

test('the participant, its conversation and the client tell of it; the typist hears nothing of their own', async () => {
  const { alice, bob, conversation, bobs } = await twoInTime()
  const own = heard(alice, EVENTS)
  const participant = await bobs.getParticipantByIdentity('alice')
  const told = Promise.all([participant, bobs, bob].map((one) => next(one, 'typingStarted')))
  await conversation.typing()
  expect(await told).toEqual([participant, participant, participant])
  expect(own).toEqual([])
})
