/** How content stays and goes: kept before anything refers to it, and cleared away when nothing does any more. */
import type { MediaStore } from '../store/media.ts'
import type { BlobStore } from './blobs.ts'
import type { MediaOptions } from './options.ts'
import { Turns } from './turns.ts'

/** Milliseconds between two looks for what has expired. */
const SWEEP_EVERY = 10 * 60 * 1000
/** Rows of one look. */
const AT_A_TIME = 100

export interface KeepingParts {
  options: Pick<MediaOptions, 'uploadExpiry' | 'unusedExpiry'>
  blobs: BlobStore
  store: MediaStore
  /** Lets go of an upload's bytes. */
  endUpload(upload: string): Promise<void>
  now(): number
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  log: { error(details: object, message: string): void }
}

export class Keeping {
  readonly #parts: KeepingParts
  /** One thing at a time with one content: it isn't deleted while it is taken. */
  readonly #contents = new Turns()
  #sweeping: Promise<void> | null = null
  #sweepAgain = false
  #cancelSweep = () => {}
  /** Copies under way that nothing may be cleared away before. */
  #holding = 0
  #isStopped = false

  constructor(parts: KeepingParts) {
    this.#parts = parts
  }

  /** Looks for what is over from now on. */
  start(): void {
    this.#cancelSweep = this.#parts.after(SWEEP_EVERY, () => this.start())
    this.sweep()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelSweep()
    await this.#sweeping
    await this.#contents.over()
  }

  /**
   * Takes a file, which is gone afterwards, as the content of this hash.
   * @param refer makes something refer to it; if it throws, the content is looked at again, and goes unless it is
   * somebody else's
   */
  keep(hash: string, file: string, refer: () => Promise<void>): Promise<void> {
    const { store, blobs } = this.#parts
    return this.#contents.take(hash, async () => {
      await store.noteContent(hash)
      await blobs.put(hash, file)
      await refer()
    })
  }

  async clearUpload(upload: string): Promise<void> {
    await this.#parts.endUpload(upload)
    await this.#parts.store.cleared(upload)
  }

  /** Clears away what has expired, and what nobody has any more. */
  sweep(): void {
    if (this.#isStopped || this.#holding > 0) return
    if (this.#sweeping) {
      this.#sweepAgain = true
      return
    }
    this.#sweeping = this.#swept()
      .catch((error) => this.#parts.log.error({ err: error }, 'attachments could not be cleared away'))
      .finally(() => {
        this.#sweeping = null
        if (!this.#sweepAgain) return
        this.#sweepAgain = false
        this.sweep()
      })
  }

  /** Resolves when nothing is being cleared away. */
  async swept(): Promise<void> {
    while (this.#sweeping) await this.#sweeping
  }

  /** Clears nothing away until the work is done: what a copy of the database refers to stays where it is. */
  async holding<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#holding++
    try {
      await this.swept()
      return await work()
    } finally {
      this.#holding--
      this.sweep()
    }
  }

  async #swept(): Promise<void> {
    const { store, blobs } = this.#parts
    await this.#expire()
    await eachOf(
      () => store.ended(AT_A_TIME),
      (upload) => this.clearUpload(upload),
    )
    await eachOf(
      () => store.released(AT_A_TIME),
      (hash) =>
        this.#contents.take(hash, async () => {
          if (!(await store.hasContent(hash))) await blobs.delete(hash)
          await store.settled(hash)
        }),
    )
  }

  async #expire(): Promise<void> {
    const { options, store, now } = this.#parts
    const expiries = [
      ['uploading', options.uploadExpiry],
      ['whole', options.unusedExpiry],
    ] as const
    for (const [state, expiry] of expiries)
      while ((await store.expire(now() - expiry, state, AT_A_TIME)) === AT_A_TIME);
  }
}

/** Does the work for all of what is given in pieces, each gone from there once it is done. */
async function eachOf(next: () => Promise<string[]>, work: (one: string) => Promise<void>): Promise<void> {
  for (;;) {
    const some = await next()
    for (const one of some) await work(one)
    if (some.length < AT_A_TIME) return
  }
}
