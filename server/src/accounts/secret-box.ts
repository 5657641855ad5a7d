/**
 * Secrets that the relay has to know in plain later (to sign webhooks, to check access tokens) are stored sealed:
 * AES-256-GCM under a key that is not in the database, so that a copy of the database alone gives nothing away.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfabError } from '@confab/core'

const KEY_BYTES = 32
/** NIST SP 800-38D, 5.2.1.1: what GCM takes without hashing. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Beside the database, when the configuration gives no key. */
export const sealingKeyFile = (database: string): string => `${database}.sealing-key`

export class SecretBox {
  readonly #key: Buffer

  /** @param key 32 bytes */
  constructor(key: Buffer) {
    this.#key = key
  }

  /**
   * @param owner the sid that the secret belongs to: put anywhere else, it can't be opened
   * @returns base64 of nonce, tag and ciphertext
   */
  seal(secret: string, owner: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(owner))
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64')
  }

  /** @throws ConfabError 20500 when it was sealed under another key, or for somebody else */
  open(sealed: string, owner: string): string {
    const bytes = Buffer.from(sealed, 'base64')
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    try {
      const cipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(owner)).setAuthTag(tag)
      const text = cipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([text, cipher.final()]).toString('utf8')
    } catch (error) {
      throw new ConfabError(20500, `The secret of ${owner} was sealed under another key`, { cause: error })
    }
  }
}

/**
 * The box of a relay.
 * @param given 64 hex digits out of the configuration; without them a key file beside the database, made when missing
 * @throws ConfabError 20001 when the key is none, or the file can't be read or written
 */
export function openSecretBox(database: string, given?: string): SecretBox {
  if (given !== undefined) return new SecretBox(keyFrom(given, 'sealingKey'))
  if (database === ':memory:') return new SecretBox(randomBytes(KEY_BYTES))
  const file = sealingKeyFile(database)
  let text: string
  try {
    mkdirSync(dirname(file), { recursive: true })
    if (!existsSync(file))
      writeFileSync(file, `${randomBytes(KEY_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new ConfabError(20001, `the sealing key ${file}: ${(error as Error).message}`, { cause: error })
  }
  return new SecretBox(keyFrom(text, file))
}

export const isSealingKey = (text: unknown): boolean =>
  typeof text === 'string' && /^[0-9a-f]{64}$/i.test(text)

function keyFrom(text: string, what: string): Buffer {
  if (!isSealingKey(text))
    throw new ConfabError(
      20001,
      `${what} must be 64 hex digits (32 bytes), such as openssl rand -hex 32 gives`,
    )
  return Buffer.from(text, 'hex')
}
