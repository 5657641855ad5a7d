/**
 * Accounts of the REST API and their API keys. Those of the configuration stand there and nowhere else; those that
 * the command or the API makes are stored: a hash to compare with, and the secret sealed, for what needs it in plain.
 * SHA-256 does as a hash: a secret here is 256 random bits, and no word that could be guessed.
 */
import { createHash, randomBytes } from 'node:crypto'
import { ConfabError } from '@confab/core'
import type { ObjectStore } from '../store/objects.ts'
import type { AccessKeys } from '../token.ts'
import type { SecretBox } from './secret-box.ts'

/** Accounts of the configuration: auth tokens by the account's sid. */
export interface ConfiguredAccounts {
  readonly [accountSid: string]: { readonly authToken: string }
}

/** What is told of an account or a key; secrets never are. */
export interface Listed {
  sid: string
  friendlyName: string
  dateCreated: number | null
  dateUpdated: number | null
}

interface StoredSecret {
  friendlyName: string
  /** SHA-256, hex. */
  hash: string
  sealed: string
  dateCreated: number
  dateUpdated: number
}
interface StoredKey extends StoredSecret {
  accountSid: string
}

const ACCOUNT = 'account'
const KEY = 'api-key'
/** Accounts and keys belong to the relay as a whole. */
const RELAY = 'relay'

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const newSecret = (): string => randomBytes(32).toString('hex')
const newSid = (prefix: 'AC' | 'SK'): string => prefix + randomBytes(16).toString('hex')

export class Accounts {
  readonly #configured: ConfiguredAccounts
  readonly #hashes: ReadonlyMap<string, Buffer>
  readonly #objects: ObjectStore
  readonly #box: () => SecretBox
  readonly #now: () => number

  /** @param box opened when something is to be sealed or read, so that a relay without stored accounts needs no key */
  constructor(options: {
    configured: ConfiguredAccounts
    objects: ObjectStore
    box: () => SecretBox
    now: () => number
  }) {
    const { configured, objects, box, now } = options
    this.#configured = configured
    this.#hashes = new Map(Object.entries(configured).map(([sid, { authToken }]) => [sid, sha256(authToken)]))
    this.#objects = objects
    this.#box = box
    this.#now = now
  }

  async has(accountSid: string): Promise<boolean> {
    return this.#hashes.has(accountSid) || (await this.#account(accountSid)) !== null
  }

  /**
   * Whose secret it would be and what it is compared with: the account's sid, and SHA-256 of the secret.
   * @param sid an account's or a key's
   */
  async credential(sid: string): Promise<{ accountSid: string; hash: Buffer } | null> {
    const configured = this.#hashes.get(sid)
    if (configured) return { accountSid: sid, hash: configured }
    if (sid.startsWith('AC')) {
      const account = await this.#account(sid)
      return account && { accountSid: sid, hash: Buffer.from(account.hash, 'hex') }
    }
    const key = sid.startsWith('SK') ? await this.#key(sid) : null
    return key && { accountSid: key.accountSid, hash: Buffer.from(key.hash, 'hex') }
  }

  /**
   * The account's auth token in plain: what `X-Twilio-Signature` is made with. Null when there is no such account.
   * @throws ConfabError 20500 when it was sealed under another key
   */
  async signingToken(accountSid: string): Promise<string | null> {
    const configured = Object.hasOwn(this.#configured, accountSid) ? this.#configured[accountSid] : undefined
    if (configured) return configured.authToken
    const account = await this.#account(accountSid)
    return account && this.#box().open(account.sealed, accountSid)
  }

  /** The secret of an API key and the account that it signs access tokens for, or null. */
  async keySecret(keySid: string): Promise<{ accountSid: string; keys: AccessKeys } | null> {
    const key = await this.#key(keySid)
    return key && { accountSid: key.accountSid, keys: { [keySid]: this.#box().open(key.sealed, keySid) } }
  }

  /** Makes an account. Its auth token is told here and never again. */
  async create(friendlyName: string): Promise<{ sid: string; authToken: string }> {
    const sid = newSid('AC')
    return { sid, authToken: await this.#putSecret(ACCOUNT, sid, { friendlyName }) }
  }

  /**
   * Gives the account another auth token; the one before ends at once.
   * @throws ConfabError 20404; 20001 for an account of the configuration
   */
  async rotate(sid: string): Promise<{ authToken: string }> {
    if (this.#hashes.has(sid))
      throw new ConfabError(20001, `${sid} stands in the configuration: change its token there`)
    const account = await this.#account(sid)
    if (!account) throw new ConfabError(20404, `There is no account ${sid}`)
    const { friendlyName, dateCreated } = account
    return { authToken: await this.#putSecret(ACCOUNT, sid, { friendlyName, dateCreated }) }
  }

  async list(): Promise<Listed[]> {
    const configured = Object.keys(this.#configured).map((sid) => ({
      sid,
      friendlyName: 'of the configuration',
      dateCreated: null,
      dateUpdated: null,
    }))
    const stored = await this.#objects.all(ACCOUNT)
    return [...configured, ...stored.map(({ sid, value }) => listed(sid, value as unknown as StoredSecret))]
  }

  /**
   * Makes an API key, which signs access tokens and asks by REST. Its secret is told here and never again.
   * @throws ConfabError 20404 when there is no such account
   */
  async createKey(accountSid: string, friendlyName: string): Promise<{ sid: string; secret: string }> {
    if (!(await this.has(accountSid))) throw new ConfabError(20404, `There is no account ${accountSid}`)
    const sid = newSid('SK')
    return { sid, secret: await this.#putSecret(KEY, sid, { friendlyName, accountSid }) }
  }

  async listKeys(accountSid: string): Promise<Listed[]> {
    const all = await this.#objects.all(KEY)
    return all
      .map(({ sid, value }) => ({ sid, key: value as unknown as StoredKey }))
      .filter(({ key }) => key.accountSid === accountSid)
      .map(({ sid, key }) => listed(sid, key))
  }

  /** @throws ConfabError 20404 */
  async deleteKey(sid: string): Promise<void> {
    if (!(await this.#objects.delete(RELAY, KEY, sid))) throw new ConfabError(20404, `There is no key ${sid}`)
  }

  async #account(sid: string): Promise<StoredSecret | null> {
    const stored = await this.#objects.get(RELAY, ACCOUNT, sid)
    return stored && (stored.value as unknown as StoredSecret)
  }

  async #key(sid: string): Promise<StoredKey | null> {
    const stored = await this.#objects.get(RELAY, KEY, sid)
    const key = stored && (stored.value as unknown as StoredKey)
    // one whose account was taken out of the configuration is nobody's
    return key && (await this.has(key.accountSid)) ? key : null
  }

  async #putSecret(
    kind: string,
    sid: string,
    rest: { friendlyName: string; accountSid?: string; dateCreated?: number },
  ): Promise<string> {
    const secret = newSecret()
    const now = this.#now()
    await this.#objects.put(RELAY, kind, sid, {
      dateCreated: now,
      ...rest,
      dateUpdated: now,
      hash: sha256(secret).toString('hex'),
      sealed: this.#box().seal(secret, sid),
    })
    return secret
  }
}

const listed = (sid: string, { friendlyName, dateCreated, dateUpdated }: StoredSecret): Listed => ({
  sid,
  friendlyName,
  dateCreated,
  dateUpdated,
})
