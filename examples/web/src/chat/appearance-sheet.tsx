import { useState } from 'react'
import { Label, Radio, RadioGroup } from 'react-aria-components'
import { type Appearance, keepAppearance, readAppearance } from '../lib/appearance.ts'
import { Sheet } from '../ui/dialogs.tsx'

const THEMES = { system: 'As this device', light: 'Light', dark: 'Dark' } as const
const DIRECTIONS = { language: 'As your language', ltr: 'Left to right', rtl: 'Right to left' } as const

/** How the app looks on this device. */
export function AppearanceSheet({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const [appearance, setAppearance] = useState(readAppearance)
  const change = (change: Partial<Appearance>) => {
    const next = { ...appearance, ...change }
    setAppearance(next)
    keepAppearance(next)
  }
  return (
    <Sheet title="Appearance" isOpen={isOpen} onClose={onClose}>
      <Choice
        label="Colours"
        options={THEMES}
        value={appearance.theme}
        onChange={(theme) => change({ theme })}
      />
      <Choice
        label="Direction"
        options={DIRECTIONS}
        value={appearance.direction}
        onChange={(direction) => change({ direction })}
      />
    </Sheet>
  )
}

function Choice<Key extends string>(props: {
  label: string
  options: { readonly [key in Key]: string }
  value: Key
  onChange: (key: Key) => void
}) {
  const { label, options, value, onChange } = props
  return (
    <RadioGroup className="choice" value={value} onChange={(key) => onChange(key as Key)}>
      <Label>{label}</Label>
      <div className="choice-options">
        {(Object.keys(options) as Key[]).map((key) => (
          <Radio key={key} value={key}>
            {options[key]}
          </Radio>
        ))}
      </div>
    </RadioGroup>
  )
}
