/**
 * A web app beside the relay: static files under a strict content security policy, which lets it run what it brought
 * and talk to this relay, and nothing else. Paths that name no file are the app's own: they get its page.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfabError } from '@confab/core'
import sirv from 'sirv'
import type { HttpHandler } from '../gateway/http.ts'

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self' blob:",
  "manifest-src 'self'",
  // the SDK's search has its worker's code within its own
  "worker-src 'self' blob:",
  "frame-src 'self'",
  "frame-ancestors 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** What bundlers name after its content, and may be kept for ever. */
const IMMUTABLE = /^\/assets\//

/**
 * @param folder of the built app, with an `index.html`
 * @throws ConfabError 20001 when there is none
 */
export function webApp(folder: string): HttpHandler {
  if (!existsSync(join(folder, 'index.html'))) {
    throw new ConfabError(20001, `app: there is no index.html in ${folder}: build the app first`)
  }
  const serve = sirv(folder, {
    single: true,
    etag: true,
    dotfiles: false,
    setHeaders(response, path) {
      response.removeHeader('access-control-allow-origin')
      response.setHeader('content-security-policy', POLICY)
      response.setHeader('x-content-type-options', 'nosniff')
      response.setHeader('referrer-policy', 'no-referrer')
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('permissions-policy', 'camera=(self), microphone=(self), geolocation=()')
      response.setHeader(
        'cache-control',
        IMMUTABLE.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      )
    },
  })
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false
    if (!isForApp(request.url ?? '/', request.headers.accept)) return false
    serve(request, response, () => {
      response.writeHead(404).end()
    })
    return true
  }
}

/** Pages and files; what programs ask for by other names of the relay's is none of the app's. */
function isForApp(url: string, accept = ''): boolean {
  const path = url.split(/[?#]/, 1)[0] ?? '/'
  if (/^\/(v1|2010-04-01|history|yjs|health|healthz|readyz|metrics|channels|media)(\/|$)/.test(path))
    return false
  return path === '/' || /\.[a-z0-9]+$/i.test(path) || accept.includes('text/html')
}
