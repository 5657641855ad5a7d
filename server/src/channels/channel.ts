/**
 * What a channel is: a way to people who have no SDK (SMS, WhatsApp, e-mail). It sends, and it tells of what came in
 * and of how far what was sent has come. Everything else (who belongs to which conversation, queueing, order,
 * retries, receipts) is the same for all channels, and not theirs. `test/channels/channel-suite.ts` is what each must do.
 */
import type { DeliveryStatus, ParticipantType } from '@confab/core'

export type ChannelType = Exclude<ParticipantType, 'chat'>

export interface Channel {
  readonly type: ChannelType
  /** For people: in logs, in `confab channels list` and in the path of its webhooks. Letters, digits and dashes. */
  readonly name: string
  /** The addresses of ours that it sends from and receives at (proxy addresses). */
  readonly addresses: readonly string[]
  /**
   * Begins to receive and to connect. Resolves when it will, not when it has: a provider that is away is tried again.
   * @throws ConfabError 20001 for a wrong option, or a package that is missing
   */
  start(events: ChannelEvents): Promise<void>
  /** Ends its connections. Resolves when nothing of it is left; sends that are under way have ended. */
  stop(): Promise<void>
  /**
   * Hands one message over. Resolves when the provider has taken it.
   * @throws ChannelError, which says whether another try can help
   */
  send(message: OutboundMessage): Promise<SentMessage>
  /** Takes the provider's webhooks, for a channel that has any: those below `/channels/<name>`. */
  webhook?(request: WebhookRequest): Promise<WebhookAnswer>
  /** What it carries beside text; none by default. What it doesn't carry is named in the text. */
  readonly carries?: MediaRules
  /** What it is doing, for people. */
  status(): { isConnected: boolean; detail: string }
}

/** Which attachments a channel carries. */
export interface MediaRules {
  /** Bytes of one message's, together. */
  maxBytes: number
  /** Types, such as `image/*`. */
  types: readonly string[]
  /** Bytes of one, at most, by its type; `maxBytes` by default. */
  mostOf?(contentType: string): number
}

/** How many attachments one message has, at most, in or out. */
export const MOST_ATTACHMENTS = 10

export interface OutboundMedia {
  readonly filename: string
  readonly contentType: string
  readonly size: number
  /** @throws ConfabError 20404 when the relay has lost it */
  read(): Promise<AsyncIterable<Uint8Array>>
}

export interface InboundMedia {
  readonly filename?: string
  readonly contentType: string
  readonly content: AsyncIterable<Uint8Array>
}

/** What a provider asks of a channel's webhook. */
export interface WebhookRequest {
  method: string
  query: URLSearchParams
  /** By name, in small letters. */
  headers: { readonly [name: string]: string | undefined }
  body: Uint8Array
}

export interface WebhookAnswer {
  status: number
  /** `text/plain` by default. */
  type?: string
  body?: string
}

export interface OutboundMessage {
  /** The same whenever the same message is sent to the same participant again. */
  readonly idempotencyKey: string
  /** The address of ours that it comes from. */
  readonly from: string
  readonly to: string
  readonly body: string
  /** What it carries, by its rules. */
  readonly media?: readonly OutboundMedia[]
  readonly subject?: string
  readonly conversation: { readonly sid: string; readonly friendlyName?: string }
  readonly messageSid: string
  readonly participantSid: string
  /** Who wrote it, as people are shown. */
  readonly author: string
}

export interface SentMessage {
  /** What the provider calls it: its status reports have it. */
  channelMessageSid: string
  /** How far it is by now: `sent` by default. */
  status?: DeliveryStatus
}

export interface InboundMessage {
  /** What the provider calls it. The same message told twice is posted once. */
  id: string
  /** The person's address. */
  from: string
  /** Ours. */
  to: string
  body: string
  /** What the relay doesn't take of it is named in the text. */
  media?: readonly InboundMedia[]
  subject?: string
  /** When it was sent, milliseconds since the epoch, if the channel says so. */
  at?: number
  /** Of whom we sent something that this answers: it is theirs, if the address is, too. */
  participantSid?: string
}

/** One of several parts of a message. */
export interface InboundPart {
  from: string
  to: string
  /** The sender's number for the whole. */
  reference: number
  total: number
  /** From 1. */
  number: number
  text: string
}

export interface StatusReport {
  channelMessageSid: string
  status: DeliveryStatus
  /** The provider's, or 30008 (unknown) of Twilio's where it has none. */
  errorCode?: number
}

export interface ChannelEvents {
  /**
   * Resolves when the message is on disk: only then may the channel tell its provider that it has it. `refused`: it
   * is for nobody here, and there is no use in telling it again.
   */
  received(message: InboundMessage): Promise<'posted' | 'refused'>
  /** Resolves when the report is on disk, or is about no message of ours. */
  reported(report: StatusReport): Promise<void>
  /**
   * Keeps a part of a message that comes in several. Resolves when it is on disk, with the whole text once every part
   * of it is here (again, whenever a part is told again, until `joinedAndPosted`).
   */
  joined(part: InboundPart): Promise<string | null>
  joinedAndPosted(part: Omit<InboundPart, 'text'>): Promise<void>
  log: {
    info(details: object, message: string): void
    warn(details: object, message: string): void
  }
}

/** What can become of a send. */
export type FailureKind =
  /** Away, overloaded, throttled: another try may help. */
  | 'temporary'
  /** Nothing that comes later will change it: a number that doesn't exist, a message that is refused. */
  | 'permanent'

/** What became of a try: taken, to be tried again, or given up. */
export type SendResult = 'sent' | FailureKind

/** Why a message could not be handed over. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'
  readonly kind: FailureKind
  /** The provider's code, for the receipt. */
  readonly code: number
  /** Milliseconds until the provider wants to hear of it again. */
  readonly retryAfter: number | null

  constructor(
    kind: FailureKind,
    code: number,
    message: string,
    options: { retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.code = code
    this.retryAfter = options.retryAfter ?? null
  }
}

/** Codes of receipts that are none of a provider's. Their meaning is Twilio's. */
export const DELIVERY_ERRORS = {
  /** The person said STOP. */
  optedOut: 21610,
  /** No channel of this relay sends from the participant's proxy address. */
  noChannel: 21606,
  /** The channel lost it, or didn't say why. */
  unknown: 30008,
  /** It was tried for as long as it may wait. */
  expired: 30001,
} as const
