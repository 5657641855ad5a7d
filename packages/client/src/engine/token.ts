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
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(fromBase64UrlEncoded(part)))
    if (isJsonObject(claims)) return claims
  } catch (cause) {
    throw new ConfabError(20003, 'This is not an access token: its claims are not readable', { cause })
  }
  throw notAToken('its claims are not an object')
}

function objectAt(object: JsonObject, key: string): JsonObject | undefined {
  const value = object[key]
  return isJsonObject(value) ? value : undefined
}

const notAToken = (why: string) => new ConfabError(20003, `This is not an access token: ${why}`)
