/** Coming in and going: joining and leaving, and what both mean for the conversation, however they come about. */
import type { ConversationJoin } from '../operations.ts'
import type { ConversationRecord, Identity, ParticipantRecord } from '../records.ts'
import { creatorRole, participantRole, type Standing } from '../roles.ts'
import { participantSid } from '../sid.ts'
import type { Change, ConversationState, DecideContext, Decision, DecisionAgainst } from '../state.ts'
import { redeem, withoutInvitesOf } from './invite.ts'
import { accepted, defined, directoryRecord, later, need, refused, type Scene } from './verdicts.ts'

export function join(
  state: ConversationState,
  operation: ConversationJoin,
  context: DecideContext,
  standing: Standing,
): Decision {
  const { identity } = standing
  if (identity === null) return refused(20001, 'Only a person joins: a system actor adds participants')
  if (standing.participant) return accepted()
  const { conversation } = state
  if (conversation && standing.pendingCreator) {
    return accepted(...entering(conversation, identity, creatorRole(context), undefined, context))
  }
  // what this needs of the actor comes before anything that depends on the conversation
  need(standing, 'joinConversation')
  if (operation.invite === undefined) return later()

  const redeemed = redeem(conversation, operation.invite, context)
  if (redeemed !== null && conversation !== null) {
    const full = isFull(state, identity, context)
    if (full) return full
    return accepted(
      { type: 'conversation.set', values: { invites: redeemed.invites } },
      ...entering(conversation, identity, redeemed.roleSid, undefined, context),
    )
  }
  if (!context.trustInvites) return later()

  // On a device that hasn't met the relay: the conversation is opened as far as its holder knows it. Who created it
  // and which role the invite gives will be learnt; nothing here is ever sent.
  const hoped: ConversationRecord = conversation ?? {
    sid: context.conversationSid,
    createdBy: '',
    dateCreated: context.now,
  }
  return accepted(
    ...(conversation ? [] : [{ type: 'conversation.set' as const, values: hoped }]),
    ...entering(hoped, identity, participantRole(context), undefined, context),
  )
}

/** Somebody who hasn't joined has nothing to leave. */
export function leave(scene: Scene): Decision {
  const { participant } = scene.standing
  if (!participant) return accepted()
  need(scene.standing, 'leaveConversation')
  return accepted(...going(scene, participant))
}

/** Whether one more chat participant is one too many, for the conversation or for them. */
export function isFull(
  state: ConversationState,
  identity: Identity,
  context: DecideContext,
): DecisionAgainst | null {
  const { limits } = context
  if (state.participantCount >= limits.participants) return refused(50417)
  // the creator's own entry is there already
  const listed = state.conversation?.creatorPending === true && state.conversation.createdBy === identity
  if (!listed && context.conversationCount(identity) >= limits.conversationsPerIdentity) return refused(50422)
  return null
}

/** A chat participant comes in; the creator's first time ends their waiting. */
export function entering(
  conversation: ConversationRecord,
  identity: Identity,
  roleSid: string,
  attributes: ParticipantRecord['attributes'],
  { now }: DecideContext,
): Change[] {
  const sid = participantSid(conversation.sid, { identity })
  const record: ParticipantRecord = defined({
    sid,
    type: 'chat',
    identity,
    roleSid,
    attributes,
    dateCreated: now,
  })
  const changes: Change[] = [
    { type: 'participant.put', record },
    { type: 'directory.put', identity, record: directoryRecord(conversation, 'joined', now) },
  ]
  if (conversation.creatorPending && conversation.createdBy === identity) {
    changes.push({ type: 'conversation.set', values: { creatorPending: undefined } })
  }
  return changes
}

/** A participant goes, with the horizon, the directory entry and the invites that stood on their name. */
export function going({ state, conversation }: Scene, participant: ParticipantRecord): Change[] {
  const { sid, identity } = participant
  const changes: Change[] = [{ type: 'participant.delete', record: participant }]
  if (state.read(sid)) changes.push({ type: 'read.delete', participantSid: sid })
  if (identity !== undefined) {
    changes.push({ type: 'directory.delete', identity, conversationSid: conversation.sid })
  }
  changes.push(...withoutInvitesOf(conversation, participant))
  return changes
}
