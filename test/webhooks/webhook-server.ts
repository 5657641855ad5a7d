/** A real HTTP server that webhooks are at: it keeps what it was told, and answers as a test says. */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Told {
  method: string
  /** With its query. */
  path: string
  headers: IncomingHttpHeaders
  fields: { [name: string]: string }
}

/** What it answers with; nothing: it never does. */
export interface Reply {
  status: number
  body?: string
  headers?: { [name: string]: string }
}

export class WebhookServer {
  readonly told: Told[] = []
  /** Requests that are open at this moment, and the most that ever were. */
  open = 0
  mostOpen = 0
  readonly url: string
  answer: (told: Told, response: ServerResponse) => Reply | Promise<Reply> | undefined = () => ({
    status: 200,
  })
  readonly #server: Server
  readonly #waiting = new Set<() => void>()

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(port = 0): Promise<WebhookServer> {
    let self: WebhookServer | undefined
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      const { method = '', url = '', headers } = request
      const query = new URL(url, 'http://webhook').searchParams
      const fields = Object.fromEntries(method === 'POST' ? new URLSearchParams(body) : query)
      await self?.take({ method, path: url, headers, fields }, response)
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    self = new WebhookServer(server)
    return self
  }

  async take(told: Told, response: ServerResponse): Promise<void> {
    this.told.push(told)
    this.open++
    this.mostOpen = Math.max(this.mostOpen, this.open)
    response.once('close', () => {
      this.open--
      this.#wake()
    })
    const answer = this.answer(told, response)
    this.#wake()
    if (!answer) return
    const { status, body = '', headers = {} } = await answer
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  }

  /** What it was told of, in order. */
  get types(): (string | undefined)[] {
    return this.told.map(({ fields }) => fields.EventType)
  }

  /** Asked at once, and again whenever something is told or answered. */
  async until(test: () => boolean): Promise<void> {
    while (!test()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}
