/**
 * Tokens for anybody who asks, for a demo: `GET /demo/token?identity=ada`. Only pages of the relay's own origin get
 * one, and only by a name of this machine, so that no other page that somebody visits can take one.
 */
import { ConfabError } from '@confab/core'
import { answer, type HttpHandler, pathOf } from '../gateway/http.ts'

export const DEMO_TOKEN_PATH = '/demo/token'

/** Names of this machine: another one would be a page that has itself resolved to here. */
const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i

export function demoTokens(mint: (identity: string) => Promise<string>): HttpHandler {
  return (request, response) => {
    if (pathOf(request.url) !== DEMO_TOKEN_PATH) return false
    response.removeHeader('access-control-allow-origin')
    const site = request.headers['sec-fetch-site']
    const isOwn = site === undefined || site === 'same-origin' || site === 'none'
    if (request.method !== 'GET' || !isOwn || !LOCAL.test(request.headers.host ?? '')) {
      answer(response, 403, { code: 20403, message: 'Only pages of this relay get demo tokens', status: 403 })
      return true
    }
    const identity = new URL(request.url ?? '/', 'http://relay').searchParams.get('identity') ?? ''
    mint(identity).then(
      (token) => answer(response, 200, { token }),
      (error: unknown) => {
        const { body, status } = error instanceof ConfabError ? error : new ConfabError(20500)
        answer(response, status, body)
      },
    )
    return true
  }
}
