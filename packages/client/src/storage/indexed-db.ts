/** Storage in the browser's IndexedDB: one database for the journal, one for each document. */
import { part } from '../part.ts'
import { storageError } from './failure.ts'
import { indexedDBDocuments } from './indexed-db-documents.ts'
import { openIndexedDBJournal } from './indexed-db-journal.ts'
import { completed, deleteDatabase, openDatabase, result } from './indexed-db-requests.ts'
import { ownerKey } from './owner.ts'
import { broadcastPeers } from './peers.ts'
import type { Storage, StoreOwner } from './storage.ts'

/** The name of an owner's journal database, of its BroadcastChannel, and the beginning of its documents' names. */
export const storeName = (owner: StoreOwner): string => `confab-${ownerKey(owner)}`

/**
 * Keeps everything in IndexedDB, shared by the tabs of one origin. Names of databases begin with `confab` and show
 * a hash of their owner only.
 *
 * Opening rejects with `ConfabError` 70501 where the browser has no IndexedDB or forbids it (some private modes,
 * some embedded pages): `memory()` works there.
 */
export function indexedDB(): Storage {
  return {
    kind: 'indexeddb',
    async open(owner) {
      const name = storeName(owner)
      const journal = await openIndexedDBJournal(name)
      const peers = broadcastPeers(name)
      return {
        journal,
        documents: indexedDBDocuments(name),
        pages: journal.pages,
        media: async () => (await part(import('../media/media.ts'))).indexedDBMedia(`${name}-media`),
        peers,
        async close() {
          peers.close()
          await journal.close()
        },
      }
    },
    lastOwner: (relay) =>
      withOwners('readonly', async (owners) => ((await result(owners.get(relay))) as StoreOwner) ?? null),
    rememberOwner: (owner) => withOwners('readwrite', async (owners) => void owners.put(owner)),
    async destroy(owner) {
      const name = storeName(owner)
      try {
        const databases = (await globalThis.indexedDB.databases?.()) ?? [{ name }]
        for (const one of databases)
          if (one.name === name || one.name?.startsWith(`${name}-`)) await deleteDatabase(one.name)
        const left = await withOwners('readwrite', async (owners) => {
          const last: StoreOwner | undefined = await result(owners.get(owner.relay))
          if (last && storeName(last) === name) owners.delete(owner.relay)
          return result(owners.count())
        })
        if (left === 0) await deleteDatabase('confab')
      } catch (cause) {
        throw storageError('remove the local database', cause)
      }
    },
  }
}

async function withOwners<T>(
  mode: IDBTransactionMode,
  use: (owners: IDBObjectStore) => Promise<T>,
): Promise<T> {
  try {
    const db = await openDatabase('confab', {
      create: (made) => made.createObjectStore('owners', { keyPath: 'relay' }),
    })
    try {
      const tx = db.transaction('owners', mode)
      const [used] = await Promise.all([use(tx.objectStore('owners')), completed(tx)])
      return used
    } finally {
      db.close()
    }
  } catch (cause) {
    throw storageError('use IndexedDB', cause)
  }
}
