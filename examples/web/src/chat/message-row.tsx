import type { Message, Participant } from '@confab/client'
import { useMessage } from '@confab/react'
import { memo } from 'react'
import { Button, Menu, MenuItem, MenuTrigger, Popover, Tooltip, TooltipTrigger } from 'react-aria-components'
import { fullText, listText, timeText, writtenText } from '../lib/format.ts'
import { metaOf, REACTIONS, react } from '../lib/meta.ts'
import { isEmojiOnly, richText } from '../lib/rich-text.tsx'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Icon } from '../ui/icons.tsx'
import { participantName } from './names.ts'

interface RowProps {
  message: Message
  isFirst: boolean
  isLast: boolean
  participants: readonly Participant[]
  original: (sid: string) => Message | undefined
  onReply: (message: Message) => void
  onEdit: (message: Message) => void
}

export const MessageRow = memo(function MessageRow(props: RowProps) {
  const { isFirst, original, participants, isLast } = props
  const message = useMessage(props.message)
  const { identity } = useSession()
  const { reactions, replyTo } = metaOf(message)
  const isOwn = message.author === identity
  const body = message.body ?? ''
  const answered = replyTo === null ? undefined : original(replyTo)
  const author = message.author ?? ''
  const shownName = isOwn ? 'You' : author
  const written = writtenText(message.dateWritten, message.status === 'accepted' ? message.dateCreated : null)

  return (
    <article
      className={`message ${isOwn ? 'own' : 'other'} ${isFirst ? 'first' : ''} ${message.status}`}
      aria-label={`${shownName}: ${body}`}
    >
      {!isOwn && <span className="message-avatar">{isFirst && <Avatar name={author} />}</span>}
      <div className="message-column">
        {isFirst && !isOwn && (
          <b className="message-author" dir="auto">
            {author}
          </b>
        )}
        <div className="message-line">
          <div className={isEmojiOnly(body) ? 'bubble emoji' : 'bubble'}>
            {replyTo !== null && (
              <blockquote dir="auto">
                {answered ? (
                  <>
                    <b>{answered.author}</b> {answered.body}
                  </>
                ) : (
                  <i>an earlier message</i>
                )}
              </blockquote>
            )}
            <p dir="auto">{richText(body)}</p>
            <Marks message={message} isOwn={isOwn} />
          </div>
          <Actions {...props} message={message} isOwn={isOwn} />
        </div>
        {Object.keys(reactions).length > 0 && (
          <ul className="reactions" aria-label="Reactions">
            {Object.entries(reactions).map(([emoji, people]) => (
              <li key={emoji}>
                <Button
                  className={identity && people.includes(identity) ? 'reaction mine' : 'reaction'}
                  aria-label={`${emoji} by ${listText(people)}`}
                  onPress={() => void react(message, emoji, identity ?? '').catch(() => {})}
                >
                  {emoji} {people.length}
                </Button>
              </li>
            ))}
          </ul>
        )}
        {written && <small className="written">{written}</small>}
        {isLast && isOwn && <Seen message={message} participants={participants} />}
      </div>
    </article>
  )
})

/** When it was accepted, and how far it has come. */
function Marks({ message, isOwn }: { message: Message; isOwn: boolean }) {
  const at = message.dateCreated ?? message.dateWritten
  const delivery = message.aggregatedDeliveryReceipt
  const state =
    message.status === 'pending'
      ? ({ icon: 'clock', text: 'waiting to be sent' } as const)
      : delivery && delivery.failed !== 'none'
        ? ({ icon: 'warning', text: 'could not be delivered to everybody' } as const)
        : delivery?.delivered === 'all'
          ? ({ icon: 'checks', text: 'delivered' } as const)
          : ({ icon: 'check', text: 'accepted' } as const)
  return (
    <span className="marks">
      {message.dateUpdated && message.lastUpdatedBy && <span>edited</span>}
      <TooltipTrigger delay={400}>
        <Button className="time" excludeFromTabOrder>
          {timeText(at)}
        </Button>
        <Tooltip className="tooltip">{fullText(at)}</Tooltip>
      </TooltipTrigger>
      {isOwn && (
        <span className={`mark ${state.icon}`} title={state.text}>
          <Icon name={state.icon} size={14} />
          <span className="visually-hidden">{state.text}</span>
        </span>
      )}
    </span>
  )
}

function Seen({ message, participants }: { message: Message; participants: readonly Participant[] }) {
  const readers = participants.filter(
    ({ identity, lastReadMessageIndex: index }) =>
      identity !== message.author && index !== null && index >= message.index,
  )
  if (readers.length === 0 || message.status === 'pending') return null
  return <small className="seen">Read by {listText(readers.map(participantName))}</small>
}

function Actions({ message, isOwn, onReply, onEdit }: RowProps & { isOwn: boolean }) {
  const { identity } = useSession()
  return (
    <div className="actions">
      <MenuTrigger>
        <Button className="round small" aria-label="React">
          <Icon name="smile" size={18} />
        </Button>
        <Popover className="menu emoji-menu" placement="top">
          <Menu
            aria-label="React"
            onAction={(key) => void react(message, String(key), identity ?? '').catch(() => {})}
          >
            {REACTIONS.map((emoji) => (
              <MenuItem key={emoji} id={emoji} textValue={emoji}>
                {emoji}
              </MenuItem>
            ))}
          </Menu>
        </Popover>
      </MenuTrigger>
      <MenuTrigger>
        <Button className="round small" aria-label="More">
          <Icon name="more" size={18} />
        </Button>
        <Popover className="menu">
          <Menu
            aria-label="Message"
            onAction={(key) => {
              if (key === 'reply') onReply(message)
              if (key === 'copy') void navigator.clipboard.writeText(message.body ?? '')
              if (key === 'edit') onEdit(message)
              if (key === 'remove') void message.remove().catch(() => {})
            }}
          >
            <MenuItem id="reply">
              <Icon name="reply" size={16} /> Reply
            </MenuItem>
            <MenuItem id="copy">
              <Icon name="copy" size={16} /> Copy
            </MenuItem>
            {isOwn ? (
              <MenuItem id="edit">
                <Icon name="edit" size={16} /> Edit
              </MenuItem>
            ) : null}
            {isOwn ? (
              <MenuItem id="remove" className="danger">
                <Icon name="trash" size={16} /> Remove for everybody
              </MenuItem>
            ) : null}
          </Menu>
        </Popover>
      </MenuTrigger>
    </div>
  )
}
