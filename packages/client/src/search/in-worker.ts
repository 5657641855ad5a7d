/** The index in a worker of the page. */
import type { Files } from '../engine/reader.ts'
import { connect, type Port } from './calls.ts'
import type { Index } from './shards.ts'
import { WORKER } from './worker-source.ts'

/** Milliseconds of silence after which a worker is taken for dead: the longest piece of its work takes about one second. */
const SILENT = 30_000

/**
 * Null where there are no workers, or a page's policy forbids one of this kind.
 *
 * @param crashed called once when the worker fails later: every call that waits then is rejected after it
 */
export async function indexInWorker(
  files: Files,
  crashed: () => void,
): Promise<{ index: Index; stop(): void } | null> {
  if (WORKER === '' || typeof Worker === 'undefined') return null
  const url = URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' }))
  try {
    const worker = new Worker(url)
    let isReady = false
    const fail = (): void => {
      worker.onerror = null
      worker.terminate()
      if (isReady) crashed()
      end(new Error('The worker of the search index failed'))
    }
    const { theirs, end } = connect<Index & { ready(): Promise<true> }>(worker as Port, files, {
      longest: SILENT,
      broken: fail,
    })
    worker.onerror = fail
    isReady = await theirs.ready().catch(() => false)
    if (isReady) return { index: theirs, stop: () => worker.terminate() }
  } catch {
    // it works without
  } finally {
    URL.revokeObjectURL(url)
  }
  return null
}
