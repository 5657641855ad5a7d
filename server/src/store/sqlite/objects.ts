/** Administrators' objects, and the catalogue of conversations and people, in SQLite. */
import type { DatabaseSync } from 'node:sqlite'
import { type Json, userSid } from '@confab/core'
import type { Catalogue, NotedUser, ObjectStore, Span } from '../objects.ts'

export const OBJECT_TABLES = `
  CREATE TABLE objects (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    sid TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (scope, kind, sid)
  ) STRICT;
  CREATE INDEX objects_in_order ON objects (scope, kind, position);
  CREATE INDEX objects_by_kind ON objects (kind);

  CREATE TABLE users (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    service INTEGER NOT NULL,
    identity TEXT NOT NULL,
    sid TEXT NOT NULL,
    -- milliseconds since the epoch
    noted INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    UNIQUE (service, identity)
  ) STRICT;
  CREATE INDEX users_in_order ON users (service, position);
  CREATE INDEX users_by_sid ON users (service, sid);
  INSERT INTO users (service, identity, sid)
    SELECT d.service, d.identity, user_sid(s.sid, d.identity) FROM (
      SELECT service, substr(name, 1 + instr(name, '/')) AS identity, min(key) AS key FROM documents
      WHERE kind IN ('user', 'profile') GROUP BY service, identity ORDER BY key
    ) d JOIN services s ON s.key = d.service;

  -- of a conversation: when it was created, milliseconds since the epoch, and its state
  ALTER TABLE documents ADD COLUMN made INTEGER;
  ALTER TABLE documents ADD COLUMN state TEXT;
  UPDATE documents SET
    made = (SELECT CAST(m.value AS INTEGER) FROM map_items m
      WHERE m.document = documents.key AND m.root = 'conversation' AND m.name = 'dateCreated'),
    state = coalesce((SELECT m.value ->> 'current' FROM map_items m
      WHERE m.document = documents.key AND m.root = 'conversation' AND m.name = 'state'), 'active')
    WHERE kind = 'conversation' AND deleted = 0;
  CREATE INDEX conversations_in_order ON documents (service, key, made) WHERE kind = 'conversation' AND deleted = 0;
  CREATE INDEX conversations_by_state ON documents (service, state, key, made)
    WHERE kind = 'conversation' AND deleted = 0;
`

/** What the migration above asks of this process. */
export function defineFunctions(db: DatabaseSync): void {
  db.function('user_sid', { deterministic: true }, (service, identity) =>
    userSid(String(service), String(identity)),
  )
}

type Value = string | number
type Guarded = <Result>(work: () => Result) => Result

/** The rows of a span, ascending, whichever way they are looked for. */
function spanned<Row>(
  db: DatabaseSync,
  sql: { select: string; where: string; position: string },
  span: Span,
  limit: number,
  values: Value[],
): Row[] {
  const { select, where, position } = sql
  const isBack = span.before !== undefined
  const [comparison, order] = isBack ? ['<', 'DESC'] : ['>', 'ASC']
  const rows = db
    .prepare(`${select} WHERE ${where} AND ${position} ${comparison} ? ORDER BY ${position} ${order} LIMIT ?`)
    .all(...values, isBack ? span.before : span.after, limit) as Row[]
  return isBack ? rows.reverse() : rows
}

export function sqliteObjects(db: DatabaseSync, guarded: Guarded): ObjectStore {
  const parsed = <Row extends { value: string }>(row: Row) => ({
    ...row,
    value: JSON.parse(row.value) as Json,
  })
  return {
    async get(scope, kind, sid) {
      const row = guarded(() =>
        db
          .prepare('SELECT sid, position, value FROM objects WHERE scope = ? AND kind = ? AND sid = ?')
          .get(scope, kind, sid),
      ) as { sid: string; position: number; value: string } | undefined
      return row ? parsed(row) : null
    },
    async list(scope, kind, span, limit) {
      return guarded(() =>
        spanned<{ sid: string; position: number; value: string }>(
          db,
          {
            select: 'SELECT sid, position, value FROM objects',
            where: 'scope = ? AND kind = ?',
            position: 'position',
          },
          span,
          limit,
          [scope, kind],
        ),
      ).map(parsed)
    },
    async all(kind) {
      const rows = guarded(() =>
        db
          .prepare('SELECT scope, sid, position, value FROM objects WHERE kind = ? ORDER BY position')
          .all(kind),
      ) as { scope: string; sid: string; position: number; value: string }[]
      return rows.map(parsed)
    },
    async put(scope, kind, sid, value) {
      guarded(() =>
        db
          .prepare(
            `INSERT INTO objects (scope, kind, sid, value) VALUES (?, ?, ?, ?)
              ON CONFLICT (scope, kind, sid) DO UPDATE SET value = excluded.value`,
          )
          .run(scope, kind, sid, JSON.stringify(value)),
      )
    },
    async delete(scope, kind, sid) {
      const { changes } = guarded(() =>
        db.prepare('DELETE FROM objects WHERE scope = ? AND kind = ? AND sid = ?').run(scope, kind, sid),
      )
      return changes > 0
    },
    async deleteScope(scope) {
      guarded(() => db.prepare('DELETE FROM objects WHERE scope = ?').run(scope))
    },
  }
}

