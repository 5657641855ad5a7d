import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { mediaSuite } from '../media-suite.ts'
import type { Store } from '../store.ts'
import { storeSuite } from '../store-suite.ts'
import { migrate } from './migrations.ts'
import { openDatabase } from './open.ts'
import { DUE_TRANSITIONS } from './reads.ts'
import { openSqliteStore, storeOn } from './sqlite-store.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  folders.push(folder)
  return join(folder, 'relay.db')
}

for (const suite of [storeSuite, mediaSuite]) {
  suite('SQLite in memory', async () => openSqliteStore(':memory:'))
  suite('SQLite in a file', async () => openSqliteStore(file()))
  suite('SQLite whose journal takes next to nothing', async () =>
    storeOn(openDatabase(':memory:'), { rows: 2, bytes: 200 }))
  suite('SQLite after a crash before every read', async () => crashing(openDatabase(':memory:')))
}

/** Everything is asked of a store that has just begun on what the one before left. */
function crashing(db: DatabaseSync): Store {
  let store = storeOn(db)
  return new Proxy(store, {
    get(_, method: keyof Store) {
      if (method !== 'commit' && db.isOpen) store = storeOn(db)
      return store[method]
    },
  })
}

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

  it('of the version before is brought up to date with all that it holds', async () => {
    const path = file()
    const db = new DatabaseSync(path)
    migrate(db, 2)
    const id = Buffer.alloc(16, 7)
    const roots = [{ root: 'commits', client: 1, clock: 1, base: 0, run: 2 }]
    const record = { sid: `IM${id.toString('hex')}`, index: 0, author: 'ada', body: 'old', dateCreated: 1 }
    db.exec(`INSERT INTO services (sid) VALUES ('IS');
      INSERT INTO documents (service, name, kind, epoch, seq, commits_id, commits_clock, roots, highest_index, message_count)
        VALUES (1, 'CH', 'conversation', 1, 2, 1, 1, '${JSON.stringify(roots)}', 0, 1);
      INSERT INTO log VALUES (1, 0, x'00', NULL), (1, 1, x'01', NULL)`)
    db.prepare('INSERT INTO decided VALUES (1, ?, ?, NULL)').run(id, 'ada')
    db.prepare('INSERT INTO messages VALUES (1, 0, ?, 5, 6, ?)').run(id, JSON.stringify(record))
    db.close()
    const store = openSqliteStore(path)
    expect((await store.load('IS', 'CH'))?.head.roots).toEqual(roots)
    expect(await store.messages(1, [record.sid])).toEqual([{ record, item: [5, 6] }])
    expect(await store.messageRange(1, 0, 9)).toEqual([{ record, item: [5, 6] }])
    expect((await store.log(1, 0, 'ada'))?.map(({ seq, update }) => [seq, [...update]])).toEqual([
      [0, [0]],
      [1, [1]],
    ])
    await store.close()
  })

  it('of the version before knows its invites by their hashes', async () => {
    const path = file()
    const db = new DatabaseSync(path)
    migrate(db, 3)
    const [standing, usedUp] = ['ab'.repeat(32), 'cd'.repeat(32)] as [string, string]
    const invites = { [standing]: { usesLeft: 1 }, [usedUp]: { usesLeft: 0 } }
    db.exec(`INSERT INTO services (sid) VALUES ('IS');
      INSERT INTO documents (service, name, kind, epoch, seq, commits_id, commits_clock, roots, highest_index, message_count)
        VALUES (1, 'CH', 'conversation', 1, 1, 1, 1, '[]', -1, 0), (1, 'CHbare', 'conversation', 1, 1, 1, 1, '[]', -1, 0);
      INSERT INTO map_items VALUES (1, 'conversation', 'invites', 1, 0, '${JSON.stringify(invites)}'),
        (2, 'conversation', 'invites', 1, 0, NULL)`)
    db.close()
    const store = openSqliteStore(path)
    expect(await store.hasInvite('IS', 'CH', standing)).toBe(true)
    expect(await store.hasInvite('IS', 'CH', usedUp)).toBe(false)
    await store.close()
  })

  it('of before attachments were counted counts what it has', async () => {
    const path = file()
    const db = new DatabaseSync(path)
    migrate(db, 12)
    const insert =
      db.prepare(`INSERT INTO media (service, sid, category, type, size, hash, state, made, updated)
      VALUES ('IS', ?, 'media', 'image/png', ?, ?, ?, 1, 1)`)
    insert.run('ME1', 10, 'aa', 'ready')
    insert.run('ME2', 10, 'aa', 'checking')
    insert.run('ME3', 20, 'bb', 'ready')
    insert.run('ME4', 40, 'cc', 'uploading')
    db.close()
    const store = openSqliteStore(path)
    expect(await store.media.usage()).toEqual({ count: 2, bytes: 30, uploads: 1, uploadBytes: 40 })
    expect(await store.media.hasContent('aa')).toBe(true)
    await store.close()
  })

  it('of before sealings were noted takes every snapshot of what is sealed for an old one', async () => {
    const path = file()
    const db = new DatabaseSync(path)
    migrate(db, 13)
    db.exec(`INSERT INTO services (sid) VALUES ('IS');
      INSERT INTO documents (service, name, kind, epoch, seq, commits_id, commits_clock, roots, highest_index,
          message_count, snapshot_seq, sealed_to)
        VALUES (1, 'CH1', 'conversation', 1, 9, 1, 1, '[]', -1, 0, 5, 0),
          (1, 'CH2', 'conversation', 1, 9, 1, 1, '[]', -1, 0, 5, 4),
          (1, 'CH3', 'conversation', 1, 9, 1, 1, '[]', -1, 0, 9, 4)`)
    db.close()
    const store = openSqliteStore(path)
    expect(await store.stale(9)).toEqual([{ key: 2 }])
    const sealedAt = async (document: string) => (await store.load('IS', document))?.sealedAt
    expect([await sealedAt('CH1'), await sealedAt('CH2'), await sealedAt('CH3')]).toEqual([-1, 8, 8])
    await store.close()
  })

  it('is for its owner’s eyes only, and so is all beside it; one that is there keeps its rights', async () => {
    const path = file()
    const rights = (name: string) => statSync(name).mode & 0o777
    const store = openSqliteStore(path)
    expect([path, `${path}-wal`].map(rights)).toEqual([0o600, 0o600])
    const copy = `${path}-copy`
    await store.backup(copy)
    expect(rights(copy)).toBe(0o600)
    await store.close()
    chmodSync(path, 0o640)
    await openSqliteStore(path).close()
    expect(rights(path)).toBe(0o640)
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
