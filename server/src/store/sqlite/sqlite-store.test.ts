import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { storeSuite } from '../store-suite.ts'
import { DUE_TRANSITIONS } from './reads.ts'
import { openSqliteStore } from './sqlite-store.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  folders.push(folder)
  return join(folder, 'relay.db')
}

storeSuite('SQLite in memory', async () => openSqliteStore(':memory:'))
storeSuite('SQLite in a file', async () => openSqliteStore(file()))

describe('a database file', () => {
  it('belongs to one relay: another one is told so at its start', async () => {
    const path = file()
    const store = openSqliteStore(path)
    expect(() => openSqliteStore(path)).toThrow(/in use by another process/)
    const program = `import { openSqliteStore } from ${JSON.stringify(new URL('./sqlite-store.ts', import.meta.url).href)}
      try { openSqliteStore(${JSON.stringify(path)}) } catch (error) { console.log(error.code, error.message) }`
    const other = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    expect(other.stdout).toMatch(/^70502 .*in use by another process/)
    await store.close()
    await openSqliteStore(path).close()
  })

  it('of a newer version is left alone', async () => {
    const path = file()
    await openSqliteStore(path).close()
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 1000')
    db.close()
    expect(() => openSqliteStore(path)).toThrow(
      expect.objectContaining({ code: 70502, message: expect.stringContaining('newer') }),
    )
  })

  it('finds what timers do next by an index, however many conversations there are', async () => {
    const path = file()
    await openSqliteStore(path).close()
    const db = new DatabaseSync(path)
    db.exec(`INSERT INTO services (sid) VALUES ('IS');
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO documents (service, name, kind, epoch, seq, commits_id, commits_clock, roots, highest_index, message_count, due_at, due_to)
      SELECT 1, 'CH' || i, 'conversation', 1, 1, 1, 1, '[]', -1, 0, iif(i % 2, 1000000 - i, NULL), 'closed' FROM n`)
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${DUE_TRANSITIONS}`).all(10) as { detail: string }[]
    db.close()
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/d USING INDEX documents_by_due/),
      expect.stringMatching(/^SEARCH s USING INTEGER PRIMARY KEY/),
    ])
    const store = openSqliteStore(path)
    expect((await store.transitions(2)).map(({ document }) => document)).toEqual(['CH4999', 'CH4997'])
    await store.close()
  })

  it('that is none is said to be none', () => {
    const path = file()
    writeFileSync(path, 'this is no database, and long enough to be taken for one'.repeat(50))
    expect(() => openSqliteStore(path)).toThrow(expect.objectContaining({ code: 70502 }))
  })

  it('is written ahead (WAL)', async () => {
    const path = file()
    const store = openSqliteStore(path)
    await store.close()
    const db = new DatabaseSync(path)
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    db.close()
  })
})
