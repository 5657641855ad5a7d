/**
 * The journal in IndexedDB, and the pages of sealed history beside it. One transaction per write, one write after the
 * other, with strict durability: when its promise resolves the browser has handed it to the disk.
 */
import { ConfabError } from '@confab/core'
import { storageError } from './failure.ts'
import { completed, openDatabase, result } from './indexed-db-requests.ts'
import type {
  Journal,
  JournalEntry,
  JournalWrite,
  NewJournalEntry,
  Pages,
  StoredPage,
  StoredSummary,
} from './storage.ts'

/**
 * `entries`: the key is the position, given by the database: ascending over all tabs, never given twice. `summaries`:
 * by document. `values`: by a key beside them.
 */
const STORES = ['entries', 'summaries', 'values'] as const
/** `pageUse`: what `list` gives of each of the `pages`, which stand under [document, hash]. */
const PAGES = ['pages', 'pageUse'] as const
/** A page that is lost is fetched again. */
const RELAXED = { durability: 'relaxed' } as const
type Stores = Record<(typeof STORES)[number], IDBObjectStore>

/** Opens or makes the database. Rejects with `ConfabError` 70501 when there can't be one. */
export async function openIndexedDBJournal(name: string): Promise<Journal & { readonly pages: Pages }> {
  let database: IDBDatabase | null = null
  let closed = false
  /** Writes and loads, one after the other. Never rejects. */
  let queue: Promise<unknown> = Promise.resolve()

  async function connect(mustExist: boolean): Promise<IDBDatabase> {
    const db = await openJournalDatabase(name, mustExist, (lost) => {
      if (database === lost) database = null
    })
    database = db
    return db
  }

  function enqueue<T>(doing: string, work: (db: IDBDatabase) => Promise<T>): Promise<T> {
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
    write: (write) =>
      enqueue('write to the local database', (db) => transact(db, (stores) => apply(stores, write))),
    pages: {
      list: () =>
        enqueue('list the pages of history', (db) =>
          result<StoredPage[]>(db.transaction('pageUse').objectStore('pageUse').getAll()),
        ),
      get: (document, hash, now) =>
        enqueue('read a page of history', async (db) => {
          const tx = db.transaction(PAGES, 'readwrite', RELAXED)
          const bytes = await result<Uint8Array | undefined>(tx.objectStore('pages').get([document, hash]))
          if (bytes) tx.objectStore('pageUse').put({ document, hash, size: bytes.length, used: now })
          return bytes ?? null
        }),
      put: (document, hash, bytes, now) =>
        enqueue('keep a page of history', (db) => {
          const tx = db.transaction(PAGES, 'readwrite', RELAXED)
          tx.objectStore('pages').put(bytes, [document, hash])
          tx.objectStore('pageUse').put({ document, hash, size: bytes.length, used: now })
          return completed(tx)
        }),
      delete: (document, hashes) =>
        enqueue('remove a page of history', (db) => {
          const tx = db.transaction(PAGES, 'readwrite')
          for (const hash of hashes) for (const name of PAGES) tx.objectStore(name).delete([document, hash])
          return completed(tx)
        }),
    },
    kept: (document) =>
      enqueue('read the local database', async (db) => {
        const kept = await result<JournalEntry[]>(
          db.transaction('entries').objectStore('entries').getAll(keptKeys()),
        )
        return kept
          .filter((entry) => entry.document === (document ?? entry.document))
          .map((entry) => ({ ...entry, position: -entry.position }))
          .reverse()
      }),
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
  onLost: (db: IDBDatabase) => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    let refused: ConfabError | null = null
    openDatabase(name, {
      version: 2,
      create(db, tx, from) {
        if (mustExist && from === 0) {
          refused = new ConfabError(70501, 'The local database was deleted: start a new client')
          tx.abort()
          return
        }
        if (from === 0) {
          const entries = db.createObjectStore('entries', { keyPath: 'position', autoIncrement: true })
          entries.createIndex('id', 'id', { unique: true })
          db.createObjectStore('summaries', { keyPath: 'document' })
          db.createObjectStore('values')
        }
        db.createObjectStore('pages')
        db.createObjectStore('pageUse', { keyPath: ['document', 'hash'] })
      },
      blocked() {
        refused = new ConfabError(
          70501,
          'Another tab keeps an older version of the local database open: close it',
        )
        reject(refused)
      },
      lost: onLost,
    }).then(
      (db) => {
        // it was blocked, its caller was told so, and now it came after all
        if (refused) db.close()
        resolve(db)
      },
      (cause: unknown) => reject(refused ?? cause),
    )
  })
}

