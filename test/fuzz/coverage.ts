/**
 * How often each piece of the sources was run, by V8. Counts are exact and the same on every machine, so they serve
 * as the measure of work, too.
 *
 * Must be started before the sources are loaded: what is compiled earlier has no counters.
 */
import { type Profiler, Session } from 'node:inspector'

export class Coverage {
  readonly #session = new Session()

  constructor() {
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /**
   * What was run since it was asked last: pieces of sources whose path has one of these parts, and how often.
   * Asking costs some milliseconds.
   */
  take(sources: readonly string[]): Map<string, number> {
    let taken: Profiler.ScriptCoverage[] = []
    // in one process it is called back at once
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error
      taken = result
    })
    const counts = new Map<string, number>()
    for (const { url, functions } of taken) {
      if (!sources.some((part) => url.includes(part))) continue
      for (const { ranges } of functions) {
        for (const { startOffset, count } of ranges) {
          if (count > 0) counts.set(`${url}:${startOffset}`, count)
        }
      }
    }
    return counts
  }

  /** Pieces run since it was asked last, each as often as it was. */
  steps(sources: readonly string[]): number {
    let sum = 0
    for (const count of this.take(sources).values()) sum += count
    return sum
  }

  stop(): void {
    this.#session.disconnect()
  }
}
