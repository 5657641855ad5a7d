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
  type OutboundMessage,
  type SentMessage,
  type WebhookAnswer,
  type WebhookRequest,
} from '../channel.ts'
import { isSame, isSignedBy } from '../signatures.ts'
import { Throttle } from '../throttle.ts'
import { failureOf, readWebhook, sentSchema, webhookSchema } from './cloud-messages.ts'

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

  async send({ to, body, idempotencyKey }: OutboundMessage): Promise<SentMessage> {
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
      const sent = await this.#throttle.run(() => this.#post(to, body, idempotencyKey))
      this.#isWell = true
      this.#last = 'the last message was taken'
      return sent
    } catch (error) {
      this.#isWell = !(error instanceof ChannelError && error.kind === 'temporary')
      this.#last = error instanceof Error ? error.message : String(error)
      throw error
    }
  }

  async #post(to: string, body: string, reference: string): Promise<SentMessage> {
    const { graphUrl = 'https://graph.facebook.com/v21.0', phoneNumberId, accessToken } = this.#options
    let response: Response
    try {
      response = await fetch(`${graphUrl}/${phoneNumberId}/messages`, {
        method: 'POST',
        headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          messaging_product: 'whatsapp',
          recipient_type: 'individual',
          to: to.slice('whatsapp:+'.length),
          type: 'text',
          text: { preview_url: false, body },
          biz_opaque_callback_data: reference,
        }),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT),
      })
    } catch (cause) {
      throw new ChannelError(
        'temporary',
        DELIVERY_ERRORS.unknown,
        `WhatsApp can't be reached: ${(cause as Error).message}`,
        { cause },
      )
    }
    const answer: unknown = await response.json().catch(() => null)
    const sent = sentSchema.safeParse(answer)
    const id = sent.data?.messages[0]?.id
    if (response.ok && id !== undefined) return { channelMessageSid: id }
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
    throw failureOf(response.status, answer, Number.isFinite(seconds) ? seconds * 1000 : undefined)
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
    for (const message of messages) await events.received(message)
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
