import type { ConversationRecord, MessageRecord, ParticipantRecord } from '@confab/core'
import { describe, expect, it } from 'vitest'
import type { ConversationView, MessageView } from '../../src/engine/engine.ts'
import {
  conversationEvents,
  conversationReasons,
  messageEvents,
  participantEvents,
  type SeenParticipant,
} from '../../src/engine/timeline.ts'

const record = (name: string, index: number, more: Partial<MessageRecord> = {}): MessageRecord => ({
  sid: `IM${name}`,
  index,
  author: 'alice',
  body: name,
  dateCreated: 1000,
  ...more,
})
const pending = (name: string, index: number, more: Partial<MessageRecord> = {}): MessageView => ({
  record: record(name, index, more),
  status: 'pending',
})
const accepted = (name: string, index: number, more: Partial<MessageRecord> = {}): MessageView => ({
  record: record(name, index, more),
  status: 'accepted',
})
const say = (changes: [told: MessageView | undefined, seen: MessageView | undefined][]) =>
  messageEvents(changes.map(([told, seen]) => ({ told, seen }))).map(
    (event) =>
      `${event.type} ${event.message.record.body} ${event.message.record.index}` +
      (event.type === 'messageUpdated' ? ` (${event.reasons.join(', ')})` : ''),
  )

describe('the timeline tells', () => {
  it('a post of one’s own as messageAdded', () => {
    expect(say([[undefined, pending('a', 0)]])).toEqual(['messageAdded a 0'])
  })

  it('an acceptance at the same index as messageUpdated and nothing else', () => {
    expect(say([[pending('a', 3), accepted('a', 3, { dateCreated: 2000 })]])).toEqual([
      'messageUpdated a 3 (dateCreated)',
    ])
  })

  it('an acceptance in the same millisecond all the same', () => {
    expect(say([[pending('a', 3), accepted('a', 3)]])).toEqual(['messageUpdated a 3 (dateCreated)'])
  })

  it('a shift as removals at the old indices, then the others’ messages, then the own ones at the new', () => {
    expect(
      say([
        [pending('mine', 5), pending('mine', 7)],
        [pending('mine too', 6), pending('mine too', 8)],
        [undefined, accepted('theirs', 5, { author: 'bob' })],
        [undefined, accepted('theirs too', 6, { author: 'bob' })],
      ]),
    ).toEqual([
      'messageRemoved mine 5',
      'messageRemoved mine too 6',
      'messageAdded theirs 5',
      'messageAdded theirs too 6',
      'messageAdded mine 7',
      'messageAdded mine too 8',
    ])
  })

  it('the others’ messages before a shifted own one that was accepted among them', () => {
    expect(
      say([
        [pending('mine', 5), accepted('mine', 6)],
        [undefined, accepted('before', 5)],
        [undefined, accepted('after', 7)],
      ]),
    ).toEqual([
      'messageRemoved mine 5',
      'messageAdded before 5',
      'messageAdded after 7',
      'messageAdded mine 6',
    ])
  })

  it('a refused message as messageRemoved, and those behind it as shifted', () => {
    expect(
      say([
        [pending('refused', 2), undefined],
        [pending('next', 3), pending('next', 2)],
      ]),
    ).toEqual(['messageRemoved refused 2', 'messageRemoved next 3', 'messageAdded next 2'])
  })

  it('an edit with what differs, and nothing when nothing does', () => {
    expect(
      say([[accepted('a', 0), accepted('a', 0, { body: 'b', lastUpdatedBy: 'alice', dateUpdated: 9 })]]),
    ).toEqual(['messageUpdated b 0 (body, lastUpdatedBy, dateUpdated)'])
    expect(say([[accepted('a', 0), accepted('a', 0)]])).toEqual([])
  })

  it('nothing of a message that came and went unseen', () => {
    expect(say([[undefined, undefined]])).toEqual([])
  })
})

const view = (more: Partial<ConversationView> = {}): ConversationView => ({
  sid: 'CH1',
  record: { sid: 'CH1', createdBy: 'alice', dateCreated: 1 },
  status: 'joined',
  participant: null,
  read: null,
  lastMessage: { index: 3, dateCreated: 1000 },
  messageCount: 4,
  unreadCount: null,
  pending: false,
  ...more,
})

describe('a conversation', () => {
  it('is updated when a value differs, with the reasons', () => {
    const renamed: ConversationRecord = { ...view().record, friendlyName: 'x', dateUpdated: 5 }
    expect(conversationReasons(view(), view({ record: renamed }))).toEqual(['dateUpdated', 'friendlyName'])
    expect(conversationReasons(view(), view({ lastMessage: { index: 4, dateCreated: 1000 } }))).toEqual([
      'lastMessage',
    ])
    const read = { participantSid: 'MB1', lastReadMessageIndex: 3, lastReadTimestamp: 1 }
    expect(conversationReasons(view(), view({ read }))).toEqual(['lastReadMessageIndex'])
  })

  it('is not updated by the acceptance of its newest message at the same index', () => {
    const after = view({ lastMessage: { index: 3, dateCreated: 2000 }, pending: false })
    expect(conversationReasons(view({ pending: true }), after)).toEqual([])
  })

  it('is added, then joined; left, then removed', () => {
    expect(conversationEvents(null, view())).toEqual(['conversationAdded', 'conversationJoined'])
    expect(conversationEvents(null, view({ status: 'notParticipating' }))).toEqual(['conversationAdded'])
    expect(conversationEvents(view({ status: 'notParticipating' }), view())).toEqual(['conversationJoined'])
    expect(conversationEvents(view(), null)).toEqual(['conversationLeft', 'conversationRemoved'])
    expect(conversationEvents(view({ status: 'notParticipating' }), null)).toEqual(['conversationRemoved'])
    expect(conversationEvents(view(), view())).toEqual([])
  })
})

const participant = (
  name: string,
  horizon?: number,
  more: Partial<ParticipantRecord> = {},
): SeenParticipant => ({
  record: { sid: `MB${name}`, type: 'chat', identity: name, roleSid: 'RL1', dateCreated: 1, ...more },
  read:
    horizon === undefined
      ? undefined
      : { participantSid: `MB${name}`, lastReadMessageIndex: horizon, lastReadTimestamp: 10 + horizon },
})
const all = (...list: SeenParticipant[]) => new Map(list.map((one) => [one.record.sid, one]))

describe('participants', () => {
  const self = 'MBalice'
  const tell = (told: SeenParticipant[], seen: SeenParticipant[]) =>
    participantEvents(all(...told), all(...seen), self).map(
      (event) =>
        `${event.type} ${event.participant.record.identity}` +
        (event.type === 'participantUpdated' ? ` (${event.reasons.join(', ')})` : ''),
    )

  it('leave, join and change', () => {
    expect(
      tell(
        [participant('alice'), participant('bob'), participant('carol')],
        [participant('alice'), participant('carol', undefined, { roleSid: 'RL2' }), participant('dan')],
      ),
    ).toEqual(['participantLeft bob', 'participantUpdated carol (roleSid)', 'participantJoined dan'])
  })

  it('move their horizon, which is participantUpdated, but for one’s own', () => {
    expect(
      tell(
        [participant('alice', 0), participant('bob', 0)],
        [participant('alice', 1), participant('bob', 1)],
      ),
    ).toEqual(['participantUpdated bob (lastReadMessageIndex, lastReadTimestamp)'])
  })

  it('come and go without an event when they are oneself', () => {
    expect(tell([], [participant('alice')])).toEqual([])
    expect(tell([participant('alice')], [])).toEqual([])
  })
})
