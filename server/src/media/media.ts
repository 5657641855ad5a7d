/**
 * Attachments of a relay: what comes in is declared, brought whole, checked against its hash and by the app, and is
 * ready for one message. What no message has, or no longer has, goes.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { ConfabError, type MediaRecord } from '@confab/core'
import type { Hooks } from '../hooks.ts'
import type { StoredMedia } from '../store/media.ts'
import type { Store } from '../store/store.ts'
import type { BlobStore, ByteRange } from './blobs.ts'
import { isTaken, type MediaOptions } from './options.ts'

/** Milliseconds between two looks for what has expired. */
const SWEEP_EVERY = 10 * 60 * 1000
/** Rows of one look. */
const AT_A_TIME = 100

/** What somebody is about to bring. */
export type Declared = Pick<
  StoredMedia,
  | 'serviceSid'
  | 'sid'
  | 'identity'
  | 'conversationSid'
  | 'category'
  | 'filename'
  | 'contentType'
  | 'size'
  | 'hash'
  | 'upload'
>

/** A person, or a server of the service (`identity` null). */
export interface Asker {
  serviceSid: string
  identity: string | null
}

export interface MediaParts {
  options: MediaOptions
  blobs: BlobStore
  store: Pick<Store, 'media' | 'keyOf' | 'isMember'>
  onMediaAdd: Hooks['onMediaAdd']
  /** Ends an upload and lets go of its bytes. */
  endUpload(upload: string): Promise<void>
  now(): number
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  log: {
    info(details: object, message: string): void
    error(details: object, message: string): void
  }
}

export class Media {
  readonly #parts: MediaParts
  /** Work on one content at a time: it isn't deleted while it is taken. */
  readonly #busy = new Map<string, Promise<unknown>>()
  #sweeping: Promise<void> | null = null
  #sweepAgain = false
  #cancelSweep = () => {}
  #isStopped = false

  constructor(parts: MediaParts) {
    this.#parts = parts
  }

