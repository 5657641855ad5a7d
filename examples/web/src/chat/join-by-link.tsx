import type { Conversation } from '@confab/client'
import { useClient } from '@confab/react'
import { useEffect, useRef } from 'react'

/** What stands in the address of a link that invites; behind the #, so that no server sees the secret. */
const IN_ADDRESS = /^#join=([A-Za-z0-9._~-]+)$/

export const inviteLink = (invite: string): string => `${location.origin}/#join=${invite}`

/** Joins the conversation that the address invites to, with or without a network. */
export function JoinByLink({ onJoined }: { onJoined: (conversation: Conversation) => void }) {
  const client = useClient()
  const isDone = useRef(false)
  useEffect(() => {
    const [, invite] = IN_ADDRESS.exec(location.hash) ?? []
    if (!invite || isDone.current) return
    isDone.current = true
    client.joinByInvite(invite).then(onJoined, () => {
      history.replaceState(null, '', '/')
    })
  }, [client, onJoined])
  return null
}
