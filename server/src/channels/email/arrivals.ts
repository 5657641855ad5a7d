/** How mails come in: handed over by SMTP here, or fetched from a mailbox (`imap.ts`). Both give the same `Arrival`. */
import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import type { ParsedMail } from 'mailparser'
import type { ChannelEvents } from '../channel.ts'
import { optionalPackage } from '../optional-package.ts'
import type { Headers } from './letters.ts'
import type { Taken } from './receive.ts'

/** A mail, parsed. */
export interface Arrival {
  /** Its `Message-ID`, or a hash of it where it has none. */
  messageId: string
  /** `''` for a bounce. */
  envelopeFrom: string
  /** Addresses of ours that it is for. */
  recipients: string[]
  from: string
  subject: string
  text: string
  attachments: { filename: string; contentType: string; content: Buffer }[]
  /** Milliseconds since the epoch. */
  date: number | null
  headers: Headers
  /** The topmost header of that name. */
  authenticationResults: string | undefined
  /** A delivery status notification: its machine-readable part. */
  report: string | null
  /** Headers of a mail that came back. */
  returned: string
}

export interface Arrivals {
  stop(): Promise<void>
  status(): { isConnected: boolean; detail: string }
  readonly port?: number
}

export interface SmtpServerOptions {
  /** 0 picks a free one; 2525 by default. */
  port?: number
  /** `127.0.0.1` by default: a mail server on this machine hands mail over. */
  host?: string
  /** PEM, for STARTTLS. */
  tls?: { key: string; cert: string }
}

export interface Receiving {
  addresses: readonly string[]
  mailBytes: number
  take(arrival: Arrival): Promise<Taken>
  log: ChannelEvents['log']
}

/** Mails that are being taken at a time. */
const MOST_CONNECTIONS = 50

export async function smtpArrivals(options: SmtpServerOptions, receiving: Receiving): Promise<Arrivals> {
  await mailParser()
  const { SMTPServer } = await optionalPackage('smtp-server', () => import('smtp-server'))
  const { addresses, mailBytes, take, log } = receiving
  const { port = 2525, host = '127.0.0.1', tls } = options
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: tls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
    size: mailBytes,
    maxClients: MOST_CONNECTIONS,
    socketTimeout: 60_000,
    closeTimeout: 2000,
    disableReverseLookup: true,
    logger: false,
    ...tls,
    onRcptTo({ address }, session, done) {
      if (session.envelope.rcptTo.length >= 50) return done(smtpError(452, 'Too many recipients'))
      done(isOurs(address, addresses) ? null : smtpError(550, 'There is nobody of that name here'))
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => {
        if (!stream.sizeExceeded) chunks.push(chunk)
      })
      stream.on('error', done)
      stream.on('end', async () => {
        if (stream.sizeExceeded) return done(smtpError(552, `At most ${mailBytes} bytes`))
        try {
          const { mailFrom, rcptTo } = session.envelope
          const recipients = rcptTo.map(({ address }) => address)
          const envelopeFrom = mailFrom ? mailFrom.address : ''
          const arrival = await arrivalOf(Buffer.concat(chunks), { envelopeFrom, recipients })
          const taken = arrival ? await take(arrival) : UNREADABLE
          done(taken.kind === 'taken' ? null : smtpError(550, taken.reason))
        } catch (error) {
          log.warn({ err: error }, 'an inbound mail could not be stored')
          done(smtpError(451, 'Not now, please try again'))
        }
      })
    },
  })
  server.on('error', (error: Error) => log.warn({ err: error }, 'a mail connection failed'))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const listening = (server.server.address() as AddressInfo).port
  return {
    port: listening,
    status: () => ({ isConnected: true, detail: `receives at ${host}:${listening}` }),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode })
}

export const isOurs = (address: string, addresses: readonly string[]): boolean => {
  const bare = address.replace(/\+[^@]*@/, '@').toLowerCase()
  return addresses.some((ours) => ours.toLowerCase() === bare)
}

/** @throws ConfabError 20001 when the package is missing */
export const mailParser = () => optionalPackage('mailparser', () => import('mailparser'))

