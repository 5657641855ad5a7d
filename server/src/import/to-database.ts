/** A relay's database as what an import goes to, while no relay runs on it. */
import { ConfabError } from '@confab/core'
import { createEngine } from '../commit/create-engine.ts'
import { openMedia } from '../media/open-media.ts'
import type { MediaOptions } from '../media/options.ts'
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts'
import { takeAttachment, takePiece } from './import.ts'
import type { ImportTarget } from './run.ts'

/** @throws ConfabError 70502 when it can't be opened */
export async function toDatabase(
  database: string,
  serviceSid: string,
  mediaOptions: Partial<MediaOptions> = {},
): Promise<ImportTarget> {
  const store = openSqliteStore(database)
  const log = { info() {}, warn() {}, error: () => {} }
  // what is due by now is the relay's to do
  const engine = createEngine({ store, sealing: false, logger: log })
  const opened = await openMedia({
    database,
    options: mediaOptions,
    store,
    onMediaAdd: undefined,
    authenticate: () => Promise.reject(new ConfabError(20003)),
    now: Date.now,
    after: () => () => {},
    log,
  }).catch(async (error) => {
    await engine.drain()
    await store.close()
    throw error
  })
  const parts = { store, engine, media: opened.media, now: Date.now }
  return {
    take: (piece) => takePiece(parts, serviceSid, piece),
    attach: (conversationSid, attached, content) =>
      takeAttachment(parts, serviceSid, conversationSid, attached, {
        pieces: content.stream(),
        length: content.size,
      }),
    async close() {
      await engine.drain()
      await opened.close()
      await store.close()
    },
  }
}
