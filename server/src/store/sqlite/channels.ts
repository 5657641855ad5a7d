/** What the store keeps for channels: what is still to be sent, what was sent under which name, who said STOP. */
import type { DatabaseSync } from 'node:sqlite'
import type { MessageRecord } from '@confab/core'
import type { InboundPart } from '../../channels/channel.ts'
import type { ChannelStore, Outgoing, SentReference } from '../../channels/desk.ts'
import { idBytes, idText } from './rows.ts'

export const CHANNEL_TABLES = `
  -- messages with a receipt that says queued
  CREATE TABLE outgoing (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL,
    message BLOB NOT NULL,
    UNIQUE (document, message)
  ) STRICT;
  -- what a provider calls a message, whoever the provider is
  CREATE TABLE sent_as (
    name TEXT NOT NULL,
    document INTEGER NOT NULL,
    message BLOB NOT NULL,
    participant BLOB NOT NULL,
    PRIMARY KEY (name, document, message, participant)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sent_as_by_document ON sent_as (document, message);
  CREATE TABLE opted_out (
    service TEXT NOT NULL,
    address TEXT NOT NULL,
    proxy TEXT NOT NULL,
    PRIMARY KEY (service, address, proxy)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE inbound_parts (
    channel TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    reference INTEGER NOT NULL,
    total INTEGER NOT NULL,
    number INTEGER NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (channel, sender, recipient, reference, total, number)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX inbound_parts_by_age ON inbound_parts (at);
`

/** Milliseconds that parts wait for the others of their message: as long as networks try. */
const PARTS_WAIT = 3 * 24 * 60 * 60 * 1000
/** Parts that are kept, of everybody; the oldest go. */
const MOST_PARTS = 100_000

const UNFINISHED = `
  SELECT o.position, s.sid, d.name, o.message FROM outgoing o
  JOIN documents d ON d.key = o.document JOIN services s ON s.key = d.service
  WHERE o.position > ? ORDER BY o.position LIMIT ?`
const NAMED = `
  SELECT s.sid, d.name, n.message, n.participant FROM sent_as n
  JOIN documents d ON d.key = n.document JOIN services s ON s.key = d.service WHERE n.name = ?`

/** @param guarded turns what SQLite throws into 70502 */
export function sqliteChannels(
  db: DatabaseSync,
  guarded: <Result>(work: () => Result) => Result,
): ChannelStore {
  const all = <Row>(sql: string, ...values: (string | number)[]): Row[] =>
    guarded(() => db.prepare(sql).all(...values) as Row[])
  const run = (sql: string, ...values: (string | number)[]): void =>
    void guarded(() => db.prepare(sql).run(...values))

  return {
    async outgoing(after, limit) {
      const rows = all<{ position: number; sid: string; name: string; message: Uint8Array }>(
        UNFINISHED,
        after,
        limit,
      )
      return rows.map(({ position, ...row }) => ({ position, ...outgoingOf(row) }))
    },
    async sentAs(name) {
      const rows = all<{ sid: string; name: string; message: Uint8Array; participant: Uint8Array }>(
        NAMED,
        name,
      )
      return rows.map(
        (row): SentReference => ({ ...outgoingOf(row), participantSid: idText(row.participant, 'MB') }),
      )
    },
    async putPart(channel, part, at) {
      const of = keyOf(channel, part)
      run('DELETE FROM inbound_parts WHERE at < ?', at - PARTS_WAIT)
      run(
        `DELETE FROM inbound_parts WHERE at <= (SELECT at FROM inbound_parts ORDER BY at DESC LIMIT 1 OFFSET ${MOST_PARTS})`,
      )
      run(
        'INSERT OR REPLACE INTO inbound_parts VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        ...of,
        part.number,
        part.text,
        at,
      )
      const rows = all<{ text: string }>(
        `SELECT text FROM inbound_parts WHERE ${SAME} ORDER BY number`,
        ...of,
      )
      return rows.length === part.total ? rows.map(({ text }) => text) : null
    },
    async deleteParts(channel, part) {
      run(`DELETE FROM inbound_parts WHERE ${SAME}`, ...keyOf(channel, part))
    },
    async isOptedOut(...who) {
      return all('SELECT 1 FROM opted_out WHERE service = ? AND address = ? AND proxy = ?', ...who).length > 0
    },
    async setOptedOut(service, address, proxy, isOut) {
      const sql = isOut
        ? 'INSERT OR IGNORE INTO opted_out (service, address, proxy) VALUES (?, ?, ?)'
        : 'DELETE FROM opted_out WHERE service = ? AND address = ? AND proxy = ?'
      run(sql, service, address, proxy)
    },
  }
}

const SAME = 'channel = ? AND sender = ? AND recipient = ? AND reference = ? AND total = ?'
const keyOf = (channel: string, { from, to, reference, total }: Omit<InboundPart, 'text'>) =>
  [channel, from, to, reference, total] as const

const outgoingOf = (row: { sid: string; name: string; message: Uint8Array }): Outgoing => ({
  serviceSid: row.sid,
  conversationSid: row.name,
  messageSid: idText(row.message, 'IM'),
})

type Run = (sql: string, ...values: (string | number | Uint8Array)[]) => unknown

/** Follows a message that is written, within the transaction that writes it. */
export function followReceipts(run: Run, document: number, { sid, receipts }: MessageRecord): void {
  if (!receipts) return
  const message = idBytes(sid, 'IM')
  if (receipts.some(({ status }) => status === 'queued')) {
    run('INSERT OR IGNORE INTO outgoing (document, message) VALUES (?, ?)', document, message)
  } else {
    run('DELETE FROM outgoing WHERE document = ? AND message = ?', document, message)
  }
  for (const { participantSid, channelMessageSid } of receipts) {
    if (channelMessageSid === undefined) continue
    run(
      'INSERT OR IGNORE INTO sent_as (name, document, message, participant) VALUES (?, ?, ?, ?)',
      channelMessageSid,
      document,
      message,
      idBytes(participantSid, 'MB'),
    )
  }
}

/** Forgets a message that was removed, within the transaction that removes it. */
export function forgetReceipts(run: Run, document: number, messageSid: string): void {
  for (const table of ['outgoing', 'sent_as']) {
    run(`DELETE FROM ${table} WHERE document = ? AND message = ?`, document, idBytes(messageSid, 'IM'))
  }
}
