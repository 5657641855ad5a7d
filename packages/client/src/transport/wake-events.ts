/** Calls back when the platform says that a network may be there again. Gives the function that stops it. */
export function onWake(wake: () => void): () => void {
  // Node has neither; both exist together in a page, and a worker has the first
  if (typeof globalThis.addEventListener !== 'function') return () => {}
  const page = typeof document === 'undefined' ? null : document
  const shown = () => {
    if (page?.visibilityState === 'visible') wake()
  }
  globalThis.addEventListener('online', wake)
  page?.addEventListener('visibilitychange', shown)
  return () => {
    globalThis.removeEventListener('online', wake)
    page?.removeEventListener('visibilitychange', shown)
  }
}
