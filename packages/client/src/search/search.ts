/**
 * `client.searchMessages`: a chunk of its own, which is loaded when somebody searches. In a page the index works in a
 * worker; where there can be none, in between of everything else.
 */
import { type Files, Reader } from '../engine/reader.ts'
import type { Surface } from '../surface.ts'
import type { SearchResult } from '../types.ts'
import { connect, type Port } from './calls.ts'
import { type Query, Searcher } from './searcher.ts'
import { type Index, ShardedIndex } from './shards.ts'
import { WORKER } from './worker-source.ts'

const searchers = new WeakMap<Surface, Promise<Searcher>>()

/** The searcher of a client, which is closed with it. Resolves when everything that is here is indexed. */
export function searcherOf(surface: Surface): Promise<Searcher> {
  let searcher = searchers.get(surface)
  if (!searcher) {
    searcher = start(surface)
    searchers.set(surface, searcher)
    searcher.catch(() => searchers.delete(surface))
  }
  return searcher
}

async function start(surface: Surface): Promise<Searcher> {
  const reader = new Reader(surface.working().local)
  const files = reader.files()
  const { index, stop } = (await indexInWorker(files)) ?? { index: new ShardedIndex(files), stop() {} }
  const searcher = new Searcher({ reader, index, files })
  surface.onClose(async () => {
    await searcher.close()
    stop()
  })
  await searcher.start()
  return searcher
}

export async function searchMessages(surface: Surface, query: Query): Promise<SearchResult> {
  const { hits, more, unseen } = await (await searcherOf(surface)).search(query)
  const messages = hits.flatMap(
    ({ conversationSid, view }) => surface.find(conversationSid)?.messages.show(view) ?? [],
  )
  return { messages, more, unseen }
}

/** Null where there are no workers, or a page's policy forbids one of this kind. */
async function indexInWorker(files: Files): Promise<{ index: Index; stop(): void } | null> {
  if (WORKER === '' || typeof Worker === 'undefined') return null
  const url = URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }))
  try {
    const worker = new Worker(url)
    const failed = new Promise<null>((resolve) => {
      worker.onerror = () => resolve(null)
    })
    const index = connect<Index & { ready(): Promise<true> }>(worker as Port, files)
    if (await Promise.race([index.ready(), failed])) return { index, stop: () => worker.terminate() }
    worker.terminate()
  } catch {
    // it works without
  } finally {
    URL.revokeObjectURL(url)
  }
  return null
}
