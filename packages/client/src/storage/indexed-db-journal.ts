/**
 * The journal in IndexedDB. One transaction per write, one write after the other, with strict durability: when its
 * promise resolves the browser has handed it to the disk.
 */
import { ConfabError } from '@confab/core'
import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from 'idb'
import { storageError } from './failure.ts'
import type { Journal, JournalEntry, JournalWrite, StoredSummary } from './storage.ts'

interface JournalSchema extends DBSchema {
  /** The key is the position, given by the database: ascending over all tabs, never given twice. */
  entries: { key: number; value: JournalEntry; indexes: { id: string } }
  summaries: { key: string; value: StoredSummary }
  values: { key: string; value: unknown }
}

type Database = IDBPDatabase<JournalSchema>
const STORES = ['entries', 'summaries', 'values'] as const
type WriteTransaction = IDBPTransaction<JournalSchema, typeof STORES, 'readwrite'>

const VERSION = 1

/** Opens or makes the database. Rejects with `ConfabError` 70501 when there can't be one. */
export async function openIndexedDBJournal(name: string): Promise<Journal> {
  let database: Database | null = null
  let closed = false
  /** Writes and loads, one after the other. Never rejects. */
  let queue: Promise<unknown> = Promise.resolve()

  async function connect(mustExist: boolean): Promise<Database> {
    const db = await openJournalDatabase(name, mustExist, (lost) => {
      if (database === lost) database = null
    })
    database = db
    return db
  }

  function enqueue<T>(doing: string, work: (db: Database) => Promise<T>): Promise<T> {
    const done = queue.then(async () => {
      try {
        if (closed) throw new ConfabError(70501, 'The store is closed')
        // The browser may have closed it (site data cleared, another tab's upgrade): what was there must still be there
        return await work(database ?? (await connect(true)))
      } catch (cause) {
        throw storageError(doing, cause)
      }
    })
    queue = done.catch(() => {})
    return done
  }

  try {
    await connect(false)
  } catch (cause) {
    throw storageError('open the local database', cause)
  }

  return {
    load: () => enqueue('read the local database', load),
    write: (write) => enqueue('write to the local database', (db) => transact(db, (tx) => apply(tx, write))),
    async close() {
      await queue
      closed = true
      database?.close()
      database = null
    },
  }
}

function openJournalDatabase(
  name: string,
  mustExist: boolean,
  onLost: (db: Database) => void,
): Promise<Database> {
  if (typeof globalThis.indexedDB === 'undefined') {
    return Promise.reject(new ConfabError(70501, 'This browser offers no IndexedDB here: use memory()'))
  }
  return new Promise((resolve, reject) => {
    let refused: ConfabError | null = null
    let opened: Database | null = null
    const lose = () => {
      opened?.close()
      if (opened) onLost(opened)
    }
    openDB<JournalSchema>(name, VERSION, {
      upgrade(db, oldVersion, _newVersion, tx) {
        if (mustExist && oldVersion === 0) {
          refused = new ConfabError(70501, 'The local database was deleted: start a new client')
          tx.done.catch(() => {})
          tx.abort()
          return
        }
        db.createObjectStore('entries', { keyPath: 'position', autoIncrement: true }).createIndex(
          'id',
          'id',
          {
            unique: true,
          },
        )
        db.createObjectStore('summaries', { keyPath: 'document' })
        db.createObjectStore('values')
      },
      blocked() {
        refused = new ConfabError(
          70501,
          'Another tab keeps an older version of the local database open: close it',
        )
        reject(refused)
      },
      // another tab wants to upgrade or delete it: never stand in its way
      blocking: lose,
      terminated: lose,
    }).then(
      (db) => {
        // it was blocked, its caller was told so, and now it came after all
        if (refused) db.close()
        opened = db
        resolve(db)
      },
      (cause: unknown) => reject(refused ?? cause),
    )
  })
}

async function load(db: Database): Promise<Awaited<ReturnType<Journal['load']>>> {
  const tx = db.transaction(STORES)
  const [entries, summaries, keys, values] = await Promise.all([
    tx.objectStore('entries').getAll(),
    tx.objectStore('summaries').getAll(),
    tx.objectStore('values').getAllKeys(),
    tx.objectStore('values').getAll(),
    tx.done,
  ])
  return { entries, summaries, values: Object.fromEntries(keys.map((key, i) => [key, values[i]])) }
}

async function transact<T>(db: Database, work: (tx: WriteTransaction) => Promise<T>): Promise<T> {
  const tx = db.transaction(STORES, 'readwrite', { durability: 'strict' })
  // The error of the whole transaction says why (no room left); a request's may only say that it was aborted.
  const done = tx.done.then(
    () => null,
    (cause: unknown) => ({ cause }),
  )
  try {
    const result = await work(tx)
    const failed = await done
    if (failed) throw failed.cause
    return result
  } catch (cause) {
    try {
      tx.abort()
    } catch {
      // it has ended already
    }
    const failed = await done
    const aborted = cause instanceof DOMException && cause.name === 'AbortError'
    throw aborted && failed?.cause ? failed.cause : cause
  }
}

/** Issues the requests of a write: removals, additions, holds. Their order is the order of the requests. */
async function apply(tx: WriteTransaction, write: JournalWrite): Promise<JournalEntry[]> {
  const entries = tx.objectStore('entries')
  const byId = entries.index('id')
  await Promise.all(
    (write.remove ?? []).map(async (id) => {
      const position = await byId.getKey(id)
      if (position !== undefined) await entries.delete(position)
    }),
  )
  const appended: JournalEntry[] = []
  for (const entry of write.append ?? []) {
    const known = await byId.get(entry.id)
    if (known) {
      appended.push(known)
      continue
    }
    // the database puts the position into the record
    const position = await entries.add({ ...entry } as JournalEntry)
    appended.push({ ...entry, position })
  }
  for (const { id, error, heldAt } of write.hold ?? []) {
    const entry = await byId.get(id)
    if (entry) await entries.put({ ...entry, state: 'held', error, heldAt })
  }
  const summaries = tx.objectStore('summaries')
  const values = tx.objectStore('values')
  // async, so that a value that can't be stored rejects here with all the others, and none is left unhandled
  const requests: (() => Promise<unknown>)[] = [
    ...(write.removeSummaries ?? []).map((document) => () => summaries.delete(document)),
    ...(write.summaries ?? []).map((summary) => () => summaries.put(summary)),
    ...Object.entries(write.values ?? {}).map(
      ([key, value]) =>
        () =>
          value === undefined ? values.delete(key) : values.put(value, key),
    ),
  ]
  await Promise.all(requests.map(async (request) => request()))
  return appended
}
