/** IndexedDB's requests and transactions as promises. */
import { ConfabError } from '@confab/core'

export function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Resolves once all of it is done, and as durable as it asked for. */
export function completed(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve()
    tx.onabort = () => reject(tx.error ?? new DOMException('The transaction was aborted', 'AbortError'))
  })
}

interface Opening {
  /** 1 when left out. */
  version?: number
  /** Makes what a database of version `from` lacks; 0: there was none. */
  create(db: IDBDatabase, tx: IDBTransaction, from: number): void
  /** Somebody who keeps an older version open doesn't let go. It is opened as soon as they do. */
  blocked?(): void
  /** It was closed: another tab wanted to upgrade or delete it, or the browser cleared it. */
  lost?(db: IDBDatabase): void
}

/** Rejects with `ConfabError` 70501 where there is no IndexedDB, and with what the browser says against opening it. */
export function openDatabase(
  name: string,
  { version = 1, create, blocked, lost }: Opening,
): Promise<IDBDatabase> {
  if (typeof globalThis.indexedDB === 'undefined') {
    return Promise.reject(new ConfabError(70501, 'This browser offers no IndexedDB here: use memory()'))
  }
  const request = indexedDB.open(name, version)
  request.onupgradeneeded = ({ oldVersion }) =>
    create(request.result, request.transaction as IDBTransaction, oldVersion)
  if (blocked) request.onblocked = blocked
  return result(request).then((db) => {
    // never stand in another tab's way
    db.onversionchange = () => {
      db.close()
      lost?.(db)
    }
    db.onclose = () => lost?.(db)
    return db
  })
}

/** Resolves once it is deleted, or will be as soon as other tabs let go of it. */
export function deleteDatabase(name: string): Promise<void> {
  const request = indexedDB.deleteDatabase(name)
  return new Promise((resolve, reject) => {
    request.onblocked = () => resolve()
    result(request).then(() => resolve(), reject)
  })
}
