/**
 * Attachments of a relay: what comes in is declared, brought whole, checked against its hash and by the app, and is
 * ready for one message.
 */
import { createHash, randomBytes } from 'node:crypto'
import { rm, stat, writeFile } from 'node:fs/promises'
import { ConfabError, cleanFileName, type MediaRecord } from '@confab/core'
import type { Hooks } from '../hooks.ts'
import type { StoredMedia } from '../store/media.ts'
import type { Store } from '../store/store.ts'
import type { BlobStore, ByteRange } from './blobs.ts'
import { fileHash } from './file-hash.ts'
import type { Keeping } from './keeping.ts'
import { isTaken, limitsOf, type MediaOptions } from './options.ts'
import { Turns } from './turns.ts'

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

/** What a server or a channel brings: anybody's message of it may have it. */
export type Brought = Pick<Declared, 'serviceSid' | 'category' | 'filename' | 'contentType'> &
  Partial<Pick<Declared, 'sid' | 'conversationSid' | 'hash'>>

/** Told of what comes, of what goes out, and of what is refused. */
export interface MediaFigures {
  taken(bytes: number): void
  given(bytes: number): void
  refused(code: number): void
}

export interface MediaParts {
  options: MediaOptions
  blobs: Pick<BlobStore, 'read'>
  keeping: Keeping
  store: Pick<Store, 'media' | 'keyOf' | 'isMember'>
  onMediaAdd: Hooks['onMediaAdd']
  /** A file that there isn't yet, on the disk of the uploads. */
  newFile(): string
  figures?: MediaFigures
  now(): number
  log: {
    info(details: object, message: string): void
    error(details: object, message: string): void
  }
}

export class Media {
  readonly #parts: MediaParts
  readonly #keeping: Keeping
  readonly #begun = new Turns()
  #isStopped = false

  constructor(parts: MediaParts) {
    this.#parts = parts
    this.#keeping = parts.keeping
  }

