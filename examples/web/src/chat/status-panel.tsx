import type { PendingOperation } from '@confab/client'
import { useConnection, useMaybeClient, usePendingOperations } from '@confab/react'
import { useEffect, useState } from 'react'
import { fullText } from '../lib/format.ts'
import { Sheet } from '../ui/dialogs.tsx'
import { conversationName, operationBody, operationText } from './operation-text.ts'

/** The state of the connection, and everything that waits for one. */
export function StatusPanel(props: { isOpen: boolean; onClose: () => void }) {
  const { state, lastError } = useConnection()
  const pending = usePendingOperations()
  return (
    <Sheet kind="drawer" title="Connection" isOpen={props.isOpen} onClose={props.onClose}>
      <dl className="facts">
        <dt>State</dt>
        <dd>{state}</dd>
        <dt>Relay</dt>
        <dd>{location.host}</dd>
        {lastError && (
          <>
            <dt>Last error</dt>
            <dd>{lastError.message}</dd>
          </>
        )}
      </dl>
      <h3>Waiting to be sent ({pending.length})</h3>
      {pending.length === 0 ? <p className="quiet">Everything is where it belongs.</p> : null}
      <ol className="waiting">
        {pending.map((one) => (
          <Pending key={one.operation.id} pending={one} />
        ))}
      </ol>
    </Sheet>
  )
}

function Pending({ pending }: { pending: PendingOperation }) {
  const client = useMaybeClient()
  const [where, setWhere] = useState('')
  const { conversationSid, operation } = pending
  useEffect(() => {
    if (client) void conversationName(client, conversationSid).then(setWhere)
  }, [client, conversationSid])
  const body = operationBody(operation)
  return (
    <li>
      <b>{operationText(operation)}</b> <span dir="auto">{where}</span>
      {body !== null && <p dir="auto">{body}</p>}
      <small>{fullText(new Date(operation.dateWritten))}</small>
    </li>
  )
}
