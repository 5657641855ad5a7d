import type { Conversation, Participant } from '@confab/client'
import { useUser } from '@confab/react'
import { useState } from 'react'
import { Button, Form, Input, Label, Switch, TextField } from 'react-aria-components'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { InvitePart } from './invite-part.tsx'
import { kindOf, nameOf, participantName } from './names.ts'

export function DetailsDrawer(props: {
  conversation: Conversation
  participants: readonly Participant[]
  isOpen: boolean
  onClose: () => void
  onLeft: () => void
}) {
  const { conversation, participants, isOpen, onClose, onLeft } = props
  const [problem, setProblem] = useState<string | null>(null)

  /** What can't be done says why, here. */
  const attempt = (work: () => Promise<unknown>) => {
    setProblem(null)
    work().catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)))
  }

  return (
    <Sheet kind="drawer" title={nameOf(conversation)} isOpen={isOpen} onClose={onClose}>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <Form
        className="inline-form"
        onSubmit={(event) => {
          event.preventDefault()
          const name = String(new FormData(event.currentTarget).get('name')).trim()
          attempt(() => conversation.updateFriendlyName(name || null))
        }}
      >
        <TextField name="name" defaultValue={conversation.friendlyName ?? ''} maxLength={256}>
          <Label>Name</Label>
          <Input dir="auto" />
        </TextField>
        <Button type="submit">Rename</Button>
      </Form>
      <Switch
        className="switch wide"
        isSelected={conversation.notificationLevel === 'muted'}
        onChange={(muted) =>
          attempt(() => conversation.setUserNotificationLevel(muted ? 'muted' : 'default'))
        }
      >
        <span className="switch-track">
          <span className="switch-thumb" />
        </span>
        Mute
      </Switch>

      <h3>People ({participants.length})</h3>
      <ul className="people">
        {participants.map((participant) => (
          <Person
            key={participant.sid}
            participant={participant}
            onRemove={() => attempt(() => conversation.removeParticipant(participant))}
          />
        ))}
      </ul>
      <Form
        className="inline-form"
        onSubmit={(event) => {
          event.preventDefault()
          const form = event.currentTarget
          const identity = String(new FormData(form).get('identity')).trim()
          if (identity === '') return
          attempt(async () => {
            await conversation.add(identity)
            form.reset()
          })
        }}
      >
        <TextField name="identity">
          <Label>Add somebody</Label>
          <Input dir="auto" placeholder="carol" />
        </TextField>
        <Button type="submit">Add</Button>
      </Form>
      <InvitePart conversation={conversation} />
      <div className="danger-zone">
        <Button
          onPress={() =>
            attempt(async () => {
              await conversation.leave()
              onClose()
              onLeft()
            })
          }
        >
          Leave
        </Button>
        <Button
          className="danger"
          onPress={() =>
            attempt(async () => {
              await conversation.delete()
              onClose()
              onLeft()
            })
          }
        >
          Delete for everybody
        </Button>
      </div>
    </Sheet>
  )
}

function Person({ participant, onRemove }: { participant: Participant; onRemove: () => void }) {
  const { identity } = useSession()
  const user = useUser(participant.identity)
  const name = participantName(participant)
  const kind = kindOf(participant)
  return (
    <li>
      <Avatar name={name} isOnline={user?.isOnline === true} />
      <span dir="auto">
        {user?.friendlyName ? `${user.friendlyName} (${name})` : name}
        {kind && <small className="kind">{kind}</small>}
      </span>
      {participant.identity === identity ? (
        <small>you</small>
      ) : (
        <Button aria-label={`Remove ${name}`} onPress={onRemove}>
          Remove
        </Button>
      )}
    </li>
  )
}
