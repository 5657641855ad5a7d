/** Brings attachments to a simulated relay, as a device's uploader does: late, only with a connection, and not always rightly. */
import type { MediaRecord } from '@confab/core'
import type { AttachmentWorker } from '../../packages/client/src/engine/attachments.ts'
import type { Engine } from '../../packages/client/src/engine/engine.ts'
import { SERVICE } from './link.ts'
import type { World } from './world.ts'

export class Porter implements AttachmentWorker {
  readonly #world: World
  readonly #engine: Engine
  readonly #identity: string
  readonly #isAlive: () => boolean
  #isDue = false

  constructor(world: World, engine: Engine, identity: string, isAlive: () => boolean) {
    this.#world = world
    this.#engine = engine
    this.#identity = identity
    this.#isAlive = isAlive
  }

  look(): void {
    if (this.#isDue) return
    this.#isDue = true
    const { time, random } = this.#world
    time.setTimeout(
      () => {
        this.#isDue = false
        if (this.#isAlive()) void this.#carry()
      },
      random.int(0, 3000),
    )
  }

  connectionChanged(): void {
    this.look()
  }

  heard(): void {}

  async #carry(): Promise<void> {
    const { journal, attachments, connection } = this.#engine.local
    for (const { id, document, operation } of journal.allPending()) {
      if (operation.type !== 'message.post' || !operation.media || attachments.isReady(id)) continue
      if (!connection.connected || !this.#world.relay()) continue
      // one that was begun anew elsewhere meanwhile, or whose last answer was wrong
      if (!this.#world.random.chance(0.1))
        for (const media of operation.media) await this.#bring(document, media)
      attachments.ready(id)
      this.#engine.local.conversation(document)?.sendReady()
    }
  }

  async #bring(conversationSid: string, media: MediaRecord): Promise<void> {
    const now = this.#world.time.now()
    const { media: store } = this.#world.store
    const there = await store.find(SERVICE, media.sid)
    if (there?.messageSid) return
    await store.put({
      serviceSid: SERVICE,
      sid: media.sid,
      identity: this.#identity,
      conversationSid,
      messageSid: null,
      category: media.category,
      filename: null,
      contentType: media.contentType,
      size: media.size,
      hash: media.sha256 as string,
      state: 'ready',
      refusal: null,
      upload: null,
      dateCreated: now,
      dateUpdated: now,
    })
  }
}
