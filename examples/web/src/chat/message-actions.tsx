import { Button, Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components'
import { REACTIONS, react } from '../lib/meta.ts'
import { useSession } from '../session.tsx'
import { Icon, type IconName } from '../ui/icons.tsx'
import type { RowProps } from './message-row.tsx'

type ActionsProps = Pick<RowProps, 'message' | 'isCurrent' | 'onReply' | 'onEdit' | 'onDetails'> & {
  isOwn: boolean
}

/** What can be done with a message. */
export function MessageActions({ message, isOwn, isCurrent, onReply, onEdit, onDetails }: ActionsProps) {
  const { identity, report } = useSession()
  const act: { [key: string]: () => void } = {
    reply: () => onReply(message),
    copy: () => void navigator.clipboard.writeText(message.body ?? ''),
    details: () => onDetails(message),
    edit: () => onEdit(message),
    remove: () => void message.remove().catch(report),
  }
  return (
    <div className="actions">
      <MenuTrigger>
        <Button className="round small" aria-label="React" excludeFromTabOrder={!isCurrent}>
          <Icon name="smile" size={18} />
        </Button>
        <Popover className="menu emoji-menu" placement="top">
          <Menu
            aria-label="React"
            onAction={(key) => void react(message, String(key), identity ?? '').catch(report)}
          >
            {REACTIONS.map((emoji) => (
              <MenuItem key={emoji} id={emoji} textValue={emoji}>
                {emoji}
              </MenuItem>
            ))}
          </Menu>
        </Popover>
      </MenuTrigger>
      <MenuTrigger>
        <Button className="round small" aria-label="More" excludeFromTabOrder={!isCurrent}>
          <Icon name="more" size={18} />
        </Button>
        <Popover className="menu">
          <Menu aria-label="Message" onAction={(key) => act[key as string]?.()}>
            <Action id="reply" icon="reply" text="Reply" />
            <Action id="copy" icon="copy" text="Copy" />
            <Action id="details" icon="info" text="Details" />
            {isOwn ? <Action id="edit" icon="edit" text="Edit" /> : null}
            {isOwn ? <Action id="remove" icon="trash" text="Remove for everybody" isDangerous /> : null}
          </Menu>
        </Popover>
      </MenuTrigger>
    </div>
  )
}

function Action(props: { id: string; icon: IconName; text: string; isDangerous?: boolean }) {
  return (
    <MenuItem id={props.id} textValue={props.text} className={props.isDangerous ? 'danger' : ''}>
      <Icon name={props.icon} size={16} /> {props.text}
    </MenuItem>
  )
}
