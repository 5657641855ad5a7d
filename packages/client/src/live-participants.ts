/** The participant objects of one conversation, one per sid. */
import type { Conversation } from './conversation.ts'
import type { ParticipantView } from './engine/engine.ts'
import { Participant, type ParticipantCell } from './participant.ts'
import type { Surface } from './surface.ts'

export class LiveParticipants {
  readonly #surface: Surface
  readonly #conversation: Conversation
  readonly #entries = new Map<string, { participant: Participant; cell: ParticipantCell }>()

  constructor(surface: Surface, conversation: Conversation) {
    this.#surface = surface
    this.#conversation = conversation
  }

  /** The object for this view, showing it. */
  show(view: ParticipantView): Participant {
    const known = this.#entries.get(view.record.sid)
    if (known) {
      known.cell.view = view
      return known.participant
    }
    const cell = { view }
    const participant = new Participant(this.#surface, this.#conversation, cell)
    this.#entries.set(view.record.sid, { participant, cell })
    return participant
  }

  /** The object for a participant who left: it keeps showing what it was. */
  retire(view: ParticipantView): Participant {
    const participant = this.show(view)
    this.#entries.delete(view.record.sid)
    return participant
  }
}
