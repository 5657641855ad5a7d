/**
 * Attachments in a database of their own, as the browser's Blobs: it keeps their bytes in files beside, and hands out
 * what is read when it is used. Loaded with the rest of what attachments need.
 */
import { storageError } from './failure.ts'
import { completed, openDatabase, result } from './indexed-db-requests.ts'
import type { MediaStore, MediaUse, StoredContent } from './storage.ts'

/** `contents`: Blobs by hash. `contentUse`: what `contents()` gives of each. `uses`: by attachment. */
const STORES = ['contents', 'contentUse', 'uses'] as const

export async function indexedDBMedia(name: string): Promise<MediaStore> {
  let database: Promise<IDBDatabase> | null = null
  const turns = new Set<() => void>()
  const open = (): Promise<IDBDatabase> => {
    database ??= openDatabase(name, {
      create(db) {
        db.createObjectStore('contents')
        db.createObjectStore('contentUse', { keyPath: 'hash' })
        db.createObjectStore('uses', { keyPath: 'media' }).createIndex('hash', 'hash')
      },
      lost: () => {
        database = null
      },
    })
    database.catch(() => {
      database = null
    })
    return database
  }

  async function transact<T>(
    doing: string,
    durability: IDBTransactionDurability,
    work: (stores: Record<(typeof STORES)[number], IDBObjectStore>) => Promise<T>,
  ): Promise<T> {
    try {
      const tx = (await open()).transaction(STORES, 'readwrite', { durability })
      const stores = Object.fromEntries(STORES.map((one) => [one, tx.objectStore(one)]))
      // the transaction's error says why, a request's may only say that it was aborted
      const done = completed(tx).then(
        () => null,
        (cause: unknown) => ({ cause }),
      )
      const worked = await work(stores as Parameters<typeof work>[0]).catch(async (cause: unknown) => {
        if (!isOver(tx)) throw cause
        throw (await done)?.cause ?? cause
      })
      const failed = await done
      if (failed) throw failed.cause
      return worked
    } catch (cause) {
      throw storageError(doing, cause)
    }
  }

  async function list<T>(store: (typeof STORES)[number]): Promise<T[]> {
    try {
      return await result<T[]>((await open()).transaction(store).objectStore(store).getAll())
    } catch (cause) {
      throw storageError('list the attachments', cause)
    }
  }

  try {
    await open()
  } catch (cause) {
    throw storageError('open the local database of attachments', cause)
  }

  return {
    contents: () => list<StoredContent>('contentUse'),
    uses: () => list<MediaUse>('uses'),
    get: (hash, now) =>
      transact('read an attachment', 'relaxed', async ({ contents, contentUse }) => {
        const content = await result<Blob | undefined>(contents.get(hash))
        if (content) contentUse.put({ hash, size: content.size, used: now })
        return content ?? null
      }),
    put: (hash, content, some, now) =>
      transact('keep an attachment', 'strict', async ({ contents, contentUse, uses }) => {
        if ((await result(contents.count(hash))) === 0) contents.put(content, hash)
        contentUse.put({ hash, size: content.size, used: now })
        for (const use of some) uses.put(use)
      }),
    use: (some) =>
      transact('note an attachment', 'strict', async ({ uses }) => {
        for (const use of some) uses.put(use)
      }),
    release: (media) =>
      transact('remove an attachment', 'strict', async ({ contents, contentUse, uses }) => {
        for (const sid of media) uses.delete(sid)
        const hashes = await result<IDBValidKey[]>(contentUse.getAllKeys())
        const used = new Set((await result<MediaUse[]>(uses.getAll())).map(({ hash }) => hash))
        for (const hash of hashes)
          if (!used.has(hash as string)) for (const store of [contents, contentUse]) store.delete(hash)
      }),
    async lead(signal) {
      const end = await leadAmongTabs(name, signal)
      turns.add(end)
      return () => {
        turns.delete(end)
        end()
      }
    },
    async close() {
      for (const end of turns) end()
      const db = await database?.catch(() => null)
      database = null
      db?.close()
    },
  }
}

/** Where there are no locks (an insecure origin), every tab has its turn at once: the relay tells them apart. */
function leadAmongTabs(name: string, signal: AbortSignal): Promise<() => void> {
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
  if (!locks) return Promise.resolve(() => {})
  return new Promise((resolve, reject) => {
    locks.request(name, { signal }, () => new Promise<void>((end) => resolve(end))).catch(reject)
  })
}

/** Ends the transaction, if it hasn't ended by itself. Gives whether it had. */
function isOver(tx: IDBTransaction): boolean {
  try {
    tx.abort()
    return false
  } catch {
    return true
  }
}
