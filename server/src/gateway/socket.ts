/** One WebSocket as a session sees it: the shell that turns socket events into calls, and calls into writes. */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Outlet, Session } from '../session/session.ts'

/** Milliseconds for a peer to answer a close before its socket is destroyed. */
const CLOSE_TIMEOUT = 3000

/**
 * Bytes below which a message is copied behind its WebSocket header: one buffer in one `write` costs less than the
 * header and the message by themselves, which is how `ws` sends them.
 */
const MERGED = 16 * 1024

/** A binary message as one unmasked WebSocket frame (RFC 6455, 5.2), of less than 64 kB. */
function binaryFrame(message: Uint8Array): Buffer {
  const { length } = message
  const head = length < 126 ? 2 : 4
  const frame = Buffer.allocUnsafe(head + length)
  frame[0] = 0x82
  if (length < 126) frame[1] = length
  else {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  }
  frame.set(message, head)
  return frame
}

/** @param tcp the socket under the WebSocket, so that several messages leave in one write */
export function outletOf(ws: WebSocket, tcp: Socket): Outlet {
  return {
    send(messages, written) {
      const [only] = messages
      if (messages.length === 1 && only && only.length < MERGED && ws.readyState === ws.OPEN) {
        tcp.write(binaryFrame(only), () => written())
        return
      }
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
