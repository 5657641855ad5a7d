import type { DetailedDeliveryReceipt, Message, Participant } from '@confab/client'
import { useMessage } from '@confab/react'
import { useEffect, useState } from 'react'
import { fullText } from '../lib/format.ts'
import { useNames } from '../lib/person-names.ts'
import { Avatar } from '../ui/avatar.tsx'
import { Sheet } from '../ui/dialogs.tsx'
import { stateOf } from './message-state.ts'
import { kindOf, participantName } from './names.ts'

/** When a message was written and when it came, who has read it, and how far it came on other ways. */
export default function MessageDetails(props: {
  message: Message
  participants: readonly Participant[]
  onClose: () => void
}) {
  const message = useMessage(props.message)
  const names = useNames()
  const receipts = useReceipts(message)
  const others = props.participants.filter(({ identity }) => identity !== message.author)
  const isRead = ({ lastReadMessageIndex: horizon }: Participant) =>
    message.status === 'accepted' && horizon !== null && horizon >= message.index
  return (
    <Sheet title="Message" isOpen onClose={props.onClose}>
      <p className="quoted" dir="auto">
        {message.body}
      </p>
      <dl className="facts">
        <dt>Written</dt>
        <dd>{fullText(message.dateWritten)}</dd>
        <dt>Delivered</dt>
        <dd>
          {message.status === 'accepted' && message.dateCreated
            ? fullText(message.dateCreated)
            : 'not yet: it waits for the network'}
        </dd>
        {message.dateUpdated && message.lastUpdatedBy && (
          <>
            <dt>Changed</dt>
            <dd>
              {fullText(message.dateUpdated)} by {names(message.lastUpdatedBy)}
            </dd>
          </>
        )}
        <dt>State</dt>
        <dd>{stateOf(message).text}</dd>
      </dl>
      <h3>People</h3>
      <ul className="people">
        {others.map((one) => {
          const name = participantName(one, names)
          const receipt = receipts.find(({ participantSid }) => participantSid === one.sid)
          return (
            <li key={one.sid}>
              <Avatar name={name} />
              <span dir="auto">
                {name}
                {kindOf(one) && <small className="kind">{kindOf(one)}</small>}
              </span>
              <small>{receipt ? receipt.status : isRead(one) ? 'has read it' : 'has not read it'}</small>
            </li>
          )
        })}
      </ul>
    </Sheet>
  )
}

function useReceipts(message: Message): readonly DetailedDeliveryReceipt[] {
  const [receipts, setReceipts] = useState<readonly DetailedDeliveryReceipt[]>([])
  // each look at a message makes another object of the same amounts
  const amounts = JSON.stringify(message.aggregatedDeliveryReceipt)
  useEffect(() => {
    if (amounts !== 'null') message.getDetailedDeliveryReceipts().then(setReceipts, () => {})
  }, [message, amounts])
  return receipts
}
