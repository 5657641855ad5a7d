/** How many requests are answered at a time: of everybody, and of each. */
import type { ServerResponse } from 'node:http'
import { ConfabError } from '@confab/core'

export class Places {
  readonly #most: number
  readonly #mostOfOne: number
  #taken = 0
  readonly #takenBy = new Map<string, number>()

  constructor(most: number, mostOfOne: number) {
    this.#most = most
    this.#mostOfOne = mostOfOne
  }

  /**
   * A place until the response is closed.
   * @throws ConfabError 20429 when there is none
   */
  take(response: ServerResponse): void {
    if (this.#taken >= this.#most) throw new ConfabError(20429)
    this.#taken++
    whenClosed(response, () => this.#taken--)
  }

  /**
   * One of the places that somebody has.
   * @param name the same for whatever belongs to one person
   * @throws ConfabError 20429 when they have them all
   */
  takeOwn(name: string, response: ServerResponse): void {
    const taken = this.#takenBy.get(name) ?? 0
    if (taken >= this.#mostOfOne) throw new ConfabError(20429)
    this.#takenBy.set(name, taken + 1)
    whenClosed(response, () => {
      const left = (this.#takenBy.get(name) ?? 1) - 1
      if (left > 0) this.#takenBy.set(name, left)
      else this.#takenBy.delete(name)
    })
  }
}

function whenClosed(response: ServerResponse, done: () => void): void {
  if (response.closed) done()
  else response.once('close', done)
}
