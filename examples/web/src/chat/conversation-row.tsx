import type { Conversation, Message } from '@confab/client'
import { useConversation, useMessage, useMessages, useTyping, useUnread } from '@confab/react'
import { readDraft } from '../lib/drafts.ts'
import { briefText } from '../lib/format.ts'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Icon } from '../ui/icons.tsx'
import { nameOf } from './names.ts'

export function ConversationRow({ conversation: given }: { conversation: Conversation }) {
  const conversation = useConversation(given) ?? given
  const { identity } = useSession()
  const unread = useUnread(conversation)
  const typing = useTyping(conversation).filter((one) => one.identity !== identity)
  const { messages } = useMessages(conversation, { pageSize: 1 })
  const last = messages.at(-1)
  const draft = readDraft(identity ?? '', conversation.sid)
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
          <time>
            {conversation.lastMessage?.dateCreated && briefText(conversation.lastMessage.dateCreated)}
          </time>
        </span>
        <span className="row-bottom">
          <span className="row-line" dir="auto">
            {typing.length > 0 ? (
              <i>{typing[0]?.identity} is typing…</i>
            ) : draft ? (
              <>
                <i className="draft">Draft:</i> {draft}
              </>
            ) : last ? (
              <Line message={last} />
            ) : (
              <i>Nothing said yet</i>
            )}
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

function Line({ message: given }: { message: Message }) {
  const message = useMessage(given)
  const { identity } = useSession()
  const who = message.author === identity ? 'You' : message.author
  return (
    <>
      {message.status === 'pending' && <Icon name="clock" size={13} />} {who}: {message.body}
    </>
  )
}
