import type { Conversation } from '@confab/client'
import { useClient } from '@confab/react'
import { useState } from 'react'
import { Button, Form, Input, Label, Text, TextField } from 'react-aria-components'
import { useSession } from '../session.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { Problem } from '../ui/problem.tsx'

export function CreateDialog(props: {
  isOpen: boolean
  onClose: () => void
  onCreated: (conversation: Conversation) => void
}) {
  const client = useClient()
  const { report } = useSession()
  const [problem, setProblem] = useState<string | null>(null)

  const create = async (form: FormData) => {
    const people = String(form.get('people'))
      .split(/[,;\n]/)
      .map((name) => name.trim().normalize('NFC'))
      .filter((name) => name !== '' && name !== client.user.identity)
    const friendlyName = String(form.get('name')).trim() || people.join(', ') || 'Notes to myself'
    try {
      const conversation = await client.createConversation({ friendlyName })
      await conversation.join()
      for (const identity of people) await conversation.add(identity)
      setProblem(null)
      props.onClose()
      props.onCreated(conversation)
    } catch (error) {
      setProblem(report(error))
    }
  }

  return (
    <Sheet title="New conversation" isOpen={props.isOpen} onClose={props.onClose}>
      <Form
        onSubmit={(event) => {
          event.preventDefault()
          void create(new FormData(event.currentTarget))
        }}
      >
        <TextField name="name" maxLength={256} autoFocus>
          <Label>Name</Label>
          <Input dir="auto" placeholder="Harbour crew" />
        </TextField>
        <TextField name="people">
          <Label>People</Label>
          <Input dir="auto" placeholder="bob, carol" />
          <Text slot="description">
            By the names they sign in with. It works with no network: they see it when you are back.
          </Text>
        </TextField>
        <Problem text={problem} />
        <Button type="submit" className="primary">
          Create
        </Button>
      </Form>
    </Sheet>
  )
}
