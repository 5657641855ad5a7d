/** A TCP proxy on loopback that does to each connection what the next fault says; when they are used up, nothing. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Fault {
  /**
   * `cut`: both sides lose the connection, in the middle of a frame as it happens. `swallow`: nothing passes any
   * more and nobody is told, as behind a router that has lost its table.
   */
  end: 'cut' | 'swallow'
  /** Bytes that pass before, in both directions together. */
  after: number
  /** Milliseconds that everything is late until then. */
  late: number
  /** Milliseconds after which the connection ends in any case, whatever has passed; as long as it lasts by default. */
  lives?: number
}

export interface FaultyProxy {
  readonly port: number
  /** Faults that no connection has met yet. */
  readonly left: number
  /** How many connections were cut because their time was over. */
  readonly outlived: number
  /** How many connections were swallowed so far. */
  readonly swallowed: number
  /**
   * Resolves once the relay has given up each of them. (A client that gives one up dials again: its old socket
   * still waits for somebody to agree.)
   */
  noticed(): Promise<void>
  /** Cuts every connection that there is; those that come later pass. */
  cut(): void
  close(): Promise<void>
}

/** @param faults what becomes of connections, in the order in which they come */
export async function faultyProxy(target: number, faults: readonly Fault[]): Promise<FaultyProxy> {
  const waiting = [...faults]
  let swallowed = 0
  let outlived = 0
  let givenUp = 0
  const sockets = new Set<Socket>()
  let wake = () => {}

  const server = createServer({ noDelay: true }, (client) => {
    const relay = connect({ port: target, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, relay]) {
      sockets.add(socket)
      // what ends a connection is seen by its close
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    const fault = waiting.shift()
    let left = fault?.after ?? Number.POSITIVE_INFINITY
    if (fault?.lives !== undefined) {
      const life = setTimeout(() => {
        outlived++
        for (const socket of [client, relay]) socket.destroy()
      }, fault.lives)
      client.on('close', () => clearTimeout(life))
    }
    let isSwallowed = false
    const pass = (bytes: Buffer, to: Socket) => {
      if (isSwallowed || to.destroyed) return
      const some = bytes.subarray(0, left)
      left -= some.length
      if (left > 0) to.write(some)
      else if (fault?.end === 'cut') {
        to.end(some)
        for (const socket of [client, relay]) if (socket !== to) socket.destroy()
      } else {
        to.write(some)
        isSwallowed = true
        swallowed++
      }
    }
    const later = (task: () => void) => {
      if (fault && fault.late > 0) setTimeout(task, fault.late)
      else task()
    }
    const join = (from: Socket, to: Socket) => {
      from.on('data', (bytes) => later(() => pass(bytes as Buffer, to)))
      from.on('close', () =>
        later(() => {
          if (!isSwallowed) to.destroy()
          else if (from === relay) {
            givenUp++
            wake()
          }
        }),
      )
    }
    join(client, relay)
    join(relay, client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    get left() {
      return waiting.length
    },
    get outlived() {
      return outlived
    },
    get swallowed() {
      return swallowed
    },
    async noticed() {
      while (givenUp < swallowed) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
