/** One WebSocket to a relay that says whatever a test wants, and remembers every byte that it is told. */
import { once } from 'node:events'
import { WebSocket } from 'ws'

export interface Closed {
  code: number
  reason: string
}

export class Peer {
  readonly socket: WebSocket
  /** Every WebSocket message, in order. */
  readonly received: Uint8Array[] = []
  closed: Closed | null = null
  readonly #waiting = new Set<() => void>()

  protected constructor(url: string) {
    this.socket = new WebSocket(url, { perMessageDeflate: false })
    this.socket.on('message', (data: Buffer) => {
      const message = new Uint8Array(data)
      this.received.push(message)
      this.take(message)
      this.#wake()
    })
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#wake()
    })
    // a `close` event follows each of these
    this.socket.on('error', () => {})
  }

  /** Resolves when the socket is open. */
  static async dial(url: string): Promise<Peer> {
    const peer = new Peer(url)
    await once(peer.socket, 'open')
    return peer
  }

  /** Reads one message. Called before anybody who waits is woken. */
  protected take(_message: Uint8Array): void {}

  send(message: Uint8Array): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message)
  }

  /** Resolves to what `test` finds, asked at once and after each message; rejects when the connection ends before. */
  when<T>(test: () => T | undefined | null | false, what = 'what was waited for'): Promise<T> {
    return new Promise((resolve, reject) => {
      const ask = () => {
        const found = test()
        if (found !== undefined && found !== null && found !== false) resolve(found)
        else if (this.closed)
          reject(new Error(`closed (${this.closed.code} ${this.closed.reason}) before ${what}`))
        else return
        this.#waiting.delete(ask)
      }
      this.#waiting.add(ask)
      ask()
    })
  }

  /** How the connection ended, once it has. */
  ended(): Promise<Closed> {
    return this.when(() => this.closed)
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.ended()
  }

  #wake(): void {
    for (const ask of [...this.#waiting]) ask()
  }
}
