/** Messages out of their rows, some hundred at a time. */
import type { MessageRecord } from '@confab/core'
import type { MessageQuery } from '../engine.ts'
import type { Store, StoredMessage } from '../store/store.ts'

/** Rows read at once. */
const CHUNK = 200

export async function* readMessages(
  store: Store,
  serviceSid: string,
  document: string,
  { from, direction = 'forward', limit = Number.POSITIVE_INFINITY }: MessageQuery = {},
): AsyncIterable<MessageRecord> {
  const key = await store.keyOf(serviceSid, document)
  if (key === null) return
  const backwards = direction === 'backward'
  let low = backwards ? 0 : Math.max(0, from ?? 0)
  let high = backwards && from !== undefined ? from + 1 : Number.MAX_SAFE_INTEGER
  for (let left = limit; left > 0; ) {
    const rows = await store.messageRange(key, low, high, Math.min(CHUNK, left), backwards)
    for (const { record } of rows) yield record
    if (rows.length < CHUNK) return
    left -= rows.length
    const { index } = (rows.at(-1) as StoredMessage).record
    if (backwards) high = index
    else low = index + 1
  }
}
