import type { OperationContent } from '@confab/client'
import { useMaybeClient } from '@confab/react'
import { useEffect, useState } from 'react'
import { listText } from '../lib/format.ts'
import { nameOf } from './names.ts'

const WORDS: { [type: string]: string } = {
  'conversation.create': 'Begin the conversation',
  'conversation.update': 'Change the conversation',
  'conversation.close': 'Close the conversation',
  'conversation.delete': 'Delete the conversation',
  'conversation.join': 'Join',
  'conversation.leave': 'Leave',
  'participant.add': 'Add somebody',
  'participant.remove': 'Remove somebody',
  'participant.update': 'Change a participant',
  'message.post': 'Message',
  'message.edit': 'Edit a message',
  'message.remove': 'Remove a message',
  'message.restore': 'Bring back a message',
  'read.advance': 'Mark as read',
  'read.set': 'Mark as read',
  'invite.create': 'Make an invite',
  'invite.revoke': 'End an invite',
  'user.update': 'Change your profile',
  'setting.set': 'Change a setting',
}

/** What somebody did, in words. */
export const operationText = ({ type }: OperationContent): string => WORDS[type] ?? type

/** What it says, where it says something. */
export function operationBody(operation: OperationContent): string | null {
  const { body, identity, friendlyName } = operation as { [key: string]: unknown }
  for (const text of [body, identity, friendlyName]) if (typeof text === 'string') return text
  return operationFiles(operation)
}

/** What its attachments are called; null where it has none. */
export function operationFiles(operation: OperationContent): string | null {
  const { media } = operation as { media?: { filename?: string }[] }
  return media ? listText(media.map(({ filename }) => filename ?? 'a file')) : null
}

/** Where it was done: the conversation's name. */
export function useConversationName(sid: string | null): string {
  const client = useMaybeClient()
  const [name, setName] = useState('')
  useEffect(() => {
    if (!client || sid === null) return setName(sid === null ? 'your profile' : '')
    client.getConversationBySid(sid).then(
      (conversation) => setName(nameOf(conversation)),
      () => setName('a conversation that you are no longer in'),
    )
  }, [client, sid])
  return name
}
