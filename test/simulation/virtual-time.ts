/**
 * Time that passes only when the world says so. Timers, deliveries and disk writes are events on one queue;
 * events that are due at the same moment run in the order of their making.
 */
interface Event {
  at: number
  order: number
  run: () => void
  cancelled: boolean
}

export class VirtualTime {
  #now: number
  #order = 0
  #queue: Event[] = []

  /** Starts at a plausible wall-clock time, because sids and tokens carry it. */
  constructor(start = Date.UTC(2026, 0, 5, 9)) {
    this.#now = start
  }

  now = (): number => this.#now

  /** Runs `run` after `delay` milliseconds of virtual time; the handle cancels it. */
  setTimeout = (run: () => void, delay: number): Event => {
    const event: Event = { at: this.#now + Math.max(0, delay), order: this.#order++, run, cancelled: false }
    // a binary insertion: queues stay short
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#queue[middle] as Event).at <= event.at) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, event)
    return event
  }

  clearTimeout = (handle: unknown): void => {
    if (handle) (handle as Event).cancelled = true
  }

  macrotask = (run: () => void): void => {
    this.setTimeout(run, 0)
  }

  /** A promise that resolves after virtual time. */
  delay(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimeout(resolve, milliseconds)
    })
  }

  /** Runs one event and everything that its promises lead to. False when none is due before `until`. */
  async step(until = Number.POSITIVE_INFINITY): Promise<boolean> {
    // what was asked for outside of an event may lead to one
    await settle()
    while (this.#queue[0]?.cancelled) this.#queue.shift()
    const event = this.#queue[0]
    if (!event || event.at > until) return false
    this.#queue.shift()
    this.#now = Math.max(this.#now, event.at)
    event.run()
    return true
  }

  /** Runs every event that is due within the next `milliseconds`. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds
    while (await this.step(until)) {
      // each step runs one event
    }
    this.#now = until
  }
}

/** Lets every promise that can go on without another event go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
