import type { Outlet } from './session.ts'

/**
 * Counts what a reader has been sent and hasn't taken. What it asked for is read from the store no faster than it
 * takes it, whatever its size; what others do can't wait for it, so a reader with too much of that outstanding is
 * cut off, and resumes later.
 */
export class Outflow {
  readonly #outlet: Outlet
  readonly #most: number
  readonly #slow: () => void
  #waiting = 0
  /** The part of what is waiting that the reader asked for. */
  #asked = 0
  /** Who waits for room: null when nobody does. */
  #ready: (() => void)[] | null = null

  /** @param most bytes that may wait beside what the reader asked for; beyond, `slow` is called */
  constructor(outlet: Outlet, most: number, slow: () => void) {
    this.#outlet = outlet
    this.#most = most
    this.#slow = slow
  }

  send(messages: readonly Uint8Array[], kind: 'asked' | 'news'): void {
    let bytes = 0
    for (const message of messages) bytes += message.length
    this.#waiting += bytes
    if (kind === 'asked') this.#asked += bytes
    if (this.#waiting > this.#most + this.#asked) {
      this.#slow()
      return
    }
    this.#outlet.send(messages, () => this.#written(bytes))
  }

  /** Resolves when a reader that asked for more has taken most of what it was sent before. */
  room(): Promise<void> {
    if (this.#hasRoom) return Promise.resolve()
    return new Promise((resolve) => {
      this.#ready ??= []
      this.#ready.push(resolve)
    })
  }

  get #hasRoom(): boolean {
    return this.#waiting <= this.#most / 4
  }

  #written(bytes: number): void {
    this.#waiting -= bytes
    if (!this.#hasRoom) return
    this.#asked = 0
    const ready = this.#ready
    this.#ready = null
    if (ready) for (const resolve of ready) resolve()
  }
}
