import type { Conversation } from '@confab/client'
import { useConversations } from '@confab/react'
import { useState } from 'react'
import { Button, Input, ListBox, ListBoxItem, SearchField } from 'react-aria-components'
import { ConversationRow } from './conversation-row.tsx'

export function ConversationList(props: {
  selected: Conversation | null
  onSelect: (conversation: Conversation) => void
  onCreate: () => void
}) {
  const { conversations, isLoading } = useConversations()
  const [filter, setFilter] = useState('')
  const wanted = filter.trim().toLocaleLowerCase()
  const shown = conversations.filter(({ friendlyName }) =>
    (friendlyName ?? '').toLocaleLowerCase().includes(wanted),
  )

  if (!isLoading && conversations.length === 0) {
    return (
      <div className="list-empty">
        <p>No conversations yet.</p>
        <Button className="primary" onPress={props.onCreate}>
          Begin one
        </Button>
      </div>
    )
  }
  return (
    <>
      <SearchField className="search" aria-label="Find a conversation" value={filter} onChange={setFilter}>
        <Input placeholder="Find a conversation" dir="auto" />
      </SearchField>
      <ListBox
        className="list"
        aria-label="Conversations"
        items={shown}
        selectionMode="single"
        selectionBehavior="replace"
        selectedKeys={props.selected ? [props.selected.sid] : []}
        onAction={(key) => {
          const found = conversations.find(({ sid }) => sid === key)
          if (found) props.onSelect(found)
        }}
        onSelectionChange={(keys) => {
          const [key] = keys === 'all' ? [] : [...keys]
          const found = conversations.find(({ sid }) => sid === key)
          if (found) props.onSelect(found)
        }}
        renderEmptyState={() => <p className="list-none">{isLoading ? '' : 'Nothing of that name.'}</p>}
      >
        {(conversation) => (
          <ListBoxItem
            id={conversation.sid}
            textValue={conversation.friendlyName ?? 'Conversation'}
            className="row"
          >
            <ConversationRow conversation={conversation} />
          </ListBoxItem>
        )}
      </ListBox>
    </>
  )
}
