/**
 * WhatsApp by Meta's Cloud API: sends by its Graph API, receives by webhook at `/channels/<name>`. Built against the
 * published contract; what the tests reach is a local server that keeps to it.
 */
import { ConfabError } from '@confab/core'
import {
  type Channel,
  ChannelError,
  type ChannelEvents,
  DELIVERY_ERRORS,
  type InboundMessage,
  type OutboundMedia,
  type OutboundMessage,
  type SentMessage,
  type WebhookAnswer,
  type WebhookRequest,
} from '../channel.ts'
import { isSame, isSignedBy } from '../signatures.ts'
import { Throttle } from '../throttle.ts'
import {
  CARRIES,
  failureOf,
  kindOf,
  mediaSchema,
  readWebhook,
  sentSchema,
  type Told,
  uploadSchema,
  webhookSchema,
} from './cloud-messages.ts'

export interface WhatsAppCloudOptions {
  /** Letters, digits and dashes; the webhook's path has it. */
  name?: string
  /** Of our number, as the Graph API calls it. */
  phoneNumberId: string
  /** Our number: `whatsapp:+…`. */
  address: string
  /** A system user's token that doesn't expire. */
  accessToken: string
  /** The app's secret, which signs webhooks. */
  appSecret: string
  /** What was typed into the webhook's "Verify token". */
  verifyToken: string
  /** `https://graph.facebook.com/v21.0` by default. */
  graphUrl?: string
  /** Messages per second; 80 by default, as Meta allows a number. */
  perSecond?: number
}

const GRAPH = 'https://graph.facebook.com/v21.0'
/** Milliseconds for an answer. */
const TIMEOUT = 15_000
/** Characters of one text message. */
const MOST_CHARACTERS = 4096

/** @throws ConfabError 20001 for an option that can't work */
export function whatsAppCloud(options: WhatsAppCloudOptions): Channel {
  for (const key of ['phoneNumberId', 'accessToken', 'appSecret', 'verifyToken'] as const) {
    if (!options[key]) throw new ConfabError(20001, `whatsAppCloud: ${key} must not be empty`)
  }
  if (!options.address.startsWith('whatsapp:+')) {
    throw new ConfabError(20001, 'whatsAppCloud: address must be whatsapp: and the number in E.164 form')
  }
  return new WhatsAppCloudChannel(options)
}

class WhatsAppCloudChannel implements Channel {
  readonly type = 'whatsapp'
  readonly name: string
  readonly addresses: readonly string[]
  readonly carries = CARRIES
  readonly #options: WhatsAppCloudOptions
  readonly #throttle: Throttle
  #events: ChannelEvents | null = null
  #last = 'nothing sent yet'
  #isWell = true

  constructor(options: WhatsAppCloudOptions) {
    this.#options = options
    this.name = options.name ?? 'whatsapp'
    this.addresses = [options.address]
    this.#throttle = new Throttle(20, options.perSecond ?? 80)
  }

  async start(events: ChannelEvents): Promise<void> {
    this.#events = events
  }

  async stop(): Promise<void> {
    this.#events = null
  }

  status(): { isConnected: boolean; detail: string } {
    return { isConnected: this.#isWell, detail: this.#last }
  }

  async send(message: OutboundMessage): Promise<SentMessage> {
    const { body } = message
    if (!this.#events)
      throw new ChannelError('temporary', DELIVERY_ERRORS.unknown, 'The channel has not started')
    if (body.length > MOST_CHARACTERS) {
      throw new ChannelError(
        'permanent',
        131009,
        `WhatsApp takes ${MOST_CHARACTERS} characters, the message has more`,
      )
    }
    try {
      const sent = await this.#sendAll(message)
      this.#isWell = true
      this.#last = 'the last message was taken'
      return sent
    } catch (error) {
      this.#isWell = !(error instanceof ChannelError && error.kind === 'temporary')
      this.#last = error instanceof Error ? error.message : String(error)
      throw error
    }
  }

  /** Text first, then each attachment: one message of WhatsApp's has one. The last one's name is the message's. */
  async #sendAll({ to, body, media = [], idempotencyKey }: OutboundMessage): Promise<SentMessage> {
    const uploaded: { one: OutboundMedia; id: string }[] = []
    const lines = [body]
    for (const one of media) {
      try {
        uploaded.push({ one, id: await this.#upload(one) })
      } catch (error) {
        if (!(error instanceof ChannelError && error.kind === 'permanent')) throw error
        lines.push(`[${one.filename}: not sent, WhatsApp refuses it]`)
      }
    }
    const text = lines.filter(Boolean).join('\n')
    const contents: object[] = uploaded.map(({ one, id }) => {
      const kind = kindOf(one.contentType)
      return { type: kind, [kind]: { id, ...(kind === 'document' && { filename: one.filename }) } }
    })
    if (text !== '' || contents.length === 0)
      contents.unshift({ type: 'text', text: { preview_url: false, body: text } })
    let sent: SentMessage | null = null
    for (const content of contents)
      sent = await this.#throttle.run(() => this.#post(to, content, idempotencyKey))
    return sent as SentMessage
  }

  async #upload(media: OutboundMedia): Promise<string> {
    const pieces: BlobPart[] = []
    for await (const piece of await media.read()) pieces.push(piece as Uint8Array<ArrayBuffer>)
    const type = (media.contentType.split(';', 1)[0] as string).trim()
    const form = new FormData()
    form.append('messaging_product', 'whatsapp')
    form.append('type', type)
    form.append('file', new Blob(pieces, { type }), media.filename)
    const { response, answer } = await this.#ask(`${this.#options.phoneNumberId}/media`, {
      method: 'POST',
      body: form,
    })
    const { data } = uploadSchema.safeParse(answer)
    if (response.ok && data) return data.id
    throw refusalOf(response, answer)
  }

