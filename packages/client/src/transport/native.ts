/**
 * `native()`: one WebSocket for all documents. The shell around `session.ts` and `reconnect.ts`: sockets, timers,
 * tokens and the order of events.
 */
import { CLOSE_CODES, NATIVE_PATH } from '@confab/core'
import { endpoint } from './endpoint.ts'
import { dispatch } from './native/dispatch.ts'
import { NativeSession } from './native/session.ts'
import { isAboutToken, Reconnect } from './reconnect.ts'
import { backgroundTimer } from './timers.ts'
import { fetchToken } from './token.ts'
import type {
  OpenRequest,
  Transport,
  TransportEvents,
  TransportFactory,
  TransportOptions,
} from './transport.ts'
import { onWake } from './wake-events.ts'

/** Milliseconds for a socket to open. */
const OPEN_DEADLINE = 15_000
/** Milliseconds that a closing handshake may take before nobody waits for it any more. */
const CLOSE_DEADLINE = 1000

/** The native transport: what a client uses unless it is given another. */
export function native(): TransportFactory {
  return (options) => new NativeTransport(options)
}

interface Connection {
  readonly socket: WebSocket
  /** Null until the socket is open. */
  session: NativeSession | null
  cancelTick: () => void
  isFlushing: boolean
}

class NativeTransport implements Transport {
  readonly #options: TransportOptions
  readonly #url: string
  readonly #reconnect: Reconnect
  #events: TransportEvents | null = null
  #stopWaking = () => {}
  #connection: Connection | null = null
  /** Counts attempts: what belongs to an earlier one is ignored. */
  #attempt = 0
  #cancelRetry: (() => void) | null = null
  /** Close code of a permanent end; null while there is hope. */
  #deniedBy: number | null = null
  /** From `setToken`, for the next attempt. */
  #nextToken: string | null = null

  constructor(options: TransportOptions) {
    this.#options = options
    this.#url = endpoint(options.url, NATIVE_PATH)
    this.#reconnect = new Reconnect(options.random ?? Math.random)
  }

