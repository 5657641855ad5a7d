/** One WebSocket as a session sees it: the shell that turns socket events into calls, and calls into writes. */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Outlet, Session } from '../session/session.ts'

const NOTHING = new Uint8Array(0)

/** Milliseconds for a peer to answer a close before its socket is destroyed. */
const CLOSE_TIMEOUT = 3000

/**
 * Bytes below which a message is copied behind its WebSocket header: one buffer in one `write` costs less than the
 * header and the message by themselves.
 */
const MERGED = 64 * 1024

/** The header of a binary message as one unmasked WebSocket frame (RFC 6455, 5.2), and room behind it. */
function headerOf({ length }: Uint8Array, room: number): Buffer {
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const header = Buffer.allocUnsafe(size + room)
  header[0] = 0x82
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127
  if (size === 4) header.writeUInt16BE(length, 2)
  if (size === 10) header.writeBigUInt64BE(BigInt(length), 2)
  return header
}

/** What was framed last: a message for many goes out to one after the other, and they share the buffer. */
let last: { message: Uint8Array; frame: Buffer } | null = null

function write(tcp: Socket, message: Uint8Array): void {
  if (message.length >= MERGED) {
    tcp.write(headerOf(message, 0))
    tcp.write(message)
    return
  }
  if (last?.message !== message) {
    const frame = headerOf(message, message.length)
    frame.set(message, frame.length - message.length)
    last = { message, frame }
  }
  tcp.write(last.frame)
}

export class SocketOutlet implements Outlet {
  readonly #ws: WebSocket
  readonly #tcp: Socket

  /** @param tcp the socket under the WebSocket, so that several messages leave in one write */
  constructor(ws: WebSocket, tcp: Socket) {
    this.#ws = ws
    this.#tcp = tcp
  }

  send(messages: readonly Uint8Array[], written: () => void): void {
    const tcp = this.#tcp
    // its `close` event follows, or has come
    if (this.#ws.readyState !== this.#ws.OPEN) return
    const [only] = messages
    if (messages.length === 1 && only && only.length < MERGED) write(tcp, only)
    else {
      tcp.cork()
      for (const message of messages) write(tcp, message)
      tcp.uncork()
    }
    // nearly always the system has taken it all by now, and no callback has to be kept
    if (tcp.writableLength === 0) written()
    else tcp.write(NOTHING, () => written())
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping()
  }

  close(code: number, reason: string): void {
    const ws = this.#ws
    const timer = setTimeout(() => ws.terminate(), CLOSE_TIMEOUT)
    ws.once('close', () => clearTimeout(timer))
    ws.close(code, reason)
  }
}

/** A WebSocket that knows its session, so that all of them share their listeners. */
interface Connected extends WebSocket {
  session: Session
  left: (session: Session) => void
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  const { session } = this as Connected
  if (isBinary) session.receive(data as Buffer)
  else session.receiveText()
}
function onPing(this: WebSocket): void {
  ;(this as Connected).session.heard('ping')
}
function onPong(this: WebSocket): void {
  ;(this as Connected).session.heard('pong')
}
function onClose(this: WebSocket): void {
  const { session, left } = this as Connected
  left(session)
  session.ended()
}

/** @param left told when the socket is gone */
export function connect(ws: WebSocket, session: Session, left: (session: Session) => void): void {
  Object.assign(ws, { session, left })
  ws.on('message', onMessage)
  ws.on('ping', onPing)
  ws.on('pong', onPong)
  ws.on('close', onClose)
}
