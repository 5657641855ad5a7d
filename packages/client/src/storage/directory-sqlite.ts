/** A thin hold on one SQLite file: how it is opened, and transactions that take the write lock at once. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'

/** Milliseconds to wait for another process's write. It holds the lock for one small transaction. */
const BUSY_TIMEOUT = 5000

export interface SqliteOptions {
  /** `full`: a transaction is on the disk when it returns. `normal`: a power cut may take the newest ones, whole. */
  synchronous: 'full' | 'normal'
  /** Statements that make the tables of a new file, and then of each later version. */
  schema: readonly string[]
  maxBytes?: number | undefined
  /** Nothing is written: no pragma, no table. The file must be of the schema's newest version. */
  readOnly?: boolean
}

export interface Sqlite {
  run(sql: string, ...values: SQLInputValue[]): { lastInsertRowid: number }
  get(sql: string, ...values: SQLInputValue[]): Record<string, SQLOutputValue> | undefined
  all(sql: string, ...values: SQLInputValue[]): Record<string, SQLOutputValue>[]
  /** All of it or nothing. */
  transaction<T>(work: () => T): T
  /** Moves the log into the file and empties it, as far as other connections let it. */
  checkpoint(): void
  close(): void
}

/**
 * Loaded when a file is opened, so that the package loads where there is no `node:sqlite`: an older Node, and Jest 27,
 * which knows no such module. (Not by `import()`: opening is synchronous.)
 */
export function loadSqlite(): typeof import('node:sqlite') {
  const sqlite = process.getBuiltinModule?.('node:sqlite')
  if (!sqlite) throw new ConfabError(70501, 'directory() needs Node 22.13 or newer; elsewhere, use memory()')
  return sqlite
}

export function openSqlite(file: string, options: SqliteOptions): Sqlite {
  const { DatabaseSync } = loadSqlite()
  const readOnly = options.readOnly ?? false
  const db = new DatabaseSync(readOnly ? asItLies(file) : file, { timeout: BUSY_TIMEOUT, readOnly })
  try {
    if (!readOnly) prepareToWrite(db, options)
  } catch (cause) {
    db.close()
    throw cause
  }

  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql)
    if (!statement) {
      statement = db.prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }
  return {
    run(sql, ...values) {
      return { lastInsertRowid: Number(prepare(sql).run(...values).lastInsertRowid) }
    },
    get: (sql, ...values) => prepare(sql).get(...values),
    all: (sql, ...values) => prepare(sql).all(...values),
    transaction: (work) => inTransaction(db, work),
    checkpoint() {
      db.exec('pragma wal_checkpoint(truncate)')
    },
    close() {
      db.close()
    },
  }
}

/** Where no log lies beside it, SQLite would begin one even to read. */
function asItLies(file: string): string | URL {
  const { existsSync } = process.getBuiltinModule('node:fs')
  const { pathToFileURL } = process.getBuiltinModule('node:url')
  if (existsSync(`${file}-wal`)) return file
  const url = pathToFileURL(file)
  url.searchParams.set('immutable', '1')
  return url
}

function prepareToWrite(db: DatabaseSync, { synchronous, schema, maxBytes }: SqliteOptions): void {
  db.exec('pragma journal_mode = wal')
  db.exec(`pragma synchronous = ${synchronous}`)
  // what is removed is overwritten, so that removed text isn't left in free pages
  db.exec('pragma secure_delete = on')
  if (maxBytes !== undefined) {
    const { page_size } = db.prepare('pragma page_size').get() as { page_size: number }
    db.exec(`pragma max_page_count = ${Math.max(1, Math.floor(maxBytes / page_size))}`)
  }
  inTransaction(db, () => migrate(db, schema))
}

function migrate(db: DatabaseSync, schema: readonly string[]): void {
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number }
  if (version === schema.length) return
  if (version > schema.length) {
    throw new ConfabError(70501, 'The store was written by a newer version of Confab')
  }
  for (const statements of schema.slice(version)) db.exec(statements)
  db.exec(`pragma user_version = ${schema.length}`)
}

/** `immediate`: two writers wait for each other at the start, where waiting works, and not in the middle. */
function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('begin immediate')
  try {
    const result = work()
    db.exec('commit')
    return result
  } catch (cause) {
    // a full disk has ended it already
    if (db.isTransaction) db.exec('rollback')
    throw cause
  }
}
