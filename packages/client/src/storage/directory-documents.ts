/**
 * Documents in SQLite, a row per update, and pages. On a connection of their own that doesn't wait for the disk: a power cut
 * may take the newest rows, which the relay and the journal have.
 */
import * as Y from 'yjs'
import { STORE_SCHEMA } from './directory-schema.ts'
import { openSqlite, type Sqlite } from './directory-sqlite.ts'
import { storageError } from './failure.ts'
import type { Documents, Pages, StoredDocument } from './storage.ts'
import { keepDocument, type Rows } from './stored-document.ts'

export function sqliteDocuments(
  file: string,
  maxBytes: number | undefined,
): Documents & { readonly pages: Pages; close(): Promise<void> } {
  const db = openSqlite(file, { synchronous: 'normal', schema: STORE_SCHEMA, maxBytes })
  const open = new Set<StoredDocument>()
  let closing: Promise<void> | null = null
  return {
    pages: sqlitePages(db),
    open(document, epoch, doc, before) {
      const kept = keepDocument(doc, Promise.resolve(rowsOf(db, document, epoch, doc)), before)
      open.add(kept)
      return {
        loaded: kept.loaded,
        compact: () => kept.compact(),
        async close() {
          await kept.close()
          open.delete(kept)
        },
      }
    },
    async remove(document, epoch) {
      try {
        db.run('delete from updates where document = ? and epoch = ?', document, epoch)
        db.checkpoint()
      } catch (cause) {
        throw storageError('remove a stored document', cause)
      }
    },
    close() {
      closing ??= Promise.all([...open].map((document) => document.close())).then(() => db.close())
      return closing
    },
  }
}

function sqlitePages(db: Sqlite): Pages {
  const attempt = async <T>(doing: string, work: () => T): Promise<T> => {
    try {
      return work()
    } catch (cause) {
      throw storageError(`${doing} of history`, cause)
    }
  }
  return {
    list: () =>
      attempt('list the pages', () =>
        db.all('select document, hash, length(bytes) as size, used from pages').map((row) => ({
          document: String(row.document),
          hash: String(row.hash),
          size: Number(row.size),
          used: Number(row.used),
        })),
      ),
    get: (document, hash, now) =>
      attempt('read a page', () => {
        const row = db.get(
          'update pages set used = ? where document = ? and hash = ? returning bytes',
          now,
          document,
          hash,
        )
        return row ? (row.bytes as Uint8Array) : null
      }),
    put: (document, hash, bytes, now) =>
      attempt('keep a page', () => {
        db.run(
          'insert or replace into pages (document, hash, bytes, used) values (?, ?, ?, ?)',
          document,
          hash,
          bytes,
          now,
        )
      }),
    delete: (document, hashes) =>
      attempt('remove a page', () => {
        for (const hash of hashes) db.run('delete from pages where document = ? and hash = ?', document, hash)
        // removed text is to leave the log as well
        db.checkpoint()
      }),
  }
}

function rowsOf(db: Sqlite, document: string, epoch: number, doc: Y.Doc): Rows {
  const origin = {}
  /** Rows up to this key were applied to the doc. */
  let seen = 0
  const insert = (update: Uint8Array) =>
    db.run('insert into updates (document, epoch, bytes) values (?, ?, ?)', document, epoch, update)
      .lastInsertRowid
  const apply = (): number => {
    const rows = db.all(
      'select key, bytes from updates where document = ? and epoch = ? and key > ? order by key',
      document,
      epoch,
      seen,
    )
    Y.transact(
      doc,
      () => {
        for (const row of rows) Y.applyUpdate(doc, row.bytes as Uint8Array)
      },
      origin,
      false,
    )
    seen = Number(rows.at(-1)?.key ?? seen)
    return rows.length
  }
  return {
    origin,
    async load(before, after) {
      before()
      const count = apply()
      after()
      return count
    },
    async append(updates) {
      db.transaction(() => {
        for (const update of updates) insert(update)
      })
    },
    async rewrite() {
      db.transaction(() => {
        apply()
        const state = insert(Y.encodeStateAsUpdate(doc))
        db.run('delete from updates where document = ? and epoch = ? and key < ?', document, epoch, state)
        seen = state
      })
      // removed text is to leave the log as well
      db.checkpoint()
    },
    async close() {},
  }
}
