import type { Conversation, Message } from '@confab/client'
import { useMemo } from 'react'
import { type MessagesState, MessageWindow, NOTHING } from './message-window.ts'
import { cached, listen, Source, useSource } from './source.ts'

export interface Messages extends MessagesState {
  /** Shows a page more above. Resolves when it is there; what goes wrong is `error`. */
  loadOlder(): Promise<void>
  /** Shows a page more below, while there are newer ones than those shown. */
  loadNewer(): Promise<void>
  jumpToNewest(): Promise<void>
  /** Shows the messages around an index. */
  jumpTo(index: number): Promise<void>
}

const nothing = async () => {}
const IDLE = { loadOlder: nothing, loadNewer: nothing, jumpToNewest: nothing, jumpTo: nothing }

/**
 * A window on the messages of a conversation: the newest at first, moved by `loadOlder`, `loadNewer` and the jumps.
 * Rows are keyed by `message.sid`; an edit changes no array, `useMessage` shows it in its row.
 * @param options.pageSize messages that are read at a time, from 1 to 100; 30 by default
 */
export function useMessages(conversation: Conversation | null, { pageSize = 30 } = {}): Messages {
  const window = useMemo(
    () => (conversation ? new MessageWindow(conversation, pageSize) : null),
    [conversation, pageSize],
  )
  const state = useSource(window, NOTHING)
  return useMemo(() => {
    const { loadOlder, loadNewer, jumpToNewest, jumpTo } = window ?? IDLE
    return { ...state, loadOlder, loadNewer, jumpToNewest, jumpTo }
  }, [state, window])
}

/** Counts what changes in one message. */
class MessageSource extends Source<number> {
  readonly #message: Message

  constructor(message: Message) {
    super(0)
    this.#message = message
  }

  protected attach(): () => void {
    return listen(this.#message, { updated: () => this.set(this.value + 1) })
  }
}

const changesOf = cached((message: Message) => new MessageSource(message))

/** The message again, whenever something of it changes: for the row that shows it. */
export function useMessage(message: Message): Message {
  useSource(changesOf(message), 0)
  return message
}
