/**
 * `yWebsocket()`: the same documents by the stock y-websocket provider, one socket each, at the relay's `/yjs`.
 * For relays and networks that have nothing else; it fetches documents whole where the native transport resumes.
 *
 * Each document is a room (`y-websocket/room.ts`). The room of `user/<identity>` is open as long as there is a
 * connection: it is what tells that the relay let us in. When any room ends, all do, and everything is dialled again.
 */
import { CLOSE_CODES, ConfabError, userDocument, YJS_PATH } from '@confab/core'
import { readToken, type TokenClaims } from '../engine/token.ts'
import { Dialer, type Line } from './dialer.ts'
import { endpoint } from './endpoint.ts'
import { backgroundTimer } from './timers.ts'
import type {
  OpenRequest,
  Transport,
  TransportEvents,
  TransportFactory,
  TransportOptions,
} from './transport.ts'
import { Room } from './y-websocket/room.ts'

/** Milliseconds for the relay to let us in. */
const WELCOME_DEADLINE = 20_000
/** Milliseconds for a sign of life when the network may have changed. */
const PROBE_DEADLINE = 5000
/** Milliseconds of silence after which a room is dead: y-websocket's own, by a clock that nobody sets. */
const SILENCE = 30_000
/** Milliseconds before its end at which a token's end is announced, or halfway for one that is short (Twilio: 3 min). */
const TOKEN_AHEAD = 180_000
/** The longest time that a timer can be set for. */
const LONGEST_TIMER = 2 ** 31 - 1

/**
 * The stock transport. It needs tokens in the form of Twilio's, because nothing else tells it who it is.
 * @throws ConfabError 20001 (the factory) when the relay's URL is none
 */
export function yWebsocket(): TransportFactory {
  return (options) => new YWebsocketTransport(options)
}

interface Connection {
  readonly token: string
  readonly claims: TokenClaims
  readonly rooms: Map<string, Room>
  /** Ends what was asked over HTTP meanwhile. */
  readonly ending: AbortController
  isWelcome: boolean
  /** Gives up unless something is heard. */
  cancelDeadline: () => void
  cancelExpiry: () => void
}

class YWebsocketTransport implements Transport, Line {
  readonly #options: TransportOptions
  readonly #url: string
  readonly #dialer: Dialer
  #connection: Connection | null = null

  constructor(options: TransportOptions) {
    this.#options = options
    this.#url = endpoint(options.url, YJS_PATH)
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
    const connection = this.#connection
    if (!connection?.isWelcome) return
    for (const request of requests) {
      const room = connection.rooms.get(request.document) ?? this.#enter(connection, request.document)
      room.open(request)
    }
  }

  close(documents: string[]): void {
    const connection = this.#connection
    if (!connection) return
    for (const document of documents) {
      const room = connection.rooms.get(document)
      if (!room) continue
      connection.rooms.delete(document)
      void room.leave()
      if (document === userDocument(connection.claims.identity)) this.#enter(connection, document)
    }
  }

  update(document: string, update: Uint8Array): void {
    this.#connection?.rooms.get(document)?.update(update)
  }

  awareness(document: string, update: Uint8Array): void {
    this.#connection?.rooms.get(document)?.awareness(update)
  }

  async page(document: string, hash: string): Promise<Uint8Array | null> {
    const connection = this.#connection
    if (!connection?.isWelcome) throw new ConfabError(70605, 'There is nobody to ask for a page of history')
    const url = `${endpoint(this.#options.url, '/history')}/${document}/${hash}`.replace(/^ws/, 'http')
    const authorization = `Bearer ${connection.token}`
    const { signal } = connection.ending
    const answer = await fetch(url, { headers: { authorization }, signal })
    if (answer.status === 404) return null
    if (!answer.ok) throw new ConfabError(70605, `The relay answered ${answer.status} for a page of history`)
    return new Uint8Array(await answer.arrayBuffer())
  }

  // ── the dialer’s side ─────────────────────────────────────────────────────────────────────────────

