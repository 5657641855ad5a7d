/** Attachments in a folder: a file for each content, named by its hash, and a database of what they are kept for. */
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, openAsBlob, readdirSync, rmSync, statSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfabError } from '@confab/core'
import { loadSqlite, openSqlite, type Sqlite } from './directory-sqlite.ts'
import { storageError } from './failure.ts'
import type { MediaStore, MediaUse } from './storage.ts'

const SCHEMA = [
  `
  create table contents (hash text primary key, size integer not null, used integer not null) strict, without rowid;
  create table uses (media text primary key, hash text not null, use text not null) strict, without rowid;
  create index uses_of on uses (hash);
`,
]
const UNFINISHED = '.part'
/** Bytes read and written at a time. */
const PIECE = 1024 * 1024
/** Milliseconds between two attempts to lead. */
const LEAD_EVERY = 1000

/**
 * Nothing is made on the disk before there is something to be kept.
 * @param room bytes that may still be written
 */
export function directoryMedia(folder: string, room: () => number): MediaStore {
  const ends = new Set<() => void>()
  let opened: Sqlite | null = null
  const open = (): Sqlite => {
    if (opened) return opened
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    opened = openSqlite(join(folder, 'index.sqlite'), { synchronous: 'full', schema: SCHEMA })
    sweep(folder, opened)
    return opened
  }
  /** Null when nothing was ever kept. */
  const known = (): Sqlite | null => opened ?? (existsSync(folder) ? open() : null)
  const fileOf = (hash: string) => join(folder, hash)

  const attempt = async <T>(doing: string, work: () => T | Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      throw storageError(`${doing} an attachment`, cause)
    }
  }
  const isHere = (hash: string) => statSync(fileOf(hash), { throwIfNoEntry: false }) !== undefined
  const note = (db: Sqlite, uses: readonly MediaUse[]) => {
    for (const use of uses)
      db.run(
        'insert or replace into uses (media, hash, use) values (?, ?, ?)',
        use.media,
        use.hash,
        JSON.stringify(use),
      )
  }
  return {
    contents: () =>
      attempt('list', () =>
        (known()?.all('select hash, size, used from contents') ?? []).map(({ hash, size, used }) => ({
          hash: String(hash),
          size: Number(size),
          used: Number(used),
        })),
      ),
    uses: () =>
      attempt('list', () =>
        (known()?.all('select use from uses') ?? []).map(({ use }): MediaUse => JSON.parse(String(use))),
      ),
    get: (hash, now) =>
      attempt('read', async () => {
        if (!isHere(hash)) return null
        open().run('update contents set used = ? where hash = ?', now, hash)
        return openAsBlob(fileOf(hash))
      }),
    put: (hash, content, uses, now) =>
      attempt('keep', async () => {
        const db = open()
        if (!isHere(hash)) {
          if (content.size > room())
            throw new ConfabError(70501, 'Could not keep an attachment: the device has no room left')
          await write(folder, fileOf(hash), content)
        }
        db.transaction(() => {
          db.run(
            'insert or replace into contents (hash, size, used) values (?, ?, ?)',
            hash,
            content.size,
            now,
          )
          note(db, uses)
        })
      }),
    use: (uses) =>
      attempt('note', () => {
        const db = open()
        db.transaction(() => note(db, uses))
      }),
    release: (media) =>
      attempt('remove', () => {
        const db = known()
        // the files go within it: nobody else can begin to use one meanwhile
        db?.transaction(() => {
          for (const sid of media) db.run('delete from uses where media = ?', sid)
          for (const { hash } of db.all(
            'delete from contents where hash not in (select hash from uses) returning hash',
          ))
            rmSync(fileOf(String(hash)), { force: true })
        })
      }),
    async lead(signal) {
      open()
      for (;;) {
        signal.throwIfAborted()
        const end = tryToLead(join(folder, 'leader.sqlite'))
        if (end) {
          ends.add(end)
          return () => {
            if (ends.delete(end)) end()
          }
        }
        await later(LEAD_EVERY, signal)
      }
    },
    async close() {
      for (const end of ends) end()
      ends.clear()
      opened?.close()
      opened = null
    },
  }
}

/** On disk under its name, or not there: a name is given to a whole file only. */
async function write(folder: string, path: string, content: Blob): Promise<void> {
  const unfinished = join(folder, `${randomUUID()}${UNFINISHED}`)
  try {
    const file = await open(unfinished, 'wx', 0o600)
    try {
      for (let at = 0; at < content.size; at += PIECE)
        await file.writeFile(new Uint8Array(await content.slice(at, at + PIECE).arrayBuffer()))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
    const names = await open(folder, 'r')
    await names.sync().finally(() => names.close())
  } catch (cause) {
    await rm(unfinished, { force: true })
    throw cause
  }
}

/** What a crash left: files that nobody finished, or that nobody noted. */
function sweep(folder: string, db: Sqlite): void {
  const known = new Set(db.all('select hash from contents').map(({ hash }) => hash))
  const yesterday = Date.now() - 24 * 3_600_000
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(UNFINISHED) && !/^[0-9a-f]{64}$/.test(name)) continue
    const file = statSync(join(folder, name), { throwIfNoEntry: false })
    // a younger one may be another process's, at work
    if (file && !known.has(name) && file.mtimeMs < yesterday) rmSync(join(folder, name), { force: true })
  }
}

/** The turn is a lock on a file, which the system takes back from a process that is gone. Null: another has it. */
function tryToLead(path: string): (() => void) | null {
  const { DatabaseSync } = loadSqlite()
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    db.exec('begin exclusive')
    return () => db.close()
  } catch {
    db.close()
    return null
  }
}

function later(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    timer.unref()
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
