/**
 * What an operation means to an application: Twilio's events, by Twilio's names. In-process hooks and webhooks are
 * told of the same ones. Pure: out of the state before the operation and what it changes.
 */
import {
  type Change,
  type ConversationRecord,
  type ConversationState,
  type ConversationStateName,
  type MessageRecord,
  type Operation,
  type ParticipantRecord,
  type ProfileRecord,
  type ReceiptRecord,
  stateOf,
  type UserChange,
  type UserState,
  withProfileValues,
  withValues,
} from '@confab/core'

/** Each event that can be asked about before it happens, and what it is called afterwards. */
const AFTER = {
  onMessageAdd: 'onMessageAdded',
  onMessageUpdate: 'onMessageUpdated',
  onMessageRemove: 'onMessageRemoved',
  onConversationAdd: 'onConversationAdded',
  onConversationUpdate: 'onConversationUpdated',
  onConversationRemove: 'onConversationRemoved',
  onParticipantAdd: 'onParticipantAdded',
  onParticipantUpdate: 'onParticipantUpdated',
  onParticipantRemove: 'onParticipantRemoved',
  onUserUpdate: 'onUserUpdated',
} as const

export type PreEventType = keyof typeof AFTER
export type PostEventType =
  | (typeof AFTER)[PreEventType]
  | 'onConversationStateUpdated'
  | 'onDeliveryUpdated'
  | 'onUserAdded'

export const PRE_EVENTS = Object.keys(AFTER) as readonly PreEventType[]
export const POST_EVENTS: readonly PostEventType[] = [
  ...Object.values(AFTER),
  'onConversationStateUpdated',
  'onDeliveryUpdated',
  'onUserAdded',
]

interface MessageEvent<Type> {
  type: Type
  /** As it is now; for a removed one, as it was. */
  message: MessageRecord
}
interface ConversationEvent<Type> {
  type: Type
  conversation: ConversationRecord
}
interface ParticipantEvent<Type> {
  type: Type
  participant: ParticipantRecord
}
interface UserEvent<Type> {
  type: Type
  user: ProfileRecord
}

/** Something that has happened and is on disk. */
export type PostEvent =
  | MessageEvent<'onMessageAdded' | 'onMessageUpdated' | 'onMessageRemoved'>
  | ConversationEvent<'onConversationAdded' | 'onConversationUpdated' | 'onConversationRemoved'>
  | {
      type: 'onConversationStateUpdated'
      conversation: ConversationRecord
      from: ConversationStateName
      to: ConversationStateName
    }
  | ParticipantEvent<'onParticipantAdded' | 'onParticipantUpdated' | 'onParticipantRemoved'>
  | { type: 'onDeliveryUpdated'; message: MessageRecord; receipt: ReceiptRecord }
  | UserEvent<'onUserAdded' | 'onUserUpdated'>

/** Something that is about to happen, as it would be. */
export type PreEvent =
  | MessageEvent<'onMessageAdd' | 'onMessageUpdate' | 'onMessageRemove'>
  | ConversationEvent<'onConversationAdd' | 'onConversationUpdate' | 'onConversationRemove'>
  | ParticipantEvent<'onParticipantAdd' | 'onParticipantUpdate' | 'onParticipantRemove'>
  | UserEvent<'onUserUpdate'>

/** What of a conversation people see and change; the rest of its record is the relay's own bookkeeping. */
const SHOWN: readonly (keyof ConversationRecord)[] = ['friendlyName', 'uniqueName', 'attributes', 'timers']

/** @param user null in a conversation */
export function eventsOf(
  state: ConversationState,
  user: UserState | null,
  operation: Operation,
  changes: readonly (Change | UserChange)[],
): PostEvent[] {
  const events: PostEvent[] = []
  for (const change of changes) {
    switch (change.type) {
      case 'message.append':
        events.push({ type: 'onMessageAdded', message: change.record })
        break
      case 'message.replace':
        if (operation.type === 'message.report') events.push(...deliveries(state, change.record))
        else events.push({ type: 'onMessageUpdated', message: change.record })
        break
      case 'message.delete':
        events.push({ type: 'onMessageRemoved', message: change.record })
        break
      case 'conversation.set':
        events.push(...ofConversation(state.conversation, change.values))
        break
      case 'conversation.delete':
        if (state.conversation)
          events.push({ type: 'onConversationRemoved', conversation: state.conversation })
        break
      case 'participant.put': {
        const type = state.participant(change.record.sid) ? 'onParticipantUpdated' : 'onParticipantAdded'
        events.push({ type, participant: change.record })
        break
      }
      case 'participant.delete':
        events.push({ type: 'onParticipantRemoved', participant: change.record })
        break
      case 'profile.set': {
        const before = user?.profile(change.identity) ?? null
        const person = withProfileValues(before, change.values)
        if (!before) events.push({ type: 'onUserAdded', user: person })
        else if ('friendlyName' in change.values || 'attributes' in change.values)
          events.push({ type: 'onUserUpdated', user: person })
        break
      }
    }
  }
  return events
}

function ofConversation(before: ConversationRecord | null, values: Partial<ConversationRecord>): PostEvent[] {
  const conversation = withValues(before, values)
  if (!before) return [{ type: 'onConversationAdded', conversation }]
  const events: PostEvent[] = []
  if (SHOWN.some((key) => key in values)) events.push({ type: 'onConversationUpdated', conversation })
  const [from, to] = [stateOf(before), stateOf(conversation)]
  if (from !== to) events.push({ type: 'onConversationStateUpdated', conversation, from, to })
  return events
}

function deliveries(state: ConversationState, message: MessageRecord): PostEvent[] {
  const before = state.message(message.sid)?.receipts
  const isNews = (receipt: ReceiptRecord) =>
    before?.find(({ participantSid }) => participantSid === receipt.participantSid)?.status !== receipt.status
  return (message.receipts ?? [])
    .filter(isNews)
    .map((receipt) => ({ type: 'onDeliveryUpdated', message, receipt }))
}

const BEFORE = new Map<string, PreEventType>(PRE_EVENTS.map((type) => [AFTER[type], type]))

/** What is asked about before these happen: the first that can be; null when none can. */
export function preEventOf(events: readonly PostEvent[]): PreEvent | null {
  for (const event of events) {
    const type = BEFORE.get(event.type)
    if (type) return { ...event, type } as PreEvent
  }
  return null
}
