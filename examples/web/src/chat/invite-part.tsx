import type { Conversation } from '@confab/client'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { encode } from 'uqr'
import { inviteLink } from '../lib/address.ts'
import { useSession } from '../session.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'

/** How many may join by one link. */
const USES = 20

/** An invite as a link and as a code for a camera. Made with no network, too. */
export function InvitePart(props: { conversation: Conversation; mayAdminister: boolean }) {
  const { conversation, mayAdminister } = props
  const { report } = useSession()
  const [link, setLink] = useState<string | null>(null)
  const [isCopied, setIsCopied] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)

  const invite = (role: string, maxUses: number) => {
    conversation.createInvite({ role, maxUses }).then(
      (made) => setLink(inviteLink(made)),
      (error: unknown) => setProblem(report(error)),
    )
  }
  if (link === null) {
    return (
      <>
        <div className="invite-ways">
          <Button onPress={() => invite('channel user', USES)}>Invite by a link…</Button>
          {mayAdminister && <Button onPress={() => invite('channel admin', 1)}>Invite an admin…</Button>}
        </div>
        <Problem text={problem} />
      </>
    )
  }
  return (
    <div className="invite">
      <QrCode text={link} />
      <p>Whoever has this link may join, within a week.</p>
      <div className="invite-line">
        <input
          readOnly
          value={link}
          aria-label="Link that invites"
          onFocus={(event) => event.currentTarget.select()}
        />
        <Button
          onPress={() => {
            void navigator.clipboard.writeText(link).then(() => setIsCopied(true))
          }}
        >
          <Icon name={isCopied ? 'check' : 'copy'} size={16} /> {isCopied ? 'Copied' : 'Copy'}
        </Button>
      </div>
    </div>
  )
}

function QrCode({ text }: { text: string }) {
  const { data, size } = encode(text, { border: 2 })
  const path = data
    .flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : [])))
    .join('')
  return (
    <svg
      className="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-label="The link as a QR code"
      shapeRendering="crispEdges"
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#111" />
    </svg>
  )
}
