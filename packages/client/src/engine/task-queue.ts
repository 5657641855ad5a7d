/**
 * When apps hear of things: never within a call into the engine, everything due in one macrotask, in order. What
 * comes up while listeners run is for the next one.
 */
import type { Platform } from './platform.ts'

export class TaskQueue<Listeners> {
  readonly #platform: Platform
  readonly #failed: (error: unknown) => void
  #listeners: Listeners | null = null
  #due: ((listeners: Listeners) => void)[] = []
  #asked = new Set<object>()
  #scheduled = false
  #waiting: (() => void)[] = []

  /** @param failed is told what a listener threw; the others hear what they are to hear */
  constructor(platform: Platform, failed: (error: unknown) => void) {
    this.#platform = platform
    this.#failed = failed
  }

  start(listeners: Listeners): void {
    this.#listeners = listeners
    this.#schedule()
  }

  stop(): void {
    this.#listeners = null
    this.#due = []
    this.#answer()
  }

  /** Resolves once everything that is due now has been told: what is read then is no news to anybody. */
  told(): Promise<void> {
    if (this.#due.length === 0 || !this.#listeners) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  tell(task: (listeners: Listeners) => void): void {
    this.#due.push(task)
    this.#schedule()
  }

  /** Runs the task for `whose` once, however often it is asked for until then. */
  once(whose: object, task: (listeners: Listeners) => void): void {
    if (this.#asked.has(whose)) return
    this.#asked.add(whose)
    this.tell(task)
  }

  #schedule(): void {
    if (this.#scheduled || !this.#listeners || this.#due.length === 0) return
    this.#scheduled = true
    this.#platform.macrotask(() => this.#run())
  }

  #run(): void {
    const due = this.#due
    this.#due = []
    this.#asked = new Set()
    this.#scheduled = false
    for (const task of due) {
      if (!this.#listeners) break
      try {
        task(this.#listeners)
      } catch (error) {
        this.#failed(error)
      }
    }
    this.#answer()
    this.#schedule()
  }

  #answer(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
