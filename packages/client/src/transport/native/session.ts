/**
 * The client's side of the native protocol (`packages/core/src/wire/frames.ts`, docs/protocol.md) for the life of
 * one connection: messages come in and go out, time is told, documents are opened on channels. Knows no socket,
 * no timer, and nothing of what the bytes mean.
 */
import {
  CLOSE_CODES,
  ConfabError,
  type DownFrame,
  decodeDown,
  FrameBatch,
  type Limits,
  limitsWith,
  PROTOCOL_VERSION,
  ProtocolViolation,
  upMessageBytes,
} from '@confab/core'
import type { OpenRequest, Welcome } from '../transport.ts'

/** Milliseconds from the connection to the welcome: more than a relay gives its `authenticate` hook. */
const WELCOME_DEADLINE = 20_000
/** Milliseconds in which a pong must come when there is a reason to doubt the connection. */
const PROBE_DEADLINE = 5000

/** What the session has to tell, in order. Each is the event of `TransportEvents` of that name. */
export type SessionEvent =
  | { type: 'connected'; welcome: Welcome }
  | { type: 'clock'; now: number }
  | { type: 'tokenExpiring'; expiresAt: number }
  | { type: 'current' | 'absent'; document: string }
  | { type: 'received'; document: string; news: News }
  | { type: 'outcomes'; document: string; outcomes: News['outcomes'] }
  | { type: 'requested'; document: string; stateVector: Uint8Array }
  | { type: 'awareness'; document: string; update: Uint8Array }
  | { type: 'page'; document: string; hash: string; deflated: boolean; bytes: Uint8Array }
  | { type: 'nack'; document: string; error: { code: number; message: string; retryAfter: number } }

type News = { replace: boolean; lost?: boolean } & Pick<
  Extract<DownFrame, { type: 'snapshot' }>,
  'point' | 'updates' | 'outcomes'
>

/** The connection is of no more use: close it with this code and reason. */
export interface GivenUp {
  code: number
  reason: string
}

export class NativeSession {
  #state: 'greeting' | 'ready' = 'greeting'
  #batch = new FrameBatch()
  #events: SessionEvent[] = []
  #givenUp: GivenUp | null = null
  #limits: Limits | null = null
  readonly #documents = new Map<number, string>()
  readonly #channels = new Map<string, number>()
  #nextChannel = 1
  /** Milliseconds of silence that the relay asked for in its welcome. */
  #heartbeat = Number.POSITIVE_INFINITY
  #heardAt: number
  #nonce = 0
  /** Unless something is heard before this time, the connection is given up. */
  #patience: number
  #isDoubted = false

  /** Begins when the socket is open. Times are milliseconds of any clock that doesn't go back. */
  constructor(options: { agent: string; token: string; now: number }) {
    this.#heardAt = options.now
    this.#patience = options.now + WELCOME_DEADLINE
    const { agent, token } = options
    this.#batch.add({ type: 'hello', version: PROTOCOL_VERSION, token, agent })
  }

  // ── what comes out ────────────────────────────────────────────────────────────────────────────────

  /** The messages that are to be sent now. */
  takeMessages(): Uint8Array[] {
    return this.#batch.take()
  }

  takeEvents(): SessionEvent[] {
    return this.#events.splice(0)
  }

  /** Set once, when the connection is to be closed from here. */
  get givenUp(): GivenUp | null {
    return this.#givenUp
  }

  /** When `tick` is due. */
  get nextTick(): number {
    return this.#state === 'greeting' || this.#isDoubted ? this.#patience : this.#heardAt + this.#heartbeat
  }

  // ── from the socket and the clock ─────────────────────────────────────────────────────────────────

