/** Events that are held back: the effect of a mutator is told once its promise has settled. */
export class Withheld<Part extends string> {
  /** By what must not be told: how many mutators it waits for. */
  readonly #parts = new Map<Part, number>()

  get size(): number {
    return this.#parts.size
  }

  has(part: Part): boolean {
    return this.#parts.has(part)
  }

  withhold(parts: readonly Part[]): void {
    for (const part of parts) this.#parts.set(part, (this.#parts.get(part) ?? 0) + 1)
  }

  release(parts: readonly Part[]): void {
    for (const part of parts) {
      const count = (this.#parts.get(part) ?? 0) - 1
      if (count > 0) this.#parts.set(part, count)
      else this.#parts.delete(part)
    }
  }
}
