/** Participants: adding, removing, finding, what they show. */
import { type Conversation, Participant } from '@confab/client'
import { describe, expect, test } from 'vitest'
import { connected, decided, joined, next, relayOf, shows, together } from './stage.ts'

async function alices() {
  const relay = await relayOf()
  const alice = await connected('alice', relay)
  const [conversation] = await together(alice)
  return { relay, alice, conversation: conversation as Conversation }
}

describe('adding', () => {
  test('add resolves to the raw snake_case participant response, not a Participant', async () => {
    const { conversation } = await alices()
    const response = await conversation.add('bob', { colour: 'red' })
    const { sid } = await conversation.getParticipantByIdentity('bob')
    expect(response).toMatchObject({
      sid,
      conversation_sid: conversation.sid,
      identity: 'bob',
      attributes: '{"colour":"red"}',
      messaging_binding: null,
      date_created: expect.any(String),
    })
    expect(response).not.toBeInstanceOf(Participant)
  })

  test('addNonChatParticipant(proxyAddress, address) likewise; its type is tested as !== "chat"', async () => {
    const { conversation } = await alices()
    const response = await conversation.addNonChatParticipant('+15550001111', '+15550002222')
    expect(response).toMatchObject({
      identity: null,
      messaging_binding: { type: 'sms', address: '+15550002222', proxy_address: '+15550001111' },
    })
    const participant = await conversation.getParticipantBySid(response.sid)
    expect(participant).toMatchObject({ type: 'sms', identity: null })
    expect(participant.bindings.sms).toEqual({ address: '+15550002222', proxy_address: '+15550001111' })
    expect((await conversation.getParticipantByIdentity('alice')).type).toBe('chat')
    await expect(participant.getUser()).rejects.toMatchObject({ code: 50432 })
  })

  test('re-adding a person keeps their sid and clears their horizon; they see the whole history', async () => {
    const { relay, conversation } = await alices()
    const bob = await connected('bob', relay)
    await conversation.add('bob')
    const bobs = await joined(bob, conversation.sid)
    await conversation.sendMessage('before')
    await shows(bobs, ['0 before'])
    await bobs.setAllMessagesRead()
    await decided(bob)
    const { sid } = await conversation.getParticipantByIdentity('bob')
    const removed = next(bobs, 'removed')
    await conversation.removeParticipant('bob')
    await removed
    await conversation.sendMessage('meanwhile')
    await conversation.add('bob')
    const again = await joined(bob, conversation.sid)
    await shows(again, ['0 before', '1 meanwhile'])
    expect(again.lastReadMessageIndex).toBeNull()
    expect(await conversation.getParticipantByIdentity('bob')).toMatchObject({
      sid,
      lastReadMessageIndex: null,
    })
  })
})

describe('finding', () => {
  test('getParticipantBySid and ByIdentity throw when there is none, despite the declared null', async () => {
    const { conversation } = await alices()
    await expect(conversation.getParticipantByIdentity('nobody')).rejects.toMatchObject({ code: 50432 })
    await expect(conversation.getParticipantBySid(`MB${'0'.repeat(32)}`)).rejects.toMatchObject({
      code: 50432,
    })
    const alice = await conversation.getParticipantByIdentity('alice')
    expect(await conversation.getParticipantBySid(alice.sid)).toBe(alice)
    expect(await conversation.getParticipants()).toEqual([alice])
    expect(await conversation.getParticipantsCount()).toBe(1)
  })
})

describe('removing', () => {
  test('by object, by identity, by sid, or participant.remove()', async () => {
    const { conversation } = await alices()
    const removals: ((participant: Participant) => Promise<void>)[] = [
      (participant) => conversation.removeParticipant(participant),
      (participant) => conversation.removeParticipant(participant.identity as string),
      (participant) => conversation.removeParticipant(participant.sid),
      (participant) => participant.remove(),
    ]
    for (const remove of removals) {
      await conversation.add('bob')
      const left = next<Participant>(conversation, 'participantLeft')
      await remove(await conversation.getParticipantByIdentity('bob'))
      expect((await left).identity).toBe('bob')
      expect(await conversation.getParticipantsCount()).toBe(1)
    }
    await expect(conversation.removeParticipant('bob')).rejects.toMatchObject({ code: 50432 })
  })

  test('a channel user may add and not remove', async () => {
    const { relay, conversation } = await alices()
    const bob = await connected('bob', relay)
    await conversation.add('bob')
    const bobs = await joined(bob, conversation.sid)
    await bobs.add('carol')
    await expect(bobs.removeParticipant('carol')).rejects.toMatchObject({ code: 20403, status: 403 })
  })
})

describe('what one shows', () => {
  test('dates are Date, a horizon null until there is one, attributes {} by default', async () => {
    const { conversation } = await alices()
    const alice = await conversation.getParticipantByIdentity('alice')
    expect(alice).toMatchObject({
      identity: 'alice',
      attributes: {},
      lastReadMessageIndex: null,
      lastReadTimestamp: null,
      isTyping: false,
      dateCreated: expect.any(Date),
      dateUpdated: expect.any(Date),
      roleSid: expect.stringMatching(/^RL/),
    })
    expect(await alice.getUser()).toMatchObject({ identity: 'alice' })
  })

  test('one’s own attributes may be changed, those of others by an admin only; all hear of it', async () => {
    const { relay, conversation } = await alices()
    const bob = await connected('bob', relay)
    await conversation.add('bob')
    const bobs = await joined(bob, conversation.sid)
    const seen = await conversation.getParticipantByIdentity('bob')
    const updated = next<{ participant: Participant; updateReasons: string[] }>(
      conversation,
      'participantUpdated',
    )
    await (await bobs.getParticipantByIdentity('bob')).updateAttributes({ mood: 'glad' })
    const { participant, updateReasons } = await updated
    expect(participant).toBe(seen)
    expect(participant.attributes).toEqual({ mood: 'glad' })
    expect(updateReasons).toContain('attributes')
    const alice = await bobs.getParticipantByIdentity('alice')
    await expect(alice.updateAttributes({ mood: 'sad' })).rejects.toMatchObject({ code: 20403 })
    await seen.updateAttributes({ mood: 'as alice says' })
  })
})
