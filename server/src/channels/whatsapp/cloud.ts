/**
 * WhatsApp by Meta's Cloud API: sends by its Graph API, receives by webhook at `/channels/<name>`. Built against the
 * published contract; what the tests reach is a local server that keeps to it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConfabError } from '@confab/core'
import {
  type Channel,
  ChannelError,
  type ChannelEvents,
  DELIVERY_ERRORS,
  type OutboundMessage,
  type SentMessage,
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

  async webhook(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const { appSecret, phoneNumberId, address } = this.#options
    if (request.method === 'GET') return this.#verify(request, response)
    const [, signature = ''] =
      /^sha256=([0-9a-f]{64})$/.exec(String(request.headers['x-hub-signature-256'])) ?? []
    if (!isSignedBy(appSecret, body, signature)) return end(response, 403, 'The signature is not right')
    const events = this.#events
    if (!events) return end(response, 503, 'The relay restarts')
    const webhook = webhookSchema.safeParse(jsonOf(body))
    if (!webhook.success) return end(response, 400, 'This is no webhook of WhatsApp')
    const { messages, reports } = readWebhook(webhook.data, phoneNumberId, address)
    for (const message of messages) await events.received(message)
    await Promise.all(reports.map((report) => events.reported(report)))
    end(response, 200, '')
  }

  #verify(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? '/', 'http://relay').searchParams
    const isRight =
      query.get('hub.mode') === 'subscribe' &&
      isSame(query.get('hub.verify_token') ?? '', this.#options.verifyToken)
    if (isRight) end(response, 200, query.get('hub.challenge') ?? '')
    else end(response, 403, 'The verify token is not right')
  }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return null
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
    .end(text)
}
