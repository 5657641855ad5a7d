/** A relay that dies when it is told to. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { RelayOptions } from '@confab/relay'
import { forkRelay, type RelayProcess, relayIn } from '../support/relay-process.ts'
import type { Moment } from './moments.ts'
import type { Fate } from './mortal-relay.ts'

export class Mortal {
  readonly relay: RelayProcess
  readonly gone: Promise<unknown>
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, gone: Promise<unknown>, relay: RelayProcess) {
    this.#child = child
    this.gone = gone
    this.relay = relay
  }

  /** Null: it died before it listened, as it was to. Only options that are JSON. */
  static async start(options: Partial<RelayOptions>, fate: Fate = {}): Promise<Mortal | null> {
    const child = forkRelay(join(import.meta.dirname, 'mortal-relay.ts'), [
      JSON.stringify(options),
      JSON.stringify(fate),
    ])
    const gone = once(child, 'exit')
    try {
      return new Mortal(child, gone, await relayIn(child))
    } catch (error) {
      if (fate.moment && child.signalCode === 'SIGKILL') return null
      throw error
    }
  }

  async dieAt(moment: Moment): Promise<void> {
    const armed = once(this.#child, 'message')
    this.#child.send({ dieAt: moment })
    await armed
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }
}
