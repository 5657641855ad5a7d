/**
 * A conversation as a file, of what is on this device. `jsonl` is what `confab import` takes: a line for the
 * conversation, one for each participant, one for what is known of each person, one for each message in order of its index, as the relay accepted them.
 */
import {
  type ConversationRecord,
  cleanFileName,
  isGone,
  type MessageRecord,
  type ProfileRecord,
} from '@confab/core'
import type { ParticipantView } from '../engine/engine.ts'
import type { LocalReader } from '../engine/reader.ts'
import { safeType } from '../media/safe-type.ts'
import type { MediaStore } from '../storage/storage.ts'
import type { ConversationExport, ExportedFile, UnseenMessages } from '../types.ts'

export type ExportFormat = 'jsonl' | 'markdown' | 'html'

export const EXPORT_VERSION = 1

/** Folder of the attachments, beside the exported file. */
const FILES = 'attachments'

interface Content {
  record: ConversationRecord
  participants: ParticipantView[]
  /** Of those in it and those who wrote in it, as far as this device knows them. */
  profiles: ProfileRecord[]
  messages: MessageRecord[]
  unseen: UnseenMessages[]
  /** Attachments that are exported beside it, by their sid. */
  files: Map<string, ExportedFile>
}

/** Null when there is no such conversation here. */
export async function exportConversation(
  reader: LocalReader,
  sid: string,
  format: ExportFormat,
  media: MediaStore | null = null,
): Promise<ConversationExport | null> {
  const content = await contentOf(reader, sid)
  if (!content) return null
  if (media) content.files = await filesOf(content.messages, media)
  const { ending, type, write } = FORMATS[format]
  return {
    blob: new Blob(write(content), { type }),
    fileName: `${nameOf(content.record)}.${ending}`,
    unseen: content.unseen,
    files: [...content.files.values()],
  }
}

/** What is on this device of what the messages have attached, under names that are one each. */
async function filesOf(messages: MessageRecord[], media: MediaStore): Promise<Map<string, ExportedFile>> {
  const files = new Map<string, ExportedFile>()
  for (const { index, media: attached = [] } of messages) {
    for (const [at, { sid, filename, contentType, sha256 }] of attached.entries()) {
      const content = sha256 === undefined ? null : await media.get(sha256, Date.now())
      if (!content) continue
      const name = `${FILES}/${index}-${at + 1} ${cleanFileName(filename ?? '') || sid}`
      files.set(sid, { name, mediaSid: sid, blob: content.slice(0, content.size, safeType(contentType)) })
    }
  }
  return files
}

async function contentOf(reader: LocalReader, sid: string): Promise<Content | null> {
  const history = await reader.open(sid)
  const view = reader.conversations().find((one) => one.sid === sid)
  if (!history || !view) return null
  const { manifest, live } = history
  const edited = new Map(live.filter(({ index }) => index < manifest.end).map((one) => [one.index, one]))
  const messages: MessageRecord[] = []
  const unseen: UnseenMessages[] = []
  for (const page of manifest.pages) {
    if (page.count === 0) continue
    const records = await reader.page(sid, page)
    if (!records) {
      unseen.push({ conversationSid: sid, from: page.first, to: page.last, messages: page.count })
      continue
    }
    for (const record of records)
      if (!isGone(page, record.index)) messages.push(edited.get(record.index) ?? record)
  }
  for (const record of live) if (record.index >= manifest.end) messages.push(record)
  if (history.lost && view.lastMessage)
    unseen.push({ conversationSid: sid, from: 0, to: view.lastMessage.index, messages: view.messageCount })
  const participants = await reader.participants(sid)
  participants.sort((a, b) => (a.record.sid < b.record.sid ? -1 : 1))
  const profiles = profilesOf(reader, participants, messages)
  return { record: view.record, participants, profiles, messages, unseen, files: new Map() }
}

function profilesOf(
  reader: LocalReader,
  participants: ParticipantView[],
  messages: MessageRecord[],
): ProfileRecord[] {
  const people = new Set(messages.map(({ author }) => author))
  for (const { record } of participants) if (record.identity !== undefined) people.add(record.identity)
  return [...people]
    .sort()
    .flatMap((identity) => reader.profile(identity) ?? [])
    .filter(({ friendlyName, attributes }) => friendlyName !== undefined || attributes !== undefined)
}

const FORMATS: {
  [format in ExportFormat]: { ending: string; type: string; write(content: Content): string[] }
} = {
  jsonl: { ending: 'jsonl', type: 'application/jsonl', write: jsonLines },
  markdown: { ending: 'md', type: 'text/markdown', write: markdown },
  html: { ending: 'html', type: 'text/html', write: html },
}

function jsonLines({ record, participants, profiles, messages, unseen }: Content): string[] {
  const line = (value: object) => `${JSON.stringify(value, sorted)}\n`
  return [
    line({
      type: 'conversation',
      version: EXPORT_VERSION,
      record,
      ...(unseen.length > 0 && { unseen: unseen.map(({ from, to, messages }) => ({ from, to, messages })) }),
    }),
    ...participants.map(({ record, read }) => line({ type: 'participant', record, ...(read && { read }) })),
    // when they said it, and whether push reaches them, is the relay's own
    ...profiles.map(({ identity, friendlyName, attributes }) =>
      line({ type: 'profile', record: { identity, friendlyName, attributes } }),
    ),
    ...messages.map((record) => line({ type: 'message', record })),
  ]
}

