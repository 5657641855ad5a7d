/** An exported conversation (`conversation.export({ format: 'jsonl' })`), read and checked line by line. */
import {
  type ConversationRecord,
  conversationRecordSchema,
  isSid,
  type MessageRecord,
  messageRecordSchema,
  type ParticipantRecord,
  type ProfileRecord,
  participantRecordSchema,
  type ReadRecord,
  readRecordSchema,
} from '@confab/core'
import * as z from 'zod'

/** The newest that is known here. */
const VERSION = 1

export interface Exported {
  record: ConversationRecord
  /** Messages that the device which wrote it did not have. */
  unseen: number
  participants: { record: ParticipantRecord; read?: ReadRecord }[]
  /** What people say of themselves. */
  profiles: ExportedProfile[]
  /** Ascending by index. */
  messages: MessageRecord[]
}

export type ExportedProfile = Pick<ProfileRecord, 'identity' | 'friendlyName' | 'attributes'>

const profileSchema = z.object({
  identity: z.string(),
  friendlyName: z.string().optional(),
  attributes: z.json().optional(),
})

/** @throws Error that names the line, and what is wrong with it */
export function readExported(text: string): Exported {
  let conversation: { record: ConversationRecord; unseen: number } | null = null
  const participants: Exported['participants'] = []
  const profiles: ExportedProfile[] = []
  const messages: MessageRecord[] = []
  const sids = new Set<string>()
  for (const [at, line] of text.split('\n').entries()) {
    if (line === '') continue
    try {
      const value = JSON.parse(line) as { [key: string]: unknown }
      if ((conversation === null) !== (value.type === 'conversation'))
        throw new Error('the first line is of the conversation, and no other')
      if (value.type === 'conversation') conversation = conversationOf(value)
      else if (value.type === 'participant') {
        const record = participantRecordSchema.parse(value.record)
        participants.push({
          record,
          ...(value.read === undefined ? {} : { read: readRecordSchema.parse(value.read) }),
        })
        once(sids, record.sid, 'MB')
      } else if (value.type === 'profile') {
        profiles.push(profileSchema.parse(value.record) as ExportedProfile)
      } else if (value.type === 'message') {
        const record = messageRecordSchema.parse(value.record)
        if (record.index <= (messages.at(-1)?.index ?? -1))
          throw new Error('its index is not above the last one')
        once(sids, record.sid, 'IM')
        messages.push(record)
      } else throw new Error(`there is no type "${value.type}"`)
    } catch (cause) {
      throw new Error(`line ${at + 1}: ${reasonOf(cause)}`, { cause })
    }
  }
  if (!conversation) throw new Error('it is empty')
  return { ...conversation, participants, profiles, messages }
}

/** The same as lines again. */
export function linesOf({ record, participants, profiles, messages }: Exported): string {
  const lines = [
    { type: 'conversation', version: VERSION, record },
    ...participants.map((one) => ({ type: 'participant', ...one })),
    ...profiles.map((one) => ({ type: 'profile', record: one })),
    ...messages.map((one) => ({ type: 'message', record: one })),
  ]
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** Messages of one piece, and their bytes about. */
const PIECE_MESSAGES = 500
const PIECE_BYTES = 1024 * 1024

/** An import takes one after the other: messages first, people last. Each has the conversation's line. */
export function* piecesOf(exported: Exported): Iterable<Exported> {
  const { messages } = exported
  const rest = { ...exported, participants: [], profiles: [] }
  let piece: MessageRecord[] = []
  let bytes = 0
  for (const message of messages) {
    piece.push(message)
    bytes += JSON.stringify(message).length
    if (piece.length < PIECE_MESSAGES && bytes < PIECE_BYTES) continue
    yield { ...rest, messages: piece }
    piece = []
    bytes = 0
  }
  if (piece.length > 0) yield { ...rest, messages: piece }
  yield { ...exported, messages: [] }
}

function conversationOf(value: { [key: string]: unknown }): { record: ConversationRecord; unseen: number } {
  if (value.version !== VERSION)
    throw new Error(`it is of version ${value.version}, and ${VERSION} is known here`)
  const record = conversationRecordSchema.parse(value.record)
  if (!isSid('CH', record.sid)) throw new Error(`${record.sid} is no sid of a conversation`)
  const unseen = Array.isArray(value.unseen) ? value.unseen : []
  return { record, unseen: unseen.reduce((sum, { messages }) => sum + Number(messages ?? 0), 0) }
}

function once(sids: Set<string>, sid: string, prefix: 'IM' | 'MB'): void {
  if (!isSid(prefix, sid)) throw new Error(`${sid} is no such sid`)
  if (sids.has(sid)) throw new Error(`${sid} was there before`)
  sids.add(sid)
}

/** A schema says where in the record something is wrong. */
function reasonOf(cause: unknown): string {
  const issues = (cause as { issues?: { path: PropertyKey[]; message: string }[] }).issues
  if (issues?.[0]) return `${issues[0].path.map(String).join('.')}: ${issues[0].message}`
  return cause instanceof Error ? cause.message : String(cause)
}