  start(events: TransportEvents): void {
    if (this.#events) return
    this.#events = events
    this.#stopWaking = onWake(() => this.wake())
    this.#reconnect.reset()
    this.#retryNow()
  }

  async stop(): Promise<void> {
    if (!this.#events) return
    this.#events = null
    this.#stopWaking()
    this.#cancelRetry?.()
    this.#cancelRetry = null
    this.#attempt++
    const connection = this.#connection
    this.#connection = null
    if (!connection) return
    // what the engine said last still leaves
    if (connection.socket.readyState === 1) send(connection)
    await closed(connection, 1000, 'The client stopped')
  }

  wake(): void {
    if (!this.#events) return
    if (this.#connection?.session) {
      this.#connection.session.probe(performance.now())
      this.#settle(this.#connection)
      return
    }
    if (this.#deniedBy !== null) {
      if (!isAboutToken(this.#deniedBy)) return
    } else if (!this.#cancelRetry) return
    else this.#reconnect.reset()
    this.#retryNow()
  }

  setToken(token: string): void {
    if (this.#connection?.session) {
      this.#connection.session.setToken(token)
      this.#settle(this.#connection)
      return
    }
    this.#nextToken = token
    if (!this.#events) return
    if (this.#deniedBy !== null ? isAboutToken(this.#deniedBy) : this.#cancelRetry) {
      this.#reconnect.reset()
      this.#retryNow()
    }
  }

  open(requests: OpenRequest[]): void {
    this.#say((session) => session.open(requests))
  }

  close(documents: string[]): void {
    this.#say((session) => session.close(documents))
  }

  update(document: string, update: Uint8Array): void {
    this.#say((session) => session.update(document, update))
  }

  awareness(document: string, update: Uint8Array): void {
    this.#say((session) => session.awareness(document, update))
  }

  #say(what: (session: NativeSession) => void): void {
    const connection = this.#connection
    if (!connection?.session) return
    what(connection.session)
    this.#settle(connection)
  }

  // ── connecting ────────────────────────────────────────────────────────────────────────────────────

  /** In a later turn: the engine is never told anything from within a call of its own. */
  #retryNow(): void {
    this.#cancelRetry?.()
    this.#deniedBy = null
    const attempt = ++this.#attempt
    this.#cancelRetry = null
    queueMicrotask(() => {
      if (this.#events && attempt === this.#attempt) this.#connect()
    })
  }

  #connect(): void {
    const attempt = ++this.#attempt
    this.#cancelRetry = null
    this.#events?.connecting()
    if (attempt !== this.#attempt) return
    this.#token().then(
      (token) => {
        if (attempt === this.#attempt) this.#dial(token)
      },
      (cause: unknown) => {
        if (attempt === this.#attempt)
          this.#ended(0, `No token: ${cause instanceof Error ? cause.message : cause}`)
      },
    )
  }

  async #token(): Promise<string> {
    const given = this.#nextToken
    this.#nextToken = null
    return given ?? fetchToken(() => this.#options.token())
  }

  #dial(token: string): void {
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket
    let socket: WebSocket
    try {
      socket = new Socket(this.#url)
    } catch (cause) {
      this.#ended(0, cause instanceof Error ? cause.message : String(cause))
      return
    }
    socket.binaryType = 'arraybuffer'
    const connection: Connection = { socket, session: null, cancelTick: () => {}, isFlushing: false }
    this.#connection = connection
    const isCurrent = () => this.#connection === connection
    connection.cancelTick = backgroundTimer(OPEN_DEADLINE, () => {
      if (isCurrent()) this.#abandon(connection, 0, 'The relay did not answer')
    })
    socket.onopen = () => {
      if (!isCurrent()) return
      connection.session = new NativeSession({ agent: this.#options.agent, token, now: performance.now() })
      this.#settle(connection)
    }
    socket.onmessage = ({ data }: MessageEvent) => {
      if (!isCurrent() || !connection.session) return
      if (data instanceof ArrayBuffer) {
        connection.session.received(new Uint8Array(data), performance.now())
        this.#tell(connection)
      } else {
        this.#abandon(connection, CLOSE_CODES.internal, 'A text message from the relay')
      }
    }
    // what happened is in the close event that follows
    socket.onerror = () => {}
    socket.onclose = ({ code, reason }: CloseEvent) => {
      if (!isCurrent()) return
      this.#drop(connection)
      this.#ended(connection.session ? code : 0, reason || 'The connection ended')
    }
  }

  // ── while connected ───────────────────────────────────────────────────────────────────────────────

  /** After the session heard something: what it has to tell the engine is told, what it has to say is said. */
  #tell(connection: Connection): void {
    this.#deliver(connection)
    if (this.#connection !== connection || !connection.session) return
    const { givenUp } = connection.session
    if (givenUp) this.#abandon(connection, givenUp.code, givenUp.reason)
    else this.#settle(connection)
  }

  #deliver(connection: Connection): void {
    for (const event of connection.session?.takeEvents() ?? []) {
      // the engine may have stopped on the event before
      if (this.#connection !== connection || !this.#events) return
      if (event.type === 'connected') this.#reconnect.welcomed(performance.now())
      dispatch(this.#events, event)
    }
  }

  /**
   * At the end of this turn: what the session has to say leaves in one message, its next tick is set, and the
   * engine hears what came of its own calls (an upload that was too large).
   */
  #settle(connection: Connection): void {
    if (connection.isFlushing) return
    connection.isFlushing = true
    queueMicrotask(() => {
      connection.isFlushing = false
      if (this.#connection !== connection || !connection.session) return
      send(connection)
      connection.cancelTick()
      const { nextTick } = connection.session
      if (Number.isFinite(nextTick)) {
        connection.cancelTick = backgroundTimer(Math.max(0, nextTick - performance.now()), () => {
          connection.session?.tick(performance.now())
          this.#tell(connection)
        })
      }
      this.#deliver(connection)
    })
  }

  /** Gives a connection up without waiting for the other side. */
  #abandon(connection: Connection, code: number, reason: string): void {
    this.#drop(connection)
    void closed(connection, code === 0 ? 1000 : code, reason)
    this.#ended(code, reason)
  }

  #drop(connection: Connection): void {
    connection.cancelTick()
    if (this.#connection === connection) this.#connection = null
  }

  #ended(code: number, reason: string): void {
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
    this.#events.disconnected({ code, reason, permanent })
  }
}

function send({ socket, session }: Connection): void {
  // a socket that is closing takes nothing, and says so by its close event
  for (const message of session?.takeMessages() ?? []) {
    if (socket.readyState === 1) socket.send(message as Uint8Array<ArrayBuffer>)
  }
}

/** Closes the socket; resolves when it is closed, or when the other side takes too long to agree. */
function closed({ socket, cancelTick }: Connection, code: number, reason: string): Promise<void> {
  cancelTick()
  if (socket.readyState === 3) return Promise.resolve()
  return new Promise((resolve) => {
    const cancel = backgroundTimer(CLOSE_DEADLINE, resolve)
    socket.onclose = () => {
      cancel()
      resolve()
    }
    socket.close(code, reason)
  })
}
