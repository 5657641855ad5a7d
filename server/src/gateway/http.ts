/** The relay's plain HTTP: whether it lives, and a 404 that says so in JSON. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

/** Pages from which browsers may use the relay: any, or those with one of these origins. */
export type Origins = 'any' | readonly string[]

/** Requests without an origin come from no browser, and are let in. */
export const isAllowedOrigin = (origin: string | undefined, origins: Origins): boolean =>
  origins === 'any' || origin === undefined || origins.includes(origin)

/** A request's path without its query, which may hold a token: the only form that is logged. */
export const pathOf = (url: string | undefined): string => (url ?? '/').split(/[?#]/, 1)[0] ?? '/'

export function httpHandler(options: { origins: Origins; version: string }): RequestListener {
  return (request, response) => {
    allowOrigin(request, response, options.origins)
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-methods', 'GET, HEAD')
      response.writeHead(204).end()
    } else if (pathOf(request.url) === '/health' && (request.method === 'GET' || request.method === 'HEAD')) {
      answer(response, 200, { status: 'ok', version: options.version })
    } else {
      answer(response, 404, { code: 20404, message: 'Not found', status: 404 })
    }
  }
}

/** No cookies are ever used, so any page may be let in without risk to who is logged in elsewhere. */
function allowOrigin(request: IncomingMessage, response: ServerResponse, origins: Origins): void {
  const { origin } = request.headers
  if (origins === 'any') {
    response.setHeader('access-control-allow-origin', '*')
    return
  }
  response.setHeader('vary', 'origin')
  if (origin !== undefined && origins.includes(origin)) {
    response.setHeader('access-control-allow-origin', origin)
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
    })
    .end(text)
}
