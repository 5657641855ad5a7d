import type { Conversation } from '@confab/client'
import { useConversation, useConversations, useMaybeClient } from '@confab/react'
import { lazy, useEffect, useState } from 'react'
import { Button } from 'react-aria-components'
import { addressOf, type Place, placeInAddress } from '../lib/address.ts'
import { useTitle } from '../lib/use-title.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Part } from '../ui/part.tsx'
import { ConnectionPill } from './connection-pill.tsx'
import { ConversationList } from './conversation-list.tsx'
import { ConversationView } from './conversation-view.tsx'
import { CreateDialog } from './create-dialog.tsx'
import { HeldDrawer } from './held-drawer.tsx'
import { JoinByLink } from './join-by-link.tsx'
import { Profile } from './profile.tsx'
import { StorageHint, StorageNotice } from './storage-notice.tsx'

const StatusPanel = lazy(() => import('./status-panel.tsx'))

type Open = 'create' | 'held' | 'status' | null

/** The list at one side and a conversation at the other; on a phone one of the two. */
export function Chat() {
  const client = useMaybeClient()
  const { identity, isDemo } = useSession()
  const [place, setPlace] = useState(placeInAddress)
  const [open, setOpen] = useState<Open>(null)
  const [entered, setEntered] = useState(0)
  const [isOffline, setIsOffline] = useState(false)
  const conversation = useConversation(place?.sid ?? null)
  const { conversations, isLoading } = useConversations()
  useTitle(identity)

  useEffect(() => {
    const follow = () => setPlace(placeInAddress())
    addEventListener('hashchange', follow)
    addEventListener('popstate', follow)
    return () => {
      removeEventListener('hashchange', follow)
      removeEventListener('popstate', follow)
    }
  }, [])

  const go = (next: Place | null) => {
    history.pushState(null, '', addressOf(next))
    setPlace(next)
  }
  const select = (one: Conversation | null, index: number | null = null) => go(one && { sid: one.sid, index })
  /** Opens it to write in, rather than to look at the next one. */
  const enter = (one: Conversation, index?: number | null) => {
    select(one, index)
    setEntered((before) => before + 1)
  }

  // a half of the demo shows what there is to see
  const [only] = conversations
  useEffect(() => {
    if (isDemo && only) setPlace((before) => before ?? { sid: only.sid, index: null })
  }, [isDemo, only])

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
    <main className={conversation ? 'chat has-selection' : 'chat'}>
      <section className="side" aria-label="Conversations">
        <h1 className="visually-hidden">Confab</h1>
        <header className="side-head">
          <Profile />
          <Button aria-label="New conversation" className="round" onPress={() => setOpen('create')}>
            <Icon name="add" />
          </Button>
        </header>
        {pill}
        <StorageNotice />
        {client && <JoinByLink onJoined={enter} />}
        <ConversationList
          selected={conversation}
          onSelect={select}
          onEnter={enter}
          onCreate={() => setOpen('create')}
        />
        <StorageHint />
      </section>
      <section className="stage" aria-label="Conversation">
        {pill}
        {conversation ? (
          <ConversationView
            key={conversation.sid}
            conversation={conversation}
            place={place}
            isOffline={isOffline}
            entered={entered}
            onBack={() => select(null)}
            onShow={(index) => select(conversation, index)}
          />
        ) : (
          <div className="empty">
            <p>{isLoading ? 'Opening what is on this device…' : 'Choose a conversation, or begin one.'}</p>
          </div>
        )}
      </section>
      {client && <CreateDialog isOpen={open === 'create'} onClose={close} onCreated={enter} />}
      <HeldDrawer isOpen={open === 'held'} onClose={close} />
      {open === 'status' && (
        <Part>
          <StatusPanel onClose={close} onHeld={() => setOpen('held')} />
        </Part>
      )}
    </main>
  )
}
