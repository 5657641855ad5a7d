/** The relay's plain HTTP: what parts of it answer, whether it lives, pages of history, and a 404 that says so in JSON. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { ConfabError } from '@confab/core'
import { HistoryEndpoint, type HistoryOptions } from './history.ts'

/** Pages from which browsers may use the relay: any, or those with one of these origins. */
export type Origins = 'any' | readonly string[]

/** Requests without an origin come from no browser, and are let in. */
export const isAllowedOrigin = (origin: string | undefined, origins: Origins): boolean =>
  origins === 'any' || origin === undefined || origins.includes(origin)

/** A request's path without its query, which may hold a token: the only form that is logged. */
export const pathOf = (url: string | undefined): string => (url ?? '/').split(/[?#]/, 1)[0] ?? '/'

/** A part of the relay's HTTP. False: the request is not for it, and it has not touched it. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => boolean

export function httpHandler(options: {
  origins: Origins
  version: string
  history: HistoryOptions
  /** Asked first, in order. */
  handlers?: readonly HttpHandler[]
}): RequestListener {
  const { handlers = [] } = options
  const history = new HistoryEndpoint(options.history)
  return (request, response) => {
    allowOrigin(request, response, options.origins)
    if (handlers.some((handle) => handle(request, response))) return
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-methods', 'GET, HEAD')
      response.setHeader('access-control-allow-headers', 'authorization')
      response.setHeader('access-control-max-age', '86400')
      response.writeHead(204).end()
    } else if (pathOf(request.url) === '/health' && (request.method === 'GET' || request.method === 'HEAD')) {
      answer(response, 200, { status: 'ok', version: options.version })
    } else if (!history.handle(request, response)) {
      notFound(response)
    }
  }
}

/** The same for whatever isn't there, or isn't for whoever asks. */
export const notFound = (response: ServerResponse): void =>
  answer(response, 404, { code: 20404, message: 'Not found', status: 404 })

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

export function answer(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
    })
    .end(text)
}

/** @throws ConfabError 20003 for a request without one */
export function bearerOf({ headers }: IncomingMessage): string {
  const [, token] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? []
  if (token === undefined) throw new ConfabError(20003)
  return token
}

/**
 * Answers with what went wrong.
 * @param report is told of failures of the relay's own
 */
export function failed(response: ServerResponse, error: unknown, report: (error: unknown) => void): void {
  const known = error instanceof ConfabError ? error : new ConfabError(20500)
  if (known.status >= 500) report(error)
  if (response.headersSent) {
    response.destroy()
    return
  }
  if (known.status === 429) response.setHeader('retry-after', '1')
  if (known.status === 401) response.setHeader('www-authenticate', 'Bearer')
  answer(response, known.status, known.body)
}
