import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { storeSuite } from '../store-suite.ts'
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
