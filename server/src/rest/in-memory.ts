import type { Span } from '../store/objects.ts'

/** Pages of a list that is here as a whole: positions are places in it. */
export function spanOf<Item>(
  items: readonly Item[],
): (span: Span, limit: number) => Promise<{ position: number; item: Item }[]> {
  return async (span, limit) => {
    const all = items.map((item, position) => ({ position, item }))
    if (span.before !== undefined) return all.slice(0, span.before).slice(-limit)
    return all.slice(span.after + 1, span.after + 1 + limit)
  }
}
