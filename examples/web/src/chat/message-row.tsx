import type { Message, Participant } from '@confab/client'
import { useMessage } from '@confab/react'
import { memo } from 'react'
import { Button, Tooltip, TooltipTrigger } from 'react-aria-components'
import { fullText, listText, timeText, writtenText } from '../lib/format.ts'
import { metaOf, react } from '../lib/meta.ts'
import { useNames } from '../lib/person-names.ts'
import { isEmojiOnly, richText } from '../lib/rich-text.tsx'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Icon } from '../ui/icons.tsx'
import { MessageActions } from './message-actions.tsx'
import { stateOf } from './message-state.ts'
import { kindOf, participantName } from './names.ts'

export interface RowProps {
  message: Message
  /** Of several by one person in a row. */
  isFirst: boolean
  /** It and what it offers are in the tab order. */
  isCurrent: boolean
  /** It was looked for. */
  isMarked: boolean
  answered: Message | null
  /** Who has read to here. */
  readers: readonly Participant[] | undefined
  sender: Participant | undefined
  onFocus: (sid: string) => void
  onShow: (index: number) => void
  onReply: (message: Message) => void
  onEdit: (message: Message) => void
  onDetails: (message: Message) => void
}

export const MessageRow = memo(function MessageRow(props: RowProps) {
  const { isFirst, isCurrent, isMarked, answered, readers, sender, onFocus } = props
  const message = useMessage(props.message)
  const names = useNames()
  const { identity } = useSession()
  const { replyTo } = metaOf(message)
  const isOwn = message.author === identity
  const body = message.body ?? ''
  const author = names(message.author)
  const kind = sender ? kindOf(sender) : ''
  const written = writtenText(message.dateWritten, message.status === 'accepted' ? message.dateCreated : null)
  const classes = ['message', isOwn ? 'own' : 'other', message.status]
  if (isFirst) classes.push('first')
  if (isMarked) classes.push('marked')

  return (
    <article
      className={classes.join(' ')}
      aria-label={`${isOwn ? 'You' : author}: ${body}`}
      data-sid={message.sid}
      tabIndex={isCurrent ? 0 : -1}
      onFocus={() => onFocus(message.sid)}
    >
      {!isOwn && <span className="message-avatar">{isFirst && <Avatar name={author} />}</span>}
      <div className="message-column">
        {isFirst && !isOwn && (
          <span className="message-author">
            <b dir="auto">{author}</b>
            {kind && <small className="kind">{kind}</small>}
          </span>
        )}
        <div className="message-line">
          <div className={isEmojiOnly(body) ? 'bubble emoji' : 'bubble'}>
            {replyTo !== null && <Quote answered={answered} onShow={props.onShow} />}
            <p dir="auto">{richText(body)}</p>
            <Marks message={message} isOwn={isOwn} />
          </div>
          <MessageActions {...props} message={message} isOwn={isOwn} />
        </div>
        <Reactions message={message} isCurrent={isCurrent} />
        {written && <small className="written">{written}</small>}
      </div>
      {readers && <Seen readers={readers} />}
    </article>
  )
})

function Quote({ answered, onShow }: { answered: Message | null; onShow: (index: number) => void }) {
  const names = useNames()
  if (!answered) {
    return (
      <blockquote>
        <i>an earlier message</i>
      </blockquote>
    )
  }
  return (
    // a way for the mouse; with keys, one goes up to it
    // biome-ignore lint/a11y/useKeyWithClickEvents: see above
    <blockquote dir="auto" onClick={() => onShow(answered.index)}>
      <b>{names(answered.author)}</b> {answered.body}
    </blockquote>
  )
}

/** When it was accepted, and how far it has come. */
function Marks({ message, isOwn }: { message: Message; isOwn: boolean }) {
  const at = message.dateCreated ?? message.dateWritten
  const { icon, text } = stateOf(message)
  return (
    <span className="marks">
      {metaOf(message).isEdited && <span>edited</span>}
      <TooltipTrigger delay={400}>
        <Button className="time" excludeFromTabOrder>
          <time dir="auto">{timeText(at)}</time>
        </Button>
        <Tooltip className="tooltip">{fullText(at)}</Tooltip>
      </TooltipTrigger>
      {isOwn && (
        <span className={`mark ${icon}`} title={text}>
          <Icon name={icon} size={14} />
          <span className="visually-hidden">{text}</span>
        </span>
      )}
    </span>
  )
}

function Reactions({ message, isCurrent }: { message: Message; isCurrent: boolean }) {
  const { identity, report } = useSession()
  const names = useNames()
  const all = Object.entries(metaOf(message).reactions)
  if (all.length === 0) return null
  return (
    <ul className="reactions" aria-label="Reactions">
      {all.map(([emoji, people]) => (
        <li key={emoji}>
          <Button
            className={identity && people.includes(identity) ? 'reaction mine' : 'reaction'}
            excludeFromTabOrder={!isCurrent}
            onPress={() => void react(message, emoji, identity ?? '').catch(report)}
          >
            {emoji} {people.length}
            <span className="visually-hidden">by {listText(people.map(names))}</span>
          </Button>
        </li>
      ))}
    </ul>
  )
}

function Seen({ readers }: { readers: readonly Participant[] }) {
  const names = useNames()
  const all = readers.map((one) => participantName(one, names))
  return (
    <span className="seen" title={`Read by ${listText(all)}`}>
      {all.slice(0, 5).map((name) => (
        <Avatar key={name} name={name} />
      ))}
      {all.length > 5 && <small>+{all.length - 5}</small>}
      <span className="visually-hidden">Read by {listText(all)}</span>
    </span>
  )
}
