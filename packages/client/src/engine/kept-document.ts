/**
 * The stored copy behind one document: loaded, thrown away when it turns out to have lost a write, replaced when
 * the relay starts an epoch, rewritten after a removal. Failures here are never fatal: what is stored is a cache.
 */
import type { DocumentName } from '@confab/core'
import type { Documents, StoredDocument } from '../storage/storage.ts'
import { Serial } from './serial.ts'
import type { YDocument } from './y-document.ts'

export class KeptDocument {
  readonly #documents: Documents
  readonly #name: DocumentName
  readonly #serial: Serial
  #stored: { copy: StoredDocument; of: YDocument } | null = null

  constructor(documents: Documents, name: DocumentName, warn: (message: string, error: unknown) => void) {
    this.#documents = documents
    this.#name = name
    this.#serial = new Serial((error) => warn('The stored copy of a document failed', error))
  }

  /** Whether changes of the document are being stored. */
  get keeping(): boolean {
    return this.#stored !== null
  }

  /** Loads what is stored under the epoch. Gives an empty document when there is nothing, or nothing whole. */
  load<Doc extends YDocument>(epoch: number, make: (epoch: number) => Doc): Promise<Doc> {
    return new Promise((resolve) => {
      this.#serial.run(async () => {
        const loading = make(epoch)
        const copy = this.#documents.open(this.#name, epoch, loading.doc)
        try {
          await copy.loaded
          if (loading.complete) {
            this.#stored = { copy, of: loading }
            resolve(loading)
            return
          }
        } catch {}
        resolve(make(epoch))
        await copy.close()
        await this.#documents.remove(this.#name, epoch)
      })
    })
  }

  /** Stores the document from now on, what it holds already included; `loaded` follows what was stored before. */
  keep(document: YDocument, loaded: () => void = () => {}): void {
    if (this.#stored) return
    const copy = this.#documents.open(this.#name, document.epoch, document.doc)
    this.#stored = { copy, of: document }
    this.#serial.run(() => copy.loaded.then(loaded))
  }

  /** Removes the stored copy, if there is one, and stores `next` in its place. */
  replace(next: YDocument | null, epochs: readonly number[]): void {
    const old = this.#stored
    this.#stored = null
    this.#serial.run(async () => {
      await old?.copy.close()
      for (const epoch of epochs) await this.#documents.remove(this.#name, epoch)
      if (next) this.keep(next)
    })
  }

  /** Rewrites what is stored, so that nothing removed remains in older rows. */
  compact(): void {
    this.#serial.run(async () => {
      await this.#stored?.copy.compact()
    })
  }

  /** Stores what can still be stored, and stops. The document stays readable. */
  async close(): Promise<void> {
    this.#serial.run(async () => {
      const old = this.#stored
      this.#stored = null
      await old?.copy.close()
    })
    await this.#serial.settled()
  }
}
