/**
 * E-mail: sends by SMTP, receives by SMTP (a mail server hands over what is for our addresses) or by IMAP (a mailbox
 * is watched). Mails of one conversation are one thread; an answer says only what is new in it.
 *
 * Anybody can put any sender on a mail. One is believed if it answers a mail of ours (its headers or the address that
 * it is for have the participant's sid, which only that person was sent), or if a mail server that we trust says that
 * the sender is genuine (DMARC). Everything else is refused, unless the options accept it.
 */
import { Readable } from 'node:stream'
import { ConfabError } from '@confab/core'
import type { Transporter } from 'nodemailer'
import {
  type Channel,
  ChannelError,
  type ChannelEvents,
  DELIVERY_ERRORS,
  type MediaRules,
  type OutboundMessage,
  type SentMessage,
} from '../channel.ts'
import { optionalPackage } from '../optional-package.ts'
import { Throttle } from '../throttle.ts'
import { type Arrival, type Arrivals, type SmtpServerOptions, smtpArrivals } from './arrivals.ts'
import { type ImapOptions, imapArrivals } from './imap.ts'
import { headerText, messageIdOf, replyAddressOf, threadIdOf } from './letters.ts'
import { takeLetter } from './receive.ts'

export interface EmailOptions {
  /** Letters, digits and dashes. */
  name?: string
  /** Mail addresses of ours. Mail for `<local>+<anything>@<domain>` must come here as well. */
  addresses: readonly string[]
  /** The server that takes our mail. */
  smtp: {
    host: string
    /** 587 by default; 465 with TLS from the start. */
    port?: number
    /** TLS from the start. Without it STARTTLS is used, and must be offered before a password is said. */
    secure?: boolean
    /** Says the password to a server without TLS, for everybody between to read. */
    plaintext?: boolean
    /** PEM of an authority of your own. */
    ca?: string
    user?: string
    password?: string
    /** Milliseconds to connect; 10,000 by default. */
    timeout?: number
  }
  /** How mail comes in; one of the two, or none for an address that only sends. */
  receive?: { smtp: SmtpServerOptions } | { imap: ImapOptions }
  /** The name that our mail server puts into `Authentication-Results`: its word on a sender is believed. */
  trustAuthenticationResultsOf?: string
  /** Believe every sender. Only for a mail server that refuses forged ones itself. */
  acceptUnverified?: boolean
  /** Bytes of one mail; 5 MiB by default. */
  mailBytes?: number
  /** Bytes of one mail's attachments, together; 10 MiB by default. */
  attachmentBytes?: number
  /** Mails per second; 5 by default. */
  perSecond?: number
}

/** @throws ConfabError 20001 for an option that can't work; at the start when a package is missing */
export function email(options: EmailOptions): Channel {
  if (
    options.addresses.length === 0 ||
    !options.addresses.every((address) => /^[^\s@+]+@[^\s@]+$/.test(address))
  ) {
    throw new ConfabError(20001, 'email: addresses must be mail addresses without a plus sign')
  }
  return new EmailChannel(options)
}

class EmailChannel implements Channel {
  readonly type = 'email'
  readonly name: string
  readonly addresses: readonly string[]
  readonly carries: MediaRules
  readonly #options: EmailOptions
  readonly #throttle: Throttle
  #transporter: Transporter | null = null
  #arrivals: Arrivals | null = null
  #last = 'nothing sent yet'
  #isWell = true

  constructor(options: EmailOptions) {
    this.#options = options
    this.name = options.name ?? 'email'
    this.addresses = options.addresses
    this.carries = { maxBytes: options.attachmentBytes ?? 10 * 1024 * 1024, types: ['*/*'] }
    this.#throttle = new Throttle(5, options.perSecond ?? 5)
  }

