/** Runs tasks one after the other; a task that needs no waiting, with none before it, runs at once. */
export class Serial {
  #busy = false
  readonly #queue: (() => void | Promise<void>)[] = []
  readonly #failed: (error: unknown) => void
  #idle: (() => void)[] = []

  /** @param failed is told what a task threw; the tasks behind it go on */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  run(task: () => void | Promise<void>): void {
    this.#queue.push(task)
    if (!this.#busy) this.#drain()
  }

  /** Nothing runs and nothing waits. */
  get idle(): boolean {
    return !this.#busy
  }

  /** Resolves when everything asked so far has run. */
  settled(): Promise<void> {
    return this.#busy ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  #drain(): void {
    this.#busy = true
    for (let task = this.#queue.shift(); task; task = this.#queue.shift()) {
      try {
        const running = task()
        if (running) {
          running.catch(this.#failed).then(() => this.#drain())
          return
        }
      } catch (error) {
        this.#failed(error)
      }
    }
    this.#busy = false
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }
}
