import type { Participant } from '@confab/client'
import { useUser } from '@confab/react'
import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components'
import { useNames } from '../lib/person-names.ts'
import { useSession } from '../session.tsx'
import { Avatar } from '../ui/avatar.tsx'
import { Icon } from '../ui/icons.tsx'
import { isAdmin, kindOf, participantName } from './names.ts'

/** Somebody who takes part, and what may be done about it. */
export function Person(props: {
  participant: Participant
  mayAdminister: boolean
  attempt: (work: () => Promise<unknown>) => void
}) {
  const { participant, mayAdminister, attempt } = props
  const { identity } = useSession()
  const user = useUser(participant.identity)
  const names = useNames()
  const name = participantName(participant, names)
  const kind = kindOf(participant)
  const isSelf = participant.identity === identity
  const isAlias = participant.identity !== null && name !== participant.identity
  return (
    <li>
      <Avatar name={name} isOnline={user?.isOnline === true} />
      <span dir="auto">
        {name}
        {isAlias && <small> {participant.identity}</small>}
        {kind && <small className="kind">{kind}</small>}
        {isAdmin(participant) && <small className="kind">admin</small>}
      </span>
      {isSelf && <small>you</small>}
      {mayAdminister && !isSelf && (
        <MenuTrigger>
          <Button className="round small" aria-label={`What to do about ${name}`}>
            <Icon name="more" size={18} />
          </Button>
          <Popover className="menu" placement="bottom end">
            <Menu
              onAction={(key) => {
                if (key === 'remove') attempt(() => participant.remove())
                else attempt(() => participant.updateRole(String(key)))
              }}
            >
              {kind ? null : isAdmin(participant) ? (
                <MenuItem id="channel user">Make a member</MenuItem>
              ) : (
                <MenuItem id="channel admin">Make an admin</MenuItem>
              )}
              <MenuItem id="remove" className="danger">
                Remove
              </MenuItem>
            </Menu>
          </Popover>
        </MenuTrigger>
      )}
    </li>
  )
}
