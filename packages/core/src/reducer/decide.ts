/**
 * The reducer: what becomes of one operation. The relay commits with it and a device shows with it; neither
 * has rules of its own. Pure: the same arguments give the same decision, and nothing is changed by asking.
 */
import { ConfabError } from '../error.ts'
import { isUserOperation, type Operation } from '../operations.ts'
import { belongs, standingOf } from '../roles.ts'
import type { ConversationState, DecideContext, Decision } from '../state.ts'
import * as conversation from './conversation.ts'
import * as invite from './invite.ts'
import * as membership from './membership.ts'
import * as message from './message.ts'
import * as participant from './participant.ts'
import * as read from './read.ts'
import { refused } from './verdicts.ts'

/**
 * Decides one well-formed operation (`parseOperation`) on the state as it stands. Never throws a ConfabError: what
 * is against it is in the decision.
 *
 * Somebody who doesn't belong to the conversation is told 50430, and 20404 when there is no conversation; a relay
 * must give such people one and the same answer (70201) instead.
 */
export function decide(state: ConversationState, operation: Operation, context: DecideContext): Decision {
  try {
    return decideOrThrow(state, operation, context)
  } catch (error) {
    if (error instanceof ConfabError) return refused(error.code, error.message)
    throw error
  }
}

function decideOrThrow(state: ConversationState, operation: Operation, context: DecideContext): Decision {
  if (isUserOperation(operation)) return refused(20001, 'This operation is for no conversation')
  const standing = standingOf(state, context)
  if (operation.type === 'conversation.create')
    return conversation.create(state, operation, context, standing)
  if (operation.type === 'conversation.join') return membership.join(state, operation, context, standing)
  if (state.conversation === null) return refused(20404, 'There is no such conversation')
  const scene = { state, conversation: state.conversation, context, standing }
  // before the next line: leaving what one isn't in does nothing, as Twilio has it
  if (operation.type === 'conversation.leave') return membership.leave(scene)
  if (!belongs(standing)) return refused(50430)

  switch (operation.type) {
    case 'conversation.update':
      return conversation.update(scene, operation)
    case 'conversation.close':
      return conversation.close(scene)
    case 'conversation.delete':
      return conversation.remove(scene)
    case 'participant.add':
      return participant.add(scene, operation)
    case 'participant.remove':
      return participant.remove(scene, operation)
    case 'participant.update':
      return participant.update(scene, operation)
    case 'message.post':
      return message.post(scene, operation)
    case 'message.edit':
      return message.edit(scene, operation)
    case 'message.remove':
      return message.remove(scene, operation)
    case 'message.restore':
      return message.restore(scene, operation)
    case 'message.report':
      return message.report(scene, operation)
    case 'read.advance':
      return read.advance(scene, operation)
    case 'read.set':
      return read.set(scene, operation)
    case 'invite.create':
      return invite.create(scene, operation)
    case 'invite.revoke':
      return invite.revoke(scene, operation)
  }
}
