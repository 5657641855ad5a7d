import { type KeyboardEvent, type RefObject, useCallback, useState } from 'react'
import type { VirtualizerHandle } from 'virtua'
import type { Item } from './timeline-items.ts'

/** One row is in the tab order, the newest at first; arrows, Home and End go to others. */
export function useRowFocus(
  items: readonly Item[],
  scroller: RefObject<HTMLElement | null>,
  list: RefObject<VirtualizerHandle | null>,
) {
  const [chosen, setChosen] = useState<string | null>(null)
  const last = items.at(-1)?.key ?? null
  const current = items.some(({ key }) => key === chosen) ? chosen : last
  const onFocus = useCallback((sid: string) => setChosen(sid), [])

  const onKeyDown = (event: KeyboardEvent) => {
    // what is within a row, or in a menu of its, has its own keys
    if ((event.target as HTMLElement).tagName !== 'ARTICLE') return
    const next = nextOf(items, current, event.key)
    if (next === null) return
    event.preventDefault()
    const { key } = items[next] as Item
    setChosen(key)
    list.current?.scrollToIndex(next, { align: 'nearest' })
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>(`[data-sid="${CSS.escape(key)}"]`)?.focus()
    })
  }
  return { current, onFocus, onKeyDown }
}

/** Index of the message that a key leads to; null: none, or another key. */
function nextOf(items: readonly Item[], current: string | null, key: string): number | null {
  const rows = items.flatMap((item, i) => (item.kind === 'message' ? [i] : []))
  const at = rows.findIndex((i) => items[i]?.key === current)
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[key]
  return to === undefined ? null : (rows[to] ?? null)
}
