/** All attachments of a conversation, fetched for when there is no network. */
import type { MediaRecord } from '@confab/core'
import type { Surface } from '../surface.ts'
import type { MediaDownload } from '../types.ts'
import type { Attachment, MediaLibrary } from './library.ts'

/** Messages read at a time, and attachments fetched at a time. */
const PAGE = 100
const AT_ONCE = 3

export async function fetchAll(
  surface: Surface,
  library: MediaLibrary,
  conversation: string,
  onProgress: (progress: MediaDownload) => void,
  signal: AbortSignal,
): Promise<MediaDownload> {
  const all = await attachmentsOf(surface, conversation, signal)
  const bytesTotal = all.reduce((sum, { record }) => sum + record.size, 0)
  const received = new Map<string, number>()
  let files = 0
  let failed = 0
  const progress = (): MediaDownload => ({
    files,
    filesTotal: all.length,
    bytes: [...received.values()].reduce((sum, bytes) => sum + bytes, 0),
    bytesTotal,
    failed,
  })
  const waiting = [...all]
  const hands = Array.from({ length: AT_ONCE }, async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) {
      const { record } = one
      try {
        if (!(await library.isHere(one))) {
          const take = (bytes: number) => {
            received.set(record.sid, bytes)
            onProgress(progress())
          }
          await library.content(one, take, signal)
        }
        received.set(record.sid, record.size)
        files++
      } catch (error) {
        signal.throwIfAborted()
        received.delete(record.sid)
        failed++
        surface.engine.local.warn('An attachment could not be fetched', error)
      }
      onProgress(progress())
    }
  })
  await Promise.all(hands)
  return progress()
}

/** The newest first: should the room end, these are here. */
async function attachmentsOf(
  surface: Surface,
  conversation: string,
  signal: AbortSignal,
): Promise<Attachment[]> {
  const found: Attachment[] = []
  let anchor: number | undefined
  for (;;) {
    signal.throwIfAborted()
    const page = await surface.working().messages(conversation, {
      count: PAGE,
      direction: 'backwards',
      ...(anchor === undefined ? {} : { anchor }),
    })
    for (const { record, status } of [...page.items].reverse()) {
      const { sid: message, index } = record
      if (status === 'accepted')
        for (const one of record.media ?? []) found.push(attachment(one, conversation, message, index))
    }
    const first = page.items[0]
    if (!page.hasOlder || !first || page.absent) return found
    anchor = first.record.index - 1
  }
}

const attachment = (
  record: MediaRecord,
  conversation: string,
  message: string,
  index: number,
): Attachment => ({
  record,
  conversation,
  message,
  index,
})
