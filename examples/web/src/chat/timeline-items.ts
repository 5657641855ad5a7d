/** What a timeline shows, in order: days, where the unread begins, and messages grouped by author. */
import type { Message, Participant } from '@confab/client'
import { daysBetween, dayText } from '../lib/format.ts'
import { metaOf } from '../lib/meta.ts'

/** Milliseconds between two messages of one person that still belong together. */
const TOGETHER = 5 * 60 * 1000

export type Item =
  | { kind: 'day'; key: string; text: string }
  | { kind: 'unread'; key: string }
  | { kind: 'message'; key: string; message: Message; isFirst: boolean; answered: Message | null }

/** @param readTo index up to which the person had read; null: nothing */
export function itemsOf(
  messages: readonly Message[],
  readTo: number | null,
  identity: string | null,
): Item[] {
  const items: Item[] = []
  const bySid = new Map(messages.map((one) => [one.sid, one]))
  let before: Message | null = null
  let isMarked = readTo === null
  for (const message of messages) {
    const at = message.dateCreated ?? new Date()
    const earlier: Date | null = before?.dateCreated ?? null
    const isNewDay = !earlier || daysBetween(earlier, at) !== 0
    if (isNewDay) items.push({ kind: 'day', key: `day-${message.sid}`, text: dayText(at) })
    if (!isMarked && readTo !== null && message.index > readTo) {
      isMarked = true
      if (message.author !== identity && before) items.push({ kind: 'unread', key: 'unread' })
    }
    const isFirst =
      isNewDay || before?.author !== message.author || !earlier || at.getTime() - earlier.getTime() > TOGETHER
    const { replyTo } = metaOf(message)
    const answered = replyTo === null ? null : (bySid.get(replyTo) ?? null)
    items.push({ kind: 'message', key: message.sid, message, isFirst, answered })
    before = message
  }
  return items
}

/** Who has read how far: by the sid of the last message that each has read and hasn't written. */
export function readersOf(
  messages: readonly Message[],
  participants: readonly Participant[],
  identity: string | null,
): Map<string, Participant[]> {
  const readers = new Map<string, Participant[]>()
  for (const participant of participants) {
    const { lastReadMessageIndex: horizon } = participant
    if (horizon === null || participant.identity === identity) continue
    const last = messages.findLast(({ index, status }) => index <= horizon && status === 'accepted')
    if (!last || last.author === participant.identity) continue
    readers.set(last.sid, [...(readers.get(last.sid) ?? []), participant])
  }
  return readers
}
