/** What a message looks like where there is no timeline around it. Pure. */
import type { MessageRecord, ParticipantRecord } from '@confab/core'

/** Milliseconds between writing and acceptance, above which a message says when it was written. */
const LONG_AGO = 60 * 60 * 1000

/** When a message names its author: when more than two are in the conversation, or by choice. */
export type Naming = 'group' | 'always' | 'never'

/**
 * The body as a recipient without the SDK reads it: who wrote it, where that isn't clear, and when, where that was
 * long before it was sent (somebody had no network).
 * @param carried sids of attachments that go with it; none is named that does. Not given: the way carries none
 * @param timeZone IANA name of the zone to say it in; UTC by default
 */
export function bodyFor(
  message: MessageRecord,
  options: { naming: Naming; participants: number; timeZone?: string; carried?: ReadonlySet<string> },
): string {
  const { naming, participants, timeZone = 'UTC', carried } = options
  const isNamed = naming === 'always' || (naming === 'group' && participants > 2)
  const written = message.dateWritten
  const isOld = written !== undefined && message.dateCreated - written > LONG_AGO
  const parts = [
    message.body ?? '',
    ...(message.media ?? [])
      .filter(({ sid }) => !carried?.has(sid))
      .map(
        ({ filename }) =>
          `[${filename ?? 'file'}${carried ? ': not sent, too large or of a kind that this way does not carry' : ''}]`,
      ),
  ]
  const body = parts.filter((part) => part !== '').join('\n')
  const said = isNamed ? `${message.author}: ${body}` : body
  return isOld ? `${said}\n(written ${dateText(written, timeZone)})` : said
}

function dateText(time: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZone,
    timeZoneName: 'short',
  })
  return format.format(time)
}

/** What a person says to be left alone, and to be written to again: the words that carriers in the US demand. */
const STOP = new Set(['stop', 'stopall', 'unsubscribe', 'cancel', 'end', 'quit', 'revoke', 'optout'])
const START = new Set(['start', 'yes', 'unstop'])

/** Whether the whole message is a wish to hear no more, or to hear again. */
export function wishOf(body: string): 'stop' | 'start' | null {
  const word = body.trim().toLowerCase()
  return STOP.has(word) ? 'stop' : START.has(word) ? 'start' : null
}

/** The name that an e-mail or a report shows for a participant. */
export const nameOf = (participant: ParticipantRecord): string =>
  participant.identity ?? participant.binding?.address ?? participant.sid
