import type { Conversation } from '@confab/client'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { encode } from 'uqr'
import { Icon } from '../ui/icons.tsx'
import { inviteLink } from './join-by-link.tsx'

/** An invite as a link and as a code for a camera. Made with no network, too. */
export function InvitePart({ conversation }: { conversation: Conversation }) {
  const [link, setLink] = useState<string | null>(null)
  const [isCopied, setIsCopied] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)

  if (link === null) {
    return (
      <>
        <Button
          onPress={() => {
            conversation.createInvite().then(
              (invite) => setLink(inviteLink(invite)),
              (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
            )
          }}
        >
          Invite by a link…
        </Button>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </>
    )
  }
  return (
    <div className="invite">
      <QrCode text={link} />
      <p>Whoever has this link may join, for a week.</p>
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