  async start(events: ChannelEvents): Promise<void> {
    const { smtp, receive, mailBytes = 5 * 1024 * 1024 } = this.#options
    const { default: nodemailer } = await optionalPackage('nodemailer', () => import('nodemailer'))
    const { host, secure = false, user, password, plaintext = false, ca, timeout = 10_000 } = smtp
    const port = smtp.port ?? (secure ? 465 : 587)
    this.#transporter = nodemailer.createTransport({
      host,
      port,
      secure,
      requireTLS: user !== undefined && !secure && !plaintext,
      ...(ca !== undefined && { tls: { ca } }),
      ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
      pool: true,
      maxConnections: 5,
      connectionTimeout: timeout,
      greetingTimeout: timeout,
      socketTimeout: 3 * timeout,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    if (!receive) return
    const take = (arrival: Arrival) => takeLetter(arrival, this.#options, events)
    this.#arrivals =
      'smtp' in receive
        ? await smtpArrivals(receive.smtp, { addresses: this.addresses, mailBytes, take, log: events.log })
        : await imapArrivals(receive.imap, { addresses: this.addresses, mailBytes, take, log: events.log })
  }

  async stop(): Promise<void> {
    await this.#arrivals?.stop()
    this.#transporter?.close()
    this.#transporter = null
  }

  status(): { isConnected: boolean; detail: string } {
    const arrivals = this.#arrivals?.status()
    return {
      isConnected: this.#isWell && (arrivals?.isConnected ?? true),
      detail: [this.#last, arrivals?.detail].filter(Boolean).join('; '),
    }
  }

  /** Where it receives by SMTP; undefined otherwise. */
  get port(): number | undefined {
    return this.#arrivals?.port
  }

  async send(message: OutboundMessage): Promise<SentMessage> {
    const transporter = this.#transporter
    if (!transporter)
      throw new ChannelError('temporary', DELIVERY_ERRORS.unknown, 'The channel has not started')
    const { from, to, body, media = [], subject, conversation, messageSid, participantSid, author } = message
    const domain = from.slice(from.lastIndexOf('@') + 1)
    const messageId = messageIdOf({ messageSid, participantSid }, domain)
    const thread = threadIdOf(conversation.sid, domain)
    const reply = replyAddressOf(from, participantSid)
    try {
      const contents = await Promise.all(media.map((one) => one.read()))
      await this.#throttle.run(() =>
        transporter.sendMail({
          // bounces come to the address that names the participant
          envelope: { from: reply, to: [to] },
          from: { name: headerText(author), address: from },
          to: { name: '', address: to },
          replyTo: { name: '', address: reply },
          subject: headerText(subject ?? conversation.friendlyName ?? 'Conversation'),
          text: body,
          attachments: media.map(({ filename, contentType }, at) => ({
            filename: headerText(filename),
            contentType: contentType.split(';', 1)[0] as string,
            contentDisposition: 'attachment',
            content: Readable.from(contents[at] as AsyncIterable<Uint8Array>),
          })),
          messageId,
          inReplyTo: thread,
          references: [thread],
          headers: { 'X-Confab-Conversation': conversation.sid },
          disableFileAccess: true,
          disableUrlAccess: true,
        }),
      )
      this.#isWell = true
      this.#last = 'the last mail was taken'
      return { channelMessageSid: messageId }
    } catch (cause) {
      const error = cause instanceof ChannelError ? cause : failureOf(cause)
      this.#isWell = error.kind === 'permanent'
      this.#last = error.message
      throw error
    }
  }
}

/** RFC 5321: 4xx may go later, 5xx won't; what didn't come to an answer may. */
function failureOf(cause: unknown): ChannelError {
  const { responseCode, message, code } = cause as { responseCode?: number; message: string; code?: string }
  // a login that is refused is ours to mend, not the recipient's
  const isPermanent =
    responseCode !== undefined && responseCode >= 500 && ![530, 534, 535].includes(responseCode)
  return new ChannelError(
    isPermanent ? 'permanent' : 'temporary',
    responseCode ?? DELIVERY_ERRORS.unknown,
    `The mail server: ${message}${hintOf(code)}`,
    { cause },
  )
}

/** What to mend, by the code of the library's error. */
function hintOf(code: string | undefined): string {
  if (code === 'EAUTH') return ': are user and password right?'
  if (code === 'ETLS')
    return ': a password is said over TLS alone; "secure": true begins with it, "plaintext": true does without'
  if (code === 'EDNS' || code === 'ECONNECTION' || code === 'ESOCKET' || code === 'ETIMEDOUT')
    return ': are host, port and "secure" right?'
  return ''
}
