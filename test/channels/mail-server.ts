/** The mail server of the people: takes what the relay sends, reads it by itself, and hands theirs over. */
import type { AddressInfo } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import nodemailer, { type SendMailOptions } from 'nodemailer'
import { SMTPServer } from 'smtp-server'

export interface Letter {
  envelopeFrom: string
  to: string
  mail: ParsedMail
}

export class MailServer {
  readonly letters: Letter[] = []
  /** Answers to the next mails, in place of taking them. */
  readonly refusals: number[] = []
  readonly port: number
  readonly #server: SMTPServer
  #waiting: (() => void)[] = []

  private constructor(server: SMTPServer) {
    this.#server = server
    this.port = (server.server.address() as AddressInfo).port
  }

  static async start(): Promise<MailServer> {
    let mailServer: MailServer | undefined
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['AUTH', 'STARTTLS'],
      logger: false,
      disableReverseLookup: true,
      // the relay keeps its connections
      closeTimeout: 50,
      onData(stream, session, done) {
        const refusal = mailServer?.refusals.shift()
        const { mailFrom, rcptTo } = session.envelope
        simpleParser(stream).then((mail) => {
          if (refusal !== undefined) {
            mailServer?.tell()
            return done(Object.assign(new Error('Refused'), { responseCode: refusal }))
          }
          mailServer?.take({
            envelopeFrom: mailFrom ? mailFrom.address : '',
            to: rcptTo[0]?.address ?? '',
            mail,
          })
          done()
        }, done)
      },
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    mailServer = new MailServer(server)
    return mailServer
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  take(letter: Letter): void {
    this.letters.push(letter)
    this.tell()
  }

  tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

/** Somebody's mail program hands a mail to the relay. Gives the relay's answer: 250, or its refusal. */
export async function sendTo(port: number, mail: SendMailOptions): Promise<number> {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port, secure: false, ignoreTLS: true })
  try {
    await transport.sendMail(mail)
    return 250
  } catch (error) {
    return (error as { responseCode?: number }).responseCode ?? 0
  } finally {
    transport.close()
  }
}

/** An answer as mail programs write it: the new text above what it answers. */
export const answerTo = (letter: Letter, text: string): SendMailOptions => ({
  from: letter.to,
  to: letter.mail.replyTo?.value[0]?.address ?? '',
  subject: `Re: ${letter.mail.subject}`,
  inReplyTo: letter.mail.messageId ?? '',
  references: [letter.mail.references ?? [], letter.mail.messageId ?? ''].flat(),
  text: `${text}\n\nOn Thu, Jan 1, 2026 at 9:00 AM alice <support@relay.test> wrote:\n> ${letter.mail.text?.trim().replaceAll('\n', '\n> ')}\n`,
})

/** What a mail server says became of a mail (RFC 3464), by its `Message-ID`. */
export const deliveryReport = (
  messageId: string,
  to: string,
  action: string,
  status: string,
): SendMailOptions => ({
  envelope: { from: '', to: [to] },
  raw: [
    'From: Mail Delivery <postmaster@people.test>',
    `To: <${to}>`,
    'Subject: Delivery report',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain',
    '',
    'This is what became of it.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.people.test',
    '',
    'Final-Recipient: rfc822; eve@people.test',
    `Action: ${action}`,
    `Status: ${status}`,
    '',
    '--b',
    'Content-Type: text/rfc822-headers',
    '',
    `Message-ID: ${messageId}`,
    '--b--',
    '',
  ].join('\r\n'),
})
