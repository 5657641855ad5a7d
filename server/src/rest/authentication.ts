/**
 * Who asks: Basic, with an account's sid and its auth token, or with an API key's sid and secret. Accounts come from
 * the relay's configuration and are kept nowhere else. Keys are made by the API; what is kept of one is a hash: SHA-256
 * does, because a secret here is 256 random bits and no word that could be guessed.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { ObjectStore } from '../store/objects.ts'

/** Failures of one address within a minute, after which it has to wait. */
const FAILURES = 20
const MINUTE = 60_000
/** Addresses that are remembered; beyond them the oldest are forgotten. */
const ADDRESSES = 10_000

export const KEY = 'api-key'

export interface KeyValue {
  friendlyName: string
  accountSid: string
  /** SHA-256 of the secret, hex. */
  hash: string
  dateCreated: number
  dateUpdated: number
}

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

export const newSecret = (): string => randomBytes(32).toString('hex')
export const secretHash = (secret: string): string => hashOf(secret).toString('hex')

export interface Accounts {
  readonly [accountSid: string]: { readonly authToken: string }
}

export class Authentication {
  readonly #accounts: ReadonlyMap<string, Buffer>
  readonly #objects: ObjectStore
  readonly #now: () => number
  readonly #failures = new Map<string, { count: number; since: number }>()
  readonly #nobody = randomBytes(32)

  constructor(accounts: Accounts, objects: ObjectStore, now: () => number) {
    this.#accounts = new Map(Object.entries(accounts).map(([sid, { authToken }]) => [sid, hashOf(authToken)]))
    this.#objects = objects
    this.#now = now
  }

  /**
   * The account's sid; `refused` for anybody else, and `throttled` for an address that was refused too often.
   * @param header of `Authorization`
   * @param from the address that asks
   */
  async authenticate(
    header: string | undefined,
    from: string,
  ): Promise<{ accountSid: string } | 'refused' | 'throttled'> {
    if (this.#isThrottled(from)) return 'throttled'
    const accountSid = await this.#accountOf(header)
    if (accountSid !== null) return { accountSid }
    this.#failed(from)
    return 'refused'
  }

  async #accountOf(header: string | undefined): Promise<string | null> {
    const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=_-]{1,1024})$/i.exec(header ?? '') ?? []
    const credentials = Buffer.from(encoded, 'base64').toString()
    const at = credentials.indexOf(':')
    const [sid, secret] = [credentials.slice(0, Math.max(0, at)), hashOf(credentials.slice(at + 1))]
    const stored = sid.startsWith('SK') ? await this.#objects.get('keys', KEY, sid) : null
    const key = stored?.value as KeyValue | undefined
    const expected = key ? Buffer.from(key.hash, 'hex') : this.#accounts.get(sid)
    // as long for a sid that nobody has
    const isRight = timingSafeEqual(expected ?? this.#nobody, secret) && at > 0
    if (!isRight) return null
    const accountSid = key?.accountSid ?? sid
    return this.#accounts.has(accountSid) ? accountSid : null
  }

  #isThrottled(from: string): boolean {
    const known = this.#failures.get(from)
    if (!known) return false
    const age = this.#now() - known.since
    if (age >= 0 && age < MINUTE) return known.count >= FAILURES
    this.#failures.delete(from)
    return false
  }

  #failed(from: string): void {
    const known = this.#failures.get(from)
    if (known) {
      known.count++
      return
    }
    if (this.#failures.size >= ADDRESSES) {
      const [oldest] = this.#failures.keys()
      if (oldest !== undefined) this.#failures.delete(oldest)
    }
    this.#failures.set(from, { count: 1, since: this.#now() })
  }
}
