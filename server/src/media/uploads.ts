/** Uploads by tus: its well-kept server over files, and of ours what an upload is, whose, and what becomes of it. */

import { readdir, rm, statfs } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { ConfabError, cleanFileName, type ErrorBody, errorFromBody, isSid } from '@confab/core'
import { FileStore } from '@tus/file-store'
import { Server, type Upload } from '@tus/server'
import type { Principal } from '../engine.ts'
import type { StoredMedia } from '../store/media.ts'
import { cleanType } from './content-types.ts'
import type { Declared, Media } from './media.ts'

export const UPLOADS_PATH = '/media/uploads'
/** Free bytes below which a disk counts as full. */
const FULL = 1024 * 1024
/** Milliseconds between two notes that an upload goes on. */
const NOTED_EVERY = 5000

export interface UploadsOptions {
  directory: string
  maxBytes: number
  /** Milliseconds. */
  expiry: number
  /** Told of each refusal. */
  refused(code: number): void
  now(): number
  log: { error(details: object, message: string): void }
}

interface Watched {
  /** Files of an upload have been made. */
  made(upload: string): Promise<void>
  /** Pieces of an upload are about to come. */
  coming(upload: string, pieces: Readable): void
}

/**
 * Its folder is there before: made later and unasked, as its constructor does, that fails in nobody's hands when the
 * relay has closed meanwhile.
 */
function filesIn(directory: string, { made, coming }: Watched): FileStore {
  class Files extends FileStore {
    override async create(upload: Upload): Promise<Upload> {
      const created = await super.create(upload)
      await made(upload.id)
      return created
    }

    override write(readable: Readable, upload: string, offset: number): Promise<number> {
      coming(upload, readable)
      return super.write(readable, upload, offset)
    }
  }
  Object.assign(Files.prototype, { checkOrCreateDirectory() {} })
  return new Files({ directory })
}

export class Uploads {
  readonly #options: UploadsOptions
  readonly #files: FileStore
  readonly #tus: Server
  /** Who asks, by request. */
  readonly #askers = new WeakMap<object, Principal>()
  /** Uploads whose content is being taken. */
  readonly #finishing = new Map<string, Promise<StoredMedia | null>>()
  #media: Media | null = null

