import type { Conversation, Message, Participant } from '@confab/client'
import type { Messages } from '@confab/react'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { Button } from 'react-aria-components'
import { VList, type VListHandle } from 'virtua'
import { daysBetween, dayText } from '../lib/format.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { MessageRow } from './message-row.tsx'

/** Pixels from an end, within which that end is being looked at. */
const NEAR = 120
/** Milliseconds between two messages of one person that still belong together. */
const TOGETHER = 5 * 60 * 1000

type Item =
  | { kind: 'day'; key: string; text: string }
  | { kind: 'unread'; key: string }
  | { kind: 'message'; key: string; message: Message; isFirst: boolean }

export function Timeline(props: {
  conversation: Conversation
  participants: readonly Participant[]
  window: Messages
  onReply: (message: Message) => void
  onEdit: (message: Message) => void
}) {
  const { conversation, participants, window: shown, onReply, onEdit } = props
  const { identity } = useSession()
  const list = useRef<VListHandle>(null)
  const isAtEnd = useRef(true)
  const [isAway, setIsAway] = useState(false)
  const [isPrepending, setIsPrepending] = useState(false)
  // where reading had come to when the conversation was opened: it stays there while one looks at it
  const [readTo] = useState(() => conversation.lastReadMessageIndex)
  const items = useMemo(() => itemsOf(shown.messages, readTo, identity), [shown.messages, readTo, identity])
  const bySid = useMemo(() => new Map(shown.messages.map((one) => [one.sid, one])), [shown.messages])
  const last = shown.messages.at(-1)

  useLayoutEffect(() => {
    if (isAtEnd.current && items.length > 0) list.current?.scrollToIndex(items.length - 1, { align: 'end' })
  }, [items])

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
  }, [conversation, last, shown.hasNewer])

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
        <p>Say something. It is kept here, with or without a network.</p>
      </div>
    )
  }
  return (
    <div className="timeline">
      {shown.absent && shown.messages.length > 0 && (
        <p className="absent" role="status">
          Older messages are not on this device. They come when there is a network.
        </p>
      )}
      {shown.error && (
        <p className="problem" role="alert">
          {shown.error.message}
        </p>
      )}
      <VList
        ref={list}
        className="messages"
        shift={isPrepending}
        onScroll={scrolled}
        role="log"
        aria-label="Messages"
        tabIndex={0}
      >
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
              isLast={item.message === last}
              participants={participants}
              original={(sid) => bySid.get(sid)}
              onReply={onReply}
              onEdit={onEdit}
            />
          ),
        )}
      </VList>
      {isAway && (
        <Button className="to-newest" aria-label="To the newest message" onPress={toNewest}>
          <Icon name="down" />
        </Button>
      )}
    </div>
  )
}

function itemsOf(messages: readonly Message[], readTo: number | null, identity: string | null): Item[] {
  const items: Item[] = []
  let before: Message | null = null
  let isMarked = readTo === null
  for (const message of messages) {
    const at = message.dateCreated ?? new Date()
    const earlier: Date | null = before?.dateCreated ?? null
    const isNewDay = !earlier || daysBetween(earlier, at) !== 0
    if (isNewDay) items.push({ kind: 'day', key: `day-${message.sid}`, text: dayText(at) })
    if (!isMarked && readTo !== null && message.index > readTo) {
      isMarked = true
      if (message.author !== identity && before) items.push({ kind: 'unread', key: 'unread' })
    }
    const isFirst =
      isNewDay || before?.author !== message.author || !earlier || at.getTime() - earlier.getTime() > TOGETHER
    items.push({ kind: 'message', key: message.sid, message, isFirst })
    before = message
  }
  return items
}
