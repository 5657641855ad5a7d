/** From what the engine tells to what apps hear: the objects are brought up to date, then the events go out. */
import type { Client, ClientEvents } from './client.ts'
import type { ConversationEvents } from './conversation.ts'
import type { EngineEvents, ParticipantView } from './engine/engine.ts'
import { HeldOperation } from './held-operation.ts'
import type { LiveConversation, Surface } from './surface.ts'

/** Events that a conversation and its client both emit, with the same argument. */
type Shared = Extract<keyof ConversationEvents, keyof ClientEvents>

/** What the client itself does when it hears of these, before apps do. */
export type ClientDuties = Pick<
  EngineEvents,
  'connectionStateChanged' | 'initialized' | 'initFailed' | 'tokenAboutToExpire' | 'userUpdated'
>

/** Events reach the most particular object first: the message, its conversation, the client. */
export function eventsTo(client: Client, surface: Surface, duties: ClientDuties): EngineEvents {
  /** Both emit; the argument is made once, and only if somebody listens. */
  function emitBoth<E extends Shared>(
    live: LiveConversation,
    event: E,
    make: () => Parameters<ConversationEvents[E]>[0],
  ): void {
    let made: Parameters<ConversationEvents[E]> | undefined
    const args = () => {
      made ??= [make()] as unknown as Parameters<ConversationEvents[E]>
      return made
    }
    live.conversation.emitLazily(event, args)
    client.emitLazily(event, args as unknown as () => Parameters<ClientEvents[E]>)
  }

  function typing(
    event: 'typingStarted' | 'typingEnded',
    conversationSid: string,
    view: ParticipantView,
  ): void {
    const live = surface.find(conversationSid)
    if (!live) return
    const participant = live.participants.show(view)
    participant.emit(event, participant)
    emitBoth(live, event, () => participant)
  }

  return {
    connectionStateChanged: (state) => duties.connectionStateChanged(state),
    connectionError: (error) => client.emit('connectionError', error),
    initialized: () => duties.initialized(),
    initFailed: (error) => duties.initFailed(error),
    tokenAboutToExpire: (secondsLeft) => duties.tokenAboutToExpire(secondsLeft),
    tokenExpired: () => client.emit('tokenExpired'),
    userUpdated: (view, reasons) => duties.userUpdated(view, reasons),

    conversationAdded: (view) => client.emit('conversationAdded', surface.show(view).conversation),
    conversationJoined: (view) => client.emit('conversationJoined', surface.show(view).conversation),
    conversationUpdated: (view, _previous, updateReasons) => {
      const { conversation } = surface.show(view)
      conversation.emit('updated', { conversation, updateReasons })
      client.emit('conversationUpdated', { conversation, updateReasons })
    },
    conversationLeft: (view) => client.emit('conversationLeft', surface.show(view).conversation),
    conversationRemoved: (view) => {
      const { conversation } = surface.show(view)
      surface.forget(view.sid)
      client.emit('conversationRemoved', conversation)
      conversation.emit('removed', conversation)
    },

    participantJoined: (conversationSid, view) => {
      const live = surface.find(conversationSid)
      if (live) emitBoth(live, 'participantJoined', () => live.participants.show(view))
    },
    participantUpdated: (conversationSid, view, updateReasons) => {
      const live = surface.find(conversationSid)
      if (!live) return
      const participant = live.participants.show(view)
      participant.emit('updated', { participant, updateReasons })
      emitBoth(live, 'participantUpdated', () => ({ participant, updateReasons }))
    },
    participantLeft: (conversationSid, view) => {
      const live = surface.find(conversationSid)
      if (!live) return
      const participant = live.participants.retire(view)
      emitBoth(live, 'participantLeft', () => participant)
    },

    messageAdded: (conversationSid, view) => {
      const live = surface.find(conversationSid)
      if (!live) return
      live.messages.refresh(view)
      emitBoth(live, 'messageAdded', () => live.messages.get(view))
    },
    messageUpdated: (conversationSid, view, updateReasons) => {
      const live = surface.find(conversationSid)
      if (!live) return
      const known = live.messages.refresh(view)
      known?.emit('updated', { message: known, updateReasons })
      emitBoth(live, 'messageUpdated', () => ({ message: live.messages.get(view), updateReasons }))
    },
    messageRemoved: (conversationSid, view) => {
      const live = surface.find(conversationSid)
      if (live) emitBoth(live, 'messageRemoved', live.messages.retire(view))
    },

    typingStarted: (conversationSid, view) => typing('typingStarted', conversationSid, view),
    typingEnded: (conversationSid, view) => typing('typingEnded', conversationSid, view),

    operationRefused: (held) => client.emit('operationRefused', new HeldOperation(surface, held)),
    operationsChanged: () => client.emit('operationsChanged'),
  }
}
