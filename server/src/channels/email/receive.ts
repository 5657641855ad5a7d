/** One mail that came in: an answer, a stranger's first, a bounce, or nothing that a person wrote. */
import type { ChannelEvents } from '../channel.ts'
import type { Arrival } from './arrivals.ts'
import type { EmailOptions } from './email.ts'
import {
  automaticReason,
  bounceStatus,
  isAuthenticated,
  messageIdOf,
  namesIn,
  newPartOf,
  participantIn,
  withoutPlus,
} from './letters.ts'

/** What the mail server is told. */
export type Taken = { kind: 'taken' } | { kind: 'refused'; reason: string }

const TAKEN: Taken = { kind: 'taken' }

export async function takeLetter(
  arrival: Arrival,
  options: EmailOptions,
  events: ChannelEvents,
): Promise<Taken> {
  const { headers, envelopeFrom, recipients, from, report } = arrival
  if (report !== null) return bounced(arrival, report, events)
  const automatic = automaticReason(headers, envelopeFrom)
  if (automatic !== null) {
    events.log.info({ reason: automatic }, 'a mail that no person wrote was left out')
    return TAKEN
  }
  const to = options.addresses.find((ours) =>
    recipients.some((address) => withoutPlus(address).toLowerCase() === ours.toLowerCase()),
  )
  if (to === undefined || from === '') return { kind: 'refused', reason: 'There is nobody of that name here' }
  const references = `${headers.get('in-reply-to') ?? ''} ${headers.get('references') ?? ''}`
  const participantSid = participantIn(recipients) ?? namesIn(references)[0]?.participantSid
  const { trustAuthenticationResultsOf: trusted, acceptUnverified = false } = options
  const isBelieved =
    participantSid !== undefined ||
    acceptUnverified ||
    (trusted !== undefined && isAuthenticated(arrival.authenticationResults, trusted))
  if (!isBelieved) {
    events.log.warn({}, 'a mail was refused: nothing says that its sender is genuine')
    return { kind: 'refused', reason: 'Please answer a mail that you were sent' }
  }
  const result = await events.received({
    id: arrival.messageId,
    from,
    to,
    body: newPartOf(arrival.text),
    ...(arrival.attachments.length > 0 && {
      media: arrival.attachments.map(({ filename, contentType, content }) => ({
        filename,
        contentType,
        content: pieces(content),
      })),
    }),
    ...(arrival.subject !== '' && { subject: arrival.subject.slice(0, 256) }),
    ...(participantSid !== undefined && { participantSid }),
    ...(arrival.date !== null && { at: arrival.date }),
  })
  return result === 'posted' ? TAKEN : { kind: 'refused', reason: 'There is nobody of that name here' }
}

/** The mail that came back names the message, if only in its headers that were quoted. */
async function bounced(arrival: Arrival, report: string, events: ChannelEvents): Promise<Taken> {
  const status = bounceStatus(report)
  const [name] = namesIn(`${report}\n${arrival.text}\n${arrival.returned}`)
  if (status && name) {
    const domain = withoutPlus(arrival.recipients[0] ?? '').split('@')[1] ?? ''
    await events.reported({
      channelMessageSid: messageIdOf(name, domain),
      status: status.status,
      ...(status.errorCode > 0 && { errorCode: status.errorCode }),
    })
  }
  return TAKEN
}

async function* pieces(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content
}
