/** The journal in SQLite: each write is one transaction, on the disk when it returns. */

import type { SQLOutputValue } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import { STORE_SCHEMA } from './directory-schema.ts'
import { openSqlite, type Sqlite } from './directory-sqlite.ts'
import { storageError } from './failure.ts'
import type {
  Journal,
  JournalEntry,
  JournalState,
  JournalWrite,
  NewJournalEntry,
  StoredSummary,
} from './storage.ts'

type Row = Record<string, SQLOutputValue>

export function sqliteJournal(file: string, maxBytes: number | undefined): Journal {
  const db = openSqlite(file, { synchronous: 'full', schema: STORE_SCHEMA, maxBytes })
  let closed = false
  const attempt = <T>(doing: string, work: () => T): T => {
    try {
      if (closed) throw new ConfabError(70501, 'The store is closed')
      return db.transaction(work)
    } catch (cause) {
      throw storageError(doing, cause)
    }
  }
  return {
    async load() {
      return attempt('read the local store', () => ({
        entries: db.all('select * from entries where position > 0 order by position').map(entryOf),
        summaries: db.all('select * from summaries').map(summaryOf),
        values: Object.fromEntries(
          db
            .all('select key, value from vals')
            .map((row) => [String(row.key), JSON.parse(String(row.value))]),
        ),
      }))
    },
    async write(write) {
      const appended = attempt('write to the local store', () => apply(db, write))
      // removed text is to leave the log as well
      if (write.erase?.length) db.checkpoint()
      return appended
    },
    async kept(document) {
      return attempt('read the local store', () =>
        db
          .all(
            'select * from entries where position < 0 and document = coalesce(?, document) order by position desc',
            document ?? null,
          )
          .map(entryOf),
      )
    },
    async close() {
      if (closed) return
      closed = true
      db.close()
    },
  }
}

/** Removals, additions, holds, keeps. What is kept has its position with a minus before it, so a start passes it over. */
function apply(db: Sqlite, write: JournalWrite): JournalEntry[] {
  for (const id of [...(write.remove ?? []), ...(write.erase ?? [])])
    db.run('delete from entries where id = ?', id)
  const appended = (write.append ?? []).map((entry) => append(db, entry))
  for (const { id, error, heldAt } of write.hold ?? []) {
    db.run(
      "update entries set state = 'held', error = ?, held_at = ? where id = ?",
      JSON.stringify(error),
      heldAt,
      id,
    )
  }
  for (const { id, acceptedBy, heldAt, messageIndex } of write.keep ?? []) {
    db.run(
      `update entries set state = 'kept', position = -position, error = ?, held_at = ?,
        message_index = ? where id = ? and position > 0`,
      JSON.stringify(acceptedBy),
      heldAt,
      messageIndex ?? null,
      id,
    )
  }
  if (write.prune) {
    const { before, most } = write.prune
    db.run(
      `delete from entries where position < 0 and (held_at < ? or position >
        (select position from entries where position < 0 order by position limit 1 offset ?))`,
      before,
      most - 1,
    )
  }
  for (const document of write.removeSummaries ?? [])
    db.run('delete from summaries where document = ?', document)
  for (const { document, epoch, commitsId, clock, data } of write.summaries ?? []) {
    db.run(
      'insert or replace into summaries (document, epoch, commits_id, clock, data) values (?, ?, ?, ?, ?)',
      document,
      epoch,
      commitsId,
      clock,
      JSON.stringify(data ?? null),
    )
  }
  for (const [key, value] of Object.entries(write.values ?? {})) {
    if (value === undefined) db.run('delete from vals where key = ?', key)
    else db.run('insert or replace into vals (key, value) values (?, ?)', key, JSON.stringify(value))
  }
  return appended
}

function append(db: Sqlite, entry: NewJournalEntry): JournalEntry {
  const known = db.get('select * from entries where id = ?', entry.id)
  if (known && Number(known.position) > 0) return entryOf(known)
  if (known) {
    db.run(
      `update entries set state = 'pending', position = -position, error = null, held_at = null, message_index = ?
        where id = ?`,
      entry.messageIndex ?? null,
      entry.id,
    )
    return { ...entry, position: -Number(known.position) }
  }
  const { lastInsertRowid } = db.run(
    'insert into entries (id, document, operation, state, error, held_at, message_index) values (?, ?, ?, ?, ?, ?, ?)',
    entry.id,
    entry.document,
    JSON.stringify(entry.operation),
    entry.state,
    entry.error ? JSON.stringify(entry.error) : null,
    entry.heldAt ?? null,
    entry.messageIndex ?? null,
  )
  return { ...entry, position: lastInsertRowid }
}

function entryOf(row: Row): JournalEntry {
  const entry: JournalEntry = {
    id: String(row.id),
    document: String(row.document),
    operation: JSON.parse(String(row.operation)),
    state: row.state as JournalState,
    position: Math.abs(Number(row.position)),
  }
  if (row.error !== null) {
    const about = JSON.parse(String(row.error))
    if (entry.state === 'kept') entry.acceptedBy = about
    else entry.error = about
  }
  if (row.held_at !== null) entry.heldAt = Number(row.held_at)
  if (row.message_index !== null) entry.messageIndex = Number(row.message_index)
  return entry
}

function summaryOf(row: Row): StoredSummary {
  return {
    document: String(row.document),
    epoch: Number(row.epoch),
    commitsId: Number(row.commits_id),
    clock: Number(row.clock),
    data: JSON.parse(String(row.data)),
  }
}
