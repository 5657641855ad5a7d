/** What a relay takes of attachments, and how much. */
import type { BlobStore } from './blobs.ts'

export interface MediaOptions {
  /** Folder of uploads under way, and of content unless `store` has it. Default: `<database>-media`. */
  directory: string
  /** Where content lies. Default: files in `directory`. */
  store: BlobStore
  /** Bytes of one attachment, at most. Default 256 MiB. */
  maxBytes: number
  /** Types that are taken, such as `image/*` or `application/pdf`. Default: all. */
  types: readonly string[]
  /** Attachments that one person has put here and that no message has yet, at most. Default 100. */
  maxWaiting: number
  /** The same, in bytes. Default 2 GiB, or `maxBytes` if that is more. */
  maxWaitingBytes: number
  /** Bytes of all content together, at most. Default: as much as the disk takes. */
  maxTotalBytes: number
  /** Milliseconds after which an upload that nobody goes on with is given up. Default a day. */
  uploadExpiry: number
  /** Milliseconds after which content goes that no message came to have. Default 30 days: a device may be away. */
  unusedExpiry: number
  /** Milliseconds that an address of `/media/urls` is good for. Default an hour. */
  urlExpiry: number
  /** Requests of one person about attachments that are answered at a time. Default 16. */
  maxRequests: number
}

export const DEFAULT_MEDIA: Readonly<Omit<MediaOptions, 'directory' | 'store'>> = Object.freeze({
  maxBytes: 256 * 1024 * 1024,
  types: ['*/*'],
  maxWaiting: 100,
  maxWaitingBytes: 2 * 1024 ** 3,
  maxTotalBytes: Number.MAX_SAFE_INTEGER,
  uploadExpiry: 24 * 60 * 60 * 1000,
  unusedExpiry: 30 * 24 * 60 * 60 * 1000,
  urlExpiry: 60 * 60 * 1000,
  maxRequests: 16,
})

/** All options, the defaults for those that aren't given. */
export function mediaSettings(
  given: Partial<MediaOptions> & Pick<MediaOptions, 'directory' | 'store'>,
): MediaOptions {
  const { maxBytes, maxWaitingBytes, types } = { ...DEFAULT_MEDIA, ...given }
  return {
    ...DEFAULT_MEDIA,
    ...given,
    maxWaitingBytes: given.maxWaitingBytes ?? Math.max(maxWaitingBytes, maxBytes),
    types: types.map((type) => type.toLowerCase()),
  }
}

/** Whether a content type, with or without parameters, is one of these. */
export function isTaken(types: readonly string[], contentType: string): boolean {
  const [essence = ''] = contentType.toLowerCase().split(';', 1)
  const [kind] = essence.split('/', 1)
  return types.some((type) => type === '*/*' || type === essence.trim() || type === `${kind}/*`)
}
