/**
 * `client.searchMessages`: a chunk of its own, which is loaded when somebody searches. In a page the index works in a
 * worker; where there can be none, in between of everything else.
 */
import { Reader } from '../engine/reader.ts'
import type { Surface } from '../surface.ts'
import type { SearchResult } from '../types.ts'
import { indexInWorker } from './in-worker.ts'
import { type Found, type Query, Searcher } from './searcher.ts'
import { ShardedIndex } from './shards.ts'

/** Workers that may fail, one after the other, before the index does without. */
const WORKERS = 3

const searches = new WeakMap<Surface, Search>()

/** The search of a client, which is closed with it. Resolves when everything that is here is indexed. */
export async function startSearch(surface: Surface): Promise<void> {
  await searchOf(surface).searcher()
}

export async function searchMessages(surface: Surface, query: Query): Promise<SearchResult> {
  const { hits, more, unseen } = await searchOf(surface).find(query)
  const messages = hits.flatMap(
    ({ conversationSid, view }) => surface.find(conversationSid)?.messages.show(view) ?? [],
  )
  return { messages, more, unseen }
}

function searchOf(surface: Surface): Search {
  const known = searches.get(surface)
  if (known) return known
  const search = new Search(new Reader(surface.working().local))
  searches.set(surface, search)
  surface.onClose(() => search.close())
  return search
}

/** One searcher after the other: when a worker fails, the next goes on from what was kept, and searches wait for it. */
class Search {
  readonly #reader: Reader
  #searcher: Promise<Searcher> | null = null
  #running: { searcher: Searcher; stop(): void } | null = null
  #failed = 0
  #closed = false

  constructor(reader: Reader) {
    this.#reader = reader
  }

  async find(query: Query): Promise<Found> {
    for (;;) {
      const failed = this.#failed
      try {
        const searcher = await this.searcher()
        const found = await searcher.search(query)
        if (failed === this.#failed) return found
      } catch (error) {
        if (failed === this.#failed || this.#closed) throw error
      }
    }
  }

  async searcher(): Promise<Searcher> {
    this.#searcher ??= this.#start()
    const searcher = this.#searcher
    try {
      return await searcher
    } catch (error) {
      if (this.#searcher === searcher) this.#searcher = null
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#running?.searcher.close()
    this.#running?.stop()
  }

  async #start(): Promise<Searcher> {
    const files = this.#reader.files()
    const inWorker = this.#failed < WORKERS ? await indexInWorker(files, () => this.#crashed()) : null
    const { index, stop } = inWorker ?? { index: new ShardedIndex(files), stop() {} }
    const searcher = new Searcher({ reader: this.#reader, index, files })
    if (this.#closed) {
      stop()
      throw new Error('The client is shut down')
    }
    this.#running = { searcher, stop }
    await searcher.start()
    return searcher
  }

  #crashed(): void {
    this.#failed++
    this.#running?.searcher.abandon()
    this.#running = null
    this.#searcher = null
    if (this.#closed) return
    this.#reader.warn('The worker of the search index failed: it is started again')
    // the index goes on following what changes, also when nobody searches
    this.searcher().catch((error) => this.#reader.warn('The search could not be started again', error))
  }
}
