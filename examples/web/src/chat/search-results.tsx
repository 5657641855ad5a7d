import type { Conversation, Message, UnseenMessages } from '@confab/client'
import { useSearch } from '@confab/react'
import { Header, ListBox, ListBoxItem, ListBoxSection } from 'react-aria-components'
import { briefText } from '../lib/format.ts'
import { useNames } from '../lib/person-names.ts'
import { problemText } from '../lib/problem.ts'
import { Avatar } from '../ui/avatar.tsx'
import { Excerpt } from '../ui/excerpt.tsx'
import { nameOf } from './names.ts'

/** Conversations that are shown by their name: whoever wants another types more of it. */
const BY_NAME = 8

/** Everything on this device that has these words: names of conversations, and messages. */
export default function SearchResults(props: {
  query: string
  conversations: readonly Conversation[]
  onSelect: (conversation: Conversation, index?: number | null) => void
}) {
  const { query, conversations, onSelect } = props
  const { messages, more, unseen, searching, error } = useSearch(query)
  const names = useNames()
  const wanted = query.toLocaleLowerCase()
  const byName = conversations
    .filter((one) => nameOf(one).toLocaleLowerCase().includes(wanted))
    .slice(0, BY_NAME)
  const find = (key: unknown) => {
    const conversation = byName.find(({ sid }) => sid === key)
    if (conversation) return onSelect(conversation)
    const message = messages.find(({ sid }) => sid === key)
    if (message) onSelect(message.conversation, message.index)
  }

  return (
    <div className="results">
      <ListBox aria-label="Found" className="results-list" onAction={find} renderEmptyState={() => null}>
        {byName.length > 0 && (
          <ListBoxSection>
            <Header>Conversations</Header>
            {byName.map((one) => (
              <ListBoxItem key={one.sid} id={one.sid} textValue={nameOf(one)} className="row">
                <Avatar name={nameOf(one)} isGroup />
                <b className="row-main" dir="auto">
                  {nameOf(one)}
                </b>
              </ListBoxItem>
            ))}
          </ListBoxSection>
        )}
        {messages.length > 0 && (
          <ListBoxSection>
            <Header>Messages</Header>
            {messages.map((message) => (
              <ListBoxItem key={message.sid} id={message.sid} textValue={message.body ?? ''} className="row">
                <Found message={message} author={names(message.author)} query={query} />
              </ListBoxItem>
            ))}
          </ListBoxSection>
        )}
      </ListBox>
      <p className="results-end" role="status">
        {error
          ? problemText(error)
          : searching
            ? 'Searching…'
            : messages.length + byName.length === 0
              ? 'Nothing on this device has that.'
              : more
                ? `The newest ${messages.length}: there are more.`
                : ''}{' '}
        {!searching && <Unseen unseen={unseen} />}
      </p>
    </div>
  )
}

function Found({ message, author, query }: { message: Message; author: string; query: string }) {
  const at = message.dateCreated
  return (
    <span className="row-main">
      <span className="row-top">
        <b dir="auto">{nameOf(message.conversation)}</b>
        <time dir="auto">{at && briefText(at)}</time>
      </span>
      <span className="row-line" dir="auto">
        {author}: <Excerpt text={message.body ?? ''} query={query} />
      </span>
    </span>
  )
}

/** A search that could not see everything says so. */
function Unseen({ unseen }: { unseen: readonly UnseenMessages[] }) {
  const count = unseen.reduce((sum, { messages }) => sum + messages, 0)
  if (count === 0) return null
  return <>{count.toLocaleString()} older messages aren’t on this device and were not searched.</>
}
