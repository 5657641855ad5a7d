import { ConfabError, type MediaRecord } from '@confab/core'
import { CancellablePromise } from './cancellable-promise.ts'
import type { MediaCategory } from './types.ts'

/** An attachment of a message: what is known of it without its bytes. */
export class Media {
  readonly #record: MediaRecord

  /** @internal */
  constructor(record: MediaRecord) {
    this.#record = record
  }

  /** `ME` and 32 hex digits. */
  get sid(): string {
    return this.#record.sid
  }

  get filename(): string | null {
    return this.#record.filename ?? null
  }

  get contentType(): string {
    return this.#record.contentType
  }

  /** Bytes. */
  get size(): number {
    return this.#record.size
  }

  /** What it is in its message: an attachment, or the body or the history of an email. */
  get category(): MediaCategory {
    return this.#record.category
  }

  /**
   * Where it can be fetched, for a while.
   * @throws ConfabError 20404 when it can't be
   */
  getContentTemporaryUrl(): CancellablePromise<string | null> {
    return new CancellablePromise((_resolve, reject) => reject(notStored(this.sid)))
  }
}

/** This relay stores no attachments, so it has none to give. */
const notStored = (sid: string) => new ConfabError(20404, `The relay holds no content of ${sid}`)

/** Where each of these attachments can be fetched. */
export function contentUrls(sids: string[]): CancellablePromise<Map<string, string>> {
  const [first] = sids
  return first === undefined
    ? resolved(new Map<string, string>())
    : new CancellablePromise((_resolve, reject) => reject(notStored(first)))
}

export function resolved<T>(value: T): CancellablePromise<T> {
  return new CancellablePromise((resolve) => resolve(value))
}

/** Why a message with attachments isn't sent, and nothing of it kept. */
export const mediaRefused = () =>
  new ConfabError(20001, 'Attachments are not supported yet: this message was neither sent nor kept')
