/** The audit trail in SQLite, which itself refuses to change it. */
import type { DatabaseSync } from 'node:sqlite'
import type { AuditEntry, AuditTrail } from '../../administration/audit.ts'

export const AUDIT_TABLES = `
  CREATE TABLE audit (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    account TEXT,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    target TEXT NOT NULL,
    fields TEXT NOT NULL,
    request TEXT
  ) STRICT;
  CREATE INDEX audit_by_account ON audit (account, position);
  CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append only'); END;
  CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append only'); END;
`

interface Row extends Pick<AuditEntry, 'at' | 'actor' | 'act' | 'target'> {
  position: number
  account: string | null
  fields: string
  request: string | null
}

/** @param guarded turns what SQLite throws into 70502 */
export function sqliteAudit(db: DatabaseSync, guarded: <Result>(work: () => Result) => Result): AuditTrail {
  return {
    async note({ at, accountSid, actor, act, target, fields, requestId }) {
      const sql =
        'INSERT INTO audit (at, account, actor, act, target, fields, request) VALUES (?, ?, ?, ?, ?, ?, ?)'
      guarded(() =>
        db.prepare(sql).run(at, accountSid, actor, act, target, JSON.stringify(fields), requestId),
      )
    },
    async list(accountSid, before, limit) {
      const sql = `SELECT * FROM audit WHERE position < ?1 AND (?2 IS NULL OR account = ?2) ORDER BY position DESC LIMIT ?3`
      const rows = guarded(() => db.prepare(sql).all(before, accountSid, limit) as unknown as Row[])
      return rows.map(({ account, request, fields, ...row }) => ({
        ...row,
        accountSid: account,
        requestId: request,
        fields: JSON.parse(fields),
      }))
    },
  }
}
