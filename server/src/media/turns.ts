/** Work that is done one after the other, by name. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Does it when everything before of this name is over, however that ended. */
  take<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const done = before.then(work, work).finally(() => {
      if (this.#last.get(name) === done) this.#last.delete(name)
    })
    this.#last.set(name, done)
    return done
  }

  /** Resolves when all that was to be done by now is. */
  async over(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