const SERVICE = '(SELECT key FROM services WHERE sid = ?)'
export function sqliteCatalogue(db: DatabaseSync, guarded: Guarded): Catalogue {
  return {
    async conversations(serviceSid, { state, from, to }, span, limit) {
      const conditions = [`d.service = ${SERVICE} AND d.kind = 'conversation' AND d.deleted = 0`]
      const values: Value[] = [serviceSid]
      if (state !== undefined) {
        conditions.push('d.state = ?')
        values.push(state)
      }
      if (from !== undefined) {
        conditions.push('d.made >= ?')
        values.push(from)
      }
      if (to !== undefined) {
        conditions.push('d.made <= ?')
        values.push(to)
      }
      const sql = {
        select: 'SELECT d.key AS position, d.name AS sid FROM documents d',
        where: conditions.join(' AND '),
        position: 'd.key',
      }
      return guarded(() => spanned<{ position: number; sid: string }>(db, sql, span, limit, values))
    },
    async conversation(serviceSid, sid) {
      const sql = `SELECT key, highest_index AS highestIndex FROM documents
        WHERE service = ${SERVICE} AND name = ? AND kind = 'conversation' AND deleted = 0`
      const row = guarded(() => db.prepare(sql).get(serviceSid, sid))
      return (row as { key: number; highestIndex: number } | undefined) ?? null
    },
    async conversationsWith(serviceSid, who, span, limit) {
      const [table, column, value] =
        'identity' in who ? ['members', 'identity', who.identity] : ['bindings', 'address', who.address]
      const sql = {
        select: `SELECT DISTINCT d.key AS position, d.name AS sid FROM ${table} w JOIN documents d ON d.key = w.document`,
        where: `w.service = ${SERVICE} AND w.${column} = ?`,
        position: 'd.key',
      }
      return guarded(() =>
        spanned<{ position: number; sid: string }>(db, sql, span, limit, [serviceSid, value as string]),
      )
    },
    async users(serviceSid, span, limit) {
      const sql = {
        select: 'SELECT position, identity, noted FROM users',
        where: `service = ${SERVICE}`,
        position: 'position',
      }
      return guarded(() => spanned<NotedUser & { position: number }>(db, sql, span, limit, [serviceSid]))
    },
    async user(serviceSid, sid) {
      const row = guarded(() =>
        db
          .prepare(`SELECT identity, noted FROM users WHERE service = ${SERVICE} AND sid = ?`)
          .get(serviceSid, sid),
      ) as NotedUser | undefined
      return row ?? null
    },
    async noteUser(serviceSid, identity) {
      guarded(() => {
        db.prepare('INSERT OR IGNORE INTO services (sid) VALUES (?)').run(serviceSid)
        db.prepare(`INSERT OR IGNORE INTO users (service, identity, sid) VALUES (${SERVICE}, ?, ?)`).run(
          serviceSid,
          identity,
          userSid(serviceSid, identity),
        )
      })
    },
    async messagesAfter(key, index) {
      const row = guarded(() =>
        db
          .prepare('SELECT count(*) AS count FROM messages WHERE document = ? AND position > ?')
          .get(key, index),
      ) as { count: number }
      return row.count
    },
    async forgetUser(serviceSid, identity) {
      guarded(() =>
        db.prepare(`DELETE FROM users WHERE service = ${SERVICE} AND identity = ?`).run(serviceSid, identity),
      )
    },
  }
}

/** A conversation's row follows what the catalogue looks for, within the transaction that changes it. */
export function noteConversation(run: Run, key: number, name: string, value: unknown): void {
  if (name === 'dateCreated')
    run(
      "UPDATE documents SET made = ?, state = coalesce(state, 'active') WHERE key = ?",
      value as number,
      key,
    )
  else if (name === 'state')
    run('UPDATE documents SET state = ? WHERE key = ?', (value as { current: string }).current, key)
}

type Run = (sql: string, ...values: (string | number | Uint8Array)[]) => unknown

/** Lists a person, within the transaction that makes them known. */
export function noteUser(run: Run, service: number, serviceSid: string, identity: string): void {
  run(
    'INSERT OR IGNORE INTO users (service, identity, sid) VALUES (?, ?, ?)',
    service,
    identity,
    userSid(serviceSid, identity),
  )
}
