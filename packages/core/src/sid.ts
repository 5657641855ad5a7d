/** Sids: a two-letter prefix and 32 lower-case hex digits. Those that two people must agree on are hashes. */
import { digest } from 'lib0/hash/sha256'

export type SidPrefix = 'CH' | 'IM' | 'MB' | 'US' | 'RL' | 'IS' | 'AC' | 'ME' | 'DY'

const HEX_32 = /^[0-9a-f]{32}$/
const encoder = new TextEncoder()

/** Lower-case hex digits of the bytes. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** The bytes of an even number of hex digits; the caller has checked that they are. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  )
}

/** The first 16 bytes of SHA-256 over the parts. JSON delimits them: no two lists of strings have the same text. */
function hashOf(...parts: string[]): string {
  return toHex(digest(encoder.encode(JSON.stringify(parts))).subarray(0, 16))
}

/**
 * The sid of a conversation: a hash, so that nobody can create over somebody else's sid.
 * @param creatorIdentity normalised; `''` for a system actor (REST), whom no person can be
 * @param nonce 32 hex digits out of the create operation
 */
export function conversationSid(creatorIdentity: string, nonce: string): string {
  return `CH${hashOf('conversation', creatorIdentity, nonce)}`
}

/** The sid of a participant: the same whoever adds the person, so that two people adding one person agree. */
export function participantSid(
  conversation: string,
  who: { identity: string } | { address: string; proxyAddress: string },
): string {
  if (!('identity' in who)) return `MB${hashOf('participant', conversation, who.address, who.proxyAddress)}`
  const key = conversation + who.identity
  let sid = remembered.get(key)
  if (sid === undefined) {
    sid = `MB${hashOf('participant', conversation, who.identity)}`
    if (remembered.size >= REMEMBERED) remembered.clear()
    remembered.set(key, sid)
  }
  return sid
}

// Every decision asks for its actor's sid, and the hash (4.5 µs measured) costs as much as all else in one.
const remembered = new Map<string, string>()
const REMEMBERED = 10_000

/** The sid of a user: of an identity in one service. */
export function userSid(serviceSid: string, identity: string): string {
  return `US${hashOf('user', serviceSid, identity)}`
}

/** The sid of the service that a token belongs to when it names none: one per account. */
export function defaultServiceSid(accountSid: string): string {
  return `IS${hashOf('service', accountSid)}`
}

/** The sid of a role that every service has, by its name. */
export function roleSid(name: string): string {
  return `RL${hashOf('role', name)}`
}

/** The sid of a delivery receipt: of one message and one participant. */
export function receiptSid(messageSid: string, participant: string): string {
  return `DY${hashOf('receipt', messageSid, participant)}`
}

/** The id of the operation by which a person offers a lost message: the same on all of their devices. */
export function restoreId(identity: string, messageSid: string): string {
  return hashOf('restore', identity, messageSid)
}

/** The id of the operation by which a person says again that a message of theirs was removed: the same on all of their devices. */
export function removalId(identity: string, messageSid: string): string {
  return hashOf('removal', identity, messageSid)
}

/** Whether `text` is the prefix and 32 lower-case hex digits. */
export function isSid(prefix: SidPrefix, text: string): boolean {
  return text.length === 34 && text.startsWith(prefix) && HEX_32.test(text.slice(2))
}

/** Whether `text` is 32 lower-case hex digits: an operation's id or a nonce. */
export function isHexId(text: string): boolean {
  return HEX_32.test(text)
}

/**
 * A UUIDv7 as 32 hex digits without dashes: ids of one device sort by the time they were made.
 * @param now milliseconds since the epoch
 * @param random gives that many random bytes
 */
export function uuidV7(now: number, random: (bytes: number) => Uint8Array): string {
  const tail = random(10)
  tail[0] = 0x70 | (tail[0]! & 0x0f)
  tail[2] = 0x80 | (tail[2]! & 0x3f)
  return Math.max(0, Math.floor(now)).toString(16).padStart(12, '0').slice(-12) + toHex(tail)
}

/** What stands on a conversation in place of an invite's secret: 64 hex digits of SHA-256. */
export function inviteHash(secret: Uint8Array): string {
  return toHex(digest(secret))
}
