/** Content by its SHA-256, wherever it lies. What has one hash is one blob, however many attachments have it. */

/** A part of a blob: both ends are in it. */
export interface ByteRange {
  start: number
  end: number
}

export interface BlobStore {
  /**
   * Takes a file as the content of this hash; durable when it resolves, and the file is gone. It may be there already.
   * @param hash 64 hex digits
   */
  put(hash: string, file: string): Promise<void>
  /** The content or a part of it; null when there is none. */
  read(hash: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array> | null>
  /** Whether or not there is any. */
  delete(hash: string): Promise<void>
}
