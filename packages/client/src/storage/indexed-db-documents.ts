/**
 * Documents in IndexedDB, in databases as those of `y-indexeddb`: a stock `IndexeddbPersistence` reads what is written
 * here, and the other way round.
 *
 * The class itself isn't used, because it tells nobody what becomes of a write: opening writes a row, a full disk is an
 * unhandled rejection in the app, `destroy` doesn't wait, and an update after another tab deleted the database
 * throws into the transaction that made it.
 */
import * as Y from 'yjs'
import { storageError } from './failure.ts'
import { completed, deleteDatabase, openDatabase, result } from './indexed-db-requests.ts'
import { shortHash } from './owner.ts'
import type { Documents } from './storage.ts'
import { keepDocument, type Rows } from './stored-document.ts'

/** The database in which a store keeps one document under one epoch: `y-indexeddb`'s, by this name. */
export const documentDatabaseName = (store: string, document: string, epoch: number): string =>
  `${store}-${shortHash(document)}-${epoch}`

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
  const db = await openDocumentDatabase(name)
  const origin = { name }
  /** Below this key the doc has every row. */
  let next = 0

  /** Applies the rows that the doc lacks; gives how many there are. What is awaited is done in the same transaction. */
  async function apply(rows: IDBObjectStore, before = () => {}, after = () => {}): Promise<number> {
    const [updates, last, count] = await Promise.all([
      result<Uint8Array[]>(rows.getAll(IDBKeyRange.lowerBound(next))),
      result(rows.openKeyCursor(null, 'prev')),
      result(rows.count()),
    ])
    before()
    Y.transact(doc, () => updates.forEach((update) => void Y.applyUpdate(doc, update)), origin, false)
    after()
    if (last) next = Number(last.key) + 1
    return count
  }

  return {
    origin,
    load: (before, after) => apply(db.transaction('updates').objectStore('updates'), before, after),
    async append(updates) {
      const tx = db.transaction('updates', 'readwrite', { durability: 'relaxed' })
      const done = completed(tx)
      for (const update of updates) tx.objectStore('updates').add(update)
      await done
    },
    async rewrite() {
      const tx = db.transaction('updates', 'readwrite')
      const rows = tx.objectStore('updates')
      await apply(rows)
      const done = completed(tx)
      const state = rows.add(Y.encodeStateAsUpdate(doc))
      rows.delete(IDBKeyRange.upperBound(next, true))
      await done
      next = Number(state.result) + 1
    },
    async close() {
      db.close()
    },
  }
}
