/** What the store keeps of attachments: whose each is, how far it came, and which message has it. Content lies in blobs. */
import type { MediaRecord } from '@confab/core'

/** `uploading`: not whole yet; `checking`: the app is asked; `ready`: a message may have it; `refused`: the app said no. */
export type MediaState = 'uploading' | 'checking' | 'ready' | 'refused'

export interface StoredMedia {
  serviceSid: string
  sid: string
  /** Who put it there; null: a server or a channel. */
  identity: string | null
  /** For which conversation; null: for whichever names it first. */
  conversationSid: string | null
  /** The message that has it, once one does. */
  messageSid: string | null
  category: MediaRecord['category']
  filename: string | null
  contentType: string
  /** Bytes. */
  size: number
  /** SHA-256 of the content, in hex. */
  hash: string
  state: MediaState
  /** Why it was refused. */
  refusal: { code: number; message: string } | null
  /** Its upload, as tus names it; null when it came in another way. */
  upload: string | null
  /** Milliseconds since the epoch. */
  dateCreated: number
  dateUpdated: number
}

/** How much there is. */
export interface MediaUsage {
  /** Contents that something whole has, each once, and their bytes. */
  count: number
  bytes: number
  /** Uploads that aren't whole, and what they are to have. */
  uploads: number
  uploadBytes: number
}

export interface MediaStore {
  find(serviceSid: string, sid: string): Promise<StoredMedia | null>
  ofUpload(upload: string): Promise<StoredMedia | null>
  /** Makes it, in the place of one of the same sid that no message has. */
  put(media: StoredMedia): Promise<void>
  /** An upload goes on. False: there is none that isn't whole. */
  advance(upload: string, at: number): Promise<boolean>
  /** All of an upload is here. False: it has gone meanwhile, or was whole before. */
  complete(upload: string, state: 'checking' | 'ready', at: number): Promise<boolean>
  /** What the app said of this content. False: it isn't what the app was asked about any more. */
  judge(
    media: Pick<StoredMedia, 'serviceSid' | 'sid' | 'hash'>,
    refusal: StoredMedia['refusal'],
    at: number,
  ): Promise<boolean>
  /** For this conversation from now on. False: it is for another one, a message has it, or it isn't there. */
  assign(serviceSid: string, sid: string, conversationSid: string): Promise<boolean>
  /** False: it isn't there any more, was begun anew with another upload, or a message has it. */
  remove(media: Pick<StoredMedia, 'serviceSid' | 'sid' | 'upload'>): Promise<boolean>
  /** Removes those that no message has and that nothing has happened to since then, the oldest first; says how many. */
  expire(before: number, state: 'uploading' | 'whole', limit: number): Promise<number>
  /** How much somebody has put there that no message has. */
  unclaimed(serviceSid: string, identity: string): Promise<{ count: number; bytes: number }>
  /** Those that the app hasn't answered about. */
  checking(): Promise<StoredMedia[]>
  /** Whether anything that is whole has this content. */
  hasContent(hash: string): Promise<boolean>
  /** Content that is about to be kept: it is looked at when nothing has it. */
  noteContent(hash: string): Promise<void>
  /** Content that something had, or was about to have, and that may be nobody's any more. */
  released(limit: number): Promise<string[]>
  /** It was looked at: it is gone, or something has it. */
  settled(hash: string): Promise<void>
  /** Uploads that are over, whole or not, and may still have bytes. */
  ended(limit: number): Promise<string[]>
  /** It has none any more. */
  cleared(upload: string): Promise<void>
  /** At no cost that grows with what is there. */
  usage(): Promise<MediaUsage>
}
