/** The message objects of one conversation that somebody still holds: one per message and index. */

import type { Conversation } from './conversation.ts'
import type { MessageView } from './engine/engine.ts'
import { Message, type MessageState } from './message.ts'
import type { Surface } from './surface.ts'

/** Where objects can't be held weakly, at most so many are; beyond, the oldest are let go. */
const STRONG_BOUND = 1000
/** Entries are swept once they have doubled since the last sweep, and never below this many. */
const SWEEP_FROM = 256

interface Entry {
  ref: { deref(): Message | undefined }
  state: MessageState
}

const weakly: (message: Message) => Entry['ref'] =
  typeof WeakRef === 'undefined' ? (message) => ({ deref: () => message }) : (message) => new WeakRef(message)

/**
 * An index that shifts makes another object: the one that showed the old index goes on showing it, because apps
 * key their rows by index.
 */
export class LiveMessages {
  readonly #surface: Surface
  readonly #conversation: Conversation
  readonly #entries = new Map<string, Entry>()
  /** Messages that have listeners live as long as those. */
  readonly #listened = new Set<Message>()
  #sweepAt = SWEEP_FROM

  constructor(surface: Surface, conversation: Conversation) {
    this.#surface = surface
    this.#conversation = conversation
  }

  /** The object for this view, showing it. */
  show(view: MessageView): Message {
    return this.refresh(view) ?? this.#make(view)
  }

  /** The object for this view: one that somebody holds may show something newer. */
  get(view: MessageView): Message {
    return this.#entries.get(keyOf(view))?.ref.deref() ?? this.#make(view)
  }

  /** Brings the object for this view up to date, if somebody holds it. */
  refresh(view: MessageView): Message | undefined {
    const entry = this.#entries.get(keyOf(view))
    const message = entry?.ref.deref()
    if (entry && message) entry.state.view = view
    return message
  }

  /** What gives the object for a view that is gone: it keeps showing what it was, its index too. */
  retire(view: MessageView): () => Message {
    const known = this.refresh(view)
    this.#entries.delete(keyOf(view))
    if (known) this.#listened.delete(known)
    return () => known ?? new Message(this.#surface, this.#conversation, { view }, () => {})
  }

  #make(view: MessageView): Message {
    const state: MessageState = { view }
    const message = new Message(this.#surface, this.#conversation, state, (listened) => {
      if (listened) this.#listened.add(message)
      else this.#listened.delete(message)
    })
    this.#entries.set(keyOf(view), { ref: weakly(message), state })
    if (this.#entries.size >= this.#sweepAt) this.#sweep()
    return message
  }

  #sweep(): void {
    for (const [key, { ref }] of this.#entries) if (!ref.deref()) this.#entries.delete(key)
    if (typeof WeakRef === 'undefined') {
      for (const key of [...this.#entries.keys()].slice(0, -STRONG_BOUND)) this.#entries.delete(key)
    }
    this.#sweepAt = Math.max(SWEEP_FROM, this.#entries.size * 2)
  }
}

const keyOf = ({ record }: MessageView): string => `${record.sid}/${record.index}`
