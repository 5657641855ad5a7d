/** The queue of webhooks in SQLite. */
import type { DatabaseSync } from 'node:sqlite'
import type { DeadEvent, PendingEvent, QueuedEvent, QueueLane, WebhookQueue } from '../../webhooks/queue.ts'

export const WEBHOOK_TABLES = `
  -- one with a dead_at was given up, because of error
  CREATE TABLE webhook_events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook TEXT NOT NULL,
    account TEXT NOT NULL,
    service TEXT NOT NULL,
    document TEXT NOT NULL,
    message TEXT,
    token TEXT NOT NULL,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    fields TEXT NOT NULL,
    at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due INTEGER NOT NULL DEFAULT 0,
    dead_at INTEGER,
    error TEXT
  ) STRICT;
  CREATE INDEX webhook_events_pending ON webhook_events (webhook, document, position) WHERE dead_at IS NULL;
  CREATE INDEX webhook_events_dead ON webhook_events (position) WHERE dead_at IS NOT NULL;
  CREATE INDEX webhook_events_by_document ON webhook_events (document);
`

interface Row extends Omit<PendingEvent, 'accountSid' | 'serviceSid' | 'messageSid' | 'fields'> {
  account: string
  service: string
  message: string | null
  fields: string
  dead_at: number | null
  error: string | null
}

const eventOf = ({ account, service, message, fields, dead_at, error, ...rest }: Row): PendingEvent => ({
  ...rest,
  accountSid: account,
  serviceSid: service,
  messageSid: message,
  fields: JSON.parse(fields),
})

/** @param guarded turns what SQLite throws into 70502 */
export function sqliteWebhooks(
  db: DatabaseSync,
  guarded: <Result>(work: () => Result) => Result,
): WebhookQueue {
  const all = <Found>(sql: string, ...values: (string | number | null)[]): Found[] =>
    guarded(() => db.prepare(sql).all(...values) as Found[])
  const run = (sql: string, ...values: (string | number)[]): void =>
    void guarded(() => db.prepare(sql).run(...values))
  const next = guarded(() =>
    db.prepare(
      'SELECT * FROM webhook_events WHERE webhook = ? AND document = ? AND position > ? AND dead_at IS NULL ORDER BY position LIMIT 1',
    ),
  )
  return {
    lanes: async () =>
      all<QueueLane>(
        'SELECT webhook, document FROM webhook_events WHERE dead_at IS NULL GROUP BY webhook, document ORDER BY min(position)',
      ),
    async next({ webhook, document }, after) {
      const row = guarded(() => next.get(webhook, document, after)) as Row | undefined
      return row ? eventOf(row) : null
    },
    async put(events) {
      guarded(() => {
        db.exec('BEGIN IMMEDIATE')
        try {
          queueEvents((sql, ...values) => db.prepare(sql).run(...values), events)
          db.exec('COMMIT')
        } catch (error) {
          if (db.isTransaction) db.exec('ROLLBACK')
          throw error
        }
      })
    },
    async done(positions) {
      run(
        'DELETE FROM webhook_events WHERE position IN (SELECT value FROM json_each(?))',
        JSON.stringify(positions),
      )
    },
    async failed(position, attempts, due) {
      run('UPDATE webhook_events SET attempts = ?, due = ? WHERE position = ?', attempts, due, position)
    },
    async bury(position, attempts, at, error) {
      run(
        'UPDATE webhook_events SET attempts = ?, dead_at = ?, error = ? WHERE position = ?',
        attempts,
        at,
        error,
        position,
      )
    },
    async prune(most) {
      run(
        `DELETE FROM webhook_events WHERE dead_at IS NOT NULL AND position <= (
          SELECT position FROM webhook_events WHERE dead_at IS NOT NULL ORDER BY position DESC LIMIT 1 OFFSET ?)`,
        most,
      )
    },
    async dead(account, limit) {
      const rows = all<Row>(
        `SELECT * FROM webhook_events WHERE dead_at IS NOT NULL ${account === null ? '' : 'AND account = ?'}
          ORDER BY position DESC LIMIT ?`,
        ...(account === null ? [limit] : [account, limit]),
      )
      return rows.map(
        (row): DeadEvent => ({
          ...eventOf(row),
          deadAt: row.dead_at as number,
          error: row.error as string,
        }),
      )
    },
    async revive(account, tokens) {
      return all<QueueLane>(
        `UPDATE webhook_events SET dead_at = NULL, error = NULL, attempts = 0, due = 0 WHERE dead_at IS NOT NULL
          AND (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR token IN (SELECT value FROM json_each(?2)))
          RETURNING webhook, document`,
        account,
        tokens === null ? null : JSON.stringify(tokens),
      )
    },
    async forget(webhook) {
      run('DELETE FROM webhook_events WHERE webhook = ?', webhook)
    },
    async counts() {
      const [row] = all<{ pending: number; dead: number }>(
        'SELECT count(*) FILTER (WHERE dead_at IS NULL) AS pending, count(dead_at) AS dead FROM webhook_events',
      )
      return { pending: row?.pending ?? 0, dead: row?.dead ?? 0 }
    },
  }
}

type Run = (sql: string, ...values: (string | number | Uint8Array | null)[]) => unknown

/** Queues events, within the transaction of the commit that they tell of. */
export function queueEvents(run: Run, events: readonly QueuedEvent[]): void {
  for (const event of events) {
    run(
      `INSERT INTO webhook_events (webhook, account, service, document, message, token, url, method, fields, at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      event.webhook,
      event.accountSid,
      event.serviceSid,
      event.document,
      event.messageSid,
      event.token,
      event.url,
      event.method,
      JSON.stringify(event.fields),
      event.at,
    )
  }
}

/** What a person wrote, in what is told of it. */
const TEXTS = ['Body', 'Attributes', 'Media', 'FriendlyName', 'UniqueName']
  .map((name) => `, '$.${name}', ''`)
  .join('')
const WITHOUT_TEXT = `UPDATE webhook_events SET fields = json_replace(fields${TEXTS}) WHERE service = ? AND document = ?`

/** The message is gone, and with it its text here, within the transaction that removes it. */
export const forgetMessageText = (run: Run, service: string, document: string, messageSid: string): unknown =>
  run(`${WITHOUT_TEXT} AND message = ?`, service, document, messageSid)

/** The same of a whole document, whose own webhooks are gone, too. */
export function forgetDocumentText(run: Run, service: string, document: string): void {
  run(WITHOUT_TEXT, service, document)
  run('DELETE FROM objects WHERE scope = ?', `${service}/${document}`)
}
