/**
 * Documents in IndexedDB, in the databases of `y-indexeddb` and by its functions: a stock `IndexeddbPersistence`
 * reads what is written here, and the other way round.
 *
 * Its class isn't used, because it tells nobody what becomes of a write: opening writes a row, a full disk is an
 * unhandled rejection in the app, `destroy` doesn't wait, and an update after another tab deleted the database
 * throws into the transaction that made it.
 */
import { fetchUpdates, type IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { storageError } from './failure.ts'
import { completed, deleteDatabase, openDatabase } from './indexed-db-requests.ts'
import { shortHash } from './owner.ts'
import type { Documents } from './storage.ts'
import { keepDocument, type Rows } from './stored-document.ts'

/** The database in which a store keeps one document under one epoch: `y-indexeddb`'s, by this name. */
export const documentDatabaseName = (store: string, document: string, epoch: number): string =>
  `${store}-${shortHash(document)}-${epoch}`

/** Databases that are opened at once, at most: a browser makes what is written to others meanwhile wait for all of them. */
const AT_ONCE = 8
let opening = 0
const waiting: (() => void)[] = []

/** Runs the task in its turn; of those that wait the newest is first, because somebody may be looking at it. */
async function inTurn<T>(task: () => Promise<T>): Promise<T> {
  if (opening >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else opening++
  try {
    return await task()
  } finally {
    const next = waiting.pop()
    if (next) next()
    else opening--
  }
}

/** The documents of one store, each in a database of its own, named without the document's name. */
export function indexedDBDocuments(store: string): Documents {
  return {
    open: (document, epoch, doc, before) =>
      keepDocument(doc, openRows(documentDatabaseName(store, document, epoch), doc), before),
    async remove(document, epoch) {
      const name = documentDatabaseName(store, document, epoch)
      try {
        // Emptied first: a tab that doesn't let go can delay the deletion, and the content must be gone now.
        const db = await openDocumentDatabase(name)
        const tx = db.transaction('updates', 'readwrite')
        tx.objectStore('updates').clear()
        await completed(tx)
        db.close()
        await deleteDatabase(name)
      } catch (cause) {
        throw storageError('remove a stored document', cause)
      }
    },
  }
}

const openDocumentDatabase = (name: string): Promise<IDBDatabase> =>
  openDatabase(name, {
    create(db) {
      db.createObjectStore('updates', { autoIncrement: true })
      db.createObjectStore('custom')
    },
  })

async function openRows(name: string, doc: Y.Doc): Promise<Rows> {
  const db = await inTurn(() => openDocumentDatabase(name))
  /** As much of an `IndexeddbPersistence` as its functions use. Also the origin of their transactions. */
  const persistence = { db, doc, name, _dbref: 0, _dbsize: 0, _destroyed: false }
  const fetch = (before?: () => void, after?: () => void) =>
    fetchUpdates(persistence as unknown as IndexeddbPersistence, before, after)
  return {
    origin: persistence,
    async load(before, after) {
      await fetch(before, after)
      return persistence._dbsize
    },
    async append(updates) {
      const tx = db.transaction('updates', 'readwrite', { durability: 'relaxed' })
      const done = completed(tx)
      for (const update of updates) tx.objectStore('updates').add(update)
      await done
    },
    async rewrite() {
      // the transaction in which it read the rows is still open when it hands over their store
      const updates = await fetch()
      const done = completed(updates.transaction)
      const state = updates.add(Y.encodeStateAsUpdate(doc))
      updates.delete(IDBKeyRange.upperBound(persistence._dbref, true))
      await done
      persistence._dbref = Number(state.result) + 1
      persistence._dbsize = 1
    },
    async close() {
      db.close()
    },
  }
}
