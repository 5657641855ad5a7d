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

export interface MediaStore {
  find(serviceSid: string, sid: string): Promise<StoredMedia | null>
  ofUpload(upload: string): Promise<StoredMedia | null>
  /** Makes it, in the place of one of the same sid that no message has. */
  put(media: StoredMedia): Promise<void>
  /** False: it isn't there any more, or a message has it. */
  remove(serviceSid: string, sid: string): Promise<boolean>
  /** How much somebody has put there that no message has. */
  unclaimed(serviceSid: string, identity: string): Promise<{ count: number; bytes: number }>
  /** Those that no message has and that nothing has happened to since then, the oldest first. */
  stale(before: number, state: 'uploading' | 'whole', limit: number): Promise<StoredMedia[]>
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
  /** Bytes and number of what is whole, each content once. */
  usage(): Promise<{ count: number; bytes: number }>
}