  get #store() {
    return this.#parts.store.media
  }

  /** Asks again about what the run before was asking, and begins to clear away what has expired. */
  async start(): Promise<void> {
    for (const media of await this.#store.checking()) this.#check(media)
    this.#sweepLater()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelSweep()
    await this.#sweeping
    // whom the app has not judged it is asked about again at the next start
    await Promise.allSettled(this.#busy.values())
  }

  // ── coming in ─────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes room for an attachment.
   * @throws ConfabError 20404 when the conversation isn't one of theirs, 70105 for a sid that is in use, 70608 and 70609
   * for what isn't taken, 20429 for too much that no message has, 70502 when the relay is full
   */
  async declare(declared: Declared): Promise<void> {
    const { options, store, now } = this.#parts
    const { serviceSid, sid, identity, conversationSid } = declared
    if (declared.size > options.maxBytes)
      throw new ConfabError(70608, `An attachment has at most ${options.maxBytes} bytes`)
    if (!isTaken(options.types, declared.contentType))
      throw new ConfabError(70609, `This relay takes ${options.types.join(', ')}`)
    if (conversationSid !== null && !(await this.#isIn(serviceSid, conversationSid, identity)))
      throw new ConfabError(20404)
    const before = await store.media.find(serviceSid, sid)
    if (before && (before.identity !== identity || before.messageSid !== null || isWhole(before)))
      throw new ConfabError(70105)
    if (identity !== null) {
      const { count, bytes } = await store.media.unclaimed(serviceSid, identity)
      const others = before ? before.size : 0
      if (
        count - (before ? 1 : 0) >= options.maxWaiting ||
        bytes - others + declared.size > options.maxWaitingBytes
      )
        throw new ConfabError(20429, 'Too many attachments that no message has: post some, or wait')
    }
    if (options.maxTotalBytes < Number.MAX_SAFE_INTEGER) {
      const { bytes } = await store.media.usage()
      if (bytes + declared.size > options.maxTotalBytes)
        throw new ConfabError(70502, 'The relay has no room for attachments')
    }
    if (before?.upload) await this.#parts.endUpload(before.upload)
    const at = now()
    await store.media.put({
      ...declared,
      messageSid: null,
      state: 'uploading',
      refusal: null,
      dateCreated: at,
      dateUpdated: at,
    })
  }

  /**
   * It is whole: a file of its size, which is gone afterwards.
   * @throws ConfabError 70607 when its content is not what its hash says; then nothing of it is left
   */
  async arrived(media: StoredMedia, file: string): Promise<StoredMedia> {
    const found = await hashOf(file)
    if (found !== media.hash || (await stat(file)).size !== media.size) {
      await this.#store.remove(media.serviceSid, media.sid)
      await rm(file, { force: true })
      throw new ConfabError(70607, `The content of ${media.sid} is not what its hash says`)
    }
    const whole: StoredMedia = {
      ...media,
      state: this.#parts.onMediaAdd ? 'checking' : 'ready',
      dateUpdated: this.#parts.now(),
    }
    await this.#alone(media.hash, async () => {
      await this.#store.noteContent(media.hash)
      await this.#parts.blobs.put(media.hash, file)
      await this.#store.put(whole)
    })
    if (whole.state === 'checking') this.#check(whole)
    return whole
  }

  /** How far one's own attachment is. */
  async own({ serviceSid, identity }: Asker, sid: string): Promise<StoredMedia | null> {
    const media = await this.#store.find(serviceSid, sid)
    return media && media.identity === identity ? media : null
  }

  ofUpload(upload: string): Promise<StoredMedia | null> {
    return this.#store.ofUpload(upload)
  }

  /** Its author wants it no more. False: a message has it. */
  async withdraw({ serviceSid, sid }: StoredMedia): Promise<boolean> {
    const isGone = await this.#store.remove(serviceSid, sid)
    this.sweep()
    return isGone
  }

  // ── going out ─────────────────────────────────────────────────────────────────────────────────────

  /** An attachment that is whole, if it is there for who asks: a participant of its conversation, or its author. */
  async visible(asker: Asker, sid: string): Promise<StoredMedia | null> {
    const { serviceSid, identity } = asker
    const media = await this.#store.find(serviceSid, sid)
    if (media?.state !== 'ready') return null
    if (identity === null) return media
    const { conversationSid, messageSid } = media
    if (conversationSid === null || messageSid === null) return media.identity === identity ? media : null
    return (await this.#isIn(serviceSid, conversationSid, identity)) ? media : null
  }

  /** Null when the disk has lost it. */
  read({ hash }: StoredMedia, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | null> {
    return this.#parts.blobs.read(hash, range)
  }

  async #isIn(serviceSid: string, conversationSid: string, identity: string | null): Promise<boolean> {
    const { store } = this.#parts
    const key = await store.keyOf(serviceSid, conversationSid)
    return key !== null && (identity === null || (await store.isMember(key, identity)))
  }

  // ── the app's word ────────────────────────────────────────────────────────────────────────────────

  #check(media: StoredMedia): void {
    this.#ask(media).catch((error) => {
      // it is asked again at the next start; until then no message has it
      if (!this.#isStopped) this.#parts.log.error({ err: error, media: media.sid }, 'onMediaAdd failed')
    })
  }

  async #ask(media: StoredMedia): Promise<void> {
    const { onMediaAdd, now } = this.#parts
    const { serviceSid, conversationSid, identity } = media
    const answer = await onMediaAdd?.({
      serviceSid,
      conversationSid,
      identity,
      media: recordOf(media),
      read: async () => {
        const content = await this.read(media)
        if (!content) throw new ConfabError(20404, `The content of ${media.sid} is gone`)
        return content
      },
    })
    const { log } = this.#parts
    if (this.#isStopped) return
    const refusal = answer?.refuse === undefined ? null : { code: 70301, message: String(answer.refuse) }
    const current = await this.#store.find(serviceSid, media.sid)
    if (current?.state !== 'checking' || current.hash !== media.hash) return
    await this.#store.put({
      ...current,
      state: refusal ? 'refused' : 'ready',
      refusal,
      dateUpdated: now(),
    })
    if (refusal) {
      log.info({ media: media.sid }, 'an attachment was refused by the app')
      this.sweep()
    }
  }

  // ── going away ────────────────────────────────────────────────────────────────────────────────────

  /** Clears away content that nobody has any more. Called when something was removed. */
  sweep(): void {
    if (this.#isStopped) return
    if (this.#sweeping) {
      this.#sweepAgain = true
      return
    }
    this.#sweeping = this.#swept()
      .catch((error) => this.#parts.log.error({ err: error }, 'attachments could not be cleared away'))
      .finally(() => {
        this.#sweeping = null
        if (this.#sweepAgain && !this.#isStopped) {
          this.#sweepAgain = false
          this.sweep()
        }
      })
  }

  /** Resolves when nothing is being cleared away. */
  async swept(): Promise<void> {
    while (this.#sweeping) await this.#sweeping
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#parts.after(SWEEP_EVERY, () => {
      this.sweep()
      this.#sweepLater()
    })
    this.sweep()
  }

  async #swept(): Promise<void> {
    const { options, now, endUpload, blobs } = this.#parts
    for (const [state, expiry] of [
      ['uploading', options.uploadExpiry],
      ['whole', options.unusedExpiry],
    ] as const) {
      for (;;) {
        const stale = await this.#store.stale(now() - expiry, state, AT_A_TIME)
        for (const { serviceSid, sid, upload } of stale) {
          if (upload) await endUpload(upload)
          await this.#store.remove(serviceSid, sid)
        }
        if (stale.length < AT_A_TIME) break
      }
    }
    for (;;) {
      const released = await this.#store.released(AT_A_TIME)
      for (const hash of released) {
        await this.#alone(hash, async () => {
          if (!(await this.#store.hasContent(hash))) await blobs.delete(hash)
          await this.#store.settled(hash)
        })
      }
      if (released.length < AT_A_TIME) break
    }
  }

  #alone(hash: string, work: () => Promise<void>): Promise<void> {
    const before = this.#busy.get(hash) ?? Promise.resolve()
    const done = before.then(work, work).finally(() => {
      if (this.#busy.get(hash) === done) this.#busy.delete(hash)
    })
    this.#busy.set(hash, done)
    return done
  }
}

const isWhole = ({ state }: StoredMedia): boolean => state === 'ready' || state === 'checking'

/** As it stands in a message. */
export const recordOf = ({ sid, category, filename, contentType, size, hash }: StoredMedia): MediaRecord => ({
  sid,
  category,
  ...(filename !== null && { filename }),
  contentType,
  size,
  sha256: hash,
})

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}
