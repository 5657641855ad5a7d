/** Addresses of attachments that work without an access token, for one person and a while. */
import { createHmac, timingSafeEqual } from 'node:crypto'

export interface UrlGrant {
  serviceSid: string
  sid: string
  /** Who it was given to: it is good for as long as they may see the attachment. Null: a server of the service. */
  identity: string | null
  /** Milliseconds since the epoch. */
  expires: number
}

/** Characters of a token, at most. */
const LENGTH = 2048

export class UrlTokens {
  readonly #key: Uint8Array

  /** @param key 32 random bytes */
  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** The path of an attachment with what lets one in. */
  path(grant: UrlGrant): string {
    return `/media/${grant.sid}?token=${this.sign(grant)}`
  }

  sign({ serviceSid, sid, identity, expires }: UrlGrant): string {
    const grant = Buffer.from(JSON.stringify([serviceSid, sid, identity, expires])).toString('base64url')
    return `${grant}.${this.#seal(grant).toString('base64url')}`
  }

  /** Null: it wasn't signed here, or has ended. */
  read(token: string, now: number): UrlGrant | null {
    if (token.length > LENGTH) return null
    const [grant = '', seal = ''] = token.split('.', 2)
    const given = Buffer.from(seal, 'base64url')
    const wanted = this.#seal(grant)
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null
    const [serviceSid, sid, identity, expires] = JSON.parse(Buffer.from(grant, 'base64url').toString())
    return expires > now ? { serviceSid, sid, identity, expires } : null
  }

  #seal(grant: string): Buffer {
    return createHmac('sha256', this.#key).update(`media ${grant}`).digest()
  }
}
