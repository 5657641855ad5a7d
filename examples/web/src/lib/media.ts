/** Attachments of messages: what they are to look at, and all those of a conversation. */
import type { Conversation, Media, Message } from '@confab/client'
import { useCallback, useEffect, useRef, useState } from 'react'

/** Pictures that a page may draw. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif|bmp)$/
const PLAYER = /^(audio|video)\//

export const isPicture = ({ contentType }: Media): boolean => PICTURE.test(contentType)
export const isPlayable = ({ contentType }: Media): boolean => PLAYER.test(contentType)
export const isSound = ({ contentType }: Media): boolean => contentType.startsWith('audio/')

export const mediaName = ({ filename, contentType }: Media): string => filename ?? contentType

/** An attachment, and the message that it came with. */
export interface Attached {
  message: Message
  media: Media
}

export const attachedTo = (message: Message): Attached[] =>
  (message.attachedMedia ?? []).map((media) => ({ message, media }))

/** Has the browser save it under its name. */
export function saveAs(url: string, name: string): void {
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
}

/** Messages that are read at a time, from the newest back. */
const PAGE = 100
/** Pages that are read for whoever opens the list, and again each time they ask for more. */
const PAGES = 10
/** As many as are enough to begin with. */
const ENOUGH = 30

export interface ConversationMedia {
  /** The newest first. */
  all: readonly Attached[]
  isLoading: boolean
  /** There are older messages that were not looked through. */
  hasMore: boolean
  problem: Error | null
  more(): void
}

/** The attachments of a conversation, from its newest messages back; follows what comes and goes. */
export function useConversationMedia(conversation: Conversation): ConversationMedia {
  const [all, setAll] = useState<readonly Attached[]>([])
  const [state, setState] = useState({ isLoading: true, hasMore: false, problem: null as Error | null })
  const oldest = useRef<number | undefined>(undefined)

  const more = useCallback(() => {
    setState((before) => ({ ...before, isLoading: true, problem: null }))
    const read = async () => {
      let found = 0
      for (let page = 0; page < PAGES && found < ENOUGH; page++) {
        const before = oldest.current
        const { items, hasPrevPage } = await conversation.getMessages(
          PAGE,
          before === undefined ? undefined : before - 1,
          'backwards',
        )
        const attached = items.toReversed().flatMap((one) => attachedTo(one).toReversed())
        found += attached.length
        oldest.current = items[0]?.index ?? before
        setAll((shown) => merged(shown, attached))
        if (!hasPrevPage || items.length === 0) return false
      }
      return true
    }
    read().then(
      (hasMore) => setState({ isLoading: false, hasMore, problem: null }),
      (problem: Error) => setState((before) => ({ ...before, isLoading: false, problem })),
    )
  }, [conversation])

  useEffect(() => {
    const added = (message: Message) => setAll((shown) => merged(attachedTo(message).toReversed(), shown))
    const removed = ({ sid }: Message) =>
      setAll((shown) => shown.filter(({ message }) => message.sid !== sid))
    conversation.on('messageAdded', added)
    conversation.on('messageRemoved', removed)
    oldest.current = undefined
    setAll([])
    more()
    return () => {
      conversation.off('messageAdded', added)
      conversation.off('messageRemoved', removed)
    }
  }, [conversation, more])
  return { all, ...state, more }
}

/** One after the other, each attachment once. */
function merged(first: readonly Attached[], then: readonly Attached[]): readonly Attached[] {
  const known = new Set(first.map(({ media }) => media.sid))
  return [...first, ...then.filter(({ media }) => !known.has(media.sid))]
}
