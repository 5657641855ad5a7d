import type { Message } from './message.ts'
import { Page } from './paginator.ts'
import type { LiveConversation, Surface } from './surface.ts'

export interface MessageQuery {
  count: number
  /** Index, included; undefined for the end. */
  anchor: number | undefined
  direction: 'backwards' | 'forward'
}

/** One page of messages: the previous one is older and the next one newer, whichever way it was asked for. */
export async function messagePage(
  surface: Surface,
  live: LiveConversation,
  { count, anchor, direction }: MessageQuery,
): Promise<Page<Message>> {
  const query = anchor === undefined ? { count, direction } : { count, anchor, direction }
  const { items, hasOlder, hasNewer, absent } = await surface.working().messages(live.view.sid, query)
  const first = items[0]?.record.index
  const last = items.at(-1)?.record.index
  // an empty page lies before its anchor (backwards) or after it (forward)
  const older =
    first === undefined ? (anchor ?? absent?.to ?? 0) - (direction === 'forward' ? 1 : 0) : first - 1
  const newer = last === undefined ? (anchor ?? 0) + (direction === 'backwards' ? 1 : 0) : last + 1
  const neighbour = (anchor: number, direction: 'backwards' | 'forward') => () =>
    messagePage(surface, live, { count, anchor, direction })
  return new Page({
    absent,
    items: items.map((view) => live.messages.show(view)),
    prev: hasOlder ? neighbour(older, 'backwards') : null,
    next: hasNewer ? neighbour(newer, 'forward') : null,
  })
}
