/** A consistent copy of the database, made while it is used. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { backup, type DatabaseSync } from 'node:sqlite'
import { ConfabError } from '@confab/core'

/** Pages (4 kB) copied at a time: what a commit may have to wait for. */
const PAGES = 256

/**
 * SQLite copies page by page and takes what is written meanwhile into the copy, so it is that of one moment. It has
 * its name only once it is whole and on disk.
 * @throws ConfabError 70502 when there is such a file, or it can't be written
 */
export async function copyDatabase(db: DatabaseSync, file: string): Promise<void> {
  if (existsSync(file)) throw new ConfabError(70502, `${file} is there already: a backup overwrites nothing`)
  const partial = `${file}.partial`
  try {
    rmSync(partial, { force: true })
    // as the database itself: it holds everybody's messages, and is for its owner's eyes
    closeSync(openSync(partial, 'wx', 0o600))
    await backup(db, partial, { rate: PAGES })
    const descriptor = openSync(partial, 'r')
    fsyncSync(descriptor)
    closeSync(descriptor)
    renameSync(partial, file)
  } catch (cause) {
    rmSync(partial, { force: true })
    throw new ConfabError(70502, `the backup ${file} can't be written: ${(cause as Error).message}`, {
      cause,
    })
  }
}
