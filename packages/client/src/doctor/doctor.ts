/**
 * Looks over a store of `directory(path)` that no client has open: the file itself, the journal, documents against
 * their summaries, pages, leftovers. Says what is wrong and what it would do, and does it when asked, on a copy's
 * safety: what a person wrote and nobody else has is in the journal, and the journal loses nothing. Everything else is
 * a cache, which the next client fills again from the relay.
 */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { STORE_SCHEMA } from '../storage/directory-schema.ts'
import { openSqlite, type Sqlite } from '../storage/directory-sqlite.ts'
import { ownerKey } from '../storage/owner.ts'
import type { StoreOwner } from '../storage/storage.ts'
import type { StoreFinding as Finding, StoreReport } from '../types.ts'
import { type Damage, damageOf } from './checks.ts'

/** @throws when the folder can't be read, or holds no store */
export async function examine(folder: string): Promise<StoreReport[]> {
  if (!existsSync(folder)) throw new Error(`There is no folder ${folder}`)
  const files = readdirSync(folder).filter((name) => /^[0-9a-f]{32}\.sqlite$/.test(name))
  const owners = ownersIn(folder)
  const reports = files.map((name) => reportOf(join(folder, name), owners.known.get(name) ?? null))
  if (owners.report) reports.unshift(owners.report)
  if (reports.length === 0) throw new Error(`There is no store in ${folder}`)
  return reports
}

function reportOf(file: string, owner: StoreOwner | null): StoreReport {
  const report = { file, owner, bytes: statSync(file).size }
  try {
    const { db, version, close } = look(file, STORE_SCHEMA)
    try {
      const [first] = db.all('pragma integrity_check')
      if (first?.integrity_check !== 'ok') throw new Error(String(first?.integrity_check))
      const damage = damageOf(db, owner)
      if (damage.length > 0 && version < STORE_SCHEMA.length) damage.unshift(older(version))
      return {
        ...report,
        counts: countsOf(db),
        findings: damage.map(shown),
        repair: () => repair(file, damage),
      }
    } finally {
      close()
    }
  } catch (cause) {
    return unreadable(report, cause)
  }
}

/**
 * A store as it lies there: nothing of it is written. One of an earlier version is read in a copy, which is brought up
 * to this version.
 */
function look(
  file: string,
  schema: readonly string[],
): { db: Pick<Sqlite, 'all' | 'get'>; version: number; close(): void } {
  const db = openSqlite(file, { synchronous: 'full', schema, readOnly: true })
  let version: number
  try {
    version = Number(db.get('pragma user_version')?.user_version)
    if (version === schema.length) return { db, version, close: () => db.close() }
    if (version > schema.length) throw new Error('The store was written by a newer version of Confab')
  } catch (cause) {
    db.close()
    throw cause
  }
  db.close()
  const folder = mkdtempSync(join(tmpdir(), 'confab-doctor-'))
  try {
    const copy = join(folder, 'copy.sqlite')
    for (const end of ['', '-wal']) if (existsSync(file + end)) copyFileSync(file + end, copy + end)
    const copied = openSqlite(copy, { synchronous: 'full', schema })
    const close = () => {
      copied.close()
      rmSync(folder, { recursive: true, force: true })
    }
    return { db: copied, version, close }
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true })
    throw cause
  }
}

/** Said when something else is to be repaired: by itself it is nothing wrong, and stays as it is. */
const older = (version: number): Damage => ({
  kind: 'older',
  what: `It is of an earlier version of Confab (its tables are of version ${version}, this one's of ${STORE_SCHEMA.length})`,
  repair: 'it is brought to this version first, as the next start of an app would; the copy is made before',
  fix() {},
})

const shown = ({ kind, what, repair }: Damage): Finding => ({ kind, what, repair })

async function repair(file: string, damage: readonly Damage[]): Promise<string | null> {
  const todo = damage.filter(({ fix }) => fix)
  if (todo.length === 0) return null
  const copy = freeName(`${file}.before-repair`)
  for (const end of ['', '-wal']) if (existsSync(file + end)) copyFileSync(file + end, copy + end)
  const db = openSqlite(file, { synchronous: 'full', schema: STORE_SCHEMA })
  try {
    db.transaction(() => {
      for (const { fix } of todo) fix?.(db)
    })
    db.checkpoint()
    return copy
  } finally {
    db.close()
  }
}

