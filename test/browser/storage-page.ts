/** What the storage tests do in a page. */

import * as Y from 'yjs'
import { indexedDB, memory } from '../../packages/client/src/storage/index.ts'
import { storeName } from '../../packages/client/src/storage/indexed-db.ts'
import {
  indexedDBDevice,
  indexedDBSentences,
} from '../../packages/client/src/storage/indexed-db-sentences.ts'
import type { StoreOwner } from '../../packages/client/src/storage/storage.ts'
import { newEntry, storageSentences, withStore } from '../../packages/client/src/storage/storage-suite.ts'

const sentences = [...storageSentences, ...indexedDBSentences]

export async function prove(sentence: string): Promise<void> {
  const found = sentences.find((one) => one.sentence === sentence)
  if (!found) throw new Error(`No such sentence: ${sentence}`)
  await found.prove(indexedDBDevice)
}

/** Appends one entry; gives its position, or the code of the error and the name of its cause. */
export async function append(owner: StoreOwner, id: string, body: string): Promise<number | string> {
  return withStore(indexedDB(), owner, async ({ journal }) => {
    try {
      const [entry] = await journal.write({ append: [{ ...newEntry(body), id }] })
      return entry?.position ?? 'nothing came back'
    } catch (error) {
      const { code, cause } = error as { code: number; cause: { name: string } }
      return `${code} ${cause.name}`
    }
  })
}

/** Text that doesn't get smaller when the browser compresses it. */
function noise(length: number): string {
  const chunks = Array.from({ length: length / 65_536 }, () =>
    String.fromCharCode(...crypto.getRandomValues(new Uint8Array(65_536))),
  )
  return chunks.join('')
}

/** The same, with a body of that many bytes. */
export const appendBytes = (owner: StoreOwner, id: string, length: number) => append(owner, id, noise(length))

export async function ids(owner: StoreOwner): Promise<string[]> {
  return withStore(indexedDB(), owner, async ({ journal }) =>
    (await journal.load()).entries.map(({ id }) => id),
  )
}

/** Opens a document where there is no room for what is pushed; gives what its copy holds afterwards. */
export async function overfill(
  owner: StoreOwner,
  length: number,
): Promise<{ compacted: number | string; stored: string[] }> {
  return withStore(indexedDB(), owner, async ({ documents }) => {
    const doc = new Y.Doc()
    const stored = documents.open('CH1', 1, doc)
    await stored.loaded
    const outbox = doc.getArray<string>('outbox/ada')
    outbox.push([noise(length)])
    outbox.push(['small'])
    const compacted = await stored.compact().then(
      () => 'compacted',
      (error: { code: number }) => error.code,
    )
    await stored.close()
    const copy = new Y.Doc()
    await documents.open('CH1', 1, copy).close()
    return { compacted, stored: copy.getArray<string>('outbox/ada').toArray() }
  })
}

let heard: Promise<unknown> | null = null
/** Keeps a store open in this tab and listens. */
export async function listen(owner: StoreOwner): Promise<void> {
  const store = await indexedDB().open(owner)
  heard = new Promise((resolve) => store.peers.onMessage(resolve))
}
export const whatWasHeard = () => heard
export async function post(owner: StoreOwner, message: unknown): Promise<void> {
  await withStore(indexedDB(), owner, async ({ peers }) => peers.post(message))
}

/** What somebody does who clears this site's data while a tab is open. */
export async function deleteJournal(owner: StoreOwner): Promise<void> {
  await new Promise((resolve, reject) => {
    const request = globalThis.indexedDB.deleteDatabase(storeName(owner))
    request.onsuccess = resolve
    request.onerror = reject
    request.onblocked = () => reject(new Error('the deletion was blocked'))
  })
}

let kept: Awaited<ReturnType<ReturnType<typeof indexedDB>['open']>> | null = null
export async function keepOpen(owner: StoreOwner): Promise<void> {
  kept = await indexedDB().open(owner)
}
export async function writeToKept(): Promise<number | string> {
  return (
    kept?.journal.write({ values: { a: 1 } }).then(
      () => 'written',
      (error: { code: number }) => error.code,
    ) ?? 'nothing is open'
  )
}

/** Opens both kinds in a frame that may not use IndexedDB; gives the code of the one and whether the other works. */
export async function openBoth(owner: StoreOwner): Promise<{ indexedDB: number | string; memory: number }> {
  const code = await indexedDB()
    .open(owner)
    .then(
      () => 'opened',
      (error: { code: number }) => error.code,
    )
  const entries = await withStore(memory(), owner, ({ journal }) =>
    journal.write({ append: [newEntry('kept')] }),
  )
  return { indexedDB: code, memory: entries.length }
}
