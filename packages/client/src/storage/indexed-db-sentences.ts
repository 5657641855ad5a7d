/** What IndexedDB adds to the suite, for the stand-in in Node and for the real one in a browser. */
import { deleteDB, openDB } from 'idb'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { indexedDB, storeName } from './indexed-db.ts'
import { documentDatabaseName } from './indexed-db-documents.ts'
import type { StoreOwner } from './storage.ts'
import {
  check,
  checkEqual,
  checkRejects,
  type Device,
  freshOwner,
  newEntry,
  type Sentence,
  withStore,
} from './storage-suite.ts'

/** This browser, or its stand-in, as the suite sees it. */
export const indexedDBDevice: Device = { storage: indexedDB, rows: rowsOf }

async function rowsOf(owner: StoreOwner, document: string, epoch: number): Promise<Uint8Array[]> {
  const db = await openDB(documentDatabaseName(storeName(owner), document, epoch))
  const rows = await db.getAll('updates')
  db.close()
  return rows
}

const texts = (doc: Y.Doc) => doc.getArray('outbox/ada').toArray()

export const indexedDBSentences: readonly Sentence[] = [
  {
    sentence: 'a stock y-indexeddb provider reads what was written, and what it writes is read',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ documents }) => {
        const doc = new Y.Doc()
        doc.getArray('outbox/ada').push(['ours'])
        await documents.open('CH1', 1, doc).close()
        const stockDoc = new Y.Doc()
        const stock = new IndexeddbPersistence(documentDatabaseName(storeName(owner), 'CH1', 1), stockDoc)
        await stock.whenSynced
        checkEqual(texts(stockDoc), ['ours'], 'what the stock provider reads')
        stockDoc.getArray('outbox/ada').push(['theirs'])
        // a later transaction waits for the one that stores it
        await stock.set('barrier', 1)
        await stock.destroy()
        const again = new Y.Doc()
        const stored = documents.open('CH1', 1, again)
        await stored.loaded
        checkEqual(texts(again), ['ours', 'theirs'], 'what is read afterwards')
        await stored.close()
      })
    },
  },
  {
    sentence:
      'of a hundred documents few are opened at once, the newest asked for first: others write meanwhile',
    async prove({ storage }) {
      const { open } = IDBFactory.prototype
      let now = 0
      let most = 0
      IDBFactory.prototype.open = function (...given) {
        const request = open.apply(this, given)
        most = Math.max(most, ++now)
        const done = () => void now--
        request.addEventListener('success', done)
        request.addEventListener('error', done)
        return request
      }
      try {
        await withStore(storage(), freshOwner(), async ({ documents }) => {
          const loaded: number[] = []
          const all = Array.from({ length: 100 }, (_, i) => {
            const stored = documents.open(`CH${i}`, 1, new Y.Doc())
            return { stored, told: stored.loaded.then(() => loaded.push(i)) }
          })
          await Promise.all(all.map(({ told }) => told))
          check(most <= 10, `${most} were opened at once`)
          check(loaded.indexOf(99) < loaded.indexOf(50), 'the newest comes before those that waited longer')
          for (const { stored } of all) await stored.close()
        })
      } finally {
        IDBFactory.prototype.open = open
      }
    },
  },
  {
    sentence: 'opening a document writes nothing',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ documents }) => {
        const stored = documents.open('CH1', 1, new Y.Doc())
        await stored.loaded
        await stored.close()
        checkEqual((await rowsOf(owner, 'CH1', 1)).length, 0, 'rows')
      })
    },
  },
  {
    sentence: 'a journal that was deleted under its client is 70501, and is not made again behind its back',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ journal }) => {
        await journal.write({ append: [newEntry('gone')] })
        await deleteDB(storeName(owner))
        await checkRejects(journal.write({ append: [newEntry('where to?')] }), 70501, 'a write')
        await checkRejects(journal.load(), 70501, 'a load')
      })
      const names = (await globalThis.indexedDB.databases()).map(({ name }) => name)
      check(!names.includes(storeName(owner)), 'no database is left behind')
    },
  },
  {
    sentence:
      'a journal that a newer version of the app took over is 70501, and the newer version isn’t kept waiting',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ journal }) => {
        await journal.write({ append: [newEntry('kept')] })
        const newer = await openDB(storeName(owner), 99)
        checkEqual(await newer.count('entries'), 1, 'entries that the newer version finds')
        await checkRejects(journal.write({ append: [newEntry('too old')] }), 70501, 'a write')
        newer.close()
      })
    },
  },
  {
    sentence:
      'a document that was deleted under its client goes on in memory, and throws nothing into the app',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ documents }) => {
        const doc = new Y.Doc()
        const stored = documents.open('CH1', 1, doc)
        await stored.loaded
        doc.getArray('outbox/ada').push(['before'])
        await deleteDB(documentDatabaseName(storeName(owner), 'CH1', 1))
        doc.getArray('outbox/ada').push(['after'])
        checkEqual(texts(doc), ['before', 'after'], 'the document')
        await checkRejects(stored.compact(), 70501, 'compacting')
        await stored.close()
      })
    },
  },
  {
    sentence: 'a row that is no update makes loading reject with 70501, and removing the copy heals it',
    async prove({ storage }) {
      const owner = freshOwner()
      await withStore(storage(), owner, async ({ documents }) => {
        await documents.open('CH1', 1, new Y.Doc()).close()
        const db = await openDB(documentDatabaseName(storeName(owner), 'CH1', 1))
        await db.add('updates', new Uint8Array([9, 9, 9]))
        db.close()
        const damaged = documents.open('CH1', 1, new Y.Doc())
        await checkRejects(damaged.loaded, 70501, 'loading')
        await damaged.close()
        await documents.remove('CH1', 1)
        const healed = documents.open('CH1', 1, new Y.Doc())
        await healed.loaded
        await healed.close()
      })
    },
  },
  {
    sentence: 'a journal of the first version goes on with what it holds, and takes pages',
    async prove({ storage }) {
      const owner = freshOwner()
      const older = await openDB(storeName(owner), 1, {
        upgrade(db) {
          const entries = db.createObjectStore('entries', { keyPath: 'position', autoIncrement: true })
          entries.createIndex('id', 'id', { unique: true })
          db.createObjectStore('summaries', { keyPath: 'document' })
          db.createObjectStore('values')
        },
      })
      await older.add('entries', newEntry('older than pages'))
      older.close()
      await withStore(storage(), owner, async ({ journal, pages }) => {
        checkEqual((await journal.load()).entries.length, 1, 'entries')
        await pages.put('CH1', 'hash', new Uint8Array([1]), 5)
        checkEqual(await pages.get('CH1', 'hash', 6), new Uint8Array([1]), 'the page')
      })
    },
  },
  {
    sentence: 'destroying leaves no database of the owner',
    async prove({ storage }) {
      const owner = freshOwner()
      const before = (await globalThis.indexedDB.databases()).length
      await storage().rememberOwner(owner)
      await withStore(storage(), owner, async ({ documents }) => {
        const stored = documents.open('CH1', 1, new Y.Doc())
        await stored.loaded
        await stored.close()
      })
      await storage().destroy?.(owner)
      const names = (await globalThis.indexedDB.databases()).map(({ name }) => name)
      check(names.length <= before, `left: ${names}`)
    },
  },
  {
    sentence: 'no database is named after a person',
    async prove({ storage }) {
      const owner = { ...freshOwner(), identity: 'grace.hopper' }
      await storage().rememberOwner(owner)
      await withStore(storage(), owner, async ({ documents }) => {
        const stored = documents.open('user/grace.hopper', 1, new Y.Doc())
        await stored.loaded
        await stored.close()
        const names = (await globalThis.indexedDB.databases()).map(({ name }) => name ?? '')
        check(names.length > 2 && names.every((name) => !name.includes('grace')), `names: ${names}`)
      })
    },
  },
]
