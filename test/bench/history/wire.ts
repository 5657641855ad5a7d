/** Counts what goes over a socket: everything to the server at `url` passes through here. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Wire {
  readonly url: string
  /** Bytes in both directions so far. */
  readonly bytes: number
  close(): Promise<void>
}

export async function countedWire(url: string): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const open = new Set<Socket>()
  let bytes = 0
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from)
      from.on('data', (part) => (bytes += part.length))
      from.on('close', () => {
        open.delete(from)
        to.destroy()
      })
      // the other end hears of it by `close`
      from.on('error', () => {})
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get bytes() {
      return bytes
    },
    async close() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
