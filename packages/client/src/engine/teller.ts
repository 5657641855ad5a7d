/** Tells an app of one conversation: what changed since it was last told, in order, and who is typing. */
import type { ConversationView, EngineEvents, ParticipantView } from './engine.ts'
import type { ConversationHost } from './host.ts'
import { Ledger, type LedgerEvent } from './ledger.ts'
import type { Seen } from './seen.ts'
import type { SeenParticipant } from './timeline.ts'
import { Typing } from './typing.ts'

/** A conversation as it is seen now. */
export interface Shown {
  readonly view: ConversationView | null
  /** Null while its document isn't open. */
  readonly seen: Seen | null
  /** Another object once a participant or a horizon may be another; null while the document isn't open. */
  readonly roster: object | null
}

export class Teller {
  readonly ledger = new Ledger()
  readonly #host: ConversationHost
  readonly #sid: string
  readonly #shown: () => Shown
  readonly #typing: Typing
  #people: { roster: object; participants: Map<string, SeenParticipant> } | null = null

  constructor(host: ConversationHost, sid: string, shown: () => Shown) {
    this.#host = host
    this.#sid = sid
    this.#shown = shown
    this.#typing = new Typing(host.platform, host.identity, (identity, typing) =>
      this.#tellTyping(identity, typing),
    )
  }

  /** Everybody as they are seen. */
  participants(): ParticipantView[] {
    return [...this.#participants().values()].map((participant) => this.#participantView(participant))
  }

  /** The participants as they are now need no event. */
  takeParticipants(): void {
    this.ledger.takeParticipants(this.#participants())
  }

  /** Says what is due. */
  tell(events: EngineEvents): void {
    const { view, seen } = this.#shown()
    const due = this.ledger.tell({
      view,
      participants: () => this.#participants(),
      message: (sid) => seen?.message(sid),
    })
    for (const event of due) this.#emit(events, event)
  }

  /** The awareness update that says that this person is typing. */
  announceTyping(): Uint8Array {
    return this.#typing.announce()
  }

  /** Takes in an awareness update of somebody else's. */
  heardTyping(update: Uint8Array): void {
    this.#typing.received(update)
  }

  /** Nothing is heard of anybody any more. */
  clearTyping(): void {
    this.#typing.clear()
  }

  /** Made once for all readers until something changes. */
  #participants(): Map<string, SeenParticipant> {
    const { seen, roster } = this.#shown()
    if (!seen || !roster) return new Map()
    if (this.#people?.roster !== roster) this.#people = { roster, participants: seen.participants() }
    return this.#people.participants
  }

  #emit(events: EngineEvents, event: LedgerEvent): void {
    switch (event.type) {
      case 'conversationUpdated':
        events.conversationUpdated(event.view, event.previous, event.reasons)
        break
      case 'conversationAdded':
      case 'conversationJoined':
      case 'conversationLeft':
      case 'conversationRemoved':
        events[event.type](event.view)
        break
      case 'participantJoined':
      case 'participantLeft':
        events[event.type](this.#sid, this.#participantView(event.participant))
        break
      case 'participantUpdated':
        events.participantUpdated(this.#sid, this.#participantView(event.participant), event.reasons)
        break
      case 'messageAdded':
        this.#endTyping(events, event.message.record.author)
        events.messageAdded(this.#sid, event.message)
        break
      case 'messageRemoved':
        events.messageRemoved(this.#sid, event.message)
        break
      case 'messageUpdated':
        events.messageUpdated(this.#sid, event.message, event.reasons)
    }
  }

  #participantView({ record, read }: SeenParticipant): ParticipantView {
    const typing = record.identity !== undefined && this.#typing.isTyping(record.identity)
    return { record, read: read ?? null, typing }
  }

  #tellTyping(identity: string, typing: boolean): void {
    const view = this.#typist(identity, typing)
    if (!view) return
    this.#host.tell((events) =>
      typing ? events.typingStarted(this.#sid, view) : events.typingEnded(this.#sid, view),
    )
  }

  #endTyping(events: EngineEvents, identity: string): void {
    const view = this.#typing.stop(identity) && this.#typist(identity, false)
    if (view) events.typingEnded(this.#sid, view)
  }

  #typist(identity: string, typing: boolean): ParticipantView | null {
    const participant = [...this.#participants().values()].find((one) => one.record.identity === identity)
    if (!participant || this.#shown().view?.status !== 'joined') return null
    return { ...this.#participantView(participant), typing }
  }
}
