import { createHmac, timingSafeEqual } from 'node:crypto'

/** Whether the text is this HMAC (hex) of the body, compared in a time that tells nothing. */
export function isSignedBy(secret: string, body: Uint8Array, signature: string): boolean {
  const expected = createHmac('sha256', secret).update(body).digest()
  const given = Buffer.from(signature, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** Whether two secrets are the same, in a time that tells nothing. */
export function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHmac('sha256', 'compare').update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}
