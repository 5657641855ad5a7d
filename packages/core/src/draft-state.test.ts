import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DraftState } from './draft-state.ts'
import type { MessageRecord, ParticipantRecord, ReadRecord } from './records.ts'
import type { Change, ConversationState } from './state.ts'

const SEED = 20_260_106
const CONVERSATION = { sid: 'CH1', createdBy: 'alice', dateCreated: 1 }

/** A state kept the plain way, to compare with. */
class PlainState implements ConversationState {
  conversation: ConversationState['conversation'] = CONVERSATION
  highestIndex = -1
  readonly members = new Map<string, ParticipantRecord>()
  readonly messages = new Map<string, MessageRecord>()
  readonly reads = new Map<string, ReadRecord>()
  get participantCount() {
    return this.members.size
  }
  get nonChatCount() {
    return [...this.members.values()].filter((member) => member.type !== 'chat').length
  }
  participant(sid: string) {
    return this.members.get(sid)
  }
  participants() {
    return this.members.values()
  }
  message(sid: string) {
    return this.messages.get(sid)
  }
  read(sid: string) {
    return this.reads.get(sid)
  }

  apply(change: Change): void {
    if (change.type === 'conversation.set') {
      const entries = Object.entries({ ...this.conversation, ...change.values })
      this.conversation = Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as never
    } else if (change.type === 'participant.put') this.members.set(change.record.sid, change.record)
    else if (change.type === 'participant.delete') this.members.delete(change.record.sid)
    else if (change.type === 'message.append' || change.type === 'message.replace') {
      this.messages.set(change.record.sid, change.record)
      this.highestIndex = Math.max(this.highestIndex, change.record.index)
    } else if (change.type === 'message.delete') this.messages.delete(change.record.sid)
    else if (change.type === 'read.put') this.reads.set(change.record.participantSid, change.record)
    else if (change.type === 'read.delete') this.reads.delete(change.participantSid)
    else if (change.type === 'conversation.delete') {
      this.conversation = null
      this.highestIndex = -1
      this.members.clear()
      this.messages.clear()
      this.reads.clear()
    }
  }
}

const sid = fc.constantFrom('a', 'b', 'c')
const member = fc.record({
  sid,
  type: fc.constantFrom('chat' as const, 'sms' as const),
  roleSid: fc.constantFrom('RL1', 'RL2'),
  dateCreated: fc.constant(1),
})
const message = fc.record({
  sid,
  index: fc.nat(9),
  author: fc.constant('alice'),
  dateCreated: fc.constant(1),
})
const read = fc.record({
  participantSid: sid,
  lastReadMessageIndex: fc.nat(9),
  lastReadTimestamp: fc.constant(1),
})
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('conversation.set' as const),
    values: fc.record({ friendlyName: fc.constantFrom('x', undefined) }),
  }),
  fc.record({
    type: fc.constantFrom('participant.put' as const, 'participant.delete' as const),
    record: member,
  }),
  fc.record({
    type: fc.constantFrom('message.append' as const, 'message.delete' as const),
    record: message,
  }),
  fc.record({ type: fc.constant('read.put' as const), record: read }),
  fc.record({ type: fc.constant('read.delete' as const), participantSid: sid }),
)
const changes = fc.array(change, { maxLength: 12 })
const maybeDeleted = fc
  .tuple(changes, fc.boolean())
  .map(([list, gone]): Change[] => (gone ? [...list, { type: 'conversation.delete' }] : list))

const shown = (state: ConversationState) => ({
  conversation: state.conversation,
  highestIndex: state.highestIndex,
  participantCount: state.participantCount,
  nonChatCount: state.nonChatCount,
  participants: [...state.participants()].sort((a, b) => a.sid.localeCompare(b.sid)),
  bySid: ['a', 'b', 'c'].map((one) => [state.participant(one), state.message(one), state.read(one)]),
})

test('a draft shows what applying the changes would give, draft on draft, and leaves what is below alone', () => {
  fc.assert(
    fc.property(changes, maybeDeleted, changes, (first, second, third) => {
      const base = new PlainState()
      for (const one of first) base.apply(one)
      const before = structuredClone(shown(base))
      const lower = new DraftState(base)
      lower.apply(second)
      const upper = new DraftState(lower)
      upper.apply(third)
      const seen = shown(upper)
      expect(shown(base)).toEqual(before)
      for (const one of [...second, ...third]) base.apply(one)
      expect(seen).toEqual(shown(base))
    }),
    { seed: SEED, numRuns: 500 },
  )
})

test('a participant keeps their place when their record changes', () => {
  const base = new PlainState()
  const record = (one: string): ParticipantRecord => ({
    sid: one,
    type: 'chat',
    roleSid: 'RL1',
    dateCreated: 1,
  })
  for (const one of ['a', 'b']) base.apply({ type: 'participant.put', record: record(one) })
  const draft = new DraftState(base)
  draft.apply([
    { type: 'participant.put', record: record('c') },
    { type: 'participant.put', record: { ...record('a'), roleSid: 'RL2' } },
  ])
  expect([...draft.participants()].map((one) => one.sid)).toEqual(['a', 'b', 'c'])
})

test('a conversation remembers the highest index in its record when its message is gone', () => {
  const draft = new DraftState(new PlainState())
  draft.apply([{ type: 'conversation.set', values: { highestIndex: 7 } }])
  expect(draft.highestIndex).toBe(7)
})
