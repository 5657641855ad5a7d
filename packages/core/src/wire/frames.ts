/**
 * The native protocol, version 1: every frame, in both directions. `docs/protocol.md` says when each is
 * sent and what its receiver does; `codec.ts` gives the bytes.
 *
 * One WebSocket carries all of a client's documents. A binary WebSocket message holds one or more frames,
 * each a varuint length and that many bytes: a varuint type and the fields. A document is named once, in
 * `open`, with a channel (a number the client chooses, unique on this connection while open).
 */
import type { Outcome } from '../operations.ts'

export const PROTOCOL_VERSION = 1

/** Where a relay takes native connections, below its URL. */
export const NATIVE_PATH = '/v1/sync'
/** Where a relay takes stock y-websocket connections, below its URL; the document's name follows. */
export const YJS_PATH = '/yjs'
/** Where a relay gives pages of sealed history over HTTP, below its URL; `/<conversation sid>/<hash>` follows. */
export const HISTORY_PATH = '/history'

/**
 * A document's resume point: the newest id in its `commits` root and how many commits of that id it holds.
 * `commitsId` 0 and `clock` 0: nothing is held.
 */
export interface ResumePoint {
  epoch: number
  commitsId: number
  /** Items of `commitsId` held, so the next commit's clock. */
  clock: number
}

export interface OpenEntry extends ResumePoint {
  channel: number
  document: string
  /** The client has something to upload: the relay answers with `request`. */
  pending: boolean
}

/** Client to relay. */
export type UpFrame =
  /** First frame of a connection: who is it. */
  | { type: 'hello'; version: number; token: string; agent: string }
  /** Opens or resumes documents, any number in one round trip. */
  | { type: 'open'; entries: OpenEntry[] }
  | { type: 'close'; channels: number[] }
  /** A Yjs update (V1) of the client's own outbox. */
  | { type: 'update'; channel: number; update: Uint8Array }
  /** A y-protocols awareness update: typing and presence. */
  | { type: 'awareness'; channel: number; update: Uint8Array }
  /** A fresh token for the same identity. */
  | { type: 'token'; token: string }
  | { type: 'ping'; nonce: number }
  /** A page of a conversation's sealed history, named by its hash. `deflate`: it may come deflated (zlib format). */
  | { type: 'getPage'; channel: number; hash: string; deflate: boolean }

/**
 * - `current`: the client has everything.
 * - `changes`: a `changes` frame per missing commit run follows.
 * - `snapshot`: a `snapshot` frame follows.
 * - `absent`: not yours, or doesn't exist: nobody can tell which. It may still be written to with
 *   `conversation.create` or an invite.
 */
export type OpenStatus = 'current' | 'changes' | 'snapshot' | 'absent'

/** Relay to client. */
export type DownFrame =
  | {
      type: 'welcome'
      version: number
      identity: string
      accountSid: string
      serviceSid: string
      /** The relay's clock, milliseconds since the epoch: the client shows skew, and goes by it where an invite or a token ends. */
      now: number
      /** When the token ends, milliseconds since the epoch. */
      expiresAt: number
      /** Milliseconds of silence after which the client pings; after twice as many it reconnects. */
      heartbeat: number
      /** JSON of `Limits`. */
      limits: string
    }
  | { type: 'opened'; entries: { channel: number; status: OpenStatus }[] }
  /**
   * The whole document for this reader: updates to apply in order, in one transaction. `replace`: into a
   * new document (another epoch, or a point that the relay doesn't hold), whose undecided operations are
   * appended again. `lost`: what the client had is no part of the relay's history, as after a restored backup.
   */
  | {
      type: 'snapshot'
      channel: number
      replace: boolean
      lost: boolean
      point: ResumePoint
      updates: Uint8Array[]
      outcomes: Outcome[]
    }
  /** Commits that follow what the client has, in one transaction; `point` is where it stands afterwards. */
  | { type: 'changes'; channel: number; point: ResumePoint; updates: Uint8Array[]; outcomes: Outcome[] }
  /** Outcomes without a change that this reader may see (a refused join, "not now"). */
  | { type: 'outcomes'; channel: number; outcomes: Outcome[] }
  /** Sync step 1: upload everything in your outbox above this state vector (Yjs encoding). */
  | { type: 'request'; channel: number; stateVector: Uint8Array }
  /** The document is no longer yours, or never was. The channel stays open for writing, as after `opened` absent. */
  | { type: 'absent'; channel: number }
  | { type: 'awareness'; channel: number; update: Uint8Array }
  /** An upload was not taken as a whole. 70602: reload under a fresh client id. 20429 and 70502: again after the delay. */
  | { type: 'nack'; channel: number; code: number; message: string; retryAfter: number }
  /** The token ends soon: bring a new one. */
  | { type: 'tokenExpiring'; expiresAt: number }
  | { type: 'pong'; nonce: number; now: number }
  /** The page that was asked for. No bytes: not yours, or there is no such page any more, and nobody can tell which. */
  | { type: 'page'; channel: number; hash: string; deflated: boolean; bytes: Uint8Array }

/** Why a relay closes a connection. 4400–4499: permanent, don't reconnect as you are. 4500–4599: come back later. */
export const CLOSE_CODES = {
  /** The peer broke the protocol: nothing of that frame was applied. Permanent for the same bytes. */
  violation: 4400,
  /** Token missing, malformed, of an unknown key, or not yet valid. */
  unauthenticated: 4401,
  /** The token ended: fetch another, then reconnect. */
  tokenExpired: 4402,
  /** Not allowed here at all (origin, `authenticate` hook). */
  forbidden: 4403,
  /** y-websocket endpoint: not yours, or doesn't exist. */
  absent: 4404,
  /** y-websocket endpoint: the document was replaced (another epoch): clear the local copy, load again. */
  replaced: 4410,
  /** y-websocket endpoint: your client id belongs to somebody else: reload under a fresh one. */
  clientIdTaken: 4409,
  /** Protocol version not supported. */
  version: 4426,
  /** Draining for a restart. */
  restarting: 4500,
  /** Budget exceeded: slow down. */
  tooManyRequests: 4529,
  /** The reader was too slow: it resumes from where it stands. */
  slowReader: 4508,
  /** Nothing heard for too long. */
  silent: 4504,
  /** The relay failed; nothing unacknowledged was kept. */
  internal: 4513,
} as const

/** Whether a client should try again by itself after this close code. */
export const isPermanentClose = (code: number): boolean => code >= 4400 && code <= 4499
