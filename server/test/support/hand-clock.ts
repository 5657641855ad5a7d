import type { Clock } from '../../src/session/clock.ts'

/** A clock that a test turns. Turns of the event loop end when it says so. */
export class HandClock implements Clock {
  #now = 0
  #date = Date.UTC(2026, 0, 1)
  #timers = new Map<number, { at: number; run: () => void }>()
  #deferred: (() => void)[] = []
  #next = 0

  now = (): number => this.#date + this.#now

  elapsed = (): number => this.#now

  /** Somebody sets the clock: no time passes. */
  set(milliseconds: number): void {
    this.#date += milliseconds
  }

  after = (milliseconds: number, run: () => void): (() => void) => {
    const id = this.#next++
    this.#timers.set(id, { at: this.#now + milliseconds, run })
    return () => this.#timers.delete(id)
  }

  defer = (run: () => void): void => {
    this.#deferred.push(run)
  }

  /** Timers that are set: none may be left behind a connection. */
  get timers(): number {
    return this.#timers.size
  }

  /** Lets promises that are resolved run on, then ends the turn. */
  async turn(): Promise<void> {
    for (let rounds = 0; rounds < 3; rounds++) {
      await new Promise((resolve) => setImmediate(resolve))
      for (const run of this.#deferred.splice(0)) run()
    }
  }

  /** Moves on, running what falls due in order, each in a turn of its own. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    while (true) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)
      if (!next || next[1].at > end) break
      this.#timers.delete(next[0])
      this.#now = next[1].at
      next[1].run()
      await this.turn()
    }
    this.#now = end
    await this.turn()
  }
}