  async #post(to: string, content: object, reference: string): Promise<SentMessage> {
    const { response, answer } = await this.#ask(`${this.#options.phoneNumberId}/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        to: to.slice('whatsapp:+'.length),
        ...content,
        biz_opaque_callback_data: reference,
      }),
    })
    const id = sentSchema.safeParse(answer).data?.messages[0]?.id
    if (response.ok && id !== undefined) return { channelMessageSid: id }
    throw refusalOf(response, answer)
  }

  async #ask(path: string, init: RequestInit): Promise<{ response: Response; answer: unknown }> {
    const { graphUrl = GRAPH } = this.#options
    const response = await this.#fetch(`${graphUrl}/${path}`, init)
    return { response, answer: (await response.json().catch(() => null)) as unknown }
  }

  async #fetch(url: string, init: RequestInit = {}): Promise<Response> {
    try {
      return await fetch(url, {
        ...init,
        headers: { ...(init.headers as object), authorization: `Bearer ${this.#options.accessToken}` },
        redirect: 'error',
        signal: AbortSignal.timeout(init.body instanceof FormData ? 10 * TIMEOUT : TIMEOUT),
      })
    } catch (cause) {
      throw new ChannelError(
        'temporary',
        DELIVERY_ERRORS.unknown,
        `WhatsApp can't be reached: ${((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message}`,
        { cause },
      )
    }
  }

  /** An attachment that came, as the Graph API has it; what is gone there is named in the text. */
  async #withMedia({ attachment, ...message }: Told): Promise<InboundMessage> {
    if (!attachment) return message
    const { id, filename } = attachment
    const { response, answer } = await this.#ask(encodeURIComponent(id), {})
    const { data } = mediaSchema.safeParse(answer)
    const content = response.ok && data && this.#isMetas(data.url) ? await this.#fetch(data.url) : null
    if (response.status >= 500 || (content && content.status >= 500))
      throw new ChannelError('temporary', DELIVERY_ERRORS.unknown, 'WhatsApp gives no attachment now')
    if (!content?.ok || !content.body || !data) {
      const lines = [message.body, `[${filename ?? 'an attachment that is gone'}]`]
      return { ...message, body: lines.filter(Boolean).join('\n') }
    }
    const one = { contentType: data.mime_type, content: content.body as AsyncIterable<Uint8Array> }
    return { ...message, media: [{ ...one, ...(filename !== undefined && { filename }) }] }
  }

  /** The token goes to Meta alone: content lies at hosts of these, or where the Graph API is. */
  #isMetas(url: string): boolean {
    const { origin, hostname, protocol } = new URL(url)
    if (origin === new URL(this.#options.graphUrl ?? GRAPH).origin) return true
    return protocol === 'https:' && /(^|\.)(fbsbx|facebook|fbcdn|whatsapp)\.(com|net)$/.test(hostname)
  }

  async webhook({ method, query, headers, body }: WebhookRequest): Promise<WebhookAnswer> {
    const { appSecret, phoneNumberId, address } = this.#options
    if (method === 'GET') return this.#verify(query)
    const [, signature = ''] = /^sha256=([0-9a-f]{64})$/.exec(headers['x-hub-signature-256'] ?? '') ?? []
    if (!isSignedBy(appSecret, body, signature)) return { status: 403, body: 'The signature is not right' }
    const events = this.#events
    if (!events) return { status: 503, body: 'The relay restarts' }
    const webhook = webhookSchema.safeParse(jsonOf(body))
    if (!webhook.success) return { status: 400, body: 'This is no webhook of WhatsApp' }
    const { messages, reports } = readWebhook(webhook.data, phoneNumberId, address)
    for (const message of messages) await events.received(await this.#withMedia(message))
    await Promise.all(reports.map((report) => events.reported(report)))
    return { status: 200 }
  }

  #verify(query: URLSearchParams): WebhookAnswer {
    const isRight =
      query.get('hub.mode') === 'subscribe' &&
      isSame(query.get('hub.verify_token') ?? '', this.#options.verifyToken)
    return isRight
      ? { status: 200, body: query.get('hub.challenge') ?? '' }
      : { status: 403, body: 'The verify token is not right' }
  }
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return null
  }
}

function refusalOf(response: Response, answer: unknown): ChannelError {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return failureOf(response.status, answer, Number.isFinite(seconds) ? seconds * 1000 : undefined)
}
