/** Fetches in the background what the policy wants on this device: one page after the other, never in a hurry. */
import type { LocalConversation } from './conversation.ts'
import type { ConversationHost } from './host.ts'

/** Milliseconds between two pages, and between two conversations that are looked at. */
const PACE = 250

export class HistoryKeeper {
  readonly #host: Pick<ConversationHost, 'platform' | 'link' | 'warn'>
  /** Those whose history is to be here. */
  readonly #wanted: () => Iterable<LocalConversation>
  /** All that can be had is here, until it is heard otherwise. */
  readonly #done = new Set<string>()
  #running = false

  constructor(
    host: Pick<ConversationHost, 'platform' | 'link' | 'warn'>,
    wanted: () => Iterable<LocalConversation>,
  ) {
    this.#host = host
    this.#wanted = wanted
  }

  /** There is a relay again. */
  connected(): void {
    this.#done.clear()
    this.#wake()
  }

  /** There is more of this conversation. */
  changed(sid: string): void {
    this.#done.delete(sid)
    this.#wake()
  }

  #wake(): void {
    if (this.#running) return
    this.#running = true
    this.#run()
      .catch((error: unknown) => this.#host.warn('History could not be fetched', error))
      .finally(() => {
        this.#running = false
      })
  }

  async #run(): Promise<void> {
    // events of a page that just came are told first
    await this.#pause()
    for (let next = this.#next(); next && this.#host.link.connected; next = this.#next()) {
      this.#done.add(next.sid)
      await next.fetchHistory(() => this.#pause())
      await this.#pause()
    }
  }

  #next(): LocalConversation | undefined {
    for (const one of this.#wanted()) if (!this.#done.has(one.sid)) return one
    return undefined
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#host.platform.setTimeout(resolve, PACE))
  }
}