  get #store() {
    return this.#parts.store.media
  }

  /** Asks again about what the run before was asking, and begins to clear away what has expired. */
  async start(): Promise<void> {
    for (const media of await this.#store.checking()) this.#check(media)
    this.#keeping.start()
  }

  async stop(): Promise<void> {
    // whom the app has not judged it is asked about again at the next start
    this.#isStopped = true
    await this.#begun.over()
    await this.#keeping.stop()
  }

  /** Clears away what nobody has any more. Called when something was removed. */
  sweep(): void {
    this.#keeping.sweep()
  }

  // ── coming in ─────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes room for an attachment.
   * @throws ConfabError 20404 when the conversation isn't one of theirs, 70105 for a sid that is in use, 70608 and 70609
   * for what isn't taken, 20429 for too much that no message has, 70502 when the relay is full
   */
  declare(declared: Declared): Promise<void> {
    // what is begun at once is counted one by one
    return this.#begun.take('', () => this.#declare(declared))
  }

  async #declare(declared: Declared): Promise<void> {
    const { now } = this.#parts
    const { serviceSid, sid, identity, conversationSid } = declared
    this.#checkKind(declared)
    if (conversationSid !== null && !(await this.#isIn(serviceSid, conversationSid, identity)))
      throw new ConfabError(20404)
    const before = await this.#store.find(serviceSid, sid)
    if (before && (before.identity !== identity || before.messageSid !== null || isWhole(before)))
      throw new ConfabError(70105)
    await this.#checkShare(declared, before)
    await this.#checkRoom(declared.size - (before?.size ?? 0))
    const at = now()
    await this.#store.put({
      ...declared,
      messageSid: null,
      state: 'uploading',
      refusal: null,
      dateCreated: at,
      dateUpdated: at,
    })
    if (before?.upload) await this.#keeping.clearUpload(before.upload)
  }

  #checkKind({ serviceSid, size, contentType }: Pick<Declared, 'serviceSid' | 'size' | 'contentType'>): void {
    const { maxBytes, types } = limitsOf(this.#parts.options, serviceSid)
    if (size > maxBytes) throw tooLarge(maxBytes)
    if (!isTaken(types, contentType)) throw new ConfabError(70609, `This relay takes ${types.join(', ')}`)
  }

  async #checkShare({ serviceSid, identity, size }: Declared, before: StoredMedia | null): Promise<void> {
    if (identity === null) return
    const { maxWaiting, maxWaitingBytes } = this.#parts.options
    const { count, bytes } = await this.#store.unclaimed(serviceSid, identity)
    if (count - (before ? 1 : 0) >= maxWaiting || bytes - (before?.size ?? 0) + size > maxWaitingBytes)
      throw new ConfabError(20429, 'Too many attachments that no message has: post some, or wait')
  }

  /** @param more bytes */
  async #checkRoom(more: number): Promise<void> {
    const { bytes, uploadBytes } = await this.#store.usage()
    if (bytes + uploadBytes + more > this.#parts.options.maxTotalBytes)
      throw new ConfabError(70502, 'The relay has no room for attachments')
  }

  /** Something of an upload came. False: it was withdrawn meanwhile, or given up. */
  goesOn(upload: string): Promise<boolean> {
    return this.#store.advance(upload, this.#parts.now())
  }

  /**
   * An upload is whole: a file of its size, which is gone afterwards.
   * @throws ConfabError 70607 when its content is not what its hash says; then nothing of it is left. 20404 when it was
   * withdrawn or given up meanwhile
   */
  async arrived(media: StoredMedia & { upload: string }, file: string): Promise<StoredMedia> {
    const { onMediaAdd } = this.#parts
    const state = onMediaAdd ? 'checking' : 'ready'
    try {
      await this.#take(media, file, state)
    } catch (error) {
      const isOver = (await this.#store.ofUpload(media.upload))?.state !== 'uploading'
      if (!isOver) throw error
      this.sweep()
      throw error instanceof ConfabError && error.code === 70607 ? error : new ConfabError(20404)
    }
    this.#parts.figures?.taken(media.size)
    await this.#keeping.clearUpload(media.upload)
    const whole: StoredMedia = { ...media, state }
    if (state === 'checking') this.#check(whole)
    return whole
  }

  async #take(
    media: StoredMedia & { upload: string },
    file: string,
    state: 'checking' | 'ready',
  ): Promise<void> {
    const { hash, size, sid, upload } = media
    if ((await fileHash(file)) !== hash || (await stat(file)).size !== size) {
      await this.#store.remove(media)
      await this.#keeping.clearUpload(upload)
      throw new ConfabError(70607, `The content of ${sid} is not what its hash says`)
    }
    await this.#keeping.keep(hash, file, async () => {
      if (!(await this.#store.complete(upload, state, this.#parts.now()))) throw new ConfabError(20404)
    })
  }

  /**
   * Takes what a server or a channel brings, as it comes; under a sid of its own, if it says none.
   * @param length its bytes, if that is known ahead
   * @throws ConfabError 70607 when its content is not what its hash says, 70608 and 70609 for what isn't taken, 70502 when the relay is full; then nothing of it is left
   */
  async bring(
    brought: Brought,
    content: AsyncIterable<Uint8Array>,
    length: number | null,
  ): Promise<StoredMedia> {
    const { options, newFile, now, onMediaAdd, figures } = this.#parts
    const file = newFile()
    try {
      this.#checkKind({ ...brought, size: length ?? 0 })
      await this.#checkRoom(length ?? 0)
      const { maxBytes } = limitsOf(options, brought.serviceSid)
      const { size, hash } = await written(file, content, maxBytes)
      if (brought.hash !== undefined && brought.hash !== hash)
        throw new ConfabError(70607, `The content of ${brought.sid} is not what its hash says`)
      if (length === null) await this.#checkRoom(size)
      const at = now()
      const media: StoredMedia = {
        sid: `ME${randomBytes(16).toString('hex')}`,
        conversationSid: null,
        ...brought,
        filename: cleanFileName(brought.filename ?? '') || null,
        identity: null,
        messageSid: null,
        size,
        hash,
        state: onMediaAdd ? 'checking' : 'ready',
        refusal: null,
        upload: null,
        dateCreated: at,
        dateUpdated: at,
      }
      await this.#keeping.keep(hash, file, () => this.#store.put(media))
      figures?.taken(size)
      if (media.state === 'checking') this.#check(media)
      return media
    } catch (error) {
      if (error instanceof ConfabError) figures?.refused(error.code)
      throw error
    } finally {
      await rm(file, { force: true })
    }
  }

  /** What is whole, for a server of the service: in a message or not, its app asked or not yet. */
  async ofService(serviceSid: string, sid: string): Promise<StoredMedia | null> {
    const media = await this.#store.find(serviceSid, sid)
    return media && isWhole(media) ? media : null
  }

  /** For this conversation from now on. False: it is for another one, a message has it, or it isn't there. */
  assign({ serviceSid, sid }: StoredMedia, conversationSid: string): Promise<boolean> {
    return this.#store.assign(serviceSid, sid, conversationSid)
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
  async withdraw(media: StoredMedia): Promise<boolean> {
    const isGone = await this.#store.remove(media)
    if (isGone && media.upload) await this.#keeping.clearUpload(media.upload)
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
    if ((await this.#store.judge(media, refusal, now())) && refusal) {
      log.info({ media: media.sid }, 'an attachment was refused by the app')
      this.sweep()
    }
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

const tooLarge = (maxBytes: number) => new ConfabError(70608, `An attachment has at most ${maxBytes} bytes`)

/** Writes all of it into a new file, of which there may be a part when this throws. */
async function written(
  file: string,
  content: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ size: number; hash: string }> {
  const hash = createHash('sha256')
  let size = 0
  async function* counted() {
    for await (const piece of content) {
      size += piece.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      hash.update(piece)
      yield piece
    }
  }
  try {
    await writeFile(file, counted(), { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    throw new ConfabError(70502, 'The disk of the relay is full: try again later', { cause: error })
  }
  return { size, hash: hash.digest('hex') }
}
