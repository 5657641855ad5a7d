import type { Conversation, Message, Participant } from '@confab/client'
import type { Messages } from '@confab/react'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { Button } from 'react-aria-components'
import { Virtualizer, type VirtualizerHandle } from 'virtua'
import type { Place } from '../lib/address.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'
import { MessageRow } from './message-row.tsx'
import { itemsOf, readersOf } from './timeline-items.ts'
import { useRowFocus } from './use-row-focus.ts'

/** Pixels from an end, within which that end is being looked at. */
const NEAR = 120

interface TimelineProps {
  conversation: Conversation
  participants: readonly Participant[]
  window: Messages
  /** Where somebody wants to look. */
  place: Place | null
  onShow: (index: number) => void
  onReply: (message: Message) => void
  onEdit: (message: Message) => void
  onDetails: (message: Message) => void
}

export function Timeline(props: TimelineProps) {
  const { conversation, participants, window: shown, place } = props
  const { identity } = useSession()
  const list = useRef<VirtualizerHandle>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(place?.index == null)
  const [isAway, setIsAway] = useState(false)
  const [isPrepending, setIsPrepending] = useState(false)
  // where reading had come to when the conversation was opened: it stays there while one looks at it
  const [readTo] = useState(() => conversation.lastReadMessageIndex)
  const { messages } = shown
  const items = useMemo(() => itemsOf(messages, readTo, identity), [messages, readTo, identity])
  const readers = useMemo(
    () => readersOf(messages, participants, identity),
    [messages, participants, identity],
  )
  const { current, onFocus, onKeyDown } = useRowFocus(items, scroller, list)
  const marked = useJump(props, items, list, isAtEnd)

  useLayoutEffect(() => {
    if (isAtEnd.current && items.length > 0) list.current?.scrollToIndex(items.length - 1, { align: 'end' })
  }, [items])
  const count = items.length
  useEffect(() => {
    const seen = scroller.current
    if (!seen || count === 0) return
    // what is written below takes more room, or less
    const follow = new ResizeObserver(() => {
      if (isAtEnd.current) list.current?.scrollToIndex(count - 1, { align: 'end' })
    })
    follow.observe(seen)
    return () => follow.disconnect()
  }, [count])
  useReading(conversation, shown, isAtEnd)

  const scrolled = (offset: number) => {
    const handle = list.current
    if (!handle) return
    const left = handle.scrollSize - handle.viewportSize - offset
    isAtEnd.current = left < NEAR && !shown.hasNewer
    setIsAway(!isAtEnd.current)
    if (offset < NEAR && shown.hasOlder && !isPrepending) {
      setIsPrepending(true)
      void shown.loadOlder().finally(() => setIsPrepending(false))
    }
    if (left < NEAR && shown.hasNewer) void shown.loadNewer()
  }

  const toNewest = () => {
    isAtEnd.current = true
    setIsAway(false)
    void shown.jumpToNewest()
    list.current?.scrollToIndex(items.length - 1, { align: 'end', smooth: true })
  }

  if (!shown.isLoading && items.length === 0) {
    return (
      <div className="timeline empty">
        <p>
          {shown.absent
            ? 'What was said here is not on this device yet. It comes when there is a network.'
            : 'Say something. It is kept here, with or without a network.'}
        </p>
      </div>
    )
  }
  return (
    <div className="timeline">
      {shown.absent && (
        <p className="absent" role="status">
          Older messages are not on this device. They come when there is a network.
        </p>
      )}
      <Problem text={shown.error?.message ?? null} />
      <div ref={scroller} className="messages" role="log" aria-label="Messages" onKeyDown={onKeyDown}>
        <div className="messages-space" />
        <Virtualizer ref={list} scrollRef={scroller} shift={isPrepending} onScroll={scrolled}>
          {items.map((item) =>
            item.kind === 'day' ? (
              <div key={item.key} className="day">
                <span>{item.text}</span>
              </div>
            ) : item.kind === 'unread' ? (
              <div key={item.key} className="unread-line">
                <span>New</span>
              </div>
            ) : (
              <MessageRow
                key={item.key}
                message={item.message}
                isFirst={item.isFirst}
                isCurrent={item.key === current}
                isMarked={item.message.index === marked}
                answered={item.answered}
                readers={readers.get(item.key)}
                sender={participants.find(({ sid }) => sid === item.message.participantSid)}
                onFocus={onFocus}
                onShow={props.onShow}
                onReply={props.onReply}
                onEdit={props.onEdit}
                onDetails={props.onDetails}
              />
            ),
          )}
        </Virtualizer>
      </div>
      {isAway && (
        <Button className="to-newest" aria-label="To the newest message" onPress={toNewest}>
          <Icon name="down" />
        </Button>
      )}
    </div>
  )
}

/** Reads as far as is looked at. */
function useReading(conversation: Conversation, shown: Messages, isAtEnd: { current: boolean }): void {
  const last = shown.messages.at(-1)
  useEffect(() => {
    if (!last || shown.hasNewer) return
    const read = () => {
      if (document.visibilityState === 'visible' && isAtEnd.current) {
        conversation.advanceLastReadMessageIndex(last.index).catch(() => {})
      }
    }
    read()
    document.addEventListener('visibilitychange', read)
    // its index is provisional while it is pending
    last.on('updated', read)
    return () => {
      document.removeEventListener('visibilitychange', read)
      last.off('updated', read)
    }
  }, [conversation, last, shown.hasNewer, isAtEnd])
}

/** Goes to the message that the address names. Gives its index while it is to be seen which one it is. */
function useJump(
  { place, window: shown }: TimelineProps,
  items: ReturnType<typeof itemsOf>,
  list: { current: VirtualizerHandle | null },
  isAtEnd: { current: boolean },
): number | null {
  const [wanted, setWanted] = useState<number | null>(null)
  const [marked, setMarked] = useState<number | null>(null)
  const { jumpTo } = shown

  useEffect(() => {
    if (place?.index == null) return
    const { index } = place
    isAtEnd.current = false
    setMarked(index)
    void jumpTo(index).then(() => setWanted(index))
    const timer = setTimeout(() => setMarked(null), 3000)
    return () => clearTimeout(timer)
  }, [place, jumpTo, isAtEnd])

  useLayoutEffect(() => {
    if (wanted === null) return
    const at = items.findIndex((item) => item.kind === 'message' && item.message.index >= wanted)
    if (at < 0) return
    setWanted(null)
    list.current?.scrollToIndex(at, { align: 'center' })
  }, [wanted, items, list])
  return marked
}
