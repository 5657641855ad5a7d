import { ConfabError } from '@confab/core'

/**
 * The WebSocket address of a path below the relay's URL, without a trailing slash, query or fragment.
 * @throws ConfabError 20001 when the URL isn't one of `ws:`, `wss:`, `http:`, `https:`
 */
export function endpoint(url: string, path: string): string {
  // React Native's URL reads no hosts
  const parts = /^(?:ws|http)(s?):\/\/(?:[^/?#]*@)?([^/?#@\s]+)(?:(\/[^?#\s]*)|[?#]|$)/i
  const [, secure = '', host, folder = ''] = parts.exec(url) ?? []
  if (!host)
    throw new ConfabError(20001, `The relay’s URL must begin with wss://, ws://, https:// or http://: ${url}`)
  return `ws${secure.toLowerCase()}://${host}${folder.replace(/\/+$/, '')}${path}`
}
