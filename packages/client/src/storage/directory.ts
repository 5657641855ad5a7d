/** Storage in a directory, for Node: one SQLite file for each owner, shared by the processes that open it. */
import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { sqliteDocuments } from './directory-documents.ts'
import { sqliteJournal } from './directory-journal.ts'
import { openSqlite, type Sqlite } from './directory-sqlite.ts'
import { storageError } from './failure.ts'
import { ownerKey, shortHash } from './owner.ts'
import { broadcastPeers } from './peers.ts'
import type { Storage, StoreOwner } from './storage.ts'

export interface DirectoryOptions {
  /** Bytes that one owner's file may grow to; what would need more is refused with 70501. Unbounded by default. */
  maxBytes?: number
}

/**
 * Keeps everything in the directory at `path`, which is made when it isn't there, readable by its owner only. Names
 * of files show a hash of whose they are. Needs Node; in a browser it throws `ConfabError` 70501.
 *
 * Several clients and several processes may open it at the same time. Clients of one process tell each other their
 * news at once; those of another process hear it from the relay.
 */
export function directory(path: string, options: DirectoryOptions = {}): Storage {
  const attempt = <T>(doing: string, work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      throw storageError(doing, cause)
    }
  }

  function withOwners<T>(use: (db: Sqlite) => T): T {
    return attempt('use the store directory', () => {
      makeDirectory(path)
      const db = openSqlite(join(path, 'owners.sqlite'), { synchronous: 'full', schema: OWNERS_SCHEMA })
      try {
        return use(db)
      } finally {
        db.close()
      }
    })
  }

  return {
    kind: 'directory',
    async open(owner) {
      return attempt('open the store directory', () => {
        makeDirectory(path)
        const key = ownerKey(owner)
        const file = join(path, `${key}.sqlite`)
        const journal = sqliteJournal(file, options.maxBytes)
        const documents = sqliteDocuments(file, options.maxBytes)
        const peers = broadcastPeers(`confab-${shortHash(realpathSync(path), key)}`)
        return {
          journal,
          documents,
          pages: documents.pages,
          peers,
          async close() {
            peers.close()
            await documents.close()
            await journal.close()
          },
        }
      })
    },
    async lastOwner(relay) {
      const row = withOwners((db) => db.get('select owner from owners where relay = ?', relay))
      return row ? (JSON.parse(String(row.owner)) as StoreOwner) : null
    },
    async rememberOwner(owner) {
      withOwners((db) =>
        db.run(
          'insert into owners (relay, owner) values (?, ?) on conflict (relay) do update set owner = excluded.owner',
          owner.relay,
          JSON.stringify(owner),
        ),
      )
    },
  }
}

const OWNERS_SCHEMA = [
  'create table owners (relay text primary key, owner text not null) strict, without rowid',
]

const makeDirectory = (path: string) => void mkdirSync(path, { recursive: true, mode: 0o700 })
