/**
 * One socket of the load. What arrives is looked through for the numbers of posts as bytes, whatever it is wrapped in:
 * the same for every server, and cheaper than any of their clients.
 */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { bodyOf, numbersIn } from './load.ts'
import type { Arrived } from './targets.ts'

export interface Connection {
  /** Sends the post with this number. */
  post(number: number): void
  arrived: Arrived
  /** Bytes that came so far. */
  readonly received: number
  terminate(): void
}

/** A socket that is connected; `heard` sees each message before it is looked through. */
export async function connectTo(
  url: string,
  encode: (body: string) => Uint8Array,
  arrived: Arrived = () => {},
  heard: (message: Buffer, send: (answer: Uint8Array) => void) => void = () => {},
): Promise<Connection & { send(message: Uint8Array): void }> {
  const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 2 ** 30 })
  const connection = {
    received: 0,
    arrived,
    post: (number: number) => socket.send(encode(bodyOf(number))),
    send: (message: Uint8Array) => socket.send(message),
    terminate: () => socket.terminate(),
  }
  // before it is open: the first message may come with the answer to the handshake
  socket.on('message', (data: Buffer) => {
    connection.received += data.length
    heard(data, connection.send)
    const numbers = numbersIn(data)
    if (numbers.length > 0) connection.arrived(numbers)
  })
  await once(socket, 'open')
  return connection
}
