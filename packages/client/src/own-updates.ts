/**
 * Apps change their own copy after awaiting `updateBody` and the like, so the event of an update must come after
 * its promise has settled, in a later task. Events about something that is being updated from here wait for that.
 */
export class OwnUpdates {
  readonly #waiting = new Map<string, { updates: number; events: (() => void)[] }>()

  /**
   * Runs an update of the thing with this sid; its events wait until the caller has seen it settle.
   * @throws what `update` throws
   */
  async run<T>(sid: string, update: () => Promise<T>): Promise<T> {
    const entry = this.#waiting.get(sid) ?? { updates: 0, events: [] }
    this.#waiting.set(sid, entry)
    entry.updates += 1
    try {
      return await update()
    } finally {
      setTimeout(() => {
        entry.updates -= 1
        if (entry.updates === 0) this.release(sid)
      }, 0)
    }
  }

  /** Emits now, or after the updates of this sid that are under way. */
  emit(sid: string, event: () => void): void {
    const entry = this.#waiting.get(sid)
    if (entry) entry.events.push(event)
    else event()
  }

  /** Emits what waits for this sid: its updates are through, or something must follow that can't wait. */
  release(sid: string): void {
    const entry = this.#waiting.get(sid)
    if (!entry) return
    if (entry.updates === 0) this.#waiting.delete(sid)
    for (const event of entry.events.splice(0)) event()
  }
}
