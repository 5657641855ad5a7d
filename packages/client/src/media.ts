import { ConfabError, type MediaRecord } from '@confab/core'
import { CancellablePromise } from './cancellable-promise.ts'
import type { Attachment } from './media/library.ts'
import type { MediaDesk } from './media/media.ts'
import { part } from './part.ts'
import type { Surface } from './surface.ts'
import type { MediaCategory } from './types.ts'

/** An attachment of a message. Its content is fetched when it is asked for, unless this device has it. */
export class Media {
  readonly #record: MediaRecord
  readonly #of: MessageOf | undefined

  /** @internal */
  constructor(record: MediaRecord, of?: MessageOf) {
    this.#record = record
    this.#of = of
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

  /** Pixels; null where the sender's device didn't look. */
  get width(): number | null {
    return this.#record.width ?? null
  }

  /** Pixels; null where the sender's device didn't look. */
  get height(): number | null {
    return this.#record.height ?? null
  }

  /**
   * Where it can be read, for a while: on this device when it is here, or fetched now because it is small; otherwise at
   * the relay, for an hour and for participants only. What could run script in a page is handed out as mere bytes.
   * @throws ConfabError 20404 when it can't be had, 70607 when what the relay has is damaged
   */
  getContentTemporaryUrl(): CancellablePromise<string | null> {
    return this.#work<string | null>(({ library }, one, signal) => library.url(one, signal))
  }

  /**
   * Its content, from this device or the relay; it is kept here then, as far as the room goes.
   * @param onProgress is told how many bytes are here
   * @throws ConfabError 20404 when it can't be had, 70607 when what the relay has is damaged
   */
  getContent(onProgress: (bytes: number) => void = () => {}): CancellablePromise<Blob> {
    return this.#work(({ library }, one, signal) => library.content(one, onProgress, signal))
  }

  /** A small picture (`data:` URL) to draw until the content is there; null when there is none. */
  async getPlaceholderUrl(): Promise<string | null> {
    const { placeholder } = this.#record
    return placeholder ? (await part(import('./media/media.ts'))).placeholderUrl(placeholder) : null
  }

  #work<T>(
    work: (desk: MediaDesk, one: Attachment, signal: AbortSignal) => Promise<T>,
  ): CancellablePromise<T> {
    return cancellable(async (signal) => {
      if (!this.#of) throw new ConfabError(20404, `Nobody has the content of ${this.sid}`)
      const { surface, ...message } = this.#of
      return work(await surface.media(), { record: this.#record, ...message }, signal)
    })
  }
}

export interface MessageOf extends Omit<Attachment, 'record'> {
  surface: Surface
}

/** Work that `cancel()` ends. */
export const cancellable = <T>(work: (signal: AbortSignal) => Promise<T>): CancellablePromise<T> =>
  new CancellablePromise((resolve, reject, onCancel) => {
    const stop = new AbortController()
    onCancel(() => stop.abort())
    work(stop.signal).then(resolve, reject)
  })

/** Where each of these attachments can be read. */
export const contentUrls = (
  surface: () => Promise<Surface> | Surface,
  sids: string[],
): CancellablePromise<Map<string, string>> =>
  cancellable(async (signal) => {
    if (sids.length === 0) return new Map<string, string>()
    return (await (await surface()).media()).library.urls(sids, signal)
  })
