/** How large the parts of a message may be. */
import type { Limits } from '../limits.ts'

/** Frames of one WebSocket message; a longer batch is sent as several messages. */
export const FRAMES_PER_MESSAGE = 4096

/** Each bound is in bytes of the encoded part, but for `entries`, which counts. */
export interface WireBounds {
  token: number
  /** Document names, the agent, identities, reasons. */
  text: number
  update: number
  /** Hashes of pages. */
  hash: number
  /** Entries of one list. */
  entries: number
}

/** What a client accepts of its relay: as much as one WebSocket message holds. */
export const NO_BOUNDS: WireBounds = Object.freeze({
  token: Number.POSITIVE_INFINITY,
  text: Number.POSITIVE_INFINITY,
  update: Number.POSITIVE_INFINITY,
  hash: Number.POSITIVE_INFINITY,
  entries: Number.POSITIVE_INFINITY,
})

/** What a relay with these limits accepts of a client. */
export function upBounds(limits: Limits): WireBounds {
  return {
    // Twilio's tokens with several grants stay below 2 kB.
    token: 8 * 1024,
    // `profile/` and an identity of four-byte characters, with room.
    text: 64 + 4 * limits.identityLength,
    update: limits.updateBytes,
    // 43 characters of base64url, with room.
    hash: 64,
    entries: limits.openDocuments,
  }
}

/** Bytes of one WebSocket message that a relay with these limits accepts: an update, or many small frames. */
export const upMessageBytes = (limits: Limits): number => limits.updateBytes + 256 * 1024
