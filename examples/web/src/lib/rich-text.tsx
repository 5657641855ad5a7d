import { Fragment, type ReactNode } from 'react'

const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g

/** Text with its links, and nothing else of what it may contain: it is never taken for markup. */
export function richText(text: string): ReactNode {
  const parts: ReactNode[] = []
  let end = 0
  for (const { 0: link, index } of text.matchAll(LINK)) {
    parts.push(<Fragment key={end}>{text.slice(end, index)}</Fragment>)
    parts.push(
      <a key={index} href={link} target="_blank" rel="noopener noreferrer nofollow">
        {link}
      </a>,
    )
    end = index + link.length
  }
  parts.push(<Fragment key={end}>{text.slice(end)}</Fragment>)
  return parts
}

const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\u200d|\ufe0f|\s)+$/u

/** A message of a few emoji and nothing else is shown large. */
export const isEmojiOnly = (text: string): boolean =>
  text.length <= 24 && EMOJI.test(text) && /\p{Extended_Pictographic}/u.test(text)
