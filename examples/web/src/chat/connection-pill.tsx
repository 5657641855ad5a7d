import { useConnection, useHeldOperations, useMaybeClient, usePendingOperations } from '@confab/react'
import { Button, Switch } from 'react-aria-components'
import { Icon } from '../ui/icons.tsx'

/** Whether there is a connection, how much waits for one, and a switch to be without. */
export function ConnectionPill(props: {
  isOffline: boolean
  onSwitch: (isOffline: boolean) => void
  onHeld: () => void
  onStatus: () => void
}) {
  const { isOffline, onSwitch } = props
  const client = useMaybeClient()
  const { isConnected, state } = useConnection()
  const waiting = usePendingOperations().length
  const held = useHeldOperations().length
  const word = isOffline
    ? 'Offline'
    : isConnected
      ? 'Connected'
      : state === 'denied'
        ? 'Not let in'
        : state === 'connecting'
          ? 'Connecting…'
          : 'No connection'
  const kind = isOffline ? 'off' : isConnected ? 'on' : 'wait'

  return (
    <section className={`pill ${kind}`} aria-label="Connection">
      <Button className="pill-state" onPress={props.onStatus}>
        <span className="pill-dot" />
        <span role="status">
          {word}
          {waiting > 0 && `, ${waiting} to send`}
        </span>
      </Button>
      {held > 0 && (
        <Button className="pill-held" onPress={props.onHeld}>
          <Icon name="tray" size={16} /> {held} held
        </Button>
      )}
      <Switch
        className="switch"
        isSelected={!isOffline}
        isDisabled={!client}
        onChange={(isOnline) => {
          onSwitch(!isOnline)
          void (isOnline ? client?.goOnline() : client?.goOffline())
        }}
      >
        <span className="switch-track">
          <span className="switch-thumb" />
        </span>
        <span className="visually-hidden">Use the network</span>
      </Switch>
    </section>
  )
}
