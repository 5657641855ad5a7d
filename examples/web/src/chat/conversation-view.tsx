import type { Conversation, Message } from '@confab/client'
import { useMessages, useParticipants } from '@confab/react'
import { useState } from 'react'
import type { Place } from '../lib/address.ts'
import { useSession } from '../session.tsx'
import { Composer } from './composer.tsx'
import { ConversationHead } from './conversation-head.tsx'
import { DetailsDrawer } from './details-drawer.tsx'
import { MessageDetails } from './message-details.tsx'
import { Timeline } from './timeline.tsx'

export function ConversationView(props: {
  conversation: Conversation
  place: Place | null
  isOffline: boolean
  /** Counts how often a conversation was opened to write in. */
  entered: number
  onBack: () => void
  onShow: (index: number) => void
}) {
  const { conversation, place, isOffline, entered, onBack, onShow } = props
  const { identity } = useSession()
  const messages = useMessages(conversation, { pageSize: 40 })
  const participants = useParticipants(conversation)
  const [replyTo, setReplyTo] = useState<Message | null>(null)
  const [editing, setEditing] = useState<Message | null>(null)
  const [looking, setLooking] = useState<Message | null>(null)
  const [isOpen, setIsOpen] = useState(false)
  const isClosed = conversation.state?.current === 'closed'

  const editLast = () => {
    const own = messages.messages.findLast(({ author, body }) => author === identity && body !== null)
    if (own) setEditing(own)
  }

  return (
    <>
      <ConversationHead
        conversation={conversation}
        participants={participants}
        onBack={onBack}
        onDetails={() => setIsOpen(true)}
      />
      <Timeline
        conversation={conversation}
        participants={participants}
        window={messages}
        place={place}
        onShow={onShow}
        onReply={(message) => {
          setEditing(null)
          setReplyTo(message)
        }}
        onEdit={(message) => {
          setReplyTo(null)
          setEditing(message)
        }}
        onDetails={setLooking}
      />
      {isClosed ? (
        <p className="closed">This conversation is closed. It can be read, and takes no more messages.</p>
      ) : (
        <Composer
          key={editing?.sid ?? 'new'}
          conversation={conversation}
          replyTo={replyTo}
          editing={editing}
          isOffline={isOffline}
          entered={entered}
          onDone={() => {
            setReplyTo(null)
            setEditing(null)
          }}
          onSent={() => void messages.jumpToNewest()}
          onEditLast={editLast}
        />
      )}
      <DetailsDrawer
        conversation={conversation}
        participants={participants}
        isOpen={isOpen}
        onClose={() => setIsOpen(false)}
        onLeft={onBack}
      />
      {looking && (
        <MessageDetails message={looking} participants={participants} onClose={() => setLooking(null)} />
      )}
    </>
  )
}
