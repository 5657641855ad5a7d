/**
 * The life of one stored document, the same over every kind of storage: what is loaded, which updates are
 * queued, what happens when a write fails. The rows themselves are the storage's.
 *
 * Rows always are a prefix of what the document went through: at the first failed write nothing more is
 * appended (a gap would leave pending structs behind), until a rewrite of the whole state succeeds.
 */
import * as Y from 'yjs'
import { storageError } from './failure.ts'
import type { StoredDocument } from './storage.ts'

/** The updates kept of one document, oldest first. */
export interface Rows {
  /** The origin of every transaction by which the rows change their doc. */
  readonly origin: unknown
  /**
   * Applies everything stored to the doc, in one transaction that is not local, with `before` and `after` called right
   * before and after it. Resolves to the number of rows.
   */
  load(before: () => void, after: () => void): Promise<number>
  /** One transaction; resolves when it is complete. */
  append(updates: Uint8Array[]): Promise<void>
  /** In one transaction: applies the rows that other clients appended, then replaces all rows by the doc's state. */
  rewrite(): Promise<void>
  close(): Promise<void>
}

/** Rows after which they are rewritten as one, as y-indexeddb does. */
const TRIM_AFTER = 500

/** Whether everything in the document is integrated: a stored copy that isn't lost a write, and is to be thrown away. */
export function isComplete(doc: Y.Doc): boolean {
  return doc.store.pendingStructs === null && doc.store.pendingDs === null
}

/**
 * Loads `doc` from its rows and keeps every update of it from then on.
 * @param before what must be stored before an update is
 */
export function keepDocument(
  doc: Y.Doc,
  opening: Promise<Rows>,
  before: () => Promise<unknown> = async () => {},
): StoredDocument {
  /** Updates not yet handed to the rows. What the doc held before it was opened is the first. */
  const queue: Uint8Array[] =
    doc.store.clients.size > 0 || !isComplete(doc) ? [Y.encodeStateAsUpdate(doc)] : []
  let rows: Rows | null = null
  let count = 0
  let broken = false
  let closing: Promise<void> | null = null

  const loaded = (async () => {
    try {
      rows = await opening
      // Yjs encodes a whole transaction again when anybody listens: for half as long as it took to read it
      count = await rows.load(
        () => doc.off('update', onUpdate),
        () => {
          if (!closing) doc.on('update', onUpdate)
        },
      )
    } catch (cause) {
      doc.off('update', onUpdate)
      queue.length = 0
      broken = true
      throw storageError('read a stored document', cause)
    }
  })()
  /** Everything asked of the rows, one after the other. Never rejects. */
  let work = loaded.then(drain, () => {})

  function onUpdate(update: Uint8Array, from: unknown): void {
    if (broken || (rows && from === rows.origin)) return
    queue.push(update)
    if (queue.length === 1) work = work.then(drain)
  }
  doc.on('update', onUpdate)

  async function drain(): Promise<void> {
    if (!rows || broken || queue.length === 0) return
    await before()
    const updates = queue.splice(0)
    try {
      await rows.append(updates)
      count += updates.length
      if (count >= TRIM_AFTER) await rewrite()
    } catch {
      // A cache: the relay and the journal have it all, and the rows so far are a valid older state.
      broken = true
      queue.length = 0
    }
  }

  async function rewrite(): Promise<void> {
    if (!rows) return
    // from here on updates are queued again: the state may be read before they come
    broken = false
    await rows.rewrite()
    count = 1
  }

  async function close(): Promise<void> {
    doc.off('update', onUpdate)
    doc.off('destroy', onDestroy)
    await loaded.catch(() => {})
    await work
    await rows?.close()
  }
  const closeOnce = () => (closing ??= close())
  const onDestroy = () => void closeOnce()
  doc.on('destroy', onDestroy)

  return {
    loaded,
    compact() {
      const before = work
      const done = loaded.then(async () => {
        await before
        if (closing) return
        await drain()
        await rewrite()
      })
      work = done.catch(() => {
        broken = true
        queue.length = 0
      })
      return done.catch((cause: unknown) => {
        throw storageError('rewrite a stored document', cause)
      })
    },
    close: closeOnce,
  }
}