  dial(token: string): void {
    let claims: TokenClaims
    try {
      claims = readToken(token)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      this.#dialer.ended(CLOSE_CODES.unauthenticated, reason)
      return
    }
    const connection: Connection = {
      token,
      claims,
      rooms: new Map(),
      ending: new AbortController(),
      isWelcome: false,
      cancelDeadline: () => {},
      cancelExpiry: () => {},
    }
    this.#connection = connection
    this.#await(connection, WELCOME_DEADLINE)
    this.#enter(connection, userDocument(claims.identity))
  }

  /** y-websocket has no way to take another token on a live connection: the relay ends it, and the next one has it. */
  renew(token: string): boolean {
    if (!this.#connection?.isWelcome) return false
    try {
      this.#announceExpiry(this.#connection, readToken(token).expiresAt)
    } catch {
      // not a token: the next attempt will say so
    }
    return true
  }

  probe(): boolean {
    const connection = this.#connection
    if (!connection?.isWelcome) return false
    this.#await(connection, PROBE_DEADLINE)
    for (const room of connection.rooms.values()) room.probe()
    return true
  }

  async hangUp(): Promise<void> {
    const connection = this.#connection
    if (!connection) return
    this.#connection = null
    await leave(connection)
  }

  // ── rooms ─────────────────────────────────────────────────────────────────────────────────────────

  #enter(connection: Connection, document: string): Room {
    /** Only what happens on the live connection, in a room that wasn't left, reaches the engine. */
    const live = (tell: (events: TransportEvents) => void) => {
      const { events } = this.#dialer
      if (this.#connection === connection && connection.rooms.get(document) === room && events) tell(events)
    }
    let cancelSilence = () => {}
    const room: Room = new Room({
      url: this.#url,
      document,
      token: connection.token,
      WebSocket: this.#options.WebSocket ?? globalThis.WebSocket,
      events: {
        heard: () => {
          cancelSilence()
          cancelSilence = backgroundTimer(SILENCE, () =>
            live(() => this.#end(connection, 0, 'Nothing heard for too long')),
          )
          live((events) => this.#heard(connection, events))
        },
        current: () => live((events) => events.current(document)),
        received: (news) => live((events) => events.received(document, news)),
        outcomes: (outcomes) => live((events) => events.outcomes(document, outcomes)),
        requested: (stateVector) => live((events) => events.requested(document, stateVector)),
        absent: () => {
          // its socket is closed, and silent by right
          cancelSilence()
          live((events) => events.absent(document))
        },
        awareness: (update) => live((events) => events.awareness(document, update)),
        nack: (error) => live((events) => events.nack(document, error)),
        ended: (code, reason) => live(() => this.#end(connection, code, reason)),
      },
    })
    connection.rooms.set(document, room)
    return room
  }

  #heard(connection: Connection, events: TransportEvents): void {
    connection.cancelDeadline()
    if (connection.isWelcome) return
    connection.isWelcome = true
    const { identity, accountSid, serviceSid, expiresAt } = connection.claims
    this.#announceExpiry(connection, expiresAt)
    this.#dialer.welcomed()
    events.connected({ identity, accountSid, serviceSid, now: null, expiresAt, limits: null })
  }

  #announceExpiry(connection: Connection, expiresAt: number): void {
    connection.cancelExpiry()
    const left = expiresAt - Date.now()
    const wait = Math.max(left - TOKEN_AHEAD, left / 2)
    if (!(wait >= 0 && wait <= LONGEST_TIMER)) return
    connection.cancelExpiry = backgroundTimer(wait, () => {
      if (this.#connection === connection) this.#dialer.events?.tokenExpiring(expiresAt)
    })
  }

  #await(connection: Connection, milliseconds: number): void {
    connection.cancelDeadline()
    connection.cancelDeadline = backgroundTimer(milliseconds, () => {
      if (this.#connection === connection) this.#end(connection, 0, 'The relay did not answer')
    })
  }

  #end(connection: Connection, code: number, reason: string): void {
    this.#connection = null
    void leave(connection)
    this.#dialer.ended(code, reason)
  }
}

async function leave(connection: Connection): Promise<void> {
  connection.ending.abort()
  connection.cancelDeadline()
  connection.cancelExpiry()
  await Promise.all([...connection.rooms.values()].map((room) => room.leave()))
}
