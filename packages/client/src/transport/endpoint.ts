import { ConfabError } from '@confab/core'

/**
 * The WebSocket address of a path below the relay's URL, without a trailing slash, query or fragment.
 * @throws ConfabError 20001 when the URL isn't one of `ws:`, `wss:`, `http:`, `https:`
 */
export function endpoint(url: string, path: string): string {
  const parsed = URL.parse(url)
  const scheme = parsed && { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' }[parsed.protocol]
  if (!scheme)
    throw new ConfabError(20001, `The relay’s URL must begin with wss://, ws://, https:// or http://: ${url}`)
  return `${scheme}//${parsed.host}${parsed.pathname.replace(/\/+$/, '')}${path}`
}
