/** Storage in the browser's IndexedDB: one database for the journal, one for each document. */
import { type DBSchema, openDB } from 'idb'
import { storageError } from './failure.ts'
import { indexedDBDocuments } from './indexed-db-documents.ts'
import { openIndexedDBJournal } from './indexed-db-journal.ts'
import { ownerKey } from './owner.ts'
import { broadcastPeers } from './peers.ts'
import type { Storage, StoreOwner } from './storage.ts'

/** The name of an owner's journal database, of its BroadcastChannel, and the beginning of its documents' names. */
export const storeName = (owner: StoreOwner): string => `confab-${ownerKey(owner)}`

interface OwnersSchema extends DBSchema {
  owners: { key: string; value: StoreOwner }
}

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
        peers,
        async close() {
          peers.close()
          await journal.close()
        },
      }
    },
    lastOwner: (relay) => withOwners(async (db) => (await db.get('owners', relay)) ?? null),
    rememberOwner: (owner) => withOwners(async (db) => void (await db.put('owners', owner))),
  }
}

type OwnersDatabase = Awaited<ReturnType<typeof openOwners>>

const openOwners = () =>
  openDB<OwnersSchema>('confab', 1, {
    upgrade(db) {
      db.createObjectStore('owners', { keyPath: 'relay' })
    },
  })

async function withOwners<T>(use: (db: OwnersDatabase) => Promise<T>): Promise<T> {
  try {
    const db = await openOwners()
    try {
      return await use(db)
    } finally {
      db.close()
    }
  } catch (cause) {
    throw storageError('use IndexedDB', cause)
  }
}
