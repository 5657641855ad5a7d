/** For whoever watches the relay: `/healthz`, `/readyz`, and `/metrics` where that is asked for. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSame } from '../channels/signatures.ts'
import { answer, type HttpHandler, notFound, pathOf } from '../gateway/http.ts'
import { VERSION } from '../version.ts'
import type { Metrics } from './metrics.ts'

export interface MetricsOptions {
  /** A port of its own for figures and health; 0 picks a free one. None by default. */
  port?: number
  /** The address of that port: the relay's by default. */
  host?: string
  /** Who has it as a bearer token sees `/metrics` on the relay's own port, too. 16 characters or more. */
  token?: string
}

interface Watched {
  /** Null: figures are not shown here. */
  metrics: Metrics | null
  /** Rejects or says false while the relay can't do its work. */
  isReady(): Promise<boolean>
  log: { error(details: object, message: string): void }
}

/**
 * @param token who may see figures; null: whoever reaches the port
 */
export function watchEndpoints(watched: Watched, token: string | null): HttpHandler {
  return (request, response) => {
    const path = pathOf(request.url)
    if (!['/healthz', '/readyz', '/metrics'].includes(path)) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      answer(response, 405, { code: 20004, message: `${path} does not take ${request.method}`, status: 405 })
    } else if (path === '/healthz') {
      answer(response, 200, { status: 'ok', version: VERSION })
    } else if (path === '/readyz') {
      watched.isReady().then(
        (isReady) => answer(response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'closing' }),
        (error) => {
          watched.log.error({ err: error }, 'not ready')
          answer(response, 503, { status: 'failing' })
        },
      )
    } else if (!watched.metrics) {
      notFound(response)
    } else if (token !== null && !isSame(`Bearer ${token}`, request.headers.authorization ?? '')) {
      response.setHeader('www-authenticate', 'Bearer')
      answer(response, 401, { code: 20003, message: 'Authenticate', status: 401 })
    } else {
      watched.metrics.text().then(
        ({ type, body }) =>
          response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body),
        (error) => {
          watched.log.error({ err: error }, 'failed: metrics')
          answer(response, 500, { code: 20500, message: 'Internal error', status: 500 })
        },
      )
    }
    return true
  }
}

/** The same on a port of their own, for a network that only watchers are in. */
export async function openWatchPort(
  { host, port }: { host: string; port: number },
  handle: HttpHandler,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    if (!handle(request, response)) notFound(response)
  })
  server.maxConnections = 64
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
