/** What content a database refers to that nobody has open, such as a copy. */
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

export interface StoredContent {
  /** SHA-256 in hex. */
  hash: string
  /** Bytes. */
  size: number
}

/** Each once. None for a database of before there were attachments, or for what is no database. */
export function storedContent(file: string): StoredContent[] {
  let db: DatabaseSync
  try {
    const url = pathToFileURL(file)
    // nothing is made beside it
    url.search = 'immutable=1'
    db = new DatabaseSync(url, { readOnly: true })
  } catch {
    return []
  }
  try {
    return db
      .prepare(
        "SELECT hash, max(size) AS size FROM media WHERE state IN ('ready', 'checking') GROUP BY hash ORDER BY hash",
      )
      .all() as unknown as StoredContent[]
  } catch {
    return []
  } finally {
    db.close()
  }
}
