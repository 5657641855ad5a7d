/**
 * SMS or WhatsApp by Twilio's Programmable Messaging, with the `twilio` package. Its webhooks (a message came in, a
 * status changed) are at `/channels/<name>`, and must carry Twilio's signature. Twilio's API takes no idempotency key:
 * a relay that dies between handing a message over and recording it sends that one again.
 */
import { ConfabError } from '@confab/core'
import type { Twilio } from 'twilio'
import {
  type Channel,
  ChannelError,
  type ChannelEvents,
  type ChannelType,
  DELIVERY_ERRORS,
  type OutboundMessage,
  type SentMessage,
  type StatusReport,
  type WebhookAnswer,
  type WebhookRequest,
} from '../channel.ts'
import { optionalPackage } from '../optional-package.ts'
import { Throttle } from '../throttle.ts'

export interface TwilioMessagingOptions {
  /** Letters, digits and dashes; the webhook's path has it. */
  name?: string
  type: Exclude<ChannelType, 'email'>
  accountSid: string
  authToken: string
  /** Numbers of ours: `+…`, or `whatsapp:+…`. */
  addresses: readonly string[]
  /** Where Twilio reaches the relay: `https://relay.example.org`. Its signature covers it. */
  publicUrl: string
  /** `https://api.twilio.com` by default. */
  apiUrl?: string
  /** Messages per second; 1 by default, as Twilio sends by a long number. */
  perSecond?: number
}

const STATUSES = new Map<string, StatusReport['status']>([
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['undelivered', 'undelivered'],
  ['failed', 'failed'],
])

/** @throws ConfabError 20001 for an option that can't work; at the start when the package `twilio` is missing */
export function twilioMessaging(options: TwilioMessagingOptions): Channel {
  const prefix = options.type === 'whatsapp' ? 'whatsapp:+' : '+'
  if (options.addresses.length === 0 || !options.addresses.every((address) => address.startsWith(prefix))) {
    throw new ConfabError(20001, `twilioMessaging: addresses must be numbers that begin with ${prefix}`)
  }
  if (!URL.canParse(options.publicUrl)) {
    throw new ConfabError(20001, 'twilioMessaging: publicUrl must be where Twilio reaches the relay')
  }
  return new TwilioMessagingChannel(options)
}

class TwilioMessagingChannel implements Channel {
  readonly type: ChannelType
  readonly name: string
  readonly addresses: readonly string[]
  readonly #options: TwilioMessagingOptions
  readonly #throttle: Throttle
  readonly #webhookUrl: string
  #twilio: { client: Twilio; isSigned(signature: string, parameters: object): boolean } | null = null
  #events: ChannelEvents | null = null
  #last = 'nothing sent yet'
  #isWell = true

  constructor(options: TwilioMessagingOptions) {
    this.#options = options
    this.type = options.type
    this.name = options.name ?? `twilio-${options.type}`
    this.addresses = options.addresses
    this.#throttle = new Throttle(20, options.perSecond ?? 1)
    this.#webhookUrl = `${options.publicUrl.replace(/\/$/, '')}/channels/${this.name}`
  }

  async start(events: ChannelEvents): Promise<void> {
    const { accountSid, authToken, apiUrl } = this.#options
    const { default: twilio } = await optionalPackage('twilio', () => import('twilio'))
    const client = twilio(accountSid, authToken)
    if (apiUrl !== undefined) client.api.baseUrl = apiUrl
    this.#twilio = {
      client,
      isSigned: (signature, parameters) =>
        twilio.validateRequest(authToken, signature, this.#webhookUrl, parameters as Record<string, string>),
    }
    this.#events = events
  }

  async stop(): Promise<void> {
    this.#events = null
    this.#twilio = null
  }

  status(): { isConnected: boolean; detail: string } {
    return { isConnected: this.#isWell, detail: this.#last }
  }

  async send({ from, to, body }: OutboundMessage): Promise<SentMessage> {
    const twilio = this.#twilio
    if (!twilio) throw new ChannelError('temporary', DELIVERY_ERRORS.unknown, 'The channel has not started')
    try {
      const { sid } = await this.#throttle.run(() =>
        twilio.client.messages.create({ from, to, body, statusCallback: this.#webhookUrl }),
      )
      this.#isWell = true
      this.#last = 'the last message was taken'
      // Twilio has it in its own queue: what becomes of it comes by webhook
      return { channelMessageSid: sid }
    } catch (cause) {
      const error = failureOf(cause)
      this.#isWell = error.kind === 'permanent'
      this.#last = error.message
      throw error
    }
  }

  async webhook({ method, headers, body }: WebhookRequest): Promise<WebhookAnswer> {
    const parameters = Object.fromEntries(new URLSearchParams(new TextDecoder().decode(body)))
    if (!this.#twilio || !this.#events) return { status: 503, body: 'The relay restarts' }
    if (method !== 'POST' || !this.#twilio.isSigned(headers['x-twilio-signature'] ?? '', parameters)) {
      return { status: 403, body: 'The signature is not right' }
    }
    await this.#take(this.#events, parameters)
    // an answer in TwiML that says nothing
    return { status: 200, type: 'text/xml', body: '<Response/>' }
  }

  async #take(events: ChannelEvents, parameters: { [name: string]: string }): Promise<void> {
    const { MessageSid: id, MessageStatus, From, To, Body = '', NumMedia = '0', ErrorCode } = parameters
    if (id === undefined) return
    if (MessageStatus !== undefined && Body === '' && parameters.NumMedia === undefined) {
      const status = STATUSES.get(MessageStatus)
      const errorCode = ErrorCode ? Number(ErrorCode) : undefined
      if (status) await events.reported({ channelMessageSid: id, status, ...(errorCode && { errorCode }) })
      return
    }
    if (From === undefined || To === undefined) return
    const media = Array.from({ length: Math.min(10, Number(NumMedia) || 0) }, (_, i) => {
      return `[${parameters[`MediaContentType${i}`] ?? 'file'}]`
    })
    await events.received({ id, from: From, to: To, body: [Body, ...media].filter(Boolean).join('\n') })
  }
}

function failureOf(cause: unknown): ChannelError {
  const { status, code, message } = cause as { status?: number; code?: unknown; message: string }
  const isTemporary = status === undefined || status === 429 || status === 401 || status >= 500
  const number = typeof code === 'number' ? code : DELIVERY_ERRORS.unknown
  return new ChannelError(isTemporary ? 'temporary' : 'permanent', number, message, { cause })
}
