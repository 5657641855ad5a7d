import type { Message } from '@confab/client'
import { useMaybeClient } from '@confab/react'
import { useEffect } from 'react'

/** The window's title counts what others wrote while nobody looked. */
export function useTitle(identity: string | null): void {
  const client = useMaybeClient()
  useEffect(() => {
    if (!client) return
    let count = 0
    const show = () => {
      document.title = count > 0 ? `(${count}) Confab` : 'Confab'
    }
    const added = ({ author, conversation }: Message) => {
      if (document.visibilityState === 'visible' || author === identity) return
      if (conversation.notificationLevel === 'muted') return
      count++
      show()
    }
    const seen = () => {
      if (document.visibilityState !== 'visible') return
      count = 0
      show()
    }
    client.on('messageAdded', added)
    document.addEventListener('visibilitychange', seen)
    return () => {
      client.off('messageAdded', added)
      document.removeEventListener('visibilitychange', seen)
      document.title = 'Confab'
    }
  }, [client, identity])
}
