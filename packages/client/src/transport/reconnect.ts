/** What a transport does after a connection ended: when it tries again, or that it doesn't. No timers in here. */
import { CLOSE_CODES, isPermanentClose } from '@confab/core'

/** Milliseconds that the first retry waits at most. */
const FIRST = 250
/** Milliseconds that any retry waits at most. */
const LONGEST = 30_000
/** A connection that lived for so many milliseconds shows that the relay is well: waiting starts afresh. */
const STABLE = 10_000

export interface NextAttempt {
  /** Don't try again until there is a reason to. */
  permanent: boolean
  /** Milliseconds. */
  delay: number
}

/** Exponential backoff with full jitter, and one renewal of an expired token. */
export class Reconnect {
  readonly #random: () => number
  #failures = 0
  #welcomedAt: number | null = null
  /** The token was expired, and no connection succeeded since. */
  #renewing = false

  /** @param random from 0, below 1 */
  constructor(random: () => number) {
    this.#random = random
  }

  welcomed(now: number): void {
    this.#welcomedAt = now
    this.#renewing = false
  }

  /** An attempt, or a connection, ended with this close code; 0 when there was none. */
  ended(code: number, now: number): NextAttempt {
    if (this.#welcomedAt !== null && now - this.#welcomedAt >= STABLE) this.#failures = 0
    this.#welcomedAt = null
    if (code === CLOSE_CODES.tokenExpired && !this.#renewing) {
      this.#renewing = true
      return { permanent: false, delay: 0 }
    }
    if (isPermanentClose(code)) return { permanent: true, delay: 0 }
    const most = Math.min(LONGEST, FIRST * 2 ** this.#failures)
    this.#failures++
    return { permanent: false, delay: this.#random() * most }
  }

  /** Something changed for the better (a network, a token): the next failure waits shortly again. */
  reset(): void {
    this.#failures = 0
    this.#renewing = false
  }
}

/** Whether a fresh token, or another try at getting one, can help after this permanent close. */
export const isAboutToken = (code: number): boolean =>
  code === CLOSE_CODES.tokenExpired || code === CLOSE_CODES.unauthenticated
