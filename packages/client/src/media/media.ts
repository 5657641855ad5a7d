/**
 * Attachments: a chunk of its own, loaded a second after the start, and at once when something is attached or waits to
 * be sent. One library and one uploader for each client.
 */
import type { Surface } from '../surface.ts'
import { MediaLibrary } from './library.ts'
import { type Progress, type Tus, Uploader } from './uploader.ts'

export { indexedDBMedia } from '../storage/indexed-db-media.ts'
export { fetchAll } from './conversation-media.ts'
export { placeholderUrl } from './picture.ts'

/** Bytes that are kept when the app doesn't say. */
const BUDGET = 500 * 1000 * 1000

export interface MediaDesk {
  library: MediaLibrary
  uploader: Uploader
}

export async function openDesk(
  surface: Surface,
  tus: () => Promise<Tus>,
  budget = BUDGET,
): Promise<MediaDesk> {
  const { local } = surface.engine
  const relay = { url: surface.httpUrl, token: () => local.connection.token() }
  const store = await local.media()
  const library = new MediaLibrary({ local, store, relay, budget })
  let telling: Promise<unknown> = Promise.resolve()
  const tell = (progress: Progress) => {
    if (progress.state === 'complete') surface.uploads.delete(progress.message)
    else surface.uploads.set(progress.message, shown(progress))
    telling = telling.then(() => emit(surface, progress)).catch(() => {})
  }
  const changed = () => library.operationsChanged()
  const uploader = new Uploader({ local, store, relay, tus, tell, changed })
  const follow = (sid: string) => library.changed(sid)
  local.followers.add(follow)
  surface.onClose(async () => {
    local.followers.delete(follow)
    await uploader.close()
    await library.close()
  })
  local.attachments.work(uploader)
  uploader.look()
  return { library, uploader }
}

const shown = ({ sent, total, state, error }: Progress) => ({
  bytesSent: sent,
  bytesTotal: total,
  state,
  ...(error && { error }),
})

/** Events reach the most particular object first. */
async function emit(surface: Surface, progress: Progress): Promise<void> {
  const view = await surface.engine.message(progress.conversation, progress.message)
  const live = surface.find(progress.conversation)
  if (!view || !live) return
  const message = live.messages.show(view)
  const data = { message, ...shown(progress) }
  message.emit('uploadProgress', data)
  live.conversation.emit('uploadProgress', data)
  surface.client.emit('uploadProgress', data)
}
