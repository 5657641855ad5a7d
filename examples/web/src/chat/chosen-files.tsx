import { Button } from 'react-aria-components'
import { type Chosen, usePreview } from '../lib/files.ts'
import { bytesText } from '../lib/format.ts'
import { Icon } from '../ui/icons.tsx'

/** What goes with the message that is being written. */
export function ChosenFiles(props: { files: readonly Chosen[]; onRemove: (key: number) => void }) {
  if (props.files.length === 0) return null
  return (
    <ul className="chosen" aria-label="Attachments">
      {props.files.map((one) => (
        <ChosenFile key={one.key} chosen={one} onRemove={() => props.onRemove(one.key)} />
      ))}
    </ul>
  )
}

function ChosenFile({ chosen, onRemove }: { chosen: Chosen; onRemove: () => void }) {
  const preview = usePreview(chosen)
  const { name, size } = chosen.file
  return (
    <li>
      {preview ? <img src={preview} alt="" /> : <Icon name="file" size={28} />}
      <span className="chosen-name" dir="auto">
        {name}
      </span>
      <small>{bytesText(size)}</small>
      <Button className="round small" aria-label={`Remove ${name}`} onPress={onRemove}>
        <Icon name="close" size={16} />
      </Button>
    </li>
  )
}
