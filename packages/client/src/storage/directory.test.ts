import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { directory } from './directory.ts'
import { ownerKey } from './owner.ts'
import { freshOwner, newEntry, storageSentences, withStore } from './storage-suite.ts'

let path: string
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'confab-'))
})
afterEach(() => rm(path, { recursive: true, force: true }))

/** What the first version made. */
const VERSION_1 = `
  create table entries (
    position integer primary key autoincrement, id text not null unique, document text not null,
    operation text not null, state text not null, error text, held_at integer
  ) strict;
  create table summaries (
    document text primary key, epoch integer not null, commits_id integer not null, clock integer not null,
    data text not null
  ) strict, without rowid;
  create table vals (key text primary key, value text not null) strict, without rowid;
  create table updates (
    key integer primary key autoincrement, document text not null, epoch integer not null, bytes blob not null
  ) strict;
  create index updates_of on updates (document, epoch, key);
  pragma user_version = 1;
`

describe('directory()', () => {
  for (const { sentence, prove } of storageSentences) {
    test(sentence, () =>
      prove({
        storage: () => directory(path),
        async rows(owner, document, epoch) {
          const db = new DatabaseSync(join(path, `${ownerKey(owner)}.sqlite`), { readOnly: true })
          const rows = db
            .prepare('select bytes from updates where document = ? and epoch = ? order by key')
            .all(document, epoch)
          db.close()
          return rows.map((row) => row.bytes as Uint8Array)
        },
      }),
    )
  }

  test('a file of the first version goes on with what it holds, and takes pages', async () => {
    const owner = freshOwner()
    const db = new DatabaseSync(join(path, `${ownerKey(owner)}.sqlite`))
    db.exec(VERSION_1)
    const { id, document, operation } = newEntry('older than pages')
    db.prepare("insert into entries (id, document, operation, state) values (?, ?, ?, 'pending')").run(
      id,
      document,
      JSON.stringify(operation),
    )
    db.close()
    await withStore(directory(path), owner, async ({ journal, pages }) => {
      expect((await journal.load()).entries).toEqual([
        { id, document, operation, state: 'pending', position: 1 },
      ])
      await pages.put('CH1', 'hash', new Uint8Array([1]), 5)
      expect(await pages.get('CH1', 'hash', 6)).toEqual(new Uint8Array([1]))
    })
  })

  test('a full disk is 70501, nothing of the write is there, and smaller ones are taken', async () => {
    await withStore(directory(path, { maxBytes: 256 * 1024 }), freshOwner(), async ({ journal }) => {
      await journal.write({ append: [newEntry('before')] })
      const tooMuch = Array.from({ length: 10 }, () => newEntry('x'.repeat(32 * 1024)))
      await expect(journal.write({ append: tooMuch })).rejects.toMatchObject({
        code: 70501,
        message: expect.stringContaining('no room left'),
        cause: expect.anything(),
      })
      await journal.write({ append: [newEntry('after')] })
      expect(
        (await journal.load()).entries.map(({ operation }) => 'body' in operation && operation.body),
      ).toEqual(['before', 'after'])
    })
  })

  test('a document that met a full disk is an older state, and whole again once there is room', async () => {
    const owner = freshOwner()
    await withStore(directory(path, { maxBytes: 256 * 1024 }), owner, async ({ documents }) => {
      const doc = new Y.Doc()
      const stored = documents.open('CH1', 1, doc)
      await stored.loaded
      const outbox = doc.getArray<string>('outbox/ada')
      outbox.push(['small'])
      await new Promise((resolve) => setImmediate(resolve))
      outbox.push(['x'.repeat(512 * 1024)])
      outbox.push(['small too'])
      await expect(stored.compact()).rejects.toMatchObject({ code: 70501 })
      const older = new Y.Doc()
      await documents.open('CH1', 1, older).close()
      expect(older.getArray('outbox/ada').toArray()).toEqual(['small'])
      outbox.delete(1)
      await stored.compact()
      await stored.close()
      const whole = new Y.Doc()
      await documents.open('CH1', 1, whole).close()
      expect(whole.getArray('outbox/ada').toArray()).toEqual(['small', 'small too'])
    })
  })

  test('a row that is no update makes loading reject with 70501', async () => {
    const owner = freshOwner()
    await withStore(directory(path), owner, async ({ documents }) => {
      const db = new DatabaseSync(join(path, `${ownerKey(owner)}.sqlite`))
      db.prepare('insert into updates (document, epoch, bytes) values (?, ?, ?)').run(
        'CH1',
        1,
        new Uint8Array([9, 9, 9]),
      )
      db.close()
      const stored = documents.open('CH1', 1, new Y.Doc())
      await expect(stored.loaded).rejects.toMatchObject({ code: 70501 })
      await stored.close()
      await documents.remove('CH1', 1)
      await documents.open('CH1', 1, new Y.Doc()).loaded
    })
  })

  test('removed text is in no file after compacting, nor what a removed document or page held', async () => {
    const inFiles = async (text: string) => {
      const files = await readdir(path)
      const contents = await Promise.all(files.map((file) => readFile(join(path, file), 'latin1')))
      return contents.some((content) => content.includes(text))
    }
    await withStore(directory(path), freshOwner(), async ({ documents, pages }) => {
      const doc = new Y.Doc()
      const stored = documents.open('CH1', 1, doc)
      await stored.loaded
      const outbox = doc.getArray<string>('outbox/ada')
      outbox.push(['harmless'])
      outbox.push([`regrettable ${'x'.repeat(10_000)}`])
      await new Promise((resolve) => setImmediate(resolve))
      expect(await inFiles('regrettable')).toBe(true)
      outbox.delete(1)
      await stored.compact()
      expect(await inFiles('regrettable')).toBe(false)
      expect(await inFiles('harmless')).toBe(true)
      await stored.close()
      await documents.remove('CH1', 1)
      expect(await inFiles('harmless')).toBe(false)
      await pages.put('CH1', 'hash', new TextEncoder().encode('a page of secrets'), 0)
      expect(await inFiles('a page of secrets')).toBe(true)
      await pages.delete('CH1', ['hash'])
      expect(await inFiles('a page of secrets')).toBe(false)
    })
  })

  test('no name in the directory shows whose it is, and nobody else may look inside', async () => {
    const owner = { ...freshOwner(), identity: 'grace.hopper@example.com' }
    const inside = join(path, 'store')
    await directory(inside).rememberOwner(owner)
    await withStore(directory(inside), owner, async () => {
      expect((await readdir(inside)).filter((file) => file.includes('grace'))).toEqual([])
    })
    expect((await stat(inside)).mode & 0o077).toBe(0)
  })

  test('a path that can’t be a directory is 70501', async () => {
    await directory(path).rememberOwner(freshOwner())
    await expect(directory(join(path, 'owners.sqlite')).open(freshOwner())).rejects.toMatchObject({
      code: 70501,
    })
  })

  test('processes that write to one store at the same time lose nothing, and end when they are done', async () => {
    const owner = freshOwner()
    const script = `
      import { directory } from ${JSON.stringify(new URL('./directory.ts', import.meta.url).href)}
      import { newEntry } from ${JSON.stringify(new URL('./storage-suite.ts', import.meta.url).href)}
      const [path, owner, name] = process.argv.slice(1)
      const store = await directory(path).open(JSON.parse(owner))
      for (let i = 0; i < 30; i++) {
        const entry = newEntry(name + ' ' + i)
        await store.journal.write({ append: [{ ...entry, id: name + entry.id.slice(1) }] })
      }
      // not closed: what keeps the store open must not keep the process alive
    `
    const run = promisify(execFile)
    await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        run(process.execPath, ['--input-type=module', '-e', script, path, JSON.stringify(owner), name]),
      ),
    )
    await withStore(directory(path), owner, async ({ journal }) => {
      const bodies = (await journal.load()).entries.map(({ operation }) =>
        String('body' in operation && operation.body),
      )
      expect(bodies).toHaveLength(90)
      for (const name of ['a', 'b', 'c']) {
        const own = bodies.filter((body) => body.startsWith(name))
        expect(own).toEqual(Array.from({ length: 30 }, (_, i) => `${name} ${i}`))
      }
    })
  })
})
