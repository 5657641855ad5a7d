import type { Diagnostics, PendingOperation } from '@confab/client'
import { useDiagnostics, usePendingOperations } from '@confab/react'
import { useState } from 'react'
import { Button } from 'react-aria-components'
import { fullText } from '../lib/format.ts'
import { Sheet } from '../ui/dialogs.tsx'
import { ConnectionFacts, ConnectionHistory } from './connection-facts.tsx'
import { operationBody, operationText, useConversationName } from './operation-text.ts'
import { StorageFacts } from './storage-facts.tsx'

/** Why something isn't sent: the connection, everything that waits for one, and the room on this device. */
export default function StatusPanel(props: { onClose: () => void; onHeld: () => void }) {
  return (
    <Sheet kind="drawer" title="Connection" isOpen onClose={props.onClose}>
      <Status onHeld={props.onHeld} />
    </Sheet>
  )
}

function Status({ onHeld }: { onHeld: () => void }) {
  const pending = usePendingOperations()
  const diagnostics = useDiagnostics()
  return (
    <>
      {diagnostics && <ConnectionFacts diagnostics={diagnostics} />}
      <h3>Waiting to be sent ({pending.length})</h3>
      {pending.length === 0 && <p className="quiet">Everything is where it belongs.</p>}
      <ol className="waiting">
        {pending.map((one) => (
          <Pending key={one.operation.id} pending={one} />
        ))}
      </ol>
      {diagnostics && diagnostics.held > 0 && (
        <Button onPress={onHeld}>Look at what is held ({diagnostics.held})</Button>
      )}
      {diagnostics && (
        <>
          <Troubles diagnostics={diagnostics} />
          <StorageFacts storage={diagnostics.storage} />
          <ConnectionHistory diagnostics={diagnostics} />
          <CopyReport diagnostics={diagnostics} />
        </>
      )}
    </>
  )
}

function Pending({ pending }: { pending: PendingOperation }) {
  const { conversationSid, operation } = pending
  const where = useConversationName(conversationSid)
  const body = operationBody(operation)
  return (
    <li>
      <span>
        <b>{operationText(operation)}</b> <span dir="auto">{where}</span>
      </span>
      {body !== null && <p dir="auto">{body}</p>}
      <small>{fullText(new Date(operation.dateWritten))}</small>
    </li>
  )
}

/** Conversations in which something was refused, or is tried again. */
function Troubles({ diagnostics }: { diagnostics: Diagnostics }) {
  const troubled = diagnostics.conversations.filter((one) => one.lastError || one.lastRefusal)
  if (troubled.length === 0) return null
  return (
    <>
      <h3>What the relay said no to</h3>
      <ul className="waiting">
        {troubled.map((one) => (
          <Trouble key={one.sid} about={one} />
        ))}
      </ul>
    </>
  )
}

function Trouble({ about }: { about: Diagnostics['conversations'][number] }) {
  const { sid, lastRefusal, lastError } = about
  const name = useConversationName(sid)
  return (
    <li>
      <b dir="auto">{name}</b>
      {lastRefusal && (
        <p>
          {lastRefusal.message} ({lastRefusal.code})
        </p>
      )}
      {lastError && (
        <small>
          Code {lastError.code}, tried again {fullText(lastError.nextAttempt)}
        </small>
      )}
    </li>
  )
}

function CopyReport({ diagnostics }: { diagnostics: Diagnostics }) {
  const [isCopied, setIsCopied] = useState(false)
  const copy = () => navigator.clipboard.writeText(JSON.stringify(diagnostics, null, 2))
  return (
    <>
      <Button onPress={() => void copy().then(() => setIsCopied(true))}>
        {isCopied ? 'Copied' : 'Copy all of this for whoever helps'}
      </Button>
      <p className="quiet">Nothing that anybody wrote is in it, and no token.</p>
    </>
  )
}
