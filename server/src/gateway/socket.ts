/** One WebSocket as a session sees it: the shell that turns socket events into calls, and calls into writes. */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Outlet, Session } from '../session/session.ts'

/** Milliseconds for a peer to answer a close before its socket is destroyed. */
const CLOSE_TIMEOUT = 3000

/** @param tcp the socket under the WebSocket, so that several messages leave in one write */
export function outletOf(ws: WebSocket, tcp: Socket): Outlet {
  return {
    send(messages, written) {
      tcp.cork()
      const last = messages.length - 1
      for (const [at, message] of messages.entries()) {
        // called with an error when the socket is gone: its `close` event follows
        ws.send(message, { binary: true }, at === last ? () => written() : undefined)
      }
      tcp.uncork()
    },
    ping() {
      if (ws.readyState === ws.OPEN) ws.ping()
    },
    close(code, reason) {
      const timer = setTimeout(() => ws.terminate(), CLOSE_TIMEOUT)
      ws.once('close', () => clearTimeout(timer))
      ws.close(code, reason)
    },
  }
}

export function connect(ws: WebSocket, session: Session): void {
  ws.on('message', (data, isBinary) => {
    if (isBinary) session.receive(data as Buffer)
    else session.receiveText()
  })
  ws.on('ping', () => session.heard('ping'))
  ws.on('pong', () => session.heard('pong'))
  ws.on('close', () => session.ended())
}
