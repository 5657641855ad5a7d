import type { Conversation, Message } from '@confab/client'
import { useMessages, useParticipants } from '@confab/react'
import { type DragEvent, lazy, useState } from 'react'
import type { Place } from '../lib/address.ts'
import { chosen, filesOf, fitting, useChosen } from '../lib/files.ts'
import type { Attached } from '../lib/media.ts'
import { useSession } from '../session.tsx'
import { Part } from '../ui/part.tsx'
import { Problem } from '../ui/problem.tsx'
import { Composer } from './composer.tsx'
import { ConversationHead } from './conversation-head.tsx'
import { DetailsDrawer } from './details-drawer.tsx'
import { LookContext } from './picture.tsx'
import { Timeline } from './timeline.tsx'

// in parts of their own: most visits open none of them
const MessageDetails = lazy(() => import('./message-details.tsx'))
const Gallery = lazy(() => import('./gallery.tsx'))
const Viewer = lazy(() => import('./viewer.tsx'))

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
  const [files, setFiles] = useChosen(conversation.sid)
  const [dropProblem, setDropProblem] = useState<string | null>(null)
  const [picture, setPicture] = useState<Attached | null>(null)
  const [isGallery, setIsGallery] = useState(false)
  const [isOver, setIsOver] = useState(false)
  const [isOpen, setIsOpen] = useState(false)
  const isClosed = conversation.state?.current === 'closed'

  const editLast = () => {
    const own = messages.messages.findLast(({ author, body }) => author === identity && body !== null)
    if (own) setEditing(own)
  }

  const drop = {
    onDragOver: (event: DragEvent) => {
      if (!event.dataTransfer.types.includes('Files') || isClosed) return
      event.preventDefault()
      setIsOver(true)
    },
    onDragLeave: (event: DragEvent) => {
      if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setIsOver(false)
    },
    onDrop: (event: DragEvent) => {
      event.preventDefault()
      setIsOver(false)
      if (isClosed) return
      const { fit, problem } = fitting(filesOf(event.dataTransfer), conversation.limits)
      setDropProblem(problem)
      setFiles([...files, ...chosen(fit)])
    },
  }

  return (
    <div className={isOver ? 'conversation is-over' : 'conversation'} {...drop}>
      <ConversationHead
        conversation={conversation}
        participants={participants}
        onBack={onBack}
        onGallery={() => setIsGallery(true)}
        onDetails={() => setIsOpen(true)}
      />
      <LookContext value={setPicture}>
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
        {isGallery && (
          <Part>
            <Gallery conversation={conversation} onClose={() => setIsGallery(false)} />
          </Part>
        )}
      </LookContext>
      {picture && (
        <Part>
          <Viewer conversation={conversation} first={picture} onClose={() => setPicture(null)} />
        </Part>
      )}
      <Problem text={dropProblem} />
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
          files={files}
          onFiles={setFiles}
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
        <Part>
          <MessageDetails message={looking} participants={participants} onClose={() => setLooking(null)} />
        </Part>
      )}
    </div>
  )
}
