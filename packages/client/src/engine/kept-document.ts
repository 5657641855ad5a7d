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
  readonly #before: (() => Promise<unknown>) | undefined
  /** Whose changes are to be stored; its copy is opened in its turn. */
  #wanted: YDocument | null = null
  #copy: StoredDocument | null = null

  /** @param before what must be stored before a change of the document is */
  constructor(
    documents: Documents,
    name: DocumentName,
    warn: (message: string, error: unknown) => void,
    before?: () => Promise<unknown>,
  ) {
    this.#before = before
    this.#documents = documents
    this.#name = name
    this.#serial = new Serial((error) => warn('The stored copy of a document failed', error))
  }

  /** Whether changes of a document are being stored. */
  get keeping(): boolean {
    return this.#wanted !== null
  }

  /** Loads what is stored under the epoch. Gives an empty document when there is nothing, or nothing whole. */
  load<Doc extends YDocument>(epoch: number, make: (epoch: number) => Doc): Promise<Doc> {
    return new Promise((resolve) => {
      this.#serial.run(async () => {
        const loading = make(epoch)
        const copy = this.#documents.open(this.#name, epoch, loading.doc, this.#before)
        try {
          await copy.loaded
          if (loading.complete) {
            this.#wanted = loading
            this.#copy = copy
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
    if (this.#wanted) return
    this.#wanted = document
    this.#serial.run(() => this.#open(document)?.then(loaded))
  }

  /** Removes what is stored under the epoch. */
  remove(epoch: number): void {
    this.#wanted = null
    this.#serial.run(async () => {
      await this.#closeCopy()
      await this.#documents.remove(this.#name, epoch)
    })
  }

  /**
   * Stores `next` in place of the document of the epoch `old`.
   * @param saved resolves when it is on disk that `next` is the one to load: only then the old copy goes
   */
  replace(next: YDocument, old: number, saved: () => Promise<void>): void {
    this.#wanted = next
    this.#serial.run(async () => {
      await this.#closeCopy()
      if (next.epoch === old) await this.#documents.remove(this.#name, old)
      await this.#open(next)
      await saved()
      if (next.epoch !== old) await this.#documents.remove(this.#name, old)
    })
  }

  /** Rewrites what is stored, so that nothing removed remains in older rows. */
  compact(): void {
    this.#serial.run(() => this.#copy?.compact())
  }

  /** Stores what can still be stored, and stops. The document stays readable. */
  async close(): Promise<void> {
    this.#serial.run(() => {
      // only now: what was to be stored before must still be
      this.#wanted = null
      return this.#closeCopy()
    })
    await this.#serial.settled()
  }

  #open(document: YDocument): Promise<void> | undefined {
    if (this.#wanted !== document || this.#copy) return undefined
    this.#copy = this.#documents.open(this.#name, document.epoch, document.doc, this.#before)
    return this.#copy.loaded
  }

  async #closeCopy(): Promise<void> {
    const copy = this.#copy
    this.#copy = null
    await copy?.close()
  }
}
