/** Operations as a client writes them. */
import { randomBytes } from 'node:crypto'
import { conversationSid, type Operation, type OperationType, participantSid, uuidV7 } from '@confab/core'

type Fields<Type extends OperationType> = Omit<
  Extract<Operation, { type: Type }>,
  'id' | 'type' | 'dateWritten'
>

export const freshId = (): string => uuidV7(Date.now(), (bytes) => randomBytes(bytes))

export function operation<Type extends OperationType>(
  type: Type,
  fields: Fields<Type>,
): Extract<Operation, { type: Type }> {
  const made = { id: freshId(), type, dateWritten: Date.now(), ...fields }
  return made as unknown as Extract<Operation, { type: Type }>
}

export const post = (body: string) => operation('message.post', { body })

/** A conversation's sid and the operations by which its creator makes it and brings everybody in. */
export function newConversation(
  creator: string,
  others: readonly string[] = [],
  fields: { friendlyName?: string } = {},
): { sid: string; operations: Operation[] } {
  const nonce = randomBytes(16).toString('hex')
  return {
    sid: conversationSid(creator, nonce),
    operations: [
      operation('conversation.create', { nonce, ...fields }),
      operation('conversation.join', {}),
      ...others.map((identity) => operation('participant.add', { identity })),
    ],
  }
}

export const memberSid = (conversation: string, identity: string): string =>
  participantSid(conversation, { identity })

/** A sid that names nothing. */
export const nobodysSid = (): string => `CH${randomBytes(16).toString('hex')}`
