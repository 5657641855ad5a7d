/** Mails that are fetched from a mailbox by IMAP, as it announces them. */
import { optionalPackage } from '../optional-package.ts'
import { type Arrivals, arrivalOf, isOurs, mailParser, type Receiving, UNREADABLE } from './arrivals.ts'
import type { Taken } from './receive.ts'

export interface ImapOptions {
  host: string
  /** 993 by default. */
  port?: number
  /** TLS from the start; true by default. Without it, STARTTLS, which must be offered before the password is said. */
  secure?: boolean
  /** Says the password to a server without TLS, for everybody between to read. */
  plaintext?: boolean
  /** PEM of an authority of your own. */
  ca?: string
  user: string
  password: string
  /** `INBOX` by default. What was taken is marked as seen; what was refused is flagged as well. */
  mailbox?: string
  /** Milliseconds between looks, beside what the server announces; 60,000 by default. */
  every?: number
}

/** Milliseconds for a mailbox's server to answer. */
const PATIENCE = 10_000

export async function imapArrivals(options: ImapOptions, receiving: Receiving): Promise<Arrivals> {
  const { ImapFlow } = await optionalPackage('imapflow', () => import('imapflow'))
  const {
    host,
    secure = true,
    port = secure ? 993 : 143,
    user,
    password,
    plaintext = false,
    ca,
    mailbox = 'INBOX',
    every = 60_000,
  } = options
  const { addresses, mailBytes, take, log } = receiving
  await mailParser()
  let isStopped = false
  let detail = 'connecting'
  let wake = () => {}
  /** Something was announced while nobody waited. */
  let isDue = false
  let close = () => {}

  /** Until the mailbox announces something, the connection or the channel ends, or that time is over. */
  const rest = (milliseconds: number): Promise<void> => {
    if (isDue || isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => wake(), milliseconds)
      wake = () => {
        clearTimeout(timer)
        wake = () => {}
        resolve()
      }
    })
  }
  const announce = () => {
    isDue = true
    wake()
  }

  const judge = async (source: Buffer, size: number): Promise<Taken> => {
    if (size > mailBytes) return { kind: 'refused', reason: 'it is too large' }
    const arrival = await arrivalOf(source, { envelopeFrom: null, recipients: null })
    if (!arrival) return UNREADABLE
    arrival.recipients = arrival.recipients.filter((address) => isOurs(address, addresses))
    return take(arrival)
  }

  const look = async (client: InstanceType<typeof ImapFlow>): Promise<void> => {
    const found = await client.search({ seen: false, flagged: false }, { uid: true })
    for (const uid of found || []) {
      if (isStopped) return
      const [mail] = await client.fetchAll(
        String(uid),
        { size: true, source: { maxLength: mailBytes } },
        { uid: true },
      )
      if (!mail?.source) continue
      const taken = await judge(mail.source, mail.size ?? 0)
      if (taken.kind === 'refused') log.warn({ reason: taken.reason }, 'a mail in the mailbox was refused')
      const flags = taken.kind === 'taken' ? ['\\Seen'] : ['\\Seen', '\\Flagged']
      await client.messageFlagsAdd(String(uid), flags, { uid: true })
    }
  }

  /** @returns when the connection has ended. It resolves only if the mailbox was open. */
  const session = async (): Promise<void> => {
    const client = new ImapFlow({
      host,
      port,
      secure,
      ...(!secure && !plaintext && { doSTARTTLS: true }),
      ...(ca !== undefined && { tls: { ca } }),
      auth: { user, pass: password },
      logger: false,
      connectionTimeout: PATIENCE,
      greetingTimeout: PATIENCE,
    })
    close = () => client.close()
    client.on('error', (error: Error) => {
      detail = `no mailbox: ${error.message}`
    })
    client.on('exists', announce)
    client.on('close', announce)
    try {
      await client.connect()
      await client.mailboxOpen(mailbox)
      detail = `watches ${mailbox} at ${host}`
      while (!isStopped && client.usable) {
        isDue = false
        await look(client)
        // the next command ends it
        if (!isDue) client.idle().catch(() => {})
        await rest(every)
      }
      if (client.usable) await client.logout()
    } finally {
      client.close()
    }
  }

  const run = async (): Promise<void> => {
    for (let failures = 0; !isStopped; failures++) {
      try {
        await session()
        failures = 0
        detail = `no mailbox: ${host}:${port} ended the connection`
      } catch (error) {
        if (isStopped) return
        detail = `no mailbox: ${imapProblem(error, { host, port, user, mailbox })}`
        log.warn({ reason: detail }, 'the mailbox could not be read')
      }
      isDue = false
      await rest(Math.min(60_000, 1000 * 2 ** failures))
    }
  }
  const running = run()
  return {
    status: () => ({ isConnected: detail.startsWith('watches'), detail }),
    async stop() {
      isStopped = true
      const cancel = setTimeout(() => close(), 2000)
      // a connection that is still being made is left at once
      if (!detail.startsWith('watches')) close()
      wake()
      await running
      clearTimeout(cancel)
    },
  }
}

/** What to mend, in words: what the library says of itself is "Command failed". */
function imapProblem(
  cause: unknown,
  { host, port, user, mailbox }: { host: string; port: number; user: string; mailbox: string },
): string {
  const { code, message, responseText, authenticationFailed } = cause as {
    code?: string
    message: string
    responseText?: string
    authenticationFailed?: boolean
  }
  if (/STARTTLS/i.test(message))
    return `${host}:${port} offers no STARTTLS, and a password is said over TLS alone: "secure": true begins with it, "plaintext": true does without`
  if (authenticationFailed) return `${host} refuses the login of ${user}: are user and password right?`
  if (code === 'ECONNREFUSED') return `nothing listens at ${host}:${port}: are host and port right?`
  if (code === 'ENOTFOUND') return `there is no host ${host}`
  if (code?.includes('CERT') || code?.includes('VERIFY') || code === 'DEPTH_ZERO_SELF_SIGNED_CERT')
    return `the certificate of ${host} is not valid (${code}): NODE_EXTRA_CA_CERTS names a file with an authority of your own`
  if (code?.startsWith('ERR_SSL'))
    return `${host}:${port} speaks no TLS from the start: "secure": false begins with STARTTLS`
  return responseText ? `${host} says of ${mailbox}: ${responseText}` : `${message} (${host}:${port})`
}
