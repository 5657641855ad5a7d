import type { Conversation, Message } from '@confab/client'
import { useConversation, useMessage, useMessages, useTyping, useUnread } from '@confab/react'
import { useDraft } from '../lib/drafts.ts'
import { briefText } from '../lib/format.ts'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Icon } from '../ui/icons.tsx'
import { bodyOf } from './message-state.ts'
import { nameOf, participantName } from './names.ts'

export function ConversationRow(props: { conversation: Conversation; isSelected: boolean }) {
  const conversation = useConversation(props.conversation) ?? props.conversation
  const { identity } = useSession()
  const unread = useUnread(conversation)
  const { messages, isLoading } = useMessages(conversation, { pageSize: 1 })
  const last = messages.at(-1)
  const name = nameOf(conversation)
  // what one has just written oneself is no news
  const isOwnNews = last?.author === identity && last?.status === 'pending'
  const all = (conversation.lastMessage?.index ?? -1) + 1
  const count = isOwnNews ? 0 : (unread ?? all)
  const isMuted = conversation.notificationLevel === 'muted'

  return (
    <>
      <Avatar name={name} isGroup />
      <span className="row-main">
        <span className="row-top">
          <b dir="auto">{name}</b>
          {isMuted && (
            <span title="Muted" className="row-muted">
              <Icon name="mute" size={14} />
              <span className="visually-hidden">muted</span>
            </span>
          )}
          <time dir="auto">
            {conversation.lastMessage?.dateCreated && briefText(conversation.lastMessage.dateCreated)}
          </time>
        </span>
        <span className="row-bottom">
          <span className="row-line" dir="auto">
            <Line
              conversation={conversation}
              last={last}
              isLoading={isLoading}
              isSelected={props.isSelected}
            />
          </span>
          {count > 0 && (
            <span className={isMuted ? 'badge quiet' : 'badge'}>
              {count > 99 ? '99+' : count}
              <span className="visually-hidden"> unread</span>
            </span>
          )}
        </span>
      </span>
    </>
  )
}

/** Who is typing, what one has begun to write there, or what was said last. */
function Line(props: {
  conversation: Conversation
  last: Message | undefined
  isLoading: boolean
  isSelected: boolean
}) {
  const { conversation, last, isLoading, isSelected } = props
  const { identity } = useSession()
  const names = useNames()
  const draft = useDraft(identity ?? '', conversation.sid)
  const [typing] = useTyping(conversation).filter((one) => one.identity !== identity)
  if (typing) return <i>{participantName(typing, names)} is typing…</i>
  if (draft && !isSelected) {
    return (
      <>
        <i className="draft">Draft:</i> {draft}
      </>
    )
  }
  if (last) return <Said message={last} />
  if (isLoading) return null
  return <i>{conversation.lastMessage ? 'Not on this device yet' : 'Nothing said yet'}</i>
}

function Said({ message: given }: { message: Message }) {
  const message = useMessage(given)
  const { identity } = useSession()
  const names = useNames()
  const who = message.author === identity ? 'You' : names(message.author)
  return (
    <>
      {message.status === 'pending' && <Icon name="clock" size={13} />} {who}: {bodyOf(message)}
    </>
  )
}
