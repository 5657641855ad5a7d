/**
 * What an app was last told of one conversation, and what has changed since. Events are the difference, drawn once
 * per task; whatever must wait (the effect of a mutator whose promise hasn't settled) simply stays in the ledger.
 */
import type { ConversationUpdateReason, ConversationView, MessageView } from './engine.ts'
import {
  type ConversationEventName,
  conversationEvents,
  conversationReasons,
  type MessageChange,
  type MessageEvent,
  messageEvents,
  type ParticipantEvent,
  participantEvents,
  type SeenParticipant,
} from './timeline.ts'
import { Withheld } from './withheld.ts'

/** What an operation changes, as far as holding back its event goes. */
export type Part = 'conversation' | `message ${string}` | `participant ${string}`

export type LedgerEvent =
  | { type: Exclude<ConversationEventName, 'conversationUpdated'>; view: ConversationView }
  | {
      type: 'conversationUpdated'
      view: ConversationView
      previous: ConversationView
      reasons: ConversationUpdateReason[]
    }
  | ParticipantEvent
  | MessageEvent

export interface Sight {
  view: ConversationView | null
  participants(): ReadonlyMap<string, SeenParticipant>
  message(sid: string): MessageView | undefined
}

export class Ledger {
  #view: ConversationView | null = null
  #participants: ReadonlyMap<string, SeenParticipant> | null = null
  /** Messages that may have changed, as they were told. */
  readonly #messages = new Map<string, MessageView | undefined>()
  readonly withheld = new Withheld<Part>()
  /** It was lost since it was last told of, whatever is seen now. */
  #lost = false

  /** Notes how a message was before its first change since the last telling. */
  note(sid: string, before: MessageView | undefined): void {
    if (!this.#messages.has(sid)) this.#messages.set(sid, before)
  }

  /** Whether the message is noted as one that was not there. */
  isNew(sid: string): boolean {
    return this.#messages.has(sid) && this.#messages.get(sid) === undefined
  }

  /** The participants as they are now need no event: a first snapshot, or a copy that was just loaded. */
  takeParticipants(participants: ReadonlyMap<string, SeenParticipant>): void {
    this.#participants = participants
  }

  /** The conversation is gone as a whole; what comes after is another first snapshot. */
  lose(): void {
    if (this.#view) this.#lost = true
    this.#messages.clear()
    this.#participants = null
  }

  /** Nothing is left to tell, as far as messages go. */
  get settled(): boolean {
    return this.#messages.size === 0 && this.withheld.size === 0 && !this.#lost
  }

  /** The events that are due, in order. From now on these are what was told. */
  tell(sight: Sight): LedgerEvent[] {
    const events: LedgerEvent[] = []
    if (this.#lost) {
      this.#comeAndGo(events, null)
      this.#lost = false
    }
    const { view } = sight
    if (this.#view?.status !== view?.status) this.#comeAndGo(events, view)
    if (view?.status === 'joined') this.#tellInside(events, sight, view.participant?.sid ?? '')
    else {
      // before joining and after leaving nothing of what is in it is told
      this.#messages.clear()
      this.#participants = sight.participants()
    }
    if (view) this.#tellUpdate(events, view)
    return events
  }

  #tellInside(events: LedgerEvent[], sight: Sight, self: string): void {
    const participants = this.#seenParticipants(sight)
    events.push(...participantEvents(this.#participants ?? participants, participants, self))
    this.#participants = participants
    events.push(...messageEvents(this.#dueMessages(sight)))
  }

  #tellUpdate(events: LedgerEvent[], view: ConversationView): void {
    const told = this.#view as ConversationView
    if (told !== view && !this.withheld.has('conversation')) {
      const reasons = conversationReasons(told, view)
      if (reasons.length > 0) events.push({ type: 'conversationUpdated', view, previous: told, reasons })
      this.#view = view
    }
  }

  #comeAndGo(events: LedgerEvent[], view: ConversationView | null): void {
    for (const type of conversationEvents(this.#view, view)) {
      events.push({ type, view: (view ?? this.#view) as ConversationView })
    }
    this.#view = view
  }

  #seenParticipants(sight: Sight): ReadonlyMap<string, SeenParticipant> {
    const seen = sight.participants()
    if (this.withheld.size === 0 || !this.#participants) return seen
    const due = new Map(seen)
    for (const [sid, told] of this.#participants) {
      if (due.has(sid) && this.withheld.has(`participant ${sid}`)) due.set(sid, told)
    }
    return due
  }

  *#dueMessages(sight: Sight): Iterable<MessageChange> {
    for (const [sid, told] of [...this.#messages]) {
      const seen = sight.message(sid)
      // a shift can't wait: rows are keyed by index
      const stays = told && seen && told.record.index === seen.record.index
      if (stays && this.withheld.has(`message ${sid}`)) continue
      this.#messages.delete(sid)
      yield { told, seen }
    }
  }
}
