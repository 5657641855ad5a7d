import { backgroundTimer } from './timers.ts'

const OPEN = 1
const CLOSED = 3

/** Milliseconds that a closing handshake may take before nobody waits for it any more. */
const CLOSE_DEADLINE = 1000

/** Sends the messages. A socket that is closing takes nothing, and says so by its close event. */
export function sendOn(socket: WebSocket, messages: readonly Uint8Array[]): void {
  for (const message of messages) {
    if (socket.readyState === OPEN) socket.send(message as Uint8Array<ArrayBuffer>)
  }
}

/** Closes the socket; resolves when it is closed, or when the other side takes too long to agree. */
export function closeSocket(socket: WebSocket, code: number, reason: string): Promise<void> {
  if (socket.readyState === CLOSED) return Promise.resolve()
  return new Promise((resolve) => {
    const cancel = backgroundTimer(CLOSE_DEADLINE, resolve)
    socket.addEventListener('close', () => {
      cancel()
      resolve()
    })
    socket.close(code, reason)
  })
}
