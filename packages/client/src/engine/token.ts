/** What an access token says of itself. Nothing is verified here: the relay does that. */
import {
  ConfabError,
  DEFAULT_LIMITS,
  defaultServiceSid,
  isJsonObject,
  type JsonObject,
  normaliseIdentity,
} from '@confab/core'
import { fromBase64UrlEncoded } from 'lib0/buffer'

export interface TokenClaims {
  identity: string
  accountSid: string
  serviceSid: string
  /** Milliseconds since the epoch; Infinity when it says nothing. */
  expiresAt: number
}

/**
 * Reads a token in the form of Twilio's AccessToken (`sub`, `grants.identity`, `grants.chat.service_sid`, `exp`).
 * @throws ConfabError 20003 when it is none
 */
export function readToken(token: string): TokenClaims {
  const claims = decodeClaims(token)
  const grants = objectAt(claims, 'grants')
  const identity = grants?.identity
  if (typeof identity !== 'string') throw notAToken('it names no identity')
  const accountSid = typeof claims.sub === 'string' ? claims.sub : ''
  const chat = grants ? objectAt(grants, 'chat') : undefined
  return {
    identity: normaliseIdentity(identity, DEFAULT_LIMITS),
    accountSid,
    serviceSid: typeof chat?.service_sid === 'string' ? chat.service_sid : defaultServiceSid(accountSid),
    expiresAt: typeof claims.exp === 'number' ? claims.exp * 1000 : Number.POSITIVE_INFINITY,
  }
}

function decodeClaims(token: string): JsonObject {
  const part = String(token).split('.')[1]
  if (part === undefined) throw notAToken('a JWT has three parts')
  const claims = claimsIn(part)
  if (!claims) throw notAToken('its claims are not readable')
  return claims
}

/** The claims that a JWT's second part says; null when it says none. */
function claimsIn(part: string): JsonObject | null {
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(fromBase64UrlEncoded(part)))
    return isJsonObject(claims) ? claims : null
  } catch {
    return null
  }
}

/** What a client reads in its own token before it opens anything: a hint, never a right. */
export function readTokenClaims(token: string): { identity?: string; url?: string } {
  const grants = objectAt(claimsIn(token.split('.')[1] ?? '') ?? {}, 'grants') ?? {}
  const { identity } = grants
  // where the relay is: the claim `url` of the grant `confab`
  const url = objectAt(grants, 'confab')?.url
  return {
    ...(typeof identity === 'string' ? { identity } : {}),
    ...(typeof url === 'string' ? { url } : {}),
  }
}

function objectAt(object: JsonObject, key: string): JsonObject | undefined {
  const value = object[key]
  return isJsonObject(value) ? value : undefined
}

const notAToken = (why: string) => new ConfabError(20003, `This is not an access token: ${why}`)
