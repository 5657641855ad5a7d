import type { Conversation, Participant } from '@confab/client'
import { useState } from 'react'
import { Button, Form, Input, Label, Switch, TextField } from 'react-aria-components'
import { useSession } from '../session.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { Problem } from '../ui/problem.tsx'
import { InvitePart } from './invite-part.tsx'
import { isAdmin, nameOf } from './names.ts'
import { Person } from './person.tsx'

export function DetailsDrawer(props: {
  conversation: Conversation
  participants: readonly Participant[]
  isOpen: boolean
  onClose: () => void
  onLeft: () => void
}) {
  const { conversation, participants, isOpen, onClose, onLeft } = props
  const { identity, report } = useSession()
  const [problem, setProblem] = useState<string | null>(null)
  const mayAdminister = isAdmin(participants.find((one) => one.identity === identity))

  /** What can't be done says why, here. */
  const attempt = (work: () => Promise<unknown>) => {
    setProblem(null)
    work().catch((error: unknown) => setProblem(report(error)))
  }
  const thenLeft = (work: () => Promise<unknown>) =>
    attempt(async () => {
      await work()
      onClose()
      onLeft()
    })

  return (
    <Sheet kind="drawer" title={nameOf(conversation)} isOpen={isOpen} onClose={onClose}>
      <Problem text={problem} />
      {mayAdminister && (
        <Line
          label="Name"
          action="Rename"
          value={conversation.friendlyName ?? ''}
          onSubmit={(name) => attempt(() => conversation.updateFriendlyName(name || null))}
        />
      )}
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
        {participants.map((one) => (
          <Person key={one.sid} participant={one} mayAdminister={mayAdminister} attempt={attempt} />
        ))}
      </ul>
      <Line
        label="Add somebody"
        action="Add"
        placeholder="carol"
        onSubmit={(person) => {
          if (person !== '') attempt(() => conversation.add(person))
        }}
      />
      <InvitePart conversation={conversation} mayAdminister={mayAdminister} />
      <div className="danger-zone">
        <Confirm
          label="Leave"
          question={`Leave ${nameOf(conversation)}?`}
          onConfirm={() => thenLeft(() => conversation.leave())}
        >
          Others see that you left, and you see nothing more of it until somebody adds you again.
        </Confirm>
        {mayAdminister && conversation.state?.current !== 'closed' && (
          <Confirm
            label="Close"
            question={`Close ${nameOf(conversation)}?`}
            onConfirm={() => attempt(() => conversation.close())}
          >
            Everybody can still read it, and nobody can write in it any more.
          </Confirm>
        )}
        {mayAdminister && (
          <Confirm
            label="Delete for everybody"
            question={`Delete ${nameOf(conversation)}?`}
            isDangerous
            onConfirm={() => thenLeft(() => conversation.delete())}
          >
            It goes away for everybody who takes part, with all that was said in it.
          </Confirm>
        )}
      </div>
    </Sheet>
  )
}

/** A field and what is done with it. One that had no value is empty again. */
function Line(props: {
  label: string
  action: string
  value?: string
  placeholder?: string
  onSubmit: (value: string) => void
}) {
  const { label, action, value, placeholder = '', onSubmit } = props
  return (
    <Form
      className="inline-form"
      onSubmit={(event) => {
        event.preventDefault()
        const form = event.currentTarget
        onSubmit(String(new FormData(form).get('value')).trim().normalize('NFC'))
        if (value === undefined) form.reset()
      }}
    >
      <TextField name="value" defaultValue={value ?? ''} maxLength={256}>
        <Label>{label}</Label>
        <Input dir="auto" placeholder={placeholder} />
      </TextField>
      <Button type="submit">{action}</Button>
    </Form>
  )
}
