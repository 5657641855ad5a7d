/** Access tokens in the format of Twilio's: a JWT (HS256) that an app's own server mints with an API key's secret. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ConfabError, DEFAULT_LIMITS, defaultServiceSid, type Limits, normaliseIdentity } from '@confab/core'
import { compactVerify, decodeJwt, SignJWT } from 'jose'

/**
 * Bytes of UTF-8 in a secret, at least (RFC 7518, 3.2, asks for as many as the hash has). Twilio's API keys have 32.
 * Whoever holds one token can try secrets at home: a short one is found, and then everybody's tokens can be made.
 */
const SECRET_BYTES = 32

/** Secrets by the sid of their API key, each of 32 bytes or more. */
export interface AccessKeys {
  readonly [keySid: string]: string
}

/** The same as they are configured: a key that names an account signs for that one's services and no others. */
export interface ConfiguredKeys {
  readonly [keySid: string]: string | { readonly secret: string; readonly accountSid: string }
}

/** The secrets of configured keys, and whom those are for that are somebody's. */
export function splitKeys(keys: ConfiguredKeys): {
  accessKeys: AccessKeys
  keyAccounts: ReadonlyMap<string, string>
} {
  const accessKeys: { [keySid: string]: string } = {}
  const keyAccounts = new Map<string, string>()
  for (const [sid, key] of Object.entries(keys)) {
    accessKeys[sid] = typeof key === 'string' ? key : key.secret
    if (typeof key !== 'string') keyAccounts.set(sid, key.accountSid)
  }
  return { accessKeys, keyAccounts }
}

export interface AccessTokenOptions {
  accountSid: string
  /** The API key's sid. */
  key: string
  secret: string
  identity: string
  /** The service's sid; the account's default service when left out. */
  serviceSid?: string
  /** Seconds until it expires; an hour by default. */
  ttl?: number
  /** Role in the whole service (its sid); a service user by default. */
  roleSid?: string
  /** The relay to connect to, for clients that are given a token and nothing else. */
  relayUrl?: string
  /** Milliseconds since the epoch; the system's clock by default. */
  now?: number
}

/** What a token says, once it is trusted. */
export interface AccessTokenClaims {
  accountSid: string
  serviceSid: string
  identity: string
  roleSid: string | null
  /** Milliseconds since the epoch. */
  expiresAt: number
}

/**
 * Mints an access token. `iss` is the key's sid, `sub` the account's, `grants.identity` who it is for and
 * `grants.chat.service_sid` the service, as in Twilio's; `grants.confab` holds what Twilio has no claim for
 * (`url`, `role_sid`).
 * @throws ConfabError 20001 when an option is missing or malformed, or the secret has less than 32 bytes
 */
export async function createAccessToken(options: AccessTokenOptions): Promise<string> {
  const { accountSid, key, secret, ttl = 3600, now = Date.now() } = options
  for (const [name, value] of Object.entries({ accountSid, key, secret })) {
    if (typeof value !== 'string' || value === '') throw new ConfabError(20001, `${name} must not be empty`)
  }
  if (isWeakSecret(secret)) throw new ConfabError(20001, `secret must be ${SECRET_RULE}`)
  if (!Number.isFinite(ttl) || ttl <= 0)
    throw new ConfabError(20001, 'ttl must be a number of seconds above 0')
  const identity = normaliseIdentity(options.identity, DEFAULT_LIMITS)
  const seconds = Math.floor(now / 1000)
  const confab = {
    ...(options.relayUrl === undefined ? {} : { url: options.relayUrl }),
    ...(options.roleSid === undefined ? {} : { role_sid: options.roleSid }),
  }
  const grants = {
    identity,
    chat: { service_sid: options.serviceSid ?? defaultServiceSid(accountSid) },
    ...(Object.keys(confab).length === 0 ? {} : { confab }),
  }
  return new SignJWT({ jti: `${key}-${seconds}`, grants, iss: key, sub: accountSid, exp: seconds + ttl })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' })
    .sign(new TextEncoder().encode(secret))
}

/**
 * What a token says, if one of the keys signed it and it is valid at `now`.
 * @param options.skew milliseconds by which `nbf` may lie ahead of our clock (30 s)
 * @throws ConfabError 20104 when it has expired; 20003 for everything else, without saying what
 */
export async function verifyAccessToken(
  token: string,
  accessKeys: AccessKeys,
  options: { now: number; skew?: number; limits?: Pick<Limits, 'identityLength'> },
): Promise<AccessTokenClaims> {
  const { now, skew = 30_000, limits = DEFAULT_LIMITS } = options
  const claims = await signedClaims(token, accessKeys)
  const { exp, nbf, sub } = claims
  const grants = objectIn(claims, 'grants')
  const identity = grants.identity
  if (typeof exp !== 'number' || typeof sub !== 'string' || sub === '' || typeof identity !== 'string') {
    throw new ConfabError(20003)
  }
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf * 1000 > now + skew)) throw new ConfabError(20003)
  if (exp * 1000 <= now) throw new ConfabError(20104)
  const serviceSid = textIn(objectIn(grants, 'chat'), 'service_sid')
  return {
    accountSid: sub,
    serviceSid: serviceSid ?? defaultServiceSid(sub),
    identity: trusted(() => normaliseIdentity(identity, limits)),
    roleSid: textIn(objectIn(grants, 'confab'), 'role_sid'),
    expiresAt: Math.min(Math.floor(exp * 1000), LAST_TIME),
  }
}

/** What is said of a secret that is too short. */
export const SECRET_RULE = `a secret of ${SECRET_BYTES} bytes or more: whoever has a token can find out a shorter one`

/** Whether tokens signed with the secret could be forged by trying. */
export const isWeakSecret = (secret: string): boolean => Buffer.byteLength(secret) < SECRET_BYTES

/** The last time that a `Date` can hold, and less than the wire can say. */
export const LAST_TIME = 8_640_000_000_000_000

/** Whose the token says it is (`iss`: a key's sid, or a provider); `''` for what is no token. Nothing is trusted yet. */
export function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch {
    return ''
  }
}

type Claims = { [name: string]: unknown }

async function signedClaims(token: string, accessKeys: AccessKeys): Promise<Claims> {
  try {
    const { iss } = decodeJwt(token)
    const { payload } = await compactVerify(token, secretOf(iss, accessKeys), { algorithms: ['HS256'] })
    return objectOf(JSON.parse(new TextDecoder().decode(payload)))
  } catch {
    throw new ConfabError(20003)
  }
}

const hash = (text: string) => createHash('sha256').update(text).digest()

const NOBODYS_SECRET = randomBytes(32).toString('hex')

/** Takes as long for a key that is known as for one that isn't, which then verifies against nobody's secret. */
function secretOf(keySid: string | undefined, accessKeys: AccessKeys): Uint8Array {
  const wanted = hash(keySid ?? '')
  let secret = NOBODYS_SECRET
  for (const [sid, candidate] of Object.entries(accessKeys)) {
    if (timingSafeEqual(wanted, hash(sid))) secret = candidate
  }
  return new TextEncoder().encode(secret)
}

function objectOf(value: unknown): Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : {}
}
const objectIn = (claims: Claims, name: string) => objectOf(claims[name])
const textIn = (claims: Claims, name: string) => {
  const value = claims[name]
  return typeof value === 'string' && value !== '' ? value : null
}

function trusted<Value>(read: () => Value): Value {
  try {
    return read()
  } catch {
    throw new ConfabError(20003)
  }
}
