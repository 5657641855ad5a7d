import { type AttributesPatch, diffAttributes, type Json } from '@confab/core'
import type { JSONValue } from './types.ts'

/**
 * The attributes of one object as its app saw them. An update is sent as the difference from what its caller saw,
 * so that what somebody else changed meanwhile is kept; what a caller saw is what the getter last gave, or what
 * that caller itself last set.
 */
export class ShownAttributes {
  /** What was shown, as it was stored: never handed out, so no app can change it. */
  #seen: Json | undefined
  /** The copy that was handed out for `#seen`: the same one while nothing changes. */
  #copy: JSONValue | undefined

  /** What the getter gives for the current value; the app may change it, to send it back. */
  show(current: Json): JSONValue {
    if (this.#copy === undefined || this.#seen !== current) {
      this.#seen = current
      this.#copy = copyOf(current)
    }
    return this.#copy
  }

  /** What turns that which the caller saw into `next`. */
  patchTo(next: Json, current: Json): AttributesPatch {
    return diffAttributes(this.#seen ?? current, next)
  }

  /** The caller knows `value` now: it was the one who set it. */
  set(value: Json): void {
    this.#seen = value
    this.#copy = undefined
  }

  /** The copy that was handed out may have been changed for an update that came to nothing. */
  forgetCopy(): void {
    this.#copy = undefined
  }
}

/** JSON of its own: `structuredClone` is missing on some platforms that apps for Twilio's SDK run on. */
export const copyOf = (json: Json): JSONValue => JSON.parse(JSON.stringify(json))
