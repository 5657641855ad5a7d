import { createHmac } from 'node:crypto'

/**
 * `X-Twilio-Signature`: HMAC-SHA1, base64, of the address as it was asked and every field of the form behind it, by
 * name. The algorithm is Twilio's, so that existing servers can check it.
 * @param fields of the body; none when they stand in the address
 */
export function signatureOf(
  signingToken: string,
  url: string,
  fields: { readonly [name: string]: string },
): string {
  const text = Object.keys(fields)
    .sort()
    .reduce((text, name) => text + name + fields[name], url)
  return createHmac('sha1', signingToken).update(text).digest('base64')
}
