import type { HeldOperation } from '@confab/client'
import { useHeldOperations } from '@confab/react'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { fullText } from '../lib/format.ts'
import { problemText } from '../lib/problem.ts'
import { useSession } from '../session.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { Icon } from '../ui/icons.tsx'
import { Problem } from '../ui/problem.tsx'
import { operationBody, operationFiles, operationText, useConversationName } from './operation-text.ts'

/** What was refused, and why. Nothing of it goes away until somebody says so. */
export function HeldDrawer(props: { isOpen: boolean; onClose: () => void }) {
  const held = useHeldOperations()
  return (
    <Sheet kind="drawer" title="Held" isOpen={props.isOpen} onClose={props.onClose}>
      <p>What you did and the relay refused is kept here, with every word, until you decide.</p>
      {held.length === 0 ? <p className="quiet">Nothing is held.</p> : null}
      <ul className="held">
        {held.map((one) => (
          <Held key={one.operation.id} held={one} />
        ))}
      </ul>
    </Sheet>
  )
}

function Held({ held }: { held: HeldOperation }) {
  const { report } = useSession()
  const where = useConversationName(held.conversationSid)
  const [problem, setProblem] = useState<string | null>(null)
  const body = operationBody(held.operation)
  const files = operationFiles(held.operation)
  const failed = (error: unknown) => setProblem(report(error))
  return (
    <li>
      <b>{operationText(held.operation)}</b> <span dir="auto">{where}</span>
      {body !== null && <p dir="auto">{body}</p>}
      {files !== null && files !== body && (
        <p className="held-files">
          <Icon name="clip" size={16} /> <span dir="auto">{files}</span>
        </p>
      )}
      <small title={`${held.error.message} (code ${held.error.code})`}>
        {problemText(held.error)}, {fullText(held.dateHeld)}
      </small>
      <Problem text={problem} />
      <div className="held-actions">
        {body !== null && <Button onPress={() => void navigator.clipboard.writeText(body)}>Copy</Button>}
        <Button onPress={() => void held.resend().catch(failed)}>Send again</Button>
        <Button className="danger" onPress={() => void held.discard().catch(failed)}>
          Discard
        </Button>
      </div>
    </li>
  )
}
