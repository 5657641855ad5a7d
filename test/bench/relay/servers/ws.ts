/**
 * The ceiling: a `ws` server that keeps nothing, knows nobody, and passes what came in one turn of the event loop on to
 * everybody in the room with one write for each.
 */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { documentNames, serving, task } from './serve.ts'

interface Member {
  socket: WebSocket
  tcp: Socket
}
const rooms = new Map<string, Set<Member>>()
const waiting = new Map<Set<Member>, Buffer[]>()

function flush(): void {
  for (const [room, messages] of waiting) {
    for (const { socket, tcp } of room) {
      tcp.cork()
      for (const message of messages) socket.send(message)
      tcp.uncork()
    }
  }
  waiting.clear()
}

const http = createServer()
const server = new WebSocketServer({ server: http, perMessageDeflate: false, clientTracking: false })
server.on('connection', (socket, request) => {
  const name = request.url ?? ''
  const room = rooms.get(name) ?? new Set()
  rooms.set(name, room)
  const member = { socket, tcp: request.socket }
  room.add(member)
  socket.on('close', () => room.delete(member))
  socket.on('message', (message: Buffer) => {
    if (waiting.size === 0) setImmediate(flush)
    const messages = waiting.get(room)
    if (messages) messages.push(message)
    else waiting.set(room, [message])
  })
})
http.listen(0, '127.0.0.1', () =>
  serving(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, documentNames(task)),
)
