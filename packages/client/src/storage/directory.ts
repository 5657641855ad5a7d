/** Storage in a directory, for Node: one SQLite file for each owner, shared by the processes that open it. */
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { StoreReport } from '../types.ts'
import { sqliteDocuments } from './directory-documents.ts'
import { sqliteJournal } from './directory-journal.ts'
import { directoryMedia } from './directory-media.ts'
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
        const used = () => bytesOf(filesOf(file)) + bytesOf(filesIn(mediaOf(file)))
        /** Bytes that may still be written. */
        const room = () => (options.maxBytes ?? Number.POSITIVE_INFINITY) - used()
        return {
          journal,
          documents,
          pages: documents.pages,
          media: async () =>
            attempt('open the folder of attachments', () => directoryMedia(mediaOf(file), room)),
          peers,
          usage: async () => ({
            used: used(),
            quota: options.maxBytes ?? null,
          }),
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
    async destroy(owner) {
      const owners = join(path, 'owners.sqlite')
      attempt('remove the store', () => {
        const store = join(path, `${ownerKey(owner)}.sqlite`)
        for (const file of filesOf(store)) rmSync(file)
        rmSync(mediaOf(store), { recursive: true, force: true })
        if (!existsSync(owners)) return
        const left = withOwners((db) => {
          const row = db.get('select owner from owners where relay = ?', owner.relay)
          if (row && ownerKey(JSON.parse(String(row.owner))) === ownerKey(owner))
            db.run('delete from owners where relay = ?', owner.relay)
          return db.get('select relay from owners')
        })
        if (!left) for (const file of filesOf(owners)) rmSync(file)
      })
    },
  }
}

/** Looks over the stores in a folder that no client has open. @throws when it holds none, or can't be read */
export async function examineStores(path: string): Promise<StoreReport[]> {
  return (await import('../doctor/doctor.ts')).examine(path)
}

/** A database and what SQLite keeps beside it, as far as they exist. */
const filesOf = (file: string): string[] =>
  ['', '-wal', '-shm', '-journal'].map((end) => file + end).filter((one) => existsSync(one))

/** The folder of an owner's attachments. */
const mediaOf = (file: string): string => file.replace(/sqlite$/, 'media')

const filesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []

/** One that went meanwhile has none. */
const bytesOf = (files: string[]): number =>
  files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)

const OWNERS_SCHEMA = [
  'create table owners (relay text primary key, owner text not null) strict, without rowid',
]

const makeDirectory = (path: string) => void mkdirSync(path, { recursive: true, mode: 0o700 })
