/**
 * The relay's front: HTTP and WebSockets on one port. It owns sockets and their bounds, starts a session for each,
 * and decides nothing else.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CLOSE_CODES, type Limits, upMessageBytes } from '@confab/core'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Log, Outlet, Session } from '../session/session.ts'
import type { PageReaderOf } from './history.ts'
import { type HttpHandler, httpHandler, isAllowedOrigin, type Origins, pathOf } from './http.ts'
import { type Route, routeOf } from './routes.ts'
import { connect, SocketOutlet } from './socket.ts'

export interface GatewayOptions {
  host: string
  /** 0 picks a free one. */
  port: number
  limits: Limits
  origins: Origins
  /** WebSockets at a time; more are turned away with 503. */
  maxConnections: number
  version: string
  log: Log
  /** Parts of the relay's HTTP beside it, asked in order. */
  handlers?: readonly HttpHandler[]
  /** Requests whose bodies may take as long as they like, by their path: what answers them bounds them. */
  isLong?: (path: string) => boolean
  /** Who asks for pages of history with this token. */
  pageReader: PageReaderOf
  /** Starts a session for a WebSocket. */
  session(route: Exclude<Route, { kind: 'none' }>, outlet: Outlet): Session
}

export interface Gateway {
  readonly port: number
  /** WebSockets that are open. */
  readonly connections: number
  /** Takes no more connections; those that are open go on. */
  stopAccepting(): void
  /** Closes every connection, and resolves when they are gone. */
  close(code: number, reason: string): Promise<void>
}

/** Milliseconds. What browsers and tools send arrives within a round trip or two. */
const REQUEST_TIMEOUT = 10_000
/** Bytes of a body that are read behind its answer: a piece of an upload, as tus clients send it. */
const LINGER_BYTES = 16 * 1024 * 1024

/** @throws the system's error when the port can't be listened on */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const sessions = new Set<Session>()
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: upMessageBytes(options.limits),
    // A message in more pieces than these was cut up to cost us memory.
    maxFragments: 1024,
    maxBufferedChunks: 16 * 1024,
  })
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: REQUEST_TIMEOUT,
      // by request, below: uploads take longer
      requestTimeout: 0,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: REQUEST_TIMEOUT / 2,
      noDelay: true,
    },
    httpHandler({
      ...options,
      history: {
        reader: options.pageReader,
        failed: (error) => options.log.error({ err: error }, 'failed: history'),
      },
    }),
  )
  // Sockets that aren't WebSockets yet need a bound of their own.
  server.maxConnections = options.maxConnections + 256
  let isAccepting = true

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const path = pathOf(request.url)
    options.log.debug({ method: request.method, path }, 'request')
    if (!options.isLong?.(path)) limitBody(request, response)
    endAfterAnswer(request, response)
  })
  // What a connection keeps is made out of reach of its request, whose headers would stay in memory with it.
  const onSocketError = (error: Error) => options.log.debug({ err: error }, 'socket error')
  const onWebSocketError = (error: Error) => options.log.debug({ err: error }, 'WebSocket error')
  const begin = (
    ws: WebSocket,
    socket: Socket,
    route: Exclude<Route, { kind: 'none' }>,
    isAllowed: boolean,
  ) => {
    const outlet = new SocketOutlet(ws, socket)
    ws.on('error', onWebSocketError)
    if (!isAllowed) {
      // A browser tells its page a close code, but never the status of a refused upgrade.
      return outlet.close(CLOSE_CODES.forbidden, 'This origin is not allowed here')
    }
    const session = options.session(route, outlet)
    sessions.add(session)
    connect(ws, session, left)
  }
  const left = (session: Session) => void sessions.delete(session)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', onSocketError)
    const route = routeOf(request.url ?? '/')
    options.log.debug({ path: pathOf(request.url), remote: request.socket.remoteAddress }, 'upgrade')
    if (!isAccepting || sessions.size >= options.maxConnections) return turnAway(socket, 503)
    if (route.kind === 'none') return turnAway(socket, 404)
    webSockets.handleUpgrade(request, socket, head, (ws) =>
      begin(ws, socket as Socket, route, isAllowedOrigin(request.headers.origin, options.origins)),
    )
  })

  const port = await listen(server, options)
  const gone = new Promise<void>((resolve) => server.once('close', resolve))
  return {
    port,
    get connections() {
      return sessions.size
    },
    stopAccepting() {
      isAccepting = false
      server.close()
    },
    async close(code, reason) {
      isAccepting = false
      if (server.listening) server.close()
      for (const session of sessions) session.close(code, reason)
      server.closeAllConnections()
      await gone
    },
  }
}

/** A body that doesn't come is not waited for. */
function limitBody(request: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if ((length === undefined || length === '0') && encoding === undefined) return
  const timer = setTimeout(() => {
    if (request.complete) return
    if (!response.headersSent) response.writeHead(408, { connection: 'close' }).end()
    request.destroy()
  }, REQUEST_TIMEOUT)
  request.once('close', () => clearTimeout(timer))
}

/**
 * An answer that comes before all of the body does: what comes behind it is read, and forgotten, for a while, so that
 * whoever sends it hears the answer. Then they are hung up on.
 */
function endAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
  // before Node's own listener, which would read on for ever
  response.prependOnceListener('finish', () => {
    if (request.complete) return
    let rest = LINGER_BYTES
    // whoever was reading has answered
    request.removeAllListeners('data')
    request.on('data', (piece: Buffer) => {
      rest -= piece.length
      if (rest < 0) request.destroy()
    })
    // read marks the body as somebody's
    request.read(0)
    request.resume()
    const timer = setTimeout(() => request.destroy(), REQUEST_TIMEOUT)
    request.once('close', () => clearTimeout(timer))
  })
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function turnAway(socket: Duplex, status: 404 | 503): void {
  const title = status === 404 ? 'Not Found' : 'Service Unavailable'
  const retry = status === 503 ? 'Retry-After: 5\r\n' : ''
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}
