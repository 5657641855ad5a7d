/** How much goes to a provider: so many at a time, and so many per second, evenly. In the order of asking. */
export class Throttle {
  readonly #window: number
  readonly #spacing: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  #nextAt = 0

  /**
   * @param window at a time
   * @param perSecond sustained; `Infinity` for no bound
   */
  constructor(window: number, perSecond: number) {
    this.#window = window
    this.#spacing = 1000 / perSecond
  }

  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#window) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
    try {
      const now = performance.now()
      const at = Math.max(now, this.#nextAt)
      this.#nextAt = at + this.#spacing
      if (at > now) await new Promise((resolve) => setTimeout(resolve, at - now))
      return await work()
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }
}
