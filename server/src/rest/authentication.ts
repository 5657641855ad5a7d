/** Who asks: Basic, with an account's sid and its auth token, or with an API key's sid and secret. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Accounts } from '../accounts/accounts.ts'

/** Failures of one address within a minute, after which it has to wait. */
const FAILURES = 20
const MINUTE = 60_000
/** Addresses that are remembered; beyond them the oldest are forgotten. */
const ADDRESSES = 10_000
/** Characters of a sid or a secret, at most. */
const LENGTH = 128

export class Authentication {
  readonly #accounts: Pick<Accounts, 'credential'>
  readonly #now: () => number
  readonly #failures = new Map<string, { count: number; since: number }>()
  readonly #nobody = randomBytes(32)

  constructor(accounts: Pick<Accounts, 'credential'>, now: () => number) {
    this.#accounts = accounts
    this.#now = now
  }

  /**
   * The account's sid, and that of the account or key by which they ask; `refused` for anybody else, and `throttled` for an address that was refused too often.
   * @param header of `Authorization`
   * @param from the address that asks
   */
  async authenticate(
    header: string | undefined,
    from: string,
  ): Promise<{ accountSid: string; actor: string } | 'refused' | 'throttled'> {
    const known = await this.#knownBy(header)
    // those who have them are never kept out by somebody who hasn't and comes by the same proxy; with secrets of this
    // length, trying is hopeless at any rate
    if (known !== null) return known
    if (this.#isThrottled(from)) return 'throttled'
    this.#failed(from)
    return 'refused'
  }

  async #knownBy(header: string | undefined): Promise<{ accountSid: string; actor: string } | null> {
    const [, encoded = ''] = /^Basic +([A-Za-z0-9+/=_-]{1,1024})$/i.exec(header ?? '') ?? []
    const text = Buffer.from(encoded, 'base64').toString()
    const at = text.indexOf(':')
    const [sid, secret] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)]
    const known = sid.length <= LENGTH ? await this.#accounts.credential(sid) : null
    const hash = createHash('sha256').update(secret).digest()
    // as long for a sid that nobody has
    const isRight = timingSafeEqual(known?.hash ?? this.#nobody, hash)
    return isRight && known ? { accountSid: known.accountSid, actor: sid } : null
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
