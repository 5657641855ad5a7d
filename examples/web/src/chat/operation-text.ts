import type { Client, OperationContent } from '@confab/client'

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
  return null
}

export async function conversationName(client: Client, sid: string | null): Promise<string> {
  if (sid === null) return 'your profile'
  try {
    return (await client.getConversationBySid(sid)).friendlyName ?? 'a conversation'
  } catch {
    return 'a conversation that you are no longer in'
  }
}
