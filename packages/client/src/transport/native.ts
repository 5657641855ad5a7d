/**
 * `native()`: one WebSocket for all documents. The shell around `native/session.ts`: its socket, its timer, and the
 * order of events. `dialer.ts` says when it connects.
 */
import { CLOSE_CODES, ConfabError, NATIVE_PATH } from '@confab/core'
import { Dialer, type Line } from './dialer.ts'
import { endpoint } from './endpoint.ts'
import { dispatch } from './native/dispatch.ts'
import { NativeSession } from './native/session.ts'
import { closeSocket, sendOn } from './socket.ts'
import { backgroundTimer } from './timers.ts'
import type {
  OpenRequest,
  Transport,
  TransportEvents,
  TransportFactory,
  TransportOptions,
} from './transport.ts'

/** Milliseconds for a socket to open. */
const OPEN_DEADLINE = 15_000

/**
 * The native transport: what a client uses unless it is given another.
 * @throws ConfabError 20001 (the factory) when the relay's URL is none
 */
export function native(): TransportFactory {
  return (options) => new NativeTransport(options)
}

/** Whether pages may come deflated: not in React Native, nor in older ones of Jest's environments. */
const CAN_INFLATE = typeof DecompressionStream !== 'undefined'

interface Asked {
  document: string
  resolve(bytes: Uint8Array | null | Promise<Uint8Array>): void
  reject(error: ConfabError): void
}

interface Connection {
  readonly socket: WebSocket
  /** Null until the socket is open. */
  session: NativeSession | null
  cancelTick: () => void
  isFlushing: boolean
}

class NativeTransport implements Transport, Line {
  readonly #options: TransportOptions
  readonly #url: string
  readonly #dialer: Dialer
  #connection: Connection | null = null
  /** Pages that were asked for, by document and hash. */
  readonly #asked = new Map<string, Asked>()

  constructor(options: TransportOptions) {
    this.#options = options
    this.#url = endpoint(options.url, NATIVE_PATH)
    this.#dialer = new Dialer(options, this)
  }

  // ── the engine’s side ─────────────────────────────────────────────────────────────────────────────

  start(events: TransportEvents): void {
    this.#dialer.start(events)
  }

  stop(): Promise<void> {
    return this.#dialer.stop()
  }

  wake(): void {
    this.#dialer.wake()
  }

  setToken(token: string): void {
    this.#dialer.setToken(token)
  }

  open(requests: OpenRequest[]): void {
    this.#say((session) => session.open(requests))
  }

  close(documents: string[]): void {
    this.#say((session) => session.close(documents))
    this.#dropPages(({ document }) => documents.includes(document))
  }

  page(document: string, hash: string): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      this.#asked.set(document + hash, { document, resolve, reject })
      let isAsked = false
      this.#say((session) => {
        isAsked = session.getPage(document, hash, CAN_INFLATE)
      })
      if (!isAsked) this.#dropPages((asked) => asked.resolve === resolve)
    })
  }

  #dropPages(which: (asked: Asked) => boolean): void {
    for (const [key, asked] of this.#asked) {
      if (!which(asked)) continue
      this.#asked.delete(key)
      asked.reject(new ConfabError(70605, 'There is nobody to ask for a page of history'))
    }
  }

  update(document: string, update: Uint8Array): void {
    this.#say((session) => session.update(document, update))
  }

  awareness(document: string, update: Uint8Array): void {
    this.#say((session) => session.awareness(document, update))
  }

  /** False when there is nobody to say it to. */
  #say(what: (session: NativeSession) => void): boolean {
    const connection = this.#connection
    if (!connection?.session) return false
    what(connection.session)
    this.#settle(connection)
    return true
  }

  // ── the dialer’s side ─────────────────────────────────────────────────────────────────────────────

  renew(token: string): boolean {
    return this.#say((session) => session.setToken(token))
  }

  probe(): boolean {
    return this.#say((session) => session.probe(performance.now()))
  }

  async hangUp(): Promise<void> {
    const connection = this.#connection
    if (!connection) return
    this.#drop(connection)
    // what the engine said last still leaves
    sendOn(connection.socket, connection.session?.takeMessages() ?? [])
    await closeSocket(connection.socket, 1000, 'The client stopped')
  }

  dial(token: string): void {
    const Socket = this.#options.WebSocket ?? globalThis.WebSocket
    const socket = new Socket(this.#url)
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
      this.#dialer.ended(connection.session ? code : 0, reason || 'The connection ended')
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
      const { events } = this.#dialer
      // the engine may have stopped on the event before
      if (this.#connection !== connection || !events) return
      if (event.type === 'connected') this.#dialer.welcomed()
      if (event.type !== 'page') dispatch(events, event)
      else {
        const key = event.document + event.hash
        const { bytes, deflated } = event
        this.#asked.get(key)?.resolve(deflated ? inflate(bytes) : bytes.length > 0 ? bytes : null)
        this.#asked.delete(key)
      }
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
      const { session, socket } = connection
      if (this.#connection !== connection || !session) return
      sendOn(socket, session.takeMessages())
      connection.cancelTick()
      if (Number.isFinite(session.nextTick)) {
        connection.cancelTick = backgroundTimer(Math.max(0, session.nextTick - performance.now()), () => {
          session.tick(performance.now())
          this.#tell(connection)
        })
      }
      this.#deliver(connection)
    })
  }

  /** Gives a connection up without waiting for the other side. */
  #abandon(connection: Connection, code: number, reason: string): void {
    this.#drop(connection)
    void closeSocket(connection.socket, code === 0 ? 1000 : code, reason)
    this.#dialer.ended(code, reason)
  }

  #drop(connection: Connection): void {
    connection.cancelTick()
    if (this.#connection === connection) this.#connection = null
    this.#dropPages(() => true)
  }
}

const inflate = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(
    await new Response(
      new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('deflate')),
    ).arrayBuffer(),
  )
