/** A relay's file of an older schema is opened and killed at each of the statements that this takes. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { migrate } from '../../server/src/store/sqlite/migrations.ts'
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import type { Moment } from './moments.ts'

const MESSAGES = 40
const PROGRAM = join(import.meta.dirname, 'open-store.ts')

/** A file as the relay of that schema left it: one conversation, its log, and some of its messages removed. */
function fileOfVersion(version: number, path: string): void {
  const db = new DatabaseSync(path)
  migrate(db, version)
  const columns = (table: string) =>
    (db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[]).map(
      ({ name }) => name,
    )
  const insert = (table: string, row: { [column: string]: string | number | Uint8Array | null }) => {
    const known = Object.entries(row).filter(([name]) => columns(table).includes(name))
    db.prepare(
      `INSERT INTO ${table} (${known.map(([name]) => name).join()}) VALUES (${known.map(() => '?').join()})`,
    ).run(...known.map(([, value]) => value))
  }
  const roots = JSON.stringify([{ root: 'commits', client: 1, clock: MESSAGES, base: 0, run: 2 }])
  insert('services', { sid: 'IS' })
  insert('documents', {
    service: 1,
    name: 'CH',
    kind: 'conversation',
    epoch: 1,
    seq: MESSAGES,
    commits_id: 1,
    commits_clock: MESSAGES,
    roots,
    highest_index: MESSAGES - 1,
    message_count: MESSAGES - MESSAGES / 4,
  })
  for (let i = 0; i < MESSAGES; i++) {
    const sid = Buffer.alloc(16, i + 1)
    const record = {
      sid: `IM${sid.toString('hex')}`,
      index: i,
      author: 'ada',
      body: `${i}`,
      dateCreated: 1000 + i,
    }
    insert('log', { document: 1, seq: i, common: Uint8Array.of(i), private: null })
    insert('decided', { document: 1, id: sid, identity: 'ada', outcome: null, position: i })
    if (i % 4 === 0) continue
    insert('messages', { document: 1, position: i, sid, client: 5, clock: i, record: JSON.stringify(record) })
  }
  db.close()
}

/** Everything that the file holds, its schema included. */
function contents(path: string): unknown {
  const db = new DatabaseSync(path)
  const schema = db
    .prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    .all()
  const version = db.prepare('PRAGMA user_version').get()
  const tables = schema
    .filter(({ sql }) => String(sql).startsWith('CREATE TABLE'))
    .map(({ name }) => String(name))
  const rows = tables.map((table) => [
    table,
    db
      .prepare(`SELECT * FROM "${table}"`)
      .all()
      .map((row) => JSON.stringify(row))
      .sort(),
  ])
  const { integrity_check } = db.prepare('PRAGMA integrity_check').get() as { integrity_check: string }
  db.close()
  return { version, schema, rows, integrity_check }
}

export interface Migrated {
  /** Statements at which it was killed. */
  kills: number
  /** What a relay found that was never killed, and what each found that started after a kill. */
  expected: unknown
  found: { statement: number; contents: unknown }[]
  messages: number
}

/** @param every only each so-manieth statement */
export async function killMigrations(from: number, every: number): Promise<Migrated> {
  const folder = mkdtempSync(join(tmpdir(), 'confab-migrations-'))
  try {
    const old = join(folder, 'old.sqlite')
    fileOfVersion(from, old)
    const whole = join(folder, 'whole.sqlite')
    copyFileSync(old, whole)
    const store = openSqliteStore(whole)
    const messages = (await store.load('IS', 'CH'))?.head.messageCount ?? 0
    await store.close()
    const found: Migrated['found'] = []
    for (let statement = 1; ; statement += every) {
      const path = join(folder, `${statement}.sqlite`)
      copyFileSync(old, path)
      if (existsSync(`${old}-wal`)) copyFileSync(`${old}-wal`, `${path}-wal`)
      const moment: Moment = { through: Array.from({ length: statement }, () => '.'), when: 'after' }
      const { signal, stdout } = spawnSync(process.execPath, [PROGRAM, path, JSON.stringify(moment)], {
        encoding: 'utf8',
      })
      if (signal !== 'SIGKILL') {
        if (!stdout.startsWith('opened')) throw new Error(stdout)
        return { kills: found.length, expected: contents(whole), found, messages }
      }
      await openSqliteStore(path).close()
      found.push({ statement, contents: contents(path) })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
