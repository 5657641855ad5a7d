/** A relay in a process of its own that is fuzzed: whether it lives, what it complains of, what it needs. */
import { type ChildProcess, fork } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type RelayProcess, relayIn } from '../support/relay-process.ts'
import { Finding } from './target.ts'

// each run makes a conversation
const OPTIONS = {
  limits: { bytesPerSecond: 1e9, operationsPerSecond: 1e6, conversationsPerIdentity: 1e9 },
  timing: { request: 1 },
}
/** What one run may leave behind: a conversation of three people, and what they said. */
const BYTES_PER_RUN = 64 * 1024
const SLACK = 24 * 1024 * 1024
/** Runs between two looks at its memory. */
const EVERY = 100

export class RelayUnderFire {
  readonly relay: RelayProcess
  readonly #child: ChildProcess
  #complaints = ''
  #runs = 0
  #base: number | null = null

  private constructor(child: ChildProcess, relay: RelayProcess) {
    this.#child = child
    this.relay = relay
    child.stderr?.on('data', (text) => {
      this.#complaints += text
    })
  }

  static async start(): Promise<RelayUnderFire> {
    const file = join(import.meta.dirname, '../support/relay-child.ts')
    const child = fork(file, [JSON.stringify(OPTIONS)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    return new RelayUnderFire(child, await relayIn(child))
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** @throws Finding when it died, failed at something of its own, or keeps more than it should */
  async expectWell(): Promise<void> {
    if (!this.isAlive) throw new Finding('the relay died', this.#complaints)
    if (this.#complaints) {
      const complaints = this.#complaints
      this.#complaints = ''
      throw new Finding('the relay failed at something of its own', complaints)
    }
    if (this.#runs++ % EVERY !== 0) return
    const { memory } = await this.relay.usage()
    // the first runs load and compile
    if (this.#runs > EVERY) this.#base ??= memory
    const most = (this.#base ?? memory) + this.#runs * BYTES_PER_RUN + SLACK
    if (memory > most) throw new Finding('the relay keeps too much', { memory, most, runs: this.#runs })
  }

  /** Sends bytes as they are, says no more, and resolves to all that comes back. */
  async send(bytes: Uint8Array): Promise<string> {
    const socket = connect(this.relay.port, '127.0.0.1')
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString('latin1')
    })
    // reset is an answer, too
    socket.on('error', () => {})
    socket.end(bytes)
    await new Promise<void>((resolve) => socket.once('close', () => resolve()))
    return answer
  }

  kill(): Promise<void> {
    return this.relay.kill()
  }
}
