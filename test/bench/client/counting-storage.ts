/** A storage that tells which documents of conversations are opened and closed. */
import { isSid } from '@confab/core'
import type { Storage } from '../../../packages/client/src/storage/storage.ts'

export interface CountingStorage extends Storage {
  readonly opened: string[]
  readonly closed: string[]
  /** Resolves when so many have been closed. */
  whenClosed(count: number): Promise<void>
}

export function counting(storage: Storage): CountingStorage {
  const opened: string[] = []
  const closed: string[] = []
  let wake = () => {}
  return {
    ...storage,
    opened,
    closed,
    async whenClosed(count) {
      while (closed.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
    async open(owner) {
      const store = await storage.open(owner)
      return {
        ...store,
        documents: {
          remove: (document, epoch) => store.documents.remove(document, epoch),
          open(document, epoch, doc) {
            if (!isSid('CH', document)) return store.documents.open(document, epoch, doc)
            opened.push(document)
            const kept = store.documents.open(document, epoch, doc)
            return {
              ...kept,
              async close() {
                await kept.close()
                closed.push(document)
                wake()
              },
            }
          },
        },
        close: () => store.close(),
      }
    },
  }
}
