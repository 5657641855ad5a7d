import { useClient, useMaybeClient, useUser } from '@confab/react'
import { useState } from 'react'
import {
  Button,
  Form,
  Input,
  Label,
  Menu,
  MenuItem,
  MenuTrigger,
  Popover,
  TextField,
} from 'react-aria-components'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { Problem } from '../ui/problem.tsx'
import { AppearanceSheet } from './appearance-sheet.tsx'

type Open = 'name' | 'appearance' | 'out' | null

/** Who has signed in, with what they may do about that. */
export function Profile() {
  const { identity, isDemo } = useSession()
  const client = useMaybeClient()
  const name = useNames()(identity)
  const [open, setOpen] = useState<Open>(null)
  const close = () => setOpen(null)

  return (
    <>
      <MenuTrigger>
        <Button className="profile">
          <Avatar name={name} />
          <span className="profile-name" dir="auto">
            {name}
          </span>
          <span className="visually-hidden">: your profile</span>
        </Button>
        <Popover className="menu" placement="bottom start">
          <Menu onAction={(key) => setOpen(key as Open)}>
            <MenuItem id="name">Change your name…</MenuItem>
            <MenuItem id="appearance">Appearance…</MenuItem>
            {isDemo ? null : <MenuItem id="out">Sign out…</MenuItem>}
          </Menu>
        </Popover>
      </MenuTrigger>
      {client && <NameSheet isOpen={open === 'name'} onClose={close} />}
      <AppearanceSheet isOpen={open === 'appearance'} onClose={close} />
      {client && <SignOutSheet isOpen={open === 'out'} onClose={close} />}
    </>
  )
}

function NameSheet({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { identity, report } = useSession()
  const user = useUser(identity)
  const [problem, setProblem] = useState<string | null>(null)
  const save = async (given: string) => {
    try {
      await user?.updateFriendlyName(given || null)
      setProblem(null)
      onClose()
    } catch (error) {
      setProblem(report(error))
    }
  }
  return (
    <Sheet title="Your name" isOpen={isOpen} onClose={onClose}>
      <Form
        onSubmit={(event) => {
          event.preventDefault()
          void save(String(new FormData(event.currentTarget).get('name')).trim())
        }}
      >
        <TextField name="name" defaultValue={user?.friendlyName ?? ''} maxLength={256} autoFocus>
          <Label>Shown to others as</Label>
          <Input dir="auto" />
        </TextField>
        <Problem text={problem} />
        <Button type="submit" className="primary">
          Save
        </Button>
      </Form>
    </Sheet>
  )
}

function SignOutSheet({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const client = useClient()
  const { signOut, report } = useSession()
  const [problem, setProblem] = useState<string | null>(null)
  const erase = () => {
    client.destroy().then(signOut, (error: unknown) => setProblem(report(error)))
  }
  return (
    <Sheet title="Sign out" isOpen={isOpen} onClose={onClose}>
      <p>What is on this device stays here, and is there again when you sign in by the same name.</p>
      <Button className="primary" onPress={signOut}>
        Sign out
      </Button>
      <Confirm
        label="Sign out and erase this device"
        question="Erase everything here?"
        isDangerous
        onConfirm={erase}
      >
        Conversations are still at the relay. What was not sent yet, and what is held, is lost.
      </Confirm>
      <Problem text={problem} />
    </Sheet>
  )
}
