/** What every connection has, whatever it speaks: an end, a heartbeat, budgets, and a token with a life of its own. */
import { CLOSE_CODES, ConfabError } from '@confab/core'
import type { Principal } from '../engine.ts'
import type { Authentication } from '../hooks.ts'
import { Budget } from './budget.ts'
import { Outflow } from './outflow.ts'
import type { SessionOptions } from './session.ts'

/** What a protocol has to do with its connection's life. */
export interface Listener {
  /** The token ends at this time (milliseconds since the epoch); said once per token. */
  tokenExpiring(expiresAt: number): void
  /** Something must be said now and then, so that the peer knows us alive. */
  beat(): void
  /** Called once, before the close goes out. */
  closing(): void
}

const encoder = new TextEncoder()

export class Connection {
  readonly #options: SessionOptions
  readonly #listener: Listener
  readonly #outflow: Outflow
  readonly #operations: Budget
  readonly #bytes: Budget
  readonly #timers = new Map<string, () => void>()
  #principal: Principal | null = null
  #isOpen = true
  #isClosing = false
  #refreshing: Promise<void> = Promise.resolve()
  #lastHeard: number

  constructor(options: SessionOptions, listener: Listener) {
    const { clock, limits, outlet } = options
    this.#options = options
    this.#listener = listener
    const now = clock.elapsed()
    this.#lastHeard = now
    this.#operations = new Budget(limits.operationsPerSecond, now)
    this.#bytes = new Budget(limits.bytesPerSecond, now)
    this.#outflow = new Outflow(outlet, limits.sendBufferBytes, () =>
      this.close(CLOSE_CODES.slowReader, 'Too slow: resume when you can read on'),
    )
    this.#beat()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @throws TypeError before the login */
  get principal(): Principal {
    if (!this.#principal) throw new TypeError('Nobody is logged in')
    return this.#principal
  }

  get isLoggedIn(): boolean {
    return this.#principal !== null
  }

  /** `asked`: what this peer asked for, which can't make it a slow reader. */
  send(messages: readonly Uint8Array[], kind: 'asked' | 'news'): void {
    if (this.#isOpen && messages.length > 0) this.#outflow.send(messages, kind)
  }

  /** Resolves when the peer has room for more of what it asked for; a peer that takes nothing is cut off. */
  async room(): Promise<void> {
    this.timer('reading', this.#options.timing.reading, () =>
      this.close(CLOSE_CODES.slowReader, 'Nothing was read for too long'),
    )
    await this.#outflow.room()
    this.cancel('reading')
  }

  /** Notes a message of this size, of so many operations. Milliseconds to wait before more is taken; 0: none. */
  charge(bytes: number, operations: number): number {
    const now = this.#options.clock.elapsed()
    const wait = Math.max(this.#bytes.take(bytes, now), this.#operations.take(operations, now))
    if (this.#bytes.isExhausted || this.#operations.isExhausted) {
      this.close(CLOSE_CODES.tooManyRequests, 'Too many requests')
    }
    return wait
  }

  heard(): void {
    this.#lastHeard = this.#options.clock.elapsed()
  }

  /** Runs once after so many milliseconds unless cancelled, started again, or closed before. */
  timer(name: string, milliseconds: number, run: () => void): void {
    this.cancel(name)
    if (!this.#isOpen) return
    const cancel = this.#options.clock.after(milliseconds, () => {
      this.#timers.delete(name)
      run()
    })
    this.#timers.set(name, cancel)
  }

  /** Resolves after so many milliseconds; not at all when it is closed before. */
  rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.timer('rest', milliseconds, resolve))
  }

  cancel(name: string): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }

  /**
   * Authenticates and starts the token's life. Resolves to what the token says, or to null: then the connection
   * is closed, with an answer that doesn't tell why a token wasn't trusted.
   */
  async login(token: string): Promise<Authentication | null> {
    const who = await this.#authenticate(token)
    if (!who) return null
    this.#principal = who.principal
    this.#live(who.expiresAt)
    return who
  }

  /** Goes on with another token of the same identity; closes with 4403 for another's. */
  refresh(token: string): Promise<void> {
    this.#refreshing = this.#refreshing.then(() => this.#refresh(token))
    return this.#refreshing
  }

  async #refresh(token: string): Promise<void> {
    if (!this.#isOpen) return
    const who = await this.#authenticate(token)
    if (!who) return
    const before = this.principal
    const { identity, serviceSid, accountSid } = who.principal
    if (
      identity !== before.identity ||
      serviceSid !== before.serviceSid ||
      accountSid !== before.accountSid
    ) {
      return this.close(CLOSE_CODES.forbidden, 'The token is for somebody else')
    }
    this.#principal = who.principal
    this.#live(who.expiresAt)
  }

  /** Closes from this side, once. */
  close(code: number, reason: string): void {
    if (!this.#isOpen || this.#isClosing) return
    // what is queued goes out while closing, and must not close again
    this.#isClosing = true
    this.#listener.closing()
    this.#end()
    this.#options.log.debug({ code, reason, identity: this.#principal?.identity }, 'closing')
    this.#options.outlet.close(code, shortened(reason))
  }

  /** The socket is gone. */
  ended(): void {
    if (!this.#isOpen) return
    this.#end()
    this.#listener.closing()
  }

  /** Something of ours broke: the peer comes back later. */
  fail(error: unknown, doing: string): void {
    if (!this.#isOpen) return
    this.#options.log.error({ err: error, identity: this.#principal?.identity }, `failed: ${doing}`)
    this.close(CLOSE_CODES.internal, 'Internal error')
  }

  #end(): void {
    this.#isOpen = false
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #beat(): void {
    const { heartbeat } = this.#options.timing
    this.timer('heartbeat', heartbeat, () => {
      if (this.#options.clock.elapsed() - this.#lastHeard >= 2 * heartbeat) {
        return this.close(CLOSE_CODES.silent, 'Nothing heard for too long')
      }
      this.#options.outlet.ping()
      this.#listener.beat()
      this.#beat()
    })
  }

  #live(expiresAt: number): void {
    const { clock, timing } = this.#options
    const left = expiresAt - clock.now()
    const ahead = Math.min(timing.tokenAhead, left / 2)
    this.timer('token', left - ahead, () => {
      this.#listener.tokenExpiring(expiresAt)
      this.timer('token', ahead, () => this.close(CLOSE_CODES.tokenExpired, 'The access token has expired'))
    })
  }

  async #authenticate(token: string): Promise<Authentication | null> {
    const { authenticate, clock, timing } = this.#options
    try {
      const who = await new Promise<Authentication>((resolve, reject) => {
        this.timer('authenticate', timing.authenticate, () => reject(new Error('authenticate took too long')))
        authenticate(token).then(resolve, reject)
      })
      if (!this.#isOpen) return null
      if (who.expiresAt <= clock.now()) throw new ConfabError(20104)
      return who
    } catch (error) {
      this.#refuse(error)
      return null
    } finally {
      this.cancel('authenticate')
    }
  }

  #refuse(error: unknown): void {
    const code = error instanceof ConfabError ? error.code : null
    if (code === 20104) this.close(CLOSE_CODES.tokenExpired, 'The access token has expired')
    else if (code === 20003) this.close(CLOSE_CODES.unauthenticated, 'Authentication failed')
    else if (code === 20403) this.close(CLOSE_CODES.forbidden, 'Not allowed here')
    else this.fail(error, 'authenticate')
  }
}

/** A reason that fits a close frame: 123 bytes, cut between characters. */
function shortened(reason: string): string {
  const { read } = encoder.encodeInto(reason, new Uint8Array(123))
  return reason.slice(0, read)
}
