/**
 * Who is typing in one conversation. Travels as y-protocols awareness under a client id of its own: an awareness id
 * that is also a document id would show others an id to claim before its first upload.
 */
import * as encoding from 'lib0/encoding'
import { readAwareness } from './awareness.ts'
import { type Platform, randomUint32 } from './platform.ts'

/** Milliseconds that one `typing()` lasts (Twilio: 5 s). */
const PERIOD = 5000
/** Milliseconds that others wait beyond it before they see it ended (Twilio: 1 s). */
const GRACE = 1000

export class Typing {
  readonly #platform: Platform
  readonly #identity: string
  /** Drawn when first needed: a thousand conversations would cost a start milliseconds. */
  #clientId: number | null = null
  readonly #changed: (identity: string, typing: boolean) => void
  #clock = 0
  readonly #clocks = new Map<number, number>()
  readonly #timers = new Map<string, unknown>()

  constructor(platform: Platform, identity: string, changed: (identity: string, typing: boolean) => void) {
    this.#platform = platform
    this.#identity = identity
    this.#changed = changed
  }

  isTyping(identity: string): boolean {
    return this.#timers.has(identity)
  }

  /** The awareness update that says that this person is typing. */
  announce(): Uint8Array {
    this.#clientId ??= randomUint32(this.#platform)
    const clientId = this.#clientId
    return encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, 1)
      encoding.writeVarUint(encoder, clientId)
      // from 1: to a stock reader, 0 is what it knew before
      encoding.writeVarUint(encoder, ++this.#clock)
      encoding.writeVarString(encoder, JSON.stringify({ identity: this.#identity, typing: true }))
    })
  }

  /** Takes in an awareness update. An end needs none: it comes by time, or with the message. */
  received(update: Uint8Array): void {
    for (const { client, clock, state } of readAwareness(update)) {
      // the same state again, as a server repeats it, is no new keystroke
      if (clock <= (this.#clocks.get(client) ?? -1)) continue
      this.#clocks.set(client, clock)
      const { identity, typing } = state ?? {}
      if (typeof identity === 'string' && identity !== this.#identity && typing === true)
        this.#start(identity)
    }
  }

  /** That person's message arrived. Whether they were typing, which is for the caller to tell, before the message. */
  stop(identity: string): boolean {
    this.#platform.clearTimeout(this.#timers.get(identity))
    return this.#timers.delete(identity)
  }

  /** Ends all without a word. */
  clear(): void {
    for (const timer of this.#timers.values()) this.#platform.clearTimeout(timer)
    this.#timers.clear()
  }

  #start(identity: string): void {
    const known = this.#timers.has(identity)
    this.#platform.clearTimeout(this.#timers.get(identity))
    this.#timers.set(
      identity,
      this.#platform.setTimeout(() => this.stop(identity) && this.#changed(identity, false), PERIOD + GRACE),
    )
    if (!known) this.#changed(identity, true)
  }
}
