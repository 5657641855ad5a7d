/**
 * A session is one connection's side of a protocol without its socket: messages come in, messages and a close go
 * out by an `Outlet`, time comes from a `Clock`. The gateway is the shell around it.
 */
import type { Limits } from '@confab/core'
import type { Engine } from '../engine.ts'
import type { Authentication } from '../hooks.ts'
import type { Clock } from './clock.ts'

/** What a gateway tells a session. Nothing is taken after `ended`. */
export interface Session {
  /** One binary WebSocket message. Its bytes must not change afterwards. */
  receive(message: Uint8Array): void
  /** A text message: neither protocol has any. */
  receiveText(): void
  /** A WebSocket ping (which costs the relay an answer) or pong. */
  heard(kind: 'ping' | 'pong'): void
  /** Closes from this side, after what is queued. */
  close(code: number, reason: string): void
  /** The socket is gone. */
  ended(): void
}

/** The way to the peer. */
export interface Outlet {
  /** Sends the messages in one write, and calls back when the socket has passed them on. */
  send(messages: readonly Uint8Array[], written: () => void): void
  /** A WebSocket ping, which every peer answers by itself. */
  ping(): void
  /** @param reason at most 123 bytes of UTF-8 */
  close(code: number, reason: string): void
}

/**
 * Rejects with `ConfabError` 20003 (not to be trusted), 20104 (expired) or 20403 (not allowed here). What else it
 * rejects with is a failure of the relay's own.
 */
export type Authenticate = (token: string) => Promise<Authentication>

/** What a session writes to; pino's loggers fit. */
export interface Log {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Waiting times, in milliseconds. */
export interface Timing {
  /** From the connection to its first frame. */
  hello: number
  /** For the `authenticate` hook. */
  authenticate: number
  /** Between two pings; a peer that is silent for twice as long is gone. */
  heartbeat: number
  /** The token's end is announced so much ahead, or halfway for one that is short. */
  tokenAhead: number
  /** For a reader to take what it asked for before the rest of it is read from the store. */
  reading: number
  /** For a stranger at the stock endpoint to bring what makes them a participant. */
  stranger: number
  /** Between two `request` frames for one document. */
  request: number
  /** Between two epochs of one document: each makes everybody load it afresh, and any member can pile up client ids. */
  epoch: number
}

export const DEFAULT_TIMING: Readonly<Timing> = Object.freeze({
  hello: 10_000,
  authenticate: 10_000,
  heartbeat: 30_000,
  tokenAhead: 180_000, // Twilio's tokenAboutToExpire
  reading: 60_000,
  stranger: 10_000,
  request: 1000,
  epoch: 60_000,
})

export interface SessionOptions {
  clock: Clock
  outlet: Outlet
  engine: Engine
  authenticate: Authenticate
  limits: Limits
  timing: Timing
  log: Log
}
