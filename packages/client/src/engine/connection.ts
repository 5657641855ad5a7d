/** Whether there is a relay, and with which token. Documents are none of its business: it hands them on. */
import { CLOSE_CODES, ConfabError, type DocumentName } from '@confab/core'
import type { StoreOwner } from '../storage/storage.ts'
import type {
  Disconnect,
  OpenRequest,
  Transport,
  TransportEvents,
  TransportFactory,
  Welcome,
} from '../transport/transport.ts'
import type { ConnectionState, EngineEvents } from './engine.ts'
import type { Link } from './host.ts'
import { type Platform, randomFraction } from './platform.ts'
import { readToken, type TokenClaims } from './token.ts'

export interface ConnectionOptions {
  url: string
  transport: TransportFactory
  /** Fetches a token. */
  token(): Promise<string>
  /** Whose connection it is: a token of anybody else is refused here. */
  owner: StoreOwner
  platform: Platform
  tell(event: (events: EngineEvents) => void): void
  /** Events about documents, and about being connected. */
  events: Omit<TransportEvents, 'connecting' | 'clock' | 'tokenExpiring' | 'disconnected'> & {
    disconnected(): void
  }
}

export interface ConnectionLogEntry {
  /** Milliseconds since the epoch, by this device's clock. */
  at: number
  state: ConnectionState
  /** Of an end; 0 when there was no connection. */
  closeCode?: number
  reason?: string
}

/** Entries of the connection's log that are kept. */
const LOGGED = 50
/** Pages of history asked for at a time. */
const PAGES_AT_ONCE = 4

/** Milliseconds by which a device's clock may be wrong: a day, as in the wrong time zone. */
const CLOCK_OFF = 24 * 3_600_000

const AGENT = 'confab-client/0.1.0'

