import { useUser } from '@confab/react'
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
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Sheet } from '../ui/dialogs.tsx'

/** Who has signed in, with what they may do about that. */
export function Profile() {
  const { identity, signOut, isDemo } = useSession()
  const user = useUser(identity)
  const [isEditing, setIsEditing] = useState(false)
  const name = user?.friendlyName || identity || ''

  return (
    <>
      <MenuTrigger>
        <Button className="profile" aria-label={`${name}: your profile`}>
          <Avatar name={name} />
          <span dir="auto">{name}</span>
        </Button>
        <Popover className="menu" placement="bottom start">
          <Menu
            onAction={(key) => {
              if (key === 'edit') setIsEditing(true)
              if (key === 'out') signOut()
            }}
          >
            <MenuItem id="edit">Change your name…</MenuItem>
            {isDemo ? null : <MenuItem id="out">Sign out</MenuItem>}
          </Menu>
        </Popover>
      </MenuTrigger>
      <Sheet title="Your name" isOpen={isEditing} onClose={() => setIsEditing(false)}>
        <Form
          onSubmit={(event) => {
            event.preventDefault()
            const given = String(new FormData(event.currentTarget).get('name')).trim()
            void user?.updateFriendlyName(given || null)
            setIsEditing(false)
          }}
        >
          <TextField name="name" defaultValue={user?.friendlyName ?? ''} maxLength={256} autoFocus>
            <Label>Shown to others as</Label>
            <Input dir="auto" />
          </TextField>
          <Button type="submit" className="primary">
            Save
          </Button>
        </Form>
      </Sheet>
    </>
  )
}