/** What is kept has its position with a minus before it, so a start passes it over. */
const keptKeys = () => IDBKeyRange.upperBound(0, true)

const storesOf = (tx: IDBTransaction): Stores =>
  Object.fromEntries(STORES.map((name) => [name, tx.objectStore(name)])) as Stores

async function load(db: IDBDatabase): Promise<Awaited<ReturnType<Journal['load']>>> {
  const tx = db.transaction(STORES)
  const stores = storesOf(tx)
  const [entries, summaries, keys, values] = await Promise.all([
    result<JournalEntry[]>(stores.entries.getAll(IDBKeyRange.lowerBound(0))),
    result<StoredSummary[]>(stores.summaries.getAll()),
    result(stores.values.getAllKeys()),
    result<unknown[]>(stores.values.getAll()),
    completed(tx),
  ])
  return { entries, summaries, values: Object.fromEntries(keys.map((key, i) => [key, values[i]])) }
}

async function transact<T>(db: IDBDatabase, work: (stores: Stores) => Promise<T>): Promise<T> {
  const tx = db.transaction(STORES, 'readwrite', { durability: 'strict' })
  // The error of the whole transaction says why (no room left); a request's may only say that it was aborted.
  const done = completed(tx).then(
    () => null,
    (cause: unknown) => ({ cause }),
  )
  try {
    const worked = await work(storesOf(tx))
    const failed = await done
    if (failed) throw failed.cause
    return worked
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

/** Issues the requests of a write: removals, additions, holds, keeps. Their order is the order of the requests. */
async function apply({ entries, summaries, values }: Stores, write: JournalWrite): Promise<JournalEntry[]> {
  const byId = entries.index('id')
  const known = (id: string): Promise<JournalEntry | undefined> => result(byId.get(id))
  await Promise.all(
    [...(write.remove ?? []), ...(write.erase ?? [])].map(async (id) => {
      const position = await result(byId.getKey(id))
      if (position !== undefined) await result(entries.delete(position))
    }),
  )
  /** To the other side of zero, and as it is then. */
  const move = async ({ position }: JournalEntry, entry: NewJournalEntry): Promise<JournalEntry> => {
    const moved = { ...entry, position: -position }
    await result(entries.delete(position))
    await result(entries.add(moved))
    return moved
  }
  const appended: JournalEntry[] = []
  for (const entry of write.append ?? []) {
    // the database puts the position into the record
    const made = async () => ({ ...entry, position: Number(await result(entries.add({ ...entry }))) })
    const before = await known(entry.id)
    appended.push(before && before.position < 0 ? await move(before, entry) : (before ?? (await made())))
  }
  for (const { id, error, heldAt } of write.hold ?? []) {
    const entry = await known(id)
    if (entry) await result(entries.put({ ...entry, state: 'held', error, heldAt }))
  }
  for (const { id, ...keep } of write.keep ?? []) {
    const entry = await known(id)
    if (entry && entry.position > 0) await move(entry, { ...entry, ...keep, state: 'kept' })
  }
  if (write.prune) {
    const { before, most } = write.prune
    const newestFirst = await result<JournalEntry[]>(entries.getAll(keptKeys()))
    for (const [at, { position, heldAt = 0 }] of newestFirst.entries())
      if (at >= most || heldAt < before) entries.delete(position)
  }
  for (const document of write.removeSummaries ?? []) summaries.delete(document)
  for (const summary of write.summaries ?? []) summaries.put(summary)
  for (const [key, value] of Object.entries(write.values ?? {})) {
    if (value === undefined) values.delete(key)
    else values.put(value, key)
  }
  return appended
}
