/** Attachments in SQLite. A row that goes leaves its content's hash in `media_released`, in the same transaction. */
import type { DatabaseSync } from 'node:sqlite'
import type { MediaState, MediaStore, StoredMedia } from '../media.ts'

export const MEDIA_TABLES = `
  CREATE TABLE media (
    service TEXT NOT NULL,
    sid TEXT NOT NULL,
    identity TEXT,
    conversation TEXT,
    message TEXT,
    category TEXT NOT NULL,
    filename TEXT,
    type TEXT NOT NULL,
    size INTEGER NOT NULL,
    hash TEXT NOT NULL,
    state TEXT NOT NULL,
    code INTEGER,
    reason TEXT,
    upload TEXT,
    made INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (service, sid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX media_by_hash ON media (hash, state);
  CREATE INDEX media_by_upload ON media (upload) WHERE upload IS NOT NULL;
  CREATE INDEX media_of_person ON media (service, identity) WHERE message IS NULL;
  CREATE INDEX media_of_conversation ON media (service, conversation, message) WHERE conversation IS NOT NULL;
  CREATE INDEX media_waiting ON media (updated) WHERE message IS NULL;
  CREATE TABLE media_released (hash TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TRIGGER media_gone AFTER DELETE ON media
    BEGIN INSERT INTO media_released (hash) VALUES (OLD.hash) ON CONFLICT DO NOTHING; END;
  CREATE TRIGGER media_refused AFTER UPDATE OF state ON media WHEN NEW.state = 'refused'
    BEGIN INSERT INTO media_released (hash) VALUES (NEW.hash) ON CONFLICT DO NOTHING; END;
`

interface Row {
  service: string
  sid: string
  identity: string | null
  conversation: string | null
  message: string | null
  category: StoredMedia['category']
  filename: string | null
  type: string
  size: number
  hash: string
  state: MediaState
  code: number | null
  reason: string | null
  upload: string | null
  made: number
  updated: number
}

type Value = string | number | null

const WHOLE = "state IN ('ready', 'checking')"

