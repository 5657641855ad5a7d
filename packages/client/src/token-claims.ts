/** What a client reads in its own token before anybody has verified it: a hint, never a right. */
import { fromBase64UrlEncoded } from 'lib0/buffer'

export interface TokenClaims {
  identity?: string
  /** Where the relay is: the claim `url` of the grant `confab`. */
  url?: string
}

const decoder = new TextDecoder()

/** The claims of a JWT; none when it can't be read. */
export function readTokenClaims(token: string): TokenClaims {
  let payload: unknown
  try {
    payload = JSON.parse(decoder.decode(fromBase64UrlEncoded(token.split('.')[1] ?? '')))
  } catch {
    return {}
  }
  const grants = fieldOf(payload, 'grants')
  const identity = fieldOf(grants, 'identity')
  const url = fieldOf(fieldOf(grants, 'confab'), 'url')
  return {
    ...(typeof identity === 'string' ? { identity } : {}),
    ...(typeof url === 'string' ? { url } : {}),
  }
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as { [key: string]: unknown })[key]
    : undefined
}