/** A mail that no parser makes sense of: it comes out the same however often it is told. */
export const UNREADABLE: Taken = { kind: 'refused', reason: 'This is no mail that can be read' }

/** Bytes of all headers of a mail together: some hundred servers on its way. */
const MOST_HEADER_BYTES = 256 * 1024
/** Characters of a mail's text that are looked at. */
const MOST_TEXT = 200_000

/**
 * Null for what can't be read, or would take too long to.
 * @param envelope null where there is none: then the headers count
 */
export async function arrivalOf(
  bytes: Buffer,
  envelope: { envelopeFrom: string | null; recipients: string[] | null },
): Promise<Arrival | null> {
  const { simpleParser } = await mailParser()
  if (headerBytes(bytes) > MOST_HEADER_BYTES) return null
  let mail: ParsedMail
  try {
    mail = await simpleParser(bytes, {
      skipImageLinks: true,
      skipTextToHtml: true,
      maxHtmlLengthToParse: 1_000_000,
    })
  } catch {
    return null
  }
  const headers = headersOf(mail)
  const sender = mail.from?.value[0]?.address ?? ''
  const parts = mail.attachments
  const textOf = (type: string) =>
    parts.find(({ contentType }) => contentType === type)?.content.toString('utf8') ?? null
  return {
    messageId: mail.messageId ?? createHash('sha256').update(bytes).digest('hex'),
    envelopeFrom: envelope.envelopeFrom ?? headers.get('return-path')?.replace(/[<>\s]/g, '') ?? sender,
    recipients: envelope.recipients ?? addressesIn(mail),
    from: sender,
    subject: mail.subject ?? '',
    text: (mail.text ?? '').slice(0, MOST_TEXT),
    attachments: parts
      .filter(
        ({ contentType }) =>
          !/^(message|multipart)\//.test(contentType) && contentType !== 'text/rfc822-headers',
      )
      .map(({ filename, contentType, content }) => ({
        filename: (filename ?? contentType).slice(0, 100).toWellFormed(),
        contentType,
        content,
      })),
    date: mail.date && Number.isFinite(mail.date.getTime()) ? mail.date.getTime() : null,
    headers,
    authenticationResults: topmost(mail, 'authentication-results'),
    // the parser shows it as text
    report: isReport(mail) ? (mail.text ?? '') : null,
    returned: textOf('message/rfc822') ?? textOf('text/rfc822-headers') ?? '',
  }
}

/** Of the mail itself, not of its parts. */
function headerBytes(bytes: Buffer): number {
  const ends = [bytes.indexOf('\r\n\r\n'), bytes.indexOf('\n\n')].filter((at) => at >= 0)
  return ends.length === 0 ? bytes.length : Math.min(...ends)
}

/** RFC 6522: what a mail server says became of a mail. */
function isReport(mail: ParsedMail): boolean {
  const type = mail.headers.get('content-type')
  if (typeof type !== 'object' || !('params' in type)) return false
  const { 'report-type': report } = type.params as { [name: string]: string }
  return type.value === 'multipart/report' && report === 'delivery-status'
}

function headersOf(mail: ParsedMail): Headers {
  const headers = new Map<string, string>()
  for (const { key, line } of mail.headerLines) {
    const value = line.slice(line.indexOf(':') + 1).trim()
    const before = headers.get(key)
    headers.set(key, before === undefined ? value : `${before} ${value}`)
  }
  return headers
}

/** Lines come in the order of the mail: who handed it over last wrote the first. */
function topmost(mail: ParsedMail, name: string): string | undefined {
  const line = mail.headerLines.find(({ key }) => key === name)?.line
  return line
    ?.slice(line.indexOf(':') + 1)
    .replace(/\s+/g, ' ')
    .trim()
}

function addressesIn(mail: ParsedMail): string[] {
  const lists = [mail.to, mail.cc].flat().flatMap((list) => list?.value ?? [])
  const delivered = mail.headerLines
    .filter(({ key }) => key === 'delivered-to' || key === 'x-original-to')
    .map(({ line }) => line.slice(line.indexOf(':') + 1).trim())
  return [...lists.map(({ address }) => address ?? ''), ...delivered].filter(Boolean)
}