/** @param guarded turns what SQLite throws into 70502 */
export function sqliteMedia(db: DatabaseSync, guarded: <Result>(work: () => Result) => Result): MediaStore {
  const all = <Found>(sql: string, ...values: Value[]) =>
    guarded(() => db.prepare(sql).all(...values) as Found[])
  const run = (sql: string, ...values: Value[]) => guarded(() => db.prepare(sql).run(...values))
  const first = (where: string, ...values: Value[]) => {
    const [row] = all<Row>(`SELECT * FROM media WHERE ${where} LIMIT 1`, ...values)
    return row ? mediaOf(row) : null
  }
  return {
    find: async (serviceSid, sid) => first('service = ? AND sid = ?', serviceSid, sid),
    ofUpload: async (upload) => first('upload = ?', upload),
    async put(media) {
      const { serviceSid, sid, identity, conversationSid, category, filename, contentType, size, hash } =
        media
      // the content of what stood there before is looked at as well
      run(
        `INSERT INTO media_released (hash) SELECT hash FROM media WHERE service = ? AND sid = ? AND hash <> ?
          ON CONFLICT DO NOTHING`,
        serviceSid,
        sid,
        hash,
      )
      run(
        `INSERT INTO media (service, sid, identity, conversation, category, filename, type, size, hash, state, code,
            reason, upload, made, updated)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (service, sid) DO UPDATE SET identity = excluded.identity, conversation = excluded.conversation,
            category = excluded.category, filename = excluded.filename, type = excluded.type, size = excluded.size,
            hash = excluded.hash, state = excluded.state, code = excluded.code, reason = excluded.reason,
            upload = excluded.upload, updated = excluded.updated
          WHERE message IS NULL`,
        serviceSid,
        sid,
        identity,
        conversationSid,
        category,
        filename,
        contentType,
        size,
        hash,
        media.state,
        media.refusal?.code ?? null,
        media.refusal?.message ?? null,
        media.upload,
        media.dateCreated,
        media.dateUpdated,
      )
    },
    async remove(serviceSid, sid) {
      const sql = 'DELETE FROM media WHERE service = ? AND sid = ? AND message IS NULL'
      return Number(run(sql, serviceSid, sid).changes) > 0
    },
    async unclaimed(serviceSid, identity) {
      const [found] = all<{ count: number; bytes: number }>(
        `SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes FROM media
          WHERE service = ? AND identity = ? AND message IS NULL`,
        serviceSid,
        identity,
      )
      return { count: found?.count ?? 0, bytes: found?.bytes ?? 0 }
    },
    async stale(before, state, limit) {
      const isState = state === 'uploading' ? "state = 'uploading'" : "state <> 'uploading'"
      const sql = `SELECT * FROM media WHERE message IS NULL AND updated < ? AND ${isState} ORDER BY updated LIMIT ?`
      return all<Row>(sql, before, limit).map(mediaOf)
    },
    checking: async () => all<Row>("SELECT * FROM media WHERE state = 'checking'").map(mediaOf),
    hasContent: async (hash) =>
      all(`SELECT 1 FROM media WHERE hash = ? AND ${WHOLE} LIMIT 1`, hash).length > 0,
    async noteContent(hash) {
      run('INSERT INTO media_released (hash) VALUES (?) ON CONFLICT DO NOTHING', hash)
    },
    released: async (limit) =>
      all<{ hash: string }>('SELECT hash FROM media_released LIMIT ?', limit).map(({ hash }) => hash),
    async settled(hash) {
      run('DELETE FROM media_released WHERE hash = ?', hash)
    },
    async usage() {
      const [found] = all<{ count: number; bytes: number }>(
        `SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes
          FROM (SELECT max(size) AS size FROM media WHERE ${WHOLE} GROUP BY hash)`,
      )
      return { count: found?.count ?? 0, bytes: found?.bytes ?? 0 }
    },
  }
}

const mediaOf = (row: Row): StoredMedia => ({
  serviceSid: row.service,
  sid: row.sid,
  identity: row.identity,
  conversationSid: row.conversation,
  messageSid: row.message,
  category: row.category,
  filename: row.filename,
  contentType: row.type,
  size: row.size,
  hash: row.hash,
  state: row.state,
  refusal: row.code === null ? null : { code: row.code, message: row.reason ?? '' },
  upload: row.upload,
  dateCreated: row.made,
  dateUpdated: row.updated,
})

type Run = (sql: string, ...values: (string | number | Uint8Array | null)[]) => unknown

/** The message has these from now on, within the transaction that posts it. */
export function claimMedia(
  run: Run,
  service: string,
  document: string,
  claims: readonly { sid: string; messageSid: string }[],
): void {
  for (const { sid, messageSid } of claims) {
    run(
      `UPDATE media SET message = ?, conversation = ? WHERE service = ? AND sid = ? AND message IS NULL
        AND coalesce(conversation, ?) = ?`,
      messageSid,
      document,
      service,
      sid,
      document,
      document,
    )
  }
}

/** The message is gone, and with it what it had. */
export const forgetMediaOfMessage = (
  run: Run,
  service: string,
  document: string,
  messageSid: string,
): unknown =>
  run(
    'DELETE FROM media WHERE service = ? AND conversation = ? AND message = ?',
    service,
    document,
    messageSid,
  )

/** The same of a whole conversation. */
export const forgetMediaOfConversation = (run: Run, service: string, document: string): unknown =>
  run('DELETE FROM media WHERE service = ? AND conversation = ?', service, document)

/** What somebody put there for messages that they never posted. */
export const forgetMediaOfPerson = (run: Run, service: string, identity: string): unknown =>
  run('DELETE FROM media WHERE service = ? AND identity = ? AND message IS NULL', service, identity)