/** What SQLite itself can't read: as much of the journal as it gives goes into a new file. */
function unreadable(
  report: { file: string; owner: StoreOwner | null; bytes: number },
  cause: unknown,
): StoreReport {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const { file } = report
  if (/newer version/.test(reason)) {
    const what = 'It was written by a newer version of Confab'
    return {
      ...report,
      counts: null,
      findings: [{ kind: 'newer', what, repair: null }],
      repair: async () => null,
    }
  }
  const rescued = rescue(file)
  const journal = rescued
    ? `${rescued.length} operation${rescued.length === 1 ? '' : 's'} of the journal can be read and go into a new file`
    : 'nothing of the journal can be read: a new file is begun'
  return {
    ...report,
    counts: null,
    findings: [
      {
        kind: 'file',
        what: `The database is damaged: ${reason}`,
        repair: `${journal}; the damaged one is kept beside it; everything else comes from the relay again`,
      },
    ],
    async repair() {
      const kept = freeName(`${file}.damaged`)
      renameSync(file, kept)
      for (const end of ['-wal', '-shm', '-journal'])
        if (existsSync(file + end)) renameSync(file + end, kept + end)
      const db = openSqlite(file, { synchronous: 'full', schema: STORE_SCHEMA })
      try {
        db.transaction(() => {
          for (const row of rescued ?? []) {
            const columns = Object.keys(row)
            db.run(
              `insert or ignore into entries (${columns}) values (${columns.map(() => '?')})`,
              ...Object.values(row),
            )
          }
        })
      } finally {
        db.close()
      }
      return kept
    },
  }
}

type Entry = ReturnType<Sqlite['all']>[number]

/** Rows of the journal, one after the other, as far as they can be read; null when none of it can. */
function rescue(file: string): Entry[] | null {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  let db: InstanceType<typeof DatabaseSync> | null = null
  const rows: Entry[] = []
  try {
    db = new DatabaseSync(file, { readOnly: true })
    const next = db.prepare('select * from entries where position > ? order by position limit 1')
    for (let position = 0; ; ) {
      const row = next.get(position) as Entry | undefined
      if (!row) return rows
      rows.push(row)
      position = Number(row.position)
    }
  } catch {
    return rows.length > 0 ? rows : null
  } finally {
    db?.close()
  }
}

function countsOf(db: Pick<Sqlite, 'all' | 'get'>): NonNullable<StoreReport['counts']> {
  const count = (sql: string) => Number(db.get(`select count(*) as n from ${sql}`)?.n)
  return {
    pending: count("entries where state = 'pending'"),
    held: count("entries where state = 'held'"),
    conversations: count("summaries where document like 'CH%'"),
    pages: count("pages where document like 'CH%'"),
  }
}

/** Owners by their file, and what is wrong with the list of them. */
function ownersIn(folder: string): { known: Map<string, StoreOwner>; report: StoreReport | null } {
  const file = join(folder, 'owners.sqlite')
  const known = new Map<string, StoreOwner>()
  if (!existsSync(file)) return { known, report: null }
  try {
    const { db, close } = look(file, ['create table owners (relay text, owner text)'])
    try {
      if (db.get('pragma integrity_check')?.integrity_check !== 'ok') throw new Error('it is malformed')
      for (const { owner } of db.all('select owner from owners')) {
        const one = JSON.parse(String(owner)) as StoreOwner
        known.set(`${ownerKey(one)}.sqlite`, one)
      }
      return { known, report: null }
    } finally {
      close()
    }
  } catch (cause) {
    const report: StoreReport = {
      file,
      owner: null,
      bytes: statSync(file).size,
      counts: null,
      findings: [
        {
          kind: 'owners',
          what: `The list of who used this folder is damaged: ${cause instanceof Error ? cause.message : cause}`,
          repair: 'it is removed; the next start with a token makes it again',
        },
      ],
      async repair() {
        const kept = freeName(`${file}.damaged`)
        renameSync(file, kept)
        for (const end of ['-wal', '-shm', '-journal']) rmSync(file + end, { force: true })
        return kept
      },
    }
    return { known, report }
  }
}

function freeName(name: string): string {
  for (let number = 1; ; number++) if (!existsSync(`${name}-${number}`)) return `${name}-${number}`
}
