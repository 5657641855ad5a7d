/** A local server that keeps to the published contract of WhatsApp's Cloud API, as far as text and media go. */
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export const WHATSAPP = {
  phoneNumberId: '106540352242922',
  address: 'whatsapp:+15550008888',
  accessToken: 'a token of the tests',
  appSecret: 'a secret of the tests',
  verifyToken: 'a word of the tests',
}

interface SentText {
  messaging_product: string
  to: string
  type: string
  text: { body: string }
  [kind: string]: unknown
  biz_opaque_callback_data: string
}

export class GraphServer {
  readonly sent: (SentText & { id: string })[] = []
  /** Answers to the next requests, in place of a success: [HTTP status, error code]. */
  readonly refusals: [status: number, code: number][] = []
  /** Attachments by id: what was put here, and what people sent. */
  readonly media = new Map<string, { type: string; filename?: string; content: Uint8Array }>()
  /** Ids of attachments that the next uploads are refused as. */
  readonly mediaRefusals: [status: number, code: number][] = []
  readonly url: string
  readonly #server: Server
  #waiting: (() => void)[] = []

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v21.0`
  }

  static async start(): Promise<GraphServer> {
    let graph: GraphServer | undefined
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const bytes = Buffer.concat(chunks)
      const content = graph?.contentAt(request.url ?? '', request.headers.authorization)
      if (content) {
        response.writeHead(200, { 'content-type': content.type }).end(content.content)
        return
      }
      const form = await graph?.upload(request.url ?? '', request.headers, bytes)
      if (form) {
        response.writeHead(form[0], { 'content-type': 'application/json' }).end(JSON.stringify(form[1]))
        return
      }
      const body = bytes.toString()
      const [status, answer] = graph?.answer(request.url ?? '', request.headers.authorization, body) ?? [
        500,
        {},
      ]
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    graph = new GraphServer(server)
    return graph
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  contentAt(path: string, authorization: string | undefined) {
    const [, id = ''] = /^\/content\/(.+)$/.exec(path) ?? []
    return authorization === `Bearer ${WHATSAPP.accessToken}` ? this.media.get(id) : undefined
  }

  async upload(
    path: string,
    headers: IncomingHttpHeaders,
    body: Buffer,
  ): Promise<[number, object] | undefined> {
    if (path !== `/v21.0/${WHATSAPP.phoneNumberId}/media`) return undefined
    const refusal = this.mediaRefusals.shift()
    if (refusal) return [refusal[0], { error: { message: 'Refused', code: refusal[1] } }]
    const type = headers['content-type'] ?? ''
    const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
    const file = form.get('file') as File
    const id = `media-${this.media.size + 1}`
    const content = new Uint8Array(await file.arrayBuffer())
    this.media.set(id, { type: String(form.get('type')), filename: file.name, content })
    return [200, { id }]
  }

  answer(path: string, authorization: string | undefined, body: string): [number, object] {
    const media = this.media.get(path.replace('/v21.0/', ''))
    if (media && authorization === `Bearer ${WHATSAPP.accessToken}`) {
      const url = `${new URL(this.url).origin}/content/${path.replace('/v21.0/', '')}`
      return [200, { url, mime_type: media.type, file_size: media.content.length }]
    }
    const isKnown = path === `/v21.0/${WHATSAPP.phoneNumberId}/messages`
    if (!isKnown) return [404, { error: { message: 'Unknown path', type: 'OAuthException', code: 803 } }]
    if (authorization !== `Bearer ${WHATSAPP.accessToken}`) {
      return [401, { error: { message: 'Invalid OAuth access token', type: 'OAuthException', code: 190 } }]
    }
    const refusal = this.refusals.shift()
    if (refusal)
      return [refusal[0], { error: { message: 'Refused', type: 'OAuthException', code: refusal[1] } }]
    const message = JSON.parse(body) as SentText
    const id = `wamid.${this.sent.length + 1}`
    this.sent.push({ ...message, id })
    for (const resolve of this.#waiting.splice(0)) resolve()
    return [
      200,
      {
        messaging_product: 'whatsapp',
        contacts: [{ input: message.to, wa_id: message.to }],
        messages: [{ id }],
      },
    ]
  }

  /** Tells the relay's webhook. Gives the status of its answer. */
  async tell(webhook: string, value: object, secret = WHATSAPP.appSecret): Promise<number> {
    const body = JSON.stringify({
      object: 'whatsapp_business_account',
      entry: [
        {
          id: '1',
          changes: [
            {
              field: 'messages',
              value: {
                messaging_product: 'whatsapp',
                metadata: { display_phone_number: '15550008888', phone_number_id: WHATSAPP.phoneNumberId },
                ...value,
              },
            },
          ],
        },
      ],
    })
    const signature = createHmac('sha256', secret).update(body).digest('hex')
    const response = await fetch(webhook, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
      body,
    })
    return response.status
  }

  says(webhook: string, id: string, from: string, text: string, secret?: string): Promise<number> {
    const message = {
      from: from.replace('whatsapp:+', ''),
      id,
      timestamp: String(Math.floor(Date.now() / 1000)),
      type: 'text',
      text: { body: text },
    }
    return this.tell(webhook, { messages: [message] }, secret)
  }

  reports(webhook: string, id: string, status: string, errors?: { code: number }[]): Promise<number> {
    return this.tell(webhook, {
      statuses: [{ id, status, timestamp: '1767225601', recipient_id: '1', errors }],
    })
  }
}
