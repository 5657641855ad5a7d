import { useMaybeClient } from '@confab/react'
import { useEffect, useState } from 'react'
import { Button } from 'react-aria-components'
import { useSession } from '../session.tsx'

const KEY = 'confab.storage-hint'

function wasSeen(): boolean {
  try {
    return localStorage.getItem(KEY) === 'seen'
  } catch {
    return true
  }
}

/** Says when what is written can't be kept on this device, or isn't certain to be. */
export function StorageNotice() {
  const { failure, isKept, restart } = useSession()
  if (failure !== null) {
    return (
      <section className="notice bad" role="alert" aria-label="Storage">
        <b>This device’s storage can’t be used.</b>
        <p>{failure}</p>
        <p>What was sent is safe at the relay. What you write now is in its field until this works again.</p>
        <div className="notice-actions">
          <Button onPress={() => restart(true)}>Open it again</Button>
          {isKept && <Button onPress={() => restart(false)}>Go on without</Button>}
        </div>
      </section>
    )
  }
  if (!isKept) {
    return (
      <section className="notice" aria-label="Storage">
        <p>
          <b>Nothing is kept on this device.</b> What isn’t sent when the page closes is lost.
        </p>
      </section>
    )
  }
  return null
}

/** Once, and only where the browser makes no promise: it never makes one to a private window. */
export function StorageHint() {
  const { isDemo, isKept, failure } = useSession()
  const client = useMaybeClient()
  const [isShown, setIsShown] = useState(false)
  useEffect(() => {
    if (!client || isDemo || wasSeen()) return
    let isWanted = true
    client.storage().then(
      ({ persisted }) => {
        if (isWanted) setIsShown(persisted === false)
      },
      () => {},
    )
    return () => {
      isWanted = false
    }
  }, [client, isDemo])
  const done = () => {
    setIsShown(false)
    try {
      localStorage.setItem(KEY, 'seen')
    } catch {
      // it asks again the next time
    }
  }
  if (!isShown || !isKept || failure !== null) return null
  return (
    <section className="notice foot" aria-label="Storage">
      <p>The browser may clear what is kept here when room runs short, and when a private window closes.</p>
      <div className="notice-actions">
        <Button
          onPress={() => {
            void client?.persistStorage().then(done, done)
          }}
        >
          Ask it not to
        </Button>
        <Button onPress={done}>I see</Button>
      </div>
    </section>
  )
}
