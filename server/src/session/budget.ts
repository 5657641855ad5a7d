/** How many seconds of its rate a connection may use at once (limits.ts). */
const BURST_SECONDS = 10

/** A token bucket: a sustained rate, and bursts of ten seconds' worth. */
export class Budget {
  readonly #perMillisecond: number
  readonly #burst: number
  #level: number
  #at: number

  constructor(perSecond: number, now: number) {
    this.#perMillisecond = perSecond / 1000
    this.#burst = perSecond * BURST_SECONDS
    this.#level = this.#burst
    this.#at = now
  }

  /**
   * Takes the amount, into debt if need be: who goes on regardless of the answer gets ever deeper into it.
   * @returns milliseconds until the debt is worked off; 0 without debt
   */
  take(amount: number, now: number): number {
    this.#level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#perMillisecond)
    this.#at = now
    this.#level -= amount
    return this.#level >= 0 ? 0 : Math.ceil(-this.#level / this.#perMillisecond)
  }

  /** In debt by a whole burst: no honest client is, since it was told to wait at the first. */
  get isExhausted(): boolean {
    return this.#level < -this.#burst
  }
}
