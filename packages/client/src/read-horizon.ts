/** Moving the read horizon: never waits for the relay, and stands on accepted messages only. */
import type { Engine } from './engine/engine.ts'
import type { Surface } from './surface.ts'

/** Messages looked at in one go for the newest accepted one. */
const STEP = 30

/**
 * Moves this person's horizon in a conversation that they take part in; resolves to the unread count.
 * @param index null removes the horizon
 * @param how `advance` never moves back
 */
export async function moveHorizon(
  surface: Surface,
  conversationSid: string,
  index: number | null,
  how: 'advance' | 'set',
): Promise<number> {
  const engine = surface.working()
  const target = index === null ? null : await onAccepted(engine, conversationSid, index)
  const current = engine.conversation(conversationSid)?.read?.lastReadMessageIndex ?? null
  const moves =
    target === null
      ? index === null && current !== null
      : how === 'advance'
        ? target > (current ?? -1)
        : target !== current
  if (moves) {
    const draft =
      how === 'advance' && target !== null
        ? ({ type: 'read.advance', index: target } as const)
        : ({ type: 'read.set', index: target } as const)
    await engine.submit(conversationSid, [draft], { wait: 'durable' })
  }
  const view = engine.conversation(conversationSid)
  return view?.unreadCount ?? view?.messageCount ?? 0
}

/**
 * The index of a pending message may still go to somebody else's, which is unread: the horizon is put no higher
 * than the newest message that is accepted at this moment. Null when there is none.
 */
async function onAccepted(engine: Engine, conversationSid: string, index: number): Promise<number | null> {
  const view = engine.conversation(conversationSid)
  if (!view?.lastMessage) return null
  if (!view.pending) return Math.min(index, view.lastMessage.index)
  let anchor = view.lastMessage.index
  for (;;) {
    const page = await engine.messages(conversationSid, { count: STEP, anchor, direction: 'backwards' })
    const accepted = page.items.findLast(({ status }) => status === 'accepted')
    if (accepted) return Math.min(index, accepted.record.index)
    const [oldest] = page.items
    if (!oldest || !page.hasOlder) return null
    anchor = oldest.record.index - 1
  }
}
