/**
 * When a transport connects: tokens, retries, wake-ups and the end. The same for every kind of connection, which
 * is the `Line` that it dials.
 */
import { isAboutToken, Reconnect } from './reconnect.ts'
import { fetchToken } from './token.ts'
import type { TransportEvents, TransportOptions } from './transport.ts'
import { onWake } from './wake-events.ts'

export interface Line {
  /** Connects. Whatever becomes of it, its end is told to the dialer by `ended`, once, and never from in here. */
  dial(token: string): void
  /** Goes on with another token; false when there is no live connection. */
  renew(token: string): boolean
  /** The network may have changed: makes sure of a live connection; false when there is none. */
  probe(): boolean
  /** Ends the connection, if there is one, without telling the dialer. Resolves when it has ended. */
  hangUp(): Promise<void>
}

export class Dialer {
  readonly #options: TransportOptions
  readonly #line: Line
  readonly #reconnect: Reconnect
  #events: TransportEvents | null = null
  #stopWaking = () => {}
  /** Counts attempts: what an earlier one brings is ignored. */
  #attempt = 0
  #cancelRetry: (() => void) | null = null
  /** Close code of a permanent end; null while there is hope. */
  #deniedBy: number | null = null
  /** From `setToken`, for the next attempt. */
  #nextToken: string | null = null

  constructor(options: TransportOptions, line: Line) {
    this.#options = options
    this.#line = line
    this.#reconnect = new Reconnect(options.random ?? Math.random)
  }

  /** The engine's listener; null when stopped. */
  get events(): TransportEvents | null {
    return this.#events
  }

  start(events: TransportEvents): void {
    if (this.#events) return
    this.#events = events
    this.#stopWaking = onWake(() => this.wake())
    this.#reconnect.reset()
    this.#dialNow()
  }

  async stop(): Promise<void> {
    if (!this.#events) return
    this.#events = null
    this.#stopWaking()
    this.#cancelRetry?.()
    this.#cancelRetry = null
    this.#attempt++
    await this.#line.hangUp()
  }

  wake(): void {
    if (!this.#events || this.#line.probe()) return
    if (this.#deniedBy !== null) {
      // the app may have a better token by now; an expired one gets no second chance for this
      if (isAboutToken(this.#deniedBy)) this.#dialNow()
    } else if (this.#cancelRetry) {
      this.#reconnect.reset()
      this.#dialNow()
    }
  }

  setToken(token: string): void {
    if (this.#events && this.#line.renew(token)) return
    this.#nextToken = token
    if (!this.#events) return
    if (this.#deniedBy !== null ? isAboutToken(this.#deniedBy) : this.#cancelRetry) {
      this.#reconnect.reset()
      this.#dialNow()
    }
  }

  /** The relay let us in. */
  welcomed(): void {
    this.#reconnect.welcomed(performance.now())
  }

  /** An attempt or a connection ended with this close code; 0 when there was no connection. */
  ended(code: number, reason: string): void {
    if (!this.#events) return
    const { permanent, delay } = this.#reconnect.ended(code, performance.now())
    this.#deniedBy = permanent ? code : null
    const attempt = ++this.#attempt
    if (!permanent) {
      // Not a background timer: a process whose relay restarts must live to see it.
      const timer = setTimeout(() => {
        if (attempt === this.#attempt) this.#connect()
      }, delay)
      this.#cancelRetry = () => clearTimeout(timer)
    }
    this.#events.disconnected({ code, reason, permanent, ...(permanent ? {} : { delay }) })
  }

  /** In a later turn: the engine is never told anything from within a call of its own. */
  #dialNow(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = null
    this.#deniedBy = null
    const attempt = ++this.#attempt
    queueMicrotask(() => {
      if (attempt === this.#attempt) this.#connect()
    })
  }

  #connect(): void {
    const attempt = ++this.#attempt
    this.#cancelRetry = null
    this.#events?.connecting()
    if (attempt !== this.#attempt) return
    this.#token().then(
      (token) => {
        if (attempt !== this.#attempt) return
        try {
          this.#line.dial(token)
        } catch (cause) {
          // no WebSocket on this platform, or none that takes this URL: everything but the relay still works
          this.ended(0, `No connection: ${cause instanceof Error ? cause.message : cause}`)
        }
      },
      (cause: unknown) => {
        if (attempt !== this.#attempt) return
        this.ended(0, `No token: ${cause instanceof Error ? cause.message : cause}`)
      },
    )
  }

  async #token(): Promise<string> {
    const given = this.#nextToken
    this.#nextToken = null
    return given ?? fetchToken(() => this.#options.token())
  }
}