/** The same records make the same bytes, in whatever order their keys came about. */
const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** What people read: who, when, what; a row for each gap. */
type Row = { gap: UnseenMessages } | { message: MessageRecord; day: string; time: string }

function* rowsOf({ messages, unseen }: Content): Iterable<Row> {
  const gaps = [...unseen]
  for (const message of messages) {
    while (gaps[0] && gaps[0].from < message.index) yield { gap: gaps.shift() as UnseenMessages }
    const [day = '', time = ''] = new Date(message.dateCreated).toISOString().split(/[T.]/)
    yield { message, day, time }
  }
  for (const gap of gaps) yield { gap }
}

const titleOf = ({ friendlyName, uniqueName, sid }: ConversationRecord): string =>
  friendlyName ?? uniqueName ?? sid

const namesOf = ({ participants }: Content): string =>
  participants.map(({ record }) => record.identity ?? record.sid).join(', ')

const gapText = ({ from, to, messages }: UnseenMessages): string =>
  `${messages} messages (${from} to ${to}) are not on this device`

function markdown(content: Content): string[] {
  const lines = [`# ${markdownText(titleOf(content.record))}\n`, `\n${markdownText(namesOf(content))}\n`]
  let before = ''
  for (const row of rowsOf(content)) {
    if ('gap' in row) {
      lines.push(`\n*${gapText(row.gap)}*\n`)
      continue
    }
    const { message, day, time } = row
    if (day !== before) lines.push(`\n## ${day}\n`)
    before = day
    const subject = message.subject ? `**${markdownText(message.subject)}**\n` : ''
    const attached = attachedTo(message, content).map(({ label, name }) =>
      name ? `[${markdownText(label)}](<${linkTo(name)}>)` : markdownText(label),
    )
    const parts = [subject + markdownText(message.body ?? ''), ...attached].filter((part) => part !== '')
    const text = parts.join('\n').split('\n').join('\n> ')
    lines.push(
      `\n**${markdownText(message.author)}** ${time}${message.dateUpdated ? ' (edited)' : ''}\n\n> ${text}\n`,
    )
  }
  return lines
}

/** Nothing that somebody wrote becomes markup, HTML within Markdown included. */
const markdownText = (text: string): string =>
  text.replace(/[\\`*_{}[\]()#+!|~>-]/g, '\\$&').replace(/[&<]/g, (sign) => (sign === '&' ? '&amp;' : '&lt;'))

function html(content: Content): string[] {
  const title = htmlText(titleOf(content.record))
  const lines = [
    `<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">\n`,
    `<title>${title}</title>\n<style>body{font:16px/1.4 system-ui;max-width:45em;margin:2em auto;padding:0 1em}p{white-space:pre-wrap;margin:.2em 0 1em}time,small{color:#666}</style>\n`,
    `<h1>${title}</h1>\n<small>${htmlText(namesOf(content))}</small>\n`,
  ]
  let before = ''
  for (const row of rowsOf(content)) {
    if ('gap' in row) {
      lines.push(`<p><em>${gapText(row.gap)}</em></p>\n`)
      continue
    }
    const { message, day, time } = row
    if (day !== before) lines.push(`<h2>${day}</h2>\n`)
    before = day
    const subject = message.subject ? `<strong>${htmlText(message.subject)}</strong>\n` : ''
    const edited = message.dateUpdated ? ' <small>edited</small>' : ''
    const attached = attachedTo(message, content).map(({ label, name }) =>
      name
        ? `<p><a href="${htmlText(linkTo(name))}">${htmlText(label)}</a></p>`
        : `<p>${htmlText(label)}</p>`,
    )
    lines.push(
      `<article id="m${message.index}"><b>${htmlText(message.author)}</b> <time datetime="${day}T${time}Z">${time}</time>${edited}<p>${subject}${htmlText(message.body ?? '')}</p>${attached.join('')}</article>\n`,
    )
  }
  return lines
}

const linkTo = (path: string): string => path.split('/').map(encodeURIComponent).join('/')

/** What stands for attachments: what they are called, and where they are when they are exported, too. */
const attachedTo = ({ media = [] }: MessageRecord, { files }: Content): { label: string; name?: string }[] =>
  media.map(({ sid, filename, contentType, size }) => {
    const name = files.get(sid)?.name
    return { label: `${filename ?? contentType} (${size} bytes)`, ...(name !== undefined && { name }) }
  })

const ENTITIES: { [sign: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const htmlText = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] as string)

/** Letters, digits and a few signs: a name that every disk takes. */
function nameOf(record: ConversationRecord): string {
  const plain = titleOf(record)
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}\p{M}_]+/gu, ' ')
    .trim()
    .slice(0, 80)
  return plain ? `${plain} ${record.sid.slice(-8)}` : record.sid
}