  received(message: Uint8Array, now: number): void {
    if (this.#givenUp) return
    this.#heardAt = now
    if (this.#state === 'ready') this.#isDoubted = false
    try {
      for (const frame of decodeDown(message)) this.#receive(frame)
    } catch (cause) {
      if (!(cause instanceof ProtocolViolation)) throw cause
      // the relay's fault, and not one that lasts: another of its versions may be running soon
      this.#giveUp(CLOSE_CODES.internal, cause.message)
    }
  }

  tick(now: number): void {
    if (this.#givenUp || now < this.nextTick) return
    if (this.#state === 'greeting') this.#giveUp(CLOSE_CODES.silent, 'No welcome from the relay')
    else if (this.#isDoubted) this.#giveUp(CLOSE_CODES.silent, 'Nothing heard from the relay')
    else this.#ping(now, this.#heartbeat)
  }

  /** There is a reason to think that the network changed: asks the relay for a sign of life. */
  probe(now: number): void {
    if (this.#state === 'ready') this.#ping(now, Math.min(PROBE_DEADLINE, this.#heartbeat))
  }

  #ping(now: number, patience: number): void {
    this.#patience = this.#isDoubted ? Math.min(this.#patience, now + patience) : now + patience
    this.#isDoubted = true
    this.#batch.add({ type: 'ping', nonce: ++this.#nonce })
  }

  #giveUp(code: number, reason: string): void {
    this.#givenUp ??= { code, reason }
  }

  // ── from the engine ───────────────────────────────────────────────────────────────────────────────

  /** Opens, or reads again from another point, any number of documents in one frame. */
  open(requests: readonly OpenRequest[]): void {
    if (this.#state !== 'ready' || requests.length === 0) return
    const entries = requests.map(({ document, point, pending }) => {
      const channel = this.#channels.get(document) ?? this.#nextChannel++
      this.#channels.set(document, channel)
      this.#documents.set(channel, document)
      return { channel, document, pending, ...point }
    })
    this.#batch.add({ type: 'open', entries })
  }

  close(documents: readonly string[]): void {
    const channels: number[] = []
    for (const document of documents) {
      const channel = this.#channels.get(document)
      if (channel === undefined) continue
      this.#channels.delete(document)
      this.#documents.delete(channel)
      channels.push(channel)
    }
    if (channels.length > 0) this.#batch.add({ type: 'close', channels })
  }

  /** Uploads; more than the relay takes at once is answered with the event `nack` 70106 and not sent. */
  update(document: string, update: Uint8Array): void {
    const channel = this.#channels.get(document)
    if (channel === undefined) return
    if (this.#limits && update.length > this.#limits.updateBytes) {
      const { code, message } = new ConfabError(
        70106,
        `An update may have ${this.#limits.updateBytes} bytes, this one has ${update.length}: split it`,
      )
      this.#events.push({ type: 'nack', document, error: { code, message, retryAfter: 0 } })
      return
    }
    this.#batch.add({ type: 'update', channel, update })
  }

  awareness(document: string, update: Uint8Array): void {
    const channel = this.#channels.get(document)
    if (channel !== undefined) this.#batch.add({ type: 'awareness', channel, update })
  }

  /** Asks for a page; false when the document isn't open. */
  getPage(document: string, hash: string, deflate: boolean): boolean {
    const channel = this.#channels.get(document)
    if (channel !== undefined) this.#batch.add({ type: 'getPage', channel, hash, deflate })
    return channel !== undefined
  }

  setToken(token: string): void {
    if (this.#state === 'ready') this.#batch.add({ type: 'token', token })
  }

  // ── frames ────────────────────────────────────────────────────────────────────────────────────────

  #receive(frame: DownFrame): void {
    if (this.#state === 'greeting') {
      if (frame.type !== 'welcome') throw new ProtocolViolation('The first frame must be welcome')
      this.#welcome(frame)
      return
    }
    switch (frame.type) {
      case 'welcome':
        throw new ProtocolViolation('A second welcome')
      case 'pong':
        this.#events.push({ type: 'clock', now: frame.now })
        return
      case 'tokenExpiring':
        this.#events.push({ type: 'tokenExpiring', expiresAt: frame.expiresAt })
        return
      case 'opened':
        for (const { channel, status } of frame.entries) {
          const document = this.#documents.get(channel)
          if (document === undefined) continue
          // of `changes` and `snapshot` the frames themselves tell
          if (status === 'current' || status === 'absent') this.#events.push({ type: status, document })
        }
        return
      default: {
        // one that was closed here while the relay was still speaking of it
        const document = this.#documents.get(frame.channel)
        if (document !== undefined) this.#events.push(eventOf(frame, document))
      }
    }
  }

  #welcome(frame: Extract<DownFrame, { type: 'welcome' }>): void {
    const { identity, accountSid, serviceSid, now, expiresAt } = frame
    if (frame.version !== PROTOCOL_VERSION) {
      this.#giveUp(CLOSE_CODES.version, `The relay speaks version ${frame.version}`)
      return
    }
    this.#limits = limitsOf(frame.limits)
    this.#heartbeat = frame.heartbeat
    this.#state = 'ready'
    this.#batch = new FrameBatch(upMessageBytes(this.#limits))
    const welcome: Welcome = { identity, accountSid, serviceSid, now, expiresAt, limits: this.#limits }
    this.#events.push({ type: 'connected', welcome })
  }
}

type DocumentFrame = Extract<DownFrame, { channel: number }>

function eventOf(frame: DocumentFrame, document: string): SessionEvent {
  switch (frame.type) {
    case 'snapshot':
    case 'changes': {
      const { point, outcomes } = frame
      const replace = frame.type === 'snapshot' && frame.replace
      const lost = frame.type === 'snapshot' && frame.lost
      return {
        type: 'received',
        document,
        news: { replace, ...(lost && { lost }), point, updates: frame.updates.map(copy), outcomes },
      }
    }
    case 'outcomes':
      return { type: 'outcomes', document, outcomes: frame.outcomes }
    case 'request':
      return { type: 'requested', document, stateVector: copy(frame.stateVector) }
    case 'absent':
      return { type: 'absent', document }
    case 'awareness':
      return { type: 'awareness', document, update: copy(frame.update) }
    case 'page': {
      const { type, hash, deflated, bytes } = frame
      return { type, document, hash, deflated, bytes: copy(bytes) }
    }
    case 'nack': {
      const { code, message, retryAfter } = frame
      return { type: 'nack', document, error: { code, message, retryAfter } }
    }
  }
}

/** Out of the message: a view that is stored or sent to another tab takes the whole message along. */
const copy = (bytes: Uint8Array): Uint8Array => bytes.slice()

function limitsOf(json: string): Limits {
  try {
    return limitsWith(JSON.parse(json) as Partial<Limits>)
  } catch {
    throw new ProtocolViolation('The limits in welcome are not JSON')
  }
}