export class Connection implements Link {
  state: ConnectionState = 'unknown'
  /** What the relay's clock was ahead of this device's when it last said what time it is, in milliseconds; null while nobody told. */
  skew: number | null = null
  /** What became of the connection lately, oldest first, for who asks why nothing is sent. */
  readonly log: ConnectionLogEntry[] = []
  /** When the newest token ends, milliseconds since the epoch; null before there was one. */
  tokenExpiresAt: number | null = null
  /** When the next attempt is made by itself; null when none is due. */
  retryAt: number | null = null
  readonly #options: ConnectionOptions
  #transport: Transport | null = null
  #connected = false
  /** Pages asked for, and who waits to ask for one. */
  #pages = 0
  readonly #waiting: (() => void)[] = []
  /** A token brought by `updateToken`, used until the relay refuses it. */
  #brought: string | null = null
  #newest: string | null = null
  /** This attempt's token was already reported as expired. */
  #reported = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  get connected(): boolean {
    return this.#connected
  }

  relayNow(): number {
    return this.#options.platform.now() + (this.skew ?? 0)
  }

  isPast(time: number): boolean {
    return this.relayNow() > time + (this.skew === null ? CLOCK_OFF : 0)
  }

  start(): void {
    if (this.#transport) return
    const { url, transport, platform } = this.#options
    const made = transport({
      url,
      token: () => this.#token(),
      agent: AGENT,
      random: () => randomFraction(platform),
    })
    this.#transport = made
    this.#become('connecting')
    made.start(this.#eventsOf(made))
  }

  async stop(): Promise<void> {
    const transport = this.#transport
    if (!transport) return
    this.#transport = null
    this.#become('disconnecting')
    this.#gone()
    await transport.stop()
    if (!this.#transport) this.#become('disconnected')
  }

  /** @throws ConfabError 20003 when the token is another identity's, or for another service or account */
  updateToken(token: string): void {
    this.#check(token)
    this.#brought = token
    this.#newest = token
    this.#transport?.setToken(token)
  }

  open(requests: OpenRequest[]): void {
    if (this.#connected && requests.length > 0) this.#transport?.open(requests)
  }

  reopen(request: OpenRequest): void {
    if (!this.#connected) return
    this.#transport?.close([request.document])
    this.#transport?.open([request])
  }

  update(document: DocumentName, update: Uint8Array): void {
    if (this.#connected) this.#transport?.update(document, update)
  }

  awareness(document: DocumentName, update: Uint8Array): void {
    if (this.#connected) this.#transport?.awareness(document, update)
  }

  async page(document: DocumentName, hash: string): Promise<Uint8Array | null> {
    while (this.#pages >= PAGES_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#pages++
    try {
      if (!this.#transport) throw new ConfabError(70605, 'There is no connection')
      return await this.#transport.page(document, hash)
    } finally {
      this.#pages--
      this.#waiting.shift()?.()
    }
  }

  closeDocuments(documents: DocumentName[]): void {
    if (this.#connected && documents.length > 0) this.#transport?.close(documents)
  }

  #eventsOf(transport: Transport): TransportEvents {
    const { events } = this.#options
    // what a transport still says after it was stopped is of another life
    const live =
      <Arguments extends unknown[]>(task: (...given: Arguments) => void) =>
      (...given: Arguments) => {
        if (this.#transport === transport) task(...given)
      }
    return {
      connecting: live(() => {
        this.#reported = false
        this.#become('connecting')
      }),
      connected: live((welcome) => this.#welcomed(welcome)),
      disconnected: live((why) => this.#disconnected(why)),
      clock: live((now) => this.#compare(now)),
      tokenExpiring: live((expiresAt) => {
        const seconds = Math.max(0, Math.round((expiresAt - this.relayNow()) / 1000))
        this.#options.tell((listeners) => listeners.tokenAboutToExpire(seconds))
      }),
      current: live(events.current),
      received: live(events.received),
      outcomes: live(events.outcomes),
      requested: live(events.requested),
      absent: live(events.absent),
      awareness: live(events.awareness),
      nack: live(events.nack),
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#connected = true
    if (welcome.now !== null) this.#compare(welcome.now)
    this.#become('connected')
    this.#options.events.connected(welcome)
  }

  #compare(relayNow: number): void {
    this.skew = relayNow - this.#options.platform.now()
  }

  #disconnected(why: Disconnect): void {
    this.#gone()
    if (why.code === CLOSE_CODES.tokenExpired) this.#reportExpired()
    if (why.code === CLOSE_CODES.tokenExpired || why.code === CLOSE_CODES.unauthenticated)
      this.#brought = null
    const now = this.#options.platform.now()
    this.retryAt = why.delay === undefined || why.permanent ? null : now + why.delay
    this.#become(why.permanent ? (DENIED.has(why.code) ? 'denied' : 'error') : 'disconnected', why)
    this.#options.tell((events) =>
      events.connectionError({
        terminal: why.permanent,
        message: why.reason || 'The relay cannot be reached',
        ...(DENIED.has(why.code) ? { httpStatusCode: 401, errorCode: 20003 } : {}),
      }),
    )
  }

  /** A token for a request beside the connection: the newest, unless it ends within a minute. */
  async token(): Promise<string> {
    const { platform } = this.#options
    if (this.#newest !== null && (this.tokenExpiresAt ?? 0) > platform.now() + 60_000) return this.#newest
    return this.#token()
  }

  #gone(): void {
    if (!this.#connected) return
    this.#connected = false
    this.#options.events.disconnected()
  }

  async #token(): Promise<string> {
    const token = this.#brought ?? (await this.#options.token())
    this.#newest = token
    if (this.isPast(this.#check(token).expiresAt)) {
      // as far as is known here, so it is tried all the same
      this.#reportExpired()
      if (token === this.#brought) this.#brought = null
    }
    return token
  }

  #check(token: string): TokenClaims {
    const claims = readToken(token)
    const { identity, serviceSid, accountSid } = this.#options.owner
    if (claims.identity !== identity) {
      throw new ConfabError(20003, `This client is ${identity}'s, and the token is not`)
    }
    // what waits in this store was written for one service, and must not be posted in another
    if (claims.serviceSid !== serviceSid || claims.accountSid !== accountSid) {
      throw new ConfabError(20003, "This client's store is of another service than the token")
    }
    this.tokenExpiresAt = claims.expiresAt
    return claims
  }

  #reportExpired(): void {
    if (this.#reported) return
    this.#reported = true
    this.#options.tell((events) => events.tokenExpired())
  }

  #become(state: ConnectionState, why?: Disconnect): void {
    if (this.state === state) return
    if (!why) this.retryAt = null
    this.log.push({
      at: this.#options.platform.now(),
      state,
      ...(why && { closeCode: why.code, reason: why.reason }),
    })
    if (this.log.length > LOGGED) this.log.shift()
    this.state = state
    this.#options.tell((events) => events.connectionStateChanged(state))
  }
}

const DENIED: ReadonlySet<number> = new Set([
  CLOSE_CODES.unauthenticated,
  CLOSE_CODES.tokenExpired,
  CLOSE_CODES.forbidden,
])
