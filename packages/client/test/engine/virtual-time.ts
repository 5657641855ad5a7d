/** A platform whose clock and timers move only when a test says so. Macrotasks are real. */
import type { Platform } from '../../src/engine/platform.ts'

export class VirtualTime implements Platform {
  #now: number
  #next = 1
  readonly #timers = new Map<number, { at: number; task: () => void }>()

  constructor(now = Date.now()) {
    this.#now = now
  }

  now = (): number => this.#now
  random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))
  macrotask = (task: () => void): void => void setImmediate(task)

  setTimeout = (task: () => void, ms: number): unknown => {
    const timer = this.#next++
    this.#timers.set(timer, { at: this.#now + ms, task })
    return timer
  }

  clearTimeout = (timer: unknown): void => void this.#timers.delete(timer as number)

  /** Lets so many milliseconds pass; what is due happens in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (!due) break
      const [timer, { at, task }] = due
      this.#timers.delete(timer)
      this.#now = at
      task()
    }
    this.#now = end
  }
}
