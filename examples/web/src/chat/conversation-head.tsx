import type { Conversation, Participant } from '@confab/client'
import { useTyping } from '@confab/react'
import { Button } from 'react-aria-components'
import { listText } from '../lib/format.ts'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Icon } from '../ui/icons.tsx'
import { nameOf, participantName } from './names.ts'

export function ConversationHead(props: {
  conversation: Conversation
  participants: readonly Participant[]
  onBack: () => void
  onGallery: () => void
  onDetails: () => void
}) {
  const { conversation, participants } = props
  const { identity } = useSession()
  const names = useNames()
  const typing = useTyping(conversation).filter((one) => one.identity !== identity)
  const name = nameOf(conversation)
  const all = participants.map((one) => (one.identity === identity ? 'you' : participantName(one, names)))
  const line =
    typing.length > 0
      ? `${listText(typing.map((one) => participantName(one, names)))} typing…`
      : listText(all)

  return (
    <header className="head">
      <Button aria-label="Back to the list" className="round head-back" onPress={props.onBack}>
        <Icon name="back" />
      </Button>
      <Avatar name={name} isGroup />
      <div className="head-text">
        <h1 dir="auto">{name}</h1>
        <p className={typing.length > 0 ? 'is-typing' : undefined} aria-live="polite" dir="auto">
          {line}
        </p>
      </div>
      <Button aria-label="Pictures and files" className="round" onPress={props.onGallery}>
        <Icon name="picture" />
      </Button>
      <Button aria-label="People and settings" className="round" onPress={props.onDetails}>
        <Icon name="people" />
      </Button>
    </header>
  )
}