  constructor(options: UploadsOptions) {
    const { directory, maxBytes } = options
    this.#options = options
    // its own clock of expiry would look for what is whole and has gone elsewhere: `Media` clears away
    this.#files = filesIn(directory, {
      made: (upload) => this.#made(upload),
      coming: (upload, pieces) => this.#coming(upload, pieces),
    })
    this.#tus = new Server({
      path: UPLOADS_PATH,
      datastore: this.#files,
      relativeLocation: true,
      maxSize: maxBytes,
      // the relay says itself which pages may ask
      allowedOrigins: () => false,
      onUploadCreate: async ({ runtime }, { id, size, metadata }) => {
        const { principal, media } = this.#known(runtime?.node?.req)
        await media.declare(declaredOf(principal, id, size, metadata ?? {}))
        return {}
      },
      onUploadFinish: async (_, { id }) => {
        if (!(await this.finish(id))) throw new ConfabError(20404)
        return {}
      },
      onResponseError: (request, error) => this.#answerTo(request.url, error),
    })
  }

  /** The two know each other: set before the first request. */
  set media(media: Media) {
    this.#media = media
  }

  /**
   * Takes what is whole, once, however many find it so.
   * @returns null when there is no such upload
   * @throws what `Media.arrived` does
   */
  finish(id: string): Promise<StoredMedia | null> {
    const under = this.#finishing.get(id)
    if (under) return under
    const finished = this.#finish(id).finally(() => this.#finishing.delete(id))
    this.#finishing.set(id, finished)
    return finished
  }

  async #finish(id: string): Promise<StoredMedia | null> {
    const media = await this.#theMedia.ofUpload(id)
    if (media?.state !== 'uploading') return media
    return this.#theMedia.arrived({ ...media, upload: id }, join(this.#options.directory, id))
  }

  /** Whether all its bytes are here, though nobody was told yet. */
  async isWhole(id: string): Promise<boolean> {
    if (this.#finishing.has(id)) return true
    try {
      const { offset, size } = await this.#files.getUpload(id)
      return offset === size
    } catch {
      return false
    }
  }

  /** Lets go of its bytes and of what is known of it. */
  async end(id: string): Promise<void> {
    const { directory } = this.#options
    // both, whichever is still there: tus doesn't remove the one without the other
    for (const name of [id, `${id}.json`]) await rm(join(directory, name), { force: true })
  }

  /** Before the first request: files of no upload that goes on were left by a relay that died. */
  async clearStrays(): Promise<void> {
    const ids = new Set((await readdir(this.#options.directory)).map((name) => name.replace(/\.json$/, '')))
    for (const id of ids) if ((await this.#theMedia.ofUpload(id))?.state !== 'uploading') await this.end(id)
  }

  async handle(request: IncomingMessage, response: ServerResponse, principal: Principal): Promise<void> {
    this.#askers.set(request, principal)
    const { expiry, now } = this.#options
    if (request.method === 'POST')
      response.setHeader('upload-expires', new Date(now() + expiry).toUTCString())
    await this.#tus.handle(request, response)
  }

  get #theMedia(): Media {
    if (!this.#media) throw new Error('uploads came before there was anything to take them')
    return this.#media
  }

  #known(request: object | undefined): { principal: Principal; media: Media } {
    const principal = request && this.#askers.get(request)
    if (!principal) throw new ConfabError(20003)
    return { principal, media: this.#theMedia }
  }

  /** @throws ConfabError 70105 when its sid was begun anew while its files were made */
  async #made(upload: string): Promise<void> {
    if (await this.#theMedia.ofUpload(upload)) return
    await this.end(upload)
    throw new ConfabError(70105)
  }

  /** What comes goes on; what was withdrawn is given up in the middle. */
  #coming(upload: string, pieces: Readable): void {
    const { expiry, now } = this.#options
    let noted = Number.NEGATIVE_INFINITY
    pieces.on('data', () => {
      // either way: the clock may have been set back
      if (Math.abs(now() - noted) <= Math.min(expiry / 100, NOTED_EVERY)) return
      noted = now()
      this.#theMedia.goesOn(upload).then(
        (isThere) => isThere || pieces.destroy(new ConfabError(20404)),
        (error) => pieces.destroy(error),
      )
    })
  }

  async #answerTo(url: string, error: Failure) {
    const { status, body } = await this.#failure(new URL(url).pathname.slice(UPLOADS_PATH.length + 1), error)
    this.#options.refused(body.code)
    return { status_code: status, body: `${JSON.stringify({ ...body, status })}\n` }
  }

  /** @param id of the upload that was asked for; '' when one was to begin */
  async #failure(id: string, error: Failure): Promise<{ status: number; body: ErrorBody }> {
    if (error instanceof ConfabError) return error
    const { status_code: status = 500, body = '' } = error as { status_code?: number; body?: string }
    const media = id === '' ? null : await this.#theMedia.ofUpload(id)
    if (id !== '' && !media) return new ConfabError(20404)
    const isTaken = (media !== null && media.state !== 'uploading') || this.#finishing.has(id)
    // it stands elsewhere, or all of it is here since: whoever asks where it stands hears so
    if (status === 409 || ((status === 404 || status === 410) && isTaken)) return CONFLICT
    if (status < 500) return errorFromBody({ code: CODES[status] ?? 20001, message: body.trim() })
    const { bavail, bsize } = await statfs(this.#options.directory)
    if (bavail * bsize < FULL) return new ConfabError(70502, 'The disk of the relay is full: try again later')
    this.#options.log.error({ err: error }, 'failed: upload')
    return new ConfabError(20500)
  }
}

/** What tus throws, and what its hooks do. */
type Failure = Error | { status_code: number; body: string }

/** A piece for another place than the upload stands at: 409, by which tus clients ask for the place. */
export const CONFLICT = {
  status: 409,
  body: { code: 20001, message: 'The upload stands elsewhere: ask by HEAD', status: 409 },
}

const CODES: { [status: number]: number } = { 404: 20404, 410: 20404, 413: 70608 }

/** @throws ConfabError 20001 for what isn't said as docs/attachments.md has it */
function declaredOf(
  { serviceSid, identity }: Principal,
  upload: string,
  size: number | undefined,
  given: { [name: string]: string | null },
): Declared {
  const { sid, conversation, sha256, category = 'media' } = given
  const contentType = cleanType(given.filetype)
  if (!sid || !isSid('ME', sid)) throw new ConfabError(20001, 'sid must be ME and 32 hex digits')
  if (!conversation || !isSid('CH', conversation))
    throw new ConfabError(20001, 'conversation must be CH and 32 hex digits')
  if (!sha256 || !/^[0-9a-f]{64}$/.test(sha256)) throw new ConfabError(20001, 'sha256 must be 64 hex digits')
  if (contentType === null) throw new ConfabError(20001, 'filetype must be a content type')
  if (category !== 'media' && category !== 'body' && category !== 'history')
    throw new ConfabError(20001, 'category must be media, body or history')
  if (size === undefined) throw new ConfabError(20001, 'Upload-Length is required')
  return {
    serviceSid,
    sid,
    identity,
    conversationSid: conversation,
    category,
    filename: cleanFileName(given.filename ?? '') || null,
    contentType,
    size,
    hash: sha256,
    upload,
  }
}
