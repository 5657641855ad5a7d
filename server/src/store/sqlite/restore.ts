/** Putting a backup in a database's place. Needs no mark: every start of a relay writes under fresh ids. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'
import { openDatabase } from './open.ts'
import { storeOn } from './sqlite-store.ts'

/**
 * Copies the backup into the database's place. What was there before is kept under the name that is given back; null
 * when there was nothing.
 * @throws ConfabError 70502 when the file is no backup, a relay runs on the database, or the database has what the
 * backup lacks and `force` is false
 */
export function restoreDatabase(file: string, database: string, force: boolean): string | null {
  check(file)
  const partial = `${database}.partial`
  let before: string | null = null
  try {
    copyFileSync(file, partial)
    // the rights of what it takes the place of, whatever the backup came to have on its way
    chmodSync(partial, existsSync(database) ? statSync(database).mode & 0o777 : 0o600)
    settle(partial)
    if (existsSync(database)) before = keepAside(partial, database, force)
    // of a database that was removed by hand: it would be taken for the backup's
    for (const suffix of ['-wal', '-shm']) rmSync(database + suffix, { force: true })
    renameSync(partial, database)
  } catch (cause) {
    for (const suffix of ['', '-wal']) rmSync(partial + suffix, { force: true })
    if (cause instanceof ConfabError) throw cause
    throw new ConfabError(70502, `${database} can't be written: ${(cause as Error).message}`, { cause })
  }
  return before
}

/** What was in its journal while it was made comes to its place: it counts. On disk by the end. */
function settle(file: string): void {
  const db = openDatabase(file)
  try {
    storeOn(db)
  } finally {
    db.close()
  }
  const descriptor = openSync(file, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** Before anything is touched: a whole database of a relay's. */
function check(file: string): void {
  if (!existsSync(file)) throw new ConfabError(70502, `there is no backup ${file}`)
  let problem: string
  try {
    const db = new DatabaseSync(file, { readOnly: true })
    try {
      db.prepare('SELECT key FROM documents LIMIT 1').all()
      problem = String(Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0])
    } finally {
      db.close()
    }
  } catch (cause) {
    problem = (cause as Error).message
  }
  if (problem !== 'ok') throw new ConfabError(70502, `${file} is no whole backup of a relay: ${problem}`)
}

function keepAside(file: string, database: string, force: boolean): string {
  // takes the lock that a running relay holds
  const db = openDatabase(database)
  try {
    // what a crash left in its journal counts
    storeOn(db)
    const ahead = force ? 0 : documentsAhead(db, file)
    if (ahead > 0) {
      throw new ConfabError(
        70502,
        `${database} has ${ahead} documents with commits that the backup lacks: --force puts the backup in its place all the same`,
      )
    }
  } finally {
    db.close()
  }
  const aside = `${database}.before-${new Date().toISOString().replaceAll(/[^\dT]/g, '')}`
  renameSync(database, aside)
  return aside
}

function documentsAhead(db: DatabaseSync, file: string): number {
  db.prepare('ATTACH ? AS backup').run(file)
  const { ahead } = db
    .prepare(
      `SELECT count(*) AS ahead FROM main.documents d JOIN main.services s ON s.key = d.service
        LEFT JOIN backup.services bs ON bs.sid = s.sid
        LEFT JOIN backup.documents b ON b.service = bs.key AND b.name = d.name
        WHERE b.key IS NULL OR (d.epoch, d.seq) > (b.epoch, b.seq)`,
    )
    .get() as { ahead: number }
  db.exec('DETACH backup')
  return ahead
}
