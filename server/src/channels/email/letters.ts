/**
 * E-mails as a conversation sees them: names that thread them, the token in a reply's address, what is new in a
 * reply, and which mails no person wrote (RFC 3834). Pure.
 */
import EmailReplyParser from 'email-reply-parser'

/** A message and the participant it was for: enough to know an answer, and nothing that others can guess. */
export interface LetterName {
  messageSid: string
  participantSid: string
}

const NAME = /<(IM[0-9a-f]{32})\.(MB[0-9a-f]{32})@/gi
const PLUS = /\+(mb[0-9a-f]{32})@/i

/** `Message-ID` of a message to a participant. */
export const messageIdOf = ({ messageSid, participantSid }: LetterName, domain: string): string =>
  `<${messageSid}.${participantSid}@${domain}>`

/** What every mail of a conversation refers to, so that mail programs show them as one thread. */
export const threadIdOf = (conversationSid: string, domain: string): string =>
  `<${conversationSid}@${domain}>`

/** Our address with the participant's sid behind a plus: where that person's answers go. */
export function replyAddressOf(address: string, participantSid: string): string {
  const at = address.lastIndexOf('@')
  return `${address.slice(0, at)}+${participantSid.toLowerCase()}${address.slice(at)}`
}

/** An address of ours without what is behind its plus. */
export function withoutPlus(address: string): string {
  return address.replace(/\+[^@]*@/, '@')
}

/** The participant whom one of these addresses of ours names; null when none does. */
export function participantIn(addresses: readonly string[]): string | null {
  for (const address of addresses) {
    const [, sid] = PLUS.exec(address) ?? []
    if (sid) return `MB${sid.slice(2).toLowerCase()}`
  }
  return null
}

/** The messages of ours that headers or a bounce refer to, the last first. */
export function namesIn(text: string): LetterName[] {
  return [...text.matchAll(NAME)]
    .map(([, message = '', participant = '']) => ({
      messageSid: `IM${message.slice(2).toLowerCase()}`,
      participantSid: `MB${participant.slice(2).toLowerCase()}`,
    }))
    .reverse()
}

/** What the person wrote, without the mail that they answered and their signature. */
export function newPartOf(text: string): string {
  const visible = new EmailReplyParser().read(text).getVisibleText().trim()
  // a mail that is nothing but a quotation says that at least
  return visible === '' ? text.trim() : visible
}

/** Header names in lower case, with all of their values joined. */
export type Headers = ReadonlyMap<string, string>

/**
 * Why no person wrote the mail, or null: automatic answers, lists, bounces. Answering those is how two machines write
 * to each other for ever.
 */
export function automaticReason(headers: Headers, envelopeFrom: string): string | null {
  const submitted = headers.get('auto-submitted')?.toLowerCase().trim()
  if (submitted !== undefined && submitted !== 'no') return `auto-submitted: ${submitted.slice(0, 40)}`
  if (envelopeFrom === '') return 'it has no sender to answer'
  const precedence = headers.get('precedence')?.toLowerCase().trim() ?? ''
  if (['bulk', 'list', 'junk', 'auto_reply'].includes(precedence)) return `precedence: ${precedence}`
  for (const name of ['list-id', 'x-autoreply', 'x-autorespond', 'x-confab-conversation']) {
    if (headers.has(name)) return `it has a header ${name}`
  }
  return null
}

/**
 * Whether a server that we trust says that the sender is who the mail says (DMARC), in the topmost
 * `Authentication-Results` (RFC 8601): those below it may be anybody's.
 */
export function isAuthenticated(topmost: string | undefined, trusted: string): boolean {
  if (topmost === undefined) return false
  const [server = '', ...results] = topmost.split(';').map((part) => part.trim().toLowerCase())
  return (
    server.split(/\s/)[0] === trusted.toLowerCase() &&
    results.some((result) => /^dmarc\s*=\s*pass\b/.test(result))
  )
}

/** What a delivery status notification (RFC 3464) says became of a mail. */
export function bounceStatus(
  report: string,
): { status: 'undelivered' | 'delivered'; errorCode: number } | null {
  const [, action] = /^Action:\s*(\w+)/im.exec(report) ?? []
  const [, code] = /^Status:\s*(\d\.\d{1,3}\.\d{1,3})/im.exec(report) ?? []
  if (action === undefined) return null
  const word = action.toLowerCase()
  // 5.1.1 is 511: what people know, and a number
  const errorCode = Number((code ?? '5.0.0').replaceAll('.', ''))
  if (word === 'failed') return { status: 'undelivered', errorCode }
  return word === 'delivered' ? { status: 'delivered', errorCode: 0 } : null
}

/** Text that fits one header: no line ends, not too long. */
export const headerText = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 200)
    .toWellFormed()
