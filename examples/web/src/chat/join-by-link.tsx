import type { Conversation } from '@confab/client'
import { useClient } from '@confab/react'
import { useEffect, useState } from 'react'
import { Button } from 'react-aria-components'
import { inviteInAddress } from '../lib/address.ts'
import { useSession } from '../session.tsx'

/** Joins the conversation that the address invites to, with or without a network. */
export function JoinByLink({ onJoined }: { onJoined: (conversation: Conversation) => void }) {
  const client = useClient()
  const { report } = useSession()
  const [problem, setProblem] = useState<string | null>(null)

  useEffect(() => {
    const follow = () => {
      const invite = inviteInAddress()
      if (invite === null) return
      // once, and not again when somebody goes back
      history.replaceState(null, '', location.pathname + location.search)
      setProblem(null)
      client.joinByInvite(invite).then(onJoined, (error: unknown) => setProblem(report(error)))
    }
    follow()
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  })

  if (problem === null) return null
  return (
    <section className="notice bad" role="alert" aria-label="Invite">
      <p>
        <b>You could not join by that link.</b> {problem}
      </p>
      <div className="notice-actions">
        <Button onPress={() => setProblem(null)}>I see</Button>
      </div>
    </section>
  )
}
