/**
 * The invite string: what a member hands to somebody who may join. Fits a link and a QR code.
 *
 * base64url, without padding, of:
 *
 * | bytes | field |
 * |---|---|
 * | 1 | version, 1 |
 * | 16 | the conversation's sid without its prefix |
 * | 32 | the secret |
 * | 6 | expiresAt, milliseconds since the epoch, big-endian |
 * | 16 | the role's sid without its prefix |
 * | 0–96 | friendlyName, UTF-8: a hint to show before the conversation is known, nothing more |
 * | 4 | checksum: the first bytes of SHA-256 over all before it, so that a mistyped invite is told apart at once |
 */
import { fromBase64UrlEncoded, toBase64UrlEncoded } from 'lib0/buffer'
import { digest } from 'lib0/hash/sha256'
import { ConfabError } from './error.ts'
import { fromHex, isSid, toHex } from './sid.ts'

export const INVITE_SECRET_BYTES = 32
/** The last expiry time that an invite string can say, milliseconds since the epoch. */
export const INVITE_EXPIRY_LATEST = 2 ** 48 - 1

export interface Invite {
  conversationSid: string
  /** 32 random bytes. */
  secret: Uint8Array
  /** Milliseconds since the epoch. */
  expiresAt: number
  roleSid: string
  /** Cut to 96 bytes of UTF-8. */
  friendlyName?: string
}

const VERSION = 1
const FIXED = 1 + 16 + INVITE_SECRET_BYTES + 6 + 16
const NAME_BYTES = 96
const CHECKSUM = 4
const BASE64URL = /^[A-Za-z0-9_-]+$/

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @throws ConfabError 20001 when a field is malformed */
export function encodeInvite(invite: Invite): string {
  if (
    !isSid('CH', invite.conversationSid) ||
    !isSid('RL', invite.roleSid) ||
    invite.secret.length !== INVITE_SECRET_BYTES ||
    !Number.isSafeInteger(invite.expiresAt) ||
    invite.expiresAt < 0 ||
    invite.expiresAt > INVITE_EXPIRY_LATEST
  ) {
    throw new ConfabError(
      20001,
      'An invite needs a conversation, a role, a secret of 32 bytes and an expiry time',
    )
  }
  const name = cutUtf8(invite.friendlyName ?? '', NAME_BYTES)
  const bytes = new Uint8Array(FIXED + name.length + CHECKSUM)
  const view = new DataView(bytes.buffer)
  bytes[0] = VERSION
  bytes.set(fromHex(invite.conversationSid.slice(2)), 1)
  bytes.set(invite.secret, 17)
  view.setUint16(49, Math.floor(invite.expiresAt / 2 ** 32))
  view.setUint32(51, invite.expiresAt % 2 ** 32)
  bytes.set(fromHex(invite.roleSid.slice(2)), 55)
  bytes.set(name, FIXED)
  bytes.set(checksum(bytes.subarray(0, FIXED + name.length)), FIXED + name.length)
  return toBase64UrlEncoded(bytes)
}

/**
 * Reads an invite string; white space around it is ignored.
 * @throws ConfabError 70203 when it is not one, or was mistyped or cut
 */
export function decodeInvite(text: string): Invite {
  const bytes = decodeBase64Url(text.trim())
  const end = bytes.length - CHECKSUM
  if (
    end < FIXED ||
    end > FIXED + NAME_BYTES ||
    !sameBytes(checksum(bytes.subarray(0, end)), bytes.subarray(end))
  ) {
    throw new ConfabError(70203, 'This is not a complete invite: copy it again')
  }
  if (bytes[0] !== VERSION) throw new ConfabError(70203, 'This invite was made by a newer version')
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const invite: Invite = {
    conversationSid: `CH${toHex(bytes.subarray(1, 17))}`,
    secret: bytes.slice(17, 49),
    expiresAt: view.getUint16(49) * 2 ** 32 + view.getUint32(51),
    roleSid: `RL${toHex(bytes.subarray(55, 71))}`,
  }
  if (end > FIXED) {
    try {
      invite.friendlyName = decoder.decode(bytes.subarray(FIXED, end))
    } catch (cause) {
      throw new ConfabError(70203, 'This invite has a malformed name', { cause })
    }
  }
  return invite
}

/** The form in which a join operation carries the secret: 43 characters of base64url. */
export function inviteSecretText(secret: Uint8Array): string {
  return toBase64UrlEncoded(secret)
}

/** @throws ConfabError 70203 when the text is not 32 bytes of base64url */
export function inviteSecretBytes(text: string): Uint8Array {
  const bytes = decodeBase64Url(text)
  if (bytes.length !== INVITE_SECRET_BYTES) throw new ConfabError(70203, 'An invite secret has 32 bytes')
  return bytes
}

function decodeBase64Url(text: string): Uint8Array {
  if (!BASE64URL.test(text) || text.length % 4 === 1) throw new ConfabError(70203)
  const bytes = fromBase64UrlEncoded(text)
  // one text per value: left-over bits in the last character would make a second one
  if (toBase64UrlEncoded(bytes) !== text) throw new ConfabError(70203)
  return bytes
}

const checksum = (bytes: Uint8Array) => digest(bytes).subarray(0, CHECKSUM)

const sameBytes = (a: Uint8Array, b: Uint8Array) => a.every((byte, i) => byte === b[i])

/** At most `most` bytes of UTF-8, never half a character. */
function cutUtf8(text: string, most: number): Uint8Array {
  const bytes = new Uint8Array(most)
  const { written } = encoder.encodeInto(text, bytes)
  return bytes.subarray(0, written)
}
