/** Attachments put together: options, blobs, uploads, and the HTTP in front. */

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HttpHandler } from '../gateway/http.ts'
import type { StoredMedia } from '../store/media.ts'
import type { Store } from '../store/store.ts'
import { backUp, type CopiedContent } from './backup.ts'
import { diskBlobs, FOLDER_RIGHTS } from './disk-blobs.ts'
import { type EndpointsOptions, mediaEndpoints } from './endpoints.ts'
import { Keeping, type KeepingParts } from './keeping.ts'
import { Media, type MediaParts } from './media.ts'
import { largestOf, type MediaOptions, mediaSettings } from './options.ts'
import { Uploads } from './uploads.ts'
import { UrlTokens } from './url-tokens.ts'

export interface OpenMediaOptions
  extends Pick<MediaParts, 'onMediaAdd' | 'figures' | 'now' | 'log'>,
    Pick<KeepingParts, 'after'> {
  /** The relay's database: a file, or `':memory:'`. */
  database: string
  options: Partial<MediaOptions>
  store: Store
  authenticate: EndpointsOptions['authenticate']
}

export interface OpenMedia {
  readonly media: Media
  readonly keeping: Keeping
  readonly handler: HttpHandler
  /** Where a server of the service reads an attachment, for as long as `urlExpiry`: a path. */
  pathOf(media: Pick<StoredMedia, 'serviceSid' | 'sid'>): string
  /** As `backUp` does. */
  backUp(copy: string, copyDatabase: (copy: string) => Promise<void>): Promise<CopiedContent>
  close(): Promise<void>
}

export async function openMedia(options: OpenMediaOptions): Promise<OpenMedia> {
  const { database, store, now, log } = options
  const isPassing = database === ':memory:' && options.options.directory === undefined
  const directory = isPassing
    ? mkdtempSync(join(tmpdir(), 'confab-media-'))
    : (options.options.directory ?? `${database}-media`)
  const uploadsFolder = join(directory, 'uploads')
  mkdirSync(uploadsFolder, { recursive: true, mode: FOLDER_RIGHTS })
  const blobs = options.options.store ?? diskBlobs(join(directory, 'content'))
  const settings = mediaSettings({ ...options.options, directory, store: blobs })
  const { uploadExpiry, maxRequests, urlExpiry } = settings
  const refused = (code: number) => options.figures?.refused(code)
  const maxBytes = largestOf(settings)
  const uploads = new Uploads({ directory: uploadsFolder, maxBytes, expiry: uploadExpiry, refused, now, log })
  const keeping = new Keeping({
    ...options,
    options: settings,
    blobs,
    store: store.media,
    endUpload: (upload) => uploads.end(upload),
  })
  const media = new Media({
    ...options,
    options: settings,
    blobs,
    keeping,
    newFile: () => join(uploadsFolder, randomBytes(16).toString('hex')),
  })
  uploads.media = media
  await uploads.clearStrays()
  await media.start()
  const tokens = new UrlTokens(await signingKey(store))
  return {
    media,
    keeping,
    handler: mediaEndpoints({
      media,
      uploads,
      tokens,
      authenticate: options.authenticate,
      ...(options.figures && { figures: options.figures }),
      maxRequests,
      urlExpiry,
      now,
      log,
    }),
    pathOf: ({ serviceSid, sid }) =>
      tokens.path({ serviceSid, sid, identity: null, expires: now() + urlExpiry }),
    backUp: (copy, copyDatabase) =>
      keeping.holding(() =>
        backUp(copy, options.options.store ? null : join(directory, 'content'), copyDatabase),
      ),
    async close() {
      await media.stop()
      if (isPassing) rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Made once and kept: addresses outlive a restart. */
async function signingKey({ objects }: Store): Promise<Uint8Array> {
  const stored = await objects.get('relay', 'key', 'media-urls')
  if (typeof stored?.value === 'string') return Buffer.from(stored.value, 'base64')
  const key = randomBytes(32)
  await objects.put('relay', 'key', 'media-urls', key.toString('base64'))
  return key
}
