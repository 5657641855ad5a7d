import type { Conversation } from '@confab/client'
import { useConversation, useConversations, useMaybeClient } from '@confab/react'
import { useEffect, useState } from 'react'
import { Button } from 'react-aria-components'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { ConnectionPill } from './connection-pill.tsx'
import { ConversationList } from './conversation-list.tsx'
import { ConversationView } from './conversation-view.tsx'
import { CreateDialog } from './create-dialog.tsx'
import { HeldDrawer } from './held-drawer.tsx'
import { JoinByLink } from './join-by-link.tsx'
import { Profile } from './profile.tsx'
import { StatusPanel } from './status-panel.tsx'

type Open = 'create' | 'held' | 'status' | null

const selectedInAddress = (): string | null =>
  new URL(location.href).hash.match(/^#(CH[0-9a-f]{32})$/)?.[1] ?? null

/** The list at one side and a conversation at the other; on a phone one of the two. */
export function Chat() {
  const client = useMaybeClient()
  const { failure } = useSession()
  const [selected, setSelected] = useState(selectedInAddress)
  const [open, setOpen] = useState<Open>(null)
  const [isOffline, setIsOffline] = useState(false)
  const conversation = useConversation(selected)
  const { isLoading } = useConversations()

  useEffect(() => {
    const follow = () => setSelected(selectedInAddress())
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])

  const select = (one: Conversation | null) => {
    history.pushState(null, '', one ? `#${one.sid}` : location.pathname + location.search)
    setSelected(one?.sid ?? null)
  }
  const close = () => setOpen(null)
  // in the list, and above a conversation that has the screen to itself
  const pill = (
    <ConnectionPill
      isOffline={isOffline}
      onSwitch={setIsOffline}
      onHeld={() => setOpen('held')}
      onStatus={() => setOpen('status')}
    />
  )

  return (
    <div className={conversation ? 'chat has-selection' : 'chat'}>
      <aside className="side" aria-label="Conversations">
        <header className="side-head">
          <Profile />
          <Button aria-label="New conversation" className="round" onPress={() => setOpen('create')}>
            <Icon name="add" />
          </Button>
        </header>
        {pill}
        {failure && (
          <p role="alert" className="problem">
            This device’s storage could not be opened: {failure}
          </p>
        )}
        <ConversationList selected={conversation} onSelect={select} onCreate={() => setOpen('create')} />
      </aside>
      <main className="stage">
        {pill}
        {conversation ? (
          <ConversationView key={conversation.sid} conversation={conversation} onBack={() => select(null)} />
        ) : (
          <div className="empty">
            <p>{isLoading ? 'Opening what is on this device…' : 'Choose a conversation, or begin one.'}</p>
          </div>
        )}
      </main>
      {client && <CreateDialog isOpen={open === 'create'} onClose={close} onCreated={select} />}
      <HeldDrawer isOpen={open === 'held'} onClose={close} />
      <StatusPanel isOpen={open === 'status'} onClose={close} />
      {client && <JoinByLink onJoined={select} />}
    </div>
  )
}
