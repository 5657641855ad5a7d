import type { Conversation } from '@confab/client'
import { useClient, useConversations, useMaybeClient } from '@confab/react'
import { lazy, useEffect, useRef, useState } from 'react'
import {
  Button,
  Input,
  ListBox,
  ListBoxItem,
  ListLayout,
  SearchField,
  Virtualizer,
} from 'react-aria-components'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Part } from '../ui/part.tsx'
import { ConversationRow } from './conversation-row.tsx'
import { nameOf } from './names.ts'

const SearchResults = lazy(() => import('./search-results.tsx'))

/** Pixels: so that only what is on the screen is rendered, however many there are. */
const ROW = { rowHeight: 68, padding: 6 }

type Select = (conversation: Conversation, index?: number | null) => void

export function ConversationList(props: {
  selected: Conversation | null
  onSelect: Select
  onEnter: Select
  onCreate: () => void
}) {
  const { selected, onSelect, onEnter, onCreate } = props
  const client = useMaybeClient()
  const { conversations, isLoading } = useConversations()
  const [query, setQuery] = useState('')
  const field = useRef<HTMLInputElement>(null)
  const wanted = query.trim()

  useEffect(() => {
    const toSearch = (event: KeyboardEvent) => {
      if (event.key !== 'k' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      field.current?.focus()
    }
    // fields keep their keys to themselves, but for who is asked first
    addEventListener('keydown', toSearch, true)
    return () => removeEventListener('keydown', toSearch, true)
  }, [])

  if (!isLoading && client && conversations.length === 0)
    return <Nothing onSelect={onEnter} onCreate={onCreate} />
  return (
    <>
      <SearchField className="search" aria-label="Search everything" value={query} onChange={setQuery}>
        <Input ref={field} placeholder="Search" dir="auto" />
        <Button className="round small search-clear" aria-label="Clear">
          <Icon name="close" size={16} />
        </Button>
      </SearchField>
      {wanted === '' ? (
        <Conversations
          conversations={conversations}
          selected={selected}
          onSelect={onSelect}
          onEnter={onEnter}
        />
      ) : (
        <Part>
          <SearchResults query={wanted} conversations={conversations} onSelect={onEnter} />
        </Part>
      )}
    </>
  )
}

function Conversations(props: {
  conversations: readonly Conversation[]
  selected: Conversation | null
  onSelect: Select
  onEnter: Select
}) {
  const { conversations, selected, onSelect, onEnter } = props
  const isByPointer = useRef(false)
  const select = (key: unknown, isEntered: boolean) => {
    const found = conversations.find(({ sid }) => sid === key)
    if (found) (isEntered ? onEnter : onSelect)(found)
  }
  return (
    <div
      className="list-frame"
      onPointerDownCapture={() => {
        isByPointer.current = true
      }}
      onKeyDownCapture={() => {
        isByPointer.current = false
      }}
    >
      <Virtualizer layout={ListLayout} layoutOptions={ROW}>
        <ListBox
          className="list"
          aria-label="Conversations"
          items={conversations}
          dependencies={[selected]}
          selectionMode="single"
          selectionBehavior="replace"
          selectedKeys={selected ? [selected.sid] : []}
          onAction={(key) => select(key, true)}
          onSelectionChange={(keys) => {
            // arrows go on through the list; a press opens
            if (keys !== 'all' && keys.size > 0) select([...keys][0], isByPointer.current)
          }}
        >
          {(conversation) => (
            <ListBoxItem id={conversation.sid} textValue={nameOf(conversation)} className="row">
              <ConversationRow conversation={conversation} isSelected={conversation === selected} />
            </ListBoxItem>
          )}
        </ListBox>
      </Virtualizer>
    </div>
  )
}

function Nothing({ onSelect, onCreate }: { onSelect: Select; onCreate: () => void }) {
  const client = useClient()
  const { isDemo, identity, report } = useSession()
  const [problem, setProblem] = useState<string | null>(null)
  const other = identity === 'bob' ? 'alice' : 'bob'
  const begin = async () => {
    try {
      const conversation = await client.createConversation({ friendlyName: 'Harbour crew' })
      await conversation.join()
      await conversation.add(other)
      onSelect(conversation)
      await conversation.sendMessage('Hello! Everything here is on my own device first.')
    } catch (error) {
      setProblem(report(error))
    }
  }
  return (
    <div className="list-empty">
      <p>No conversations yet.</p>
      {isDemo && (
        <Button className="primary" onPress={() => void begin()}>
          Begin one with {other}
        </Button>
      )}
      <Button className={isDemo ? '' : 'primary'} onPress={onCreate}>
        {isDemo ? 'Or another…' : 'Begin one'}
      </Button>
      {problem && <p role="alert">{problem}</p>}
    </div>
  )
}
