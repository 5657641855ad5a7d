/**
 * Attachments in SQLite. A row that goes leaves its content's hash in `media_released` and its upload in `media_ended`,
 * in the same transaction; what content there is, and how much, is counted as rows come and go.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { MediaState, MediaStore, MediaUsage, StoredMedia } from '../media.ts'

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

const WHOLE = "state IN ('ready', 'checking')"
const COMES = `
  INSERT INTO media_content (hash, size, uses) SELECT NEW.hash, NEW.size, 1 WHERE NEW.${WHOLE}
    ON CONFLICT (hash) DO UPDATE SET uses = uses + 1;`
const GOES = `
  UPDATE media_content SET uses = uses - 1 WHERE hash = OLD.hash AND OLD.${WHOLE};
  DELETE FROM media_content WHERE hash = OLD.hash AND uses = 0;`
const ENDS = 'INSERT INTO media_ended (upload) VALUES (OLD.upload) ON CONFLICT DO NOTHING;'

export const MEDIA_COUNTS = `
  CREATE TABLE media_ended (upload TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TRIGGER media_upload_gone AFTER DELETE ON media WHEN OLD.upload IS NOT NULL BEGIN ${ENDS} END;
  CREATE TRIGGER media_upload_over AFTER UPDATE ON media WHEN OLD.state = 'uploading' AND OLD.upload IS NOT NULL
    AND (NEW.state <> 'uploading' OR NEW.upload IS NOT OLD.upload) BEGIN ${ENDS} END;
  CREATE INDEX media_uploading ON media (updated, size) WHERE state = 'uploading';
  CREATE INDEX media_checking ON media (updated) WHERE state = 'checking';

  CREATE TABLE media_content (hash TEXT PRIMARY KEY, size INTEGER NOT NULL, uses INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE media_usage (count INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  INSERT INTO media_content (hash, size, uses)
    SELECT hash, max(size), count(*) FROM media WHERE ${WHOLE} GROUP BY hash;
  INSERT INTO media_usage (count, bytes) SELECT count(*), coalesce(sum(size), 0) FROM media_content;
  CREATE TRIGGER media_content_comes AFTER INSERT ON media_content
    BEGIN UPDATE media_usage SET count = count + 1, bytes = bytes + NEW.size; END;
  CREATE TRIGGER media_content_goes AFTER DELETE ON media_content
    BEGIN UPDATE media_usage SET count = count - 1, bytes = bytes - OLD.size; END;
  CREATE TRIGGER media_made AFTER INSERT ON media BEGIN ${COMES} END;
  CREATE TRIGGER media_changed AFTER UPDATE OF state, hash, size ON media
    BEGIN ${COMES} ${GOES} END;
  CREATE TRIGGER media_unmade AFTER DELETE ON media BEGIN ${GOES} END;
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

/** @param guarded turns what SQLite throws into 70502 */
export function sqliteMedia(db: DatabaseSync, guarded: <Result>(work: () => Result) => Result): MediaStore {
  const all = <Found>(sql: string, ...values: Value[]) =>
    guarded(() => db.prepare(sql).all(...values) as Found[])
  const run = (sql: string, ...values: Value[]) => guarded(() => db.prepare(sql).run(...values))
  const changes = (sql: string, ...values: Value[]) => Number(run(sql, ...values).changes)
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
    advance: async (upload, at) =>
      changes("UPDATE media SET updated = ? WHERE upload = ? AND state = 'uploading'", at, upload) > 0,
    complete: async (upload, state, at) =>
      changes(
        "UPDATE media SET state = ?, updated = ? WHERE upload = ? AND state = 'uploading'",
        state,
        at,
        upload,
      ) > 0,
    judge: async ({ serviceSid, sid, hash }, refusal, at) =>
      changes(
        `UPDATE media SET state = ?, code = ?, reason = ?, updated = ?
          WHERE service = ? AND sid = ? AND hash = ? AND state = 'checking'`,
        refusal ? 'refused' : 'ready',
        refusal?.code ?? null,
        refusal?.message ?? null,
        at,
        serviceSid,
        sid,
        hash,
      ) > 0,
    assign: async (serviceSid, sid, conversationSid) =>
      changes(
        `UPDATE media SET conversation = ? WHERE service = ? AND sid = ? AND message IS NULL
          AND coalesce(conversation, ?) = ?`,
        conversationSid,
        serviceSid,
        sid,
        conversationSid,
        conversationSid,
      ) > 0,
    remove: async ({ serviceSid, sid, upload }) =>
      changes(
        'DELETE FROM media WHERE service = ? AND sid = ? AND upload IS ? AND message IS NULL',
        serviceSid,
        sid,
        upload,
      ) > 0,
    async expire(before, state, limit) {
      const isState = state === 'uploading' ? "state = 'uploading'" : "state <> 'uploading'"
      return changes(
        `DELETE FROM media WHERE (service, sid) IN
          (SELECT service, sid FROM media WHERE message IS NULL AND updated < ? AND ${isState} ORDER BY updated LIMIT ?)`,
        before,
        limit,
      )
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
    checking: async () => all<Row>("SELECT * FROM media WHERE state = 'checking'").map(mediaOf),
    hasContent: async (hash) => all('SELECT 1 FROM media_content WHERE hash = ?', hash).length > 0,
    async noteContent(hash) {
      run('INSERT INTO media_released (hash) VALUES (?) ON CONFLICT DO NOTHING', hash)
    },
    released: async (limit) =>
      all<{ hash: string }>('SELECT hash FROM media_released LIMIT ?', limit).map(({ hash }) => hash),
    async settled(hash) {
      run('DELETE FROM media_released WHERE hash = ?', hash)
    },
    ended: async (limit) =>
      all<{ upload: string }>('SELECT upload FROM media_ended LIMIT ?', limit).map(({ upload }) => upload),
    async cleared(upload) {
      run('DELETE FROM media_ended WHERE upload = ?', upload)
    },
    async usage() {
      const [found] = all<MediaUsage>(
        `SELECT count, bytes, uploads, uploadBytes FROM media_usage,
          (SELECT count(*) AS uploads, coalesce(sum(size), 0) AS uploadBytes FROM media WHERE state = 'uploading')`,
      )
      return { ...(found as MediaUsage) }
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
