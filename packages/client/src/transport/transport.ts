/**
 * How documents travel. The engine knows this interface only; `native()` (one WebSocket for all) and
 * `yWebsocket()` (the stock y-websocket provider, one socket per document) implement it, and both pass the
 * sentences of `test/transport/`.
 */
import type { Limits, Outcome, ResumePoint } from '@confab/core'

export interface TransportOptions {
  /** The relay's URL: `ws://`, `wss://`, `http://` or `https://`. */
  url: string
  /** Fetches a token for each attempt to connect; a rejection counts as a failed attempt. */
  token(): Promise<string>
  agent: string
  /** Injected for tests; defaults to the platform's. */
  WebSocket?: typeof globalThis.WebSocket
  random?: () => number
}

export interface Welcome {
  identity: string
  accountSid: string
  serviceSid: string
  /** The relay's clock, milliseconds since the epoch; null when the transport isn't told. */
  now: number | null
  expiresAt: number
  limits: Limits | null
}

export type Disconnect = {
  /** WebSocket close code, or 0 when there was no connection. */
  code: number
  reason: string
  /** The transport will not try again by itself. */
  permanent: boolean
  /** Milliseconds until it does. */
  delay?: number
}

/** Updates to apply in one transaction. */
export interface DocumentNews {
  /** Into a new document. */
  replace: boolean
  /** The relay has no part of its history for what was here: it was restored from an older backup. */
  lost?: boolean
  /** Null: read it from the document itself. */
  point: ResumePoint | null
  updates: Uint8Array[]
  outcomes: Outcome[]
}

/** What the transport tells the engine. Called in order, never re-entrantly from a call of the engine's. */
export interface TransportEvents {
  connecting(): void
  /** Authenticated. The engine then opens its documents. */
  connected(welcome: Welcome): void
  disconnected(why: Disconnect): void
  /** The relay said what time it is, in milliseconds since the epoch: either clock may have been set meanwhile. */
  clock(now: number): void
  tokenExpiring(expiresAt: number): void

  /** The document is complete as of now: nothing to add. */
  current(document: string): void
  received(document: string, news: DocumentNews): void
  outcomes(document: string, outcomes: Outcome[]): void
  /** Upload everything of the outbox above this state vector. */
  requested(document: string, stateVector: Uint8Array): void
  absent(document: string): void
  awareness(document: string, update: Uint8Array): void
  nack(document: string, error: { code: number; message: string; retryAfter: number }): void
}

export interface OpenRequest {
  document: string
  point: ResumePoint
  /** There are undecided operations: ask the relay what it has of the outbox. */
  pending: boolean
}

export interface Transport {
  /** Connects, and reconnects with jittered backoff until `stop`. */
  start(events: TransportEvents): void
  /** Closes for good. Resolves when the socket is closed. */
  stop(): Promise<void>
  /** Try now instead of waiting for the backoff (the browser says it is online). */
  wake(): void
  /** Goes on with a fresh token, on the live connection if there is one. */
  setToken(token: string): void
  /** Valid while connected; forgotten at a disconnect. */
  open(requests: OpenRequest[]): void
  close(documents: string[]): void
  update(document: string, update: Uint8Array): void
  awareness(document: string, update: Uint8Array): void
  /**
   * A page of the sealed history of an open conversation, as `encodePage` made it; null when the relay has none of
   * this name for this reader. Rejects when there is no connection, when it ends, and when the document is closed.
   */
  page(document: string, hash: string): Promise<Uint8Array | null>
}

/** What `new Client(token, { transport })` takes. */
export type TransportFactory = (options: TransportOptions) => Transport
