/** Opening the database file: durable, ours alone, at this version's schema. */
import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import { migrate } from './migrations.ts'

/** `SQLITE_BUSY`: somebody else holds the file. */
const BUSY = 5

/**
 * @param path a file, made when missing, or `':memory:'`
 * @throws ConfabError 70502 when the file is in use, is no database, or can't be written
 */
export function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    if (path !== ':memory:') makePrivately(path)
    // timeout 0: a second relay on the same file must fail at once and not wait for the first to end
    db = new DatabaseSync(path, { timeout: 0 })
    // The lock is taken with the first transaction and held until the process ends: two relays on one file would
    // each serve documents out of its own memory. The system gives it back after a crash.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    // what is deleted or overwritten is zeroed in the file, so that a removed message is nowhere
    db.exec('PRAGMA secure_delete = ON')
    db.exec('PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384')
    // pages: 16 MB. A page that many turns write is copied out of the log once for all of them.
    db.exec('PRAGMA wal_autocheckpoint = 4096')
    db.exec('BEGIN IMMEDIATE; COMMIT')
    migrate(db)
    emptyLog(db)
    return db
  } catch (error) {
    db?.close()
    if (error instanceof ConfabError) throw error
    if ((error as { errcode?: number }).errcode === BUSY) {
      throw new ConfabError(70502, `the database ${path} is in use by another process: one relay per file`, {
        cause: error,
      })
    }
    throw new ConfabError(70502, `the database ${path} can't be opened: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/**
 * The write-ahead log has pages as they were before what was removed was erased, if the process before this one was
 * killed in between.
 */
function emptyLog(db: DatabaseSync): void {
  try {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch {
    // a disk with no room left: what can still be read is served
  }
}

/**
 * It holds everybody's messages: a file that is made here is for its owner's eyes, and so is all that SQLite puts
 * beside it. One that is there keeps the rights that somebody gave it, and isn't opened here: closing it again would
 * take the lock from a relay of this process.
 */
function makePrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    // SQLite would call it a disk I/O error
    accessSync(path, constants.R_OK | constants.W_OK)
  }
}
