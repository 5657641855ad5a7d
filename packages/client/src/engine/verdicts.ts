/** The promises of mutators that wait for the relay's word on their operations. */
import { ConfabError, errorFromBody } from '@confab/core'
import type { Platform } from './platform.ts'

/** Milliseconds that a promise waits for a verdict at most (semantics.md, "Promises"). */
export const VERDICT_WAIT = 2000

interface Wait {
  resolve(): void
  reject(error: ConfabError): void
}

export class Verdicts {
  readonly #platform: Platform
  readonly #waits = new Map<string, Wait>()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /**
   * Resolves at the acceptance of every operation, at `release` or after 2 s, whichever is first.
   * @throws ConfabError with the refusal's code
   */
  async wait(ids: readonly string[]): Promise<void> {
    const waits = ids.map(
      (id) => new Promise<void>((resolve, reject) => this.#waits.set(id, { resolve, reject })),
    )
    const timer = this.#platform.setTimeout(() => this.#release(ids), VERDICT_WAIT)
    try {
      const settled = await Promise.allSettled(waits)
      const refusal = settled.find((one) => one.status === 'rejected')
      if (refusal) throw refusal.reason
    } finally {
      this.#platform.clearTimeout(timer)
    }
  }

  accepted(id: string): void {
    this.#take(id)?.resolve()
  }

  /** Gives whether somebody was waiting: otherwise the refusal is an event. */
  refused(id: string, error: { code: number; message: string }): boolean {
    const wait = this.#take(id)
    wait?.reject(errorFromBody(error))
    return wait !== undefined
  }

  /** Nobody will answer soon: disconnected. */
  releaseAll(): void {
    this.#release([...this.#waits.keys()])
  }

  #release(ids: readonly string[]): void {
    for (const id of ids) this.#take(id)?.resolve()
  }

  #take(id: string): Wait | undefined {
    const wait = this.#waits.get(id)
    this.#waits.delete(id)
    return wait
  }
}

/** What everything rejects with once the client was shut down. */
export const shutDownError = () => new ConfabError(70701)
