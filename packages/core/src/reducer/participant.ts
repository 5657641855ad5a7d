/** Joining, leaving, adding, removing and changing participants. */
import { bindingType } from '../identity.ts'
import type { ConversationJoin, ParticipantAdd, ParticipantRemove, ParticipantUpdate } from '../operations.ts'
import type { ConversationRecord, Identity, MessagingBindingRecord, ParticipantRecord } from '../records.ts'
import { CHANNEL_ADMIN, CHANNEL_USER, can, covers, type Role, type Standing } from '../roles.ts'
import { participantSid } from '../sid.ts'
import type { Change, ConversationState, DecideContext, Decision, DecisionAgainst } from '../state.ts'
import { stateOf } from './conversation.ts'
import { redeem, withoutInvitesOf } from './invite.ts'
import {
  accepted,
  defined,
  directoryRecord,
  later,
  need,
  orAbsent,
  patchedAttributes,
  refused,
  type Scene,
} from './verdicts.ts'

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
    return accepted(...entering(conversation, identity, CHANNEL_ADMIN, undefined, context))
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
    ...entering(hoped, identity, CHANNEL_USER, undefined, context),
  )
}

/** Somebody who hasn't joined has nothing to leave. */
export function leave(scene: Scene): Decision {
  const { participant } = scene.standing
  if (!participant) return accepted()
  need(scene.standing, 'leaveConversation')
  return accepted(...going(scene, participant))
}

export function add(scene: Scene, operation: ParticipantAdd): Decision {
  const { identity, binding } = operation
  if (identity !== undefined) return addChat(scene, operation, identity)
  if (binding !== undefined) return addNonChat(scene, operation, binding)
  return refused(20001, 'Exactly one of identity and binding is needed')
}

function addChat(scene: Scene, operation: ParticipantAdd, identity: Identity): Decision {
  const { state, conversation, context, standing } = scene
  need(standing, 'addParticipant')
  const sid = participantSid(conversation.sid, { identity })
  if (state.participant(sid)) return refused(50433, `${identity} is a participant already`)
  const given = givenRole(scene, operation.roleSid ?? CHANNEL_USER)
  if ('verdict' in given) return given
  const full = isFull(state, identity, context)
  if (full) return full

  // Being added is the creator's first join. A member who may add people must not thereby demote them.
  const isCreator = conversation.creatorPending === true && conversation.createdBy === identity
  const chosen = operation.roleSid !== undefined && (standing.pendingCreator || standing.identity === null)
  const roleSid = isCreator && !chosen ? CHANNEL_ADMIN : given.sid
  const attributes = orAbsent(operation.attributes)
  return accepted(
    ...entering(conversation, identity, roleSid, attributes, context),
    // somebody who comes back starts without a horizon
    ...(state.read(sid) ? [{ type: 'read.delete' as const, participantSid: sid }] : []),
  )
}

function addNonChat(scene: Scene, operation: ParticipantAdd, binding: MessagingBindingRecord): Decision {
  const { state, conversation, context, standing } = scene
  const { limits, now } = context
  need(standing, 'addNonChatParticipant')
  const type = bindingType(binding)
  // a pair of addresses is bound to an open conversation
  if (stateOf(conversation) === 'closed') return refused(50382)
  const sid = participantSid(conversation.sid, binding)
  if (state.participant(sid)) return refused(50425)
  const owner = context.bindingOwner(binding.address, binding.proxyAddress)
  if (owner !== null && owner !== conversation.sid) return refused(50416)
  const given = givenRole(scene, operation.roleSid ?? CHANNEL_USER)
  if ('verdict' in given) return given
  if (state.participantCount >= limits.participants) return refused(50417)
  if (state.nonChatCount >= limits.nonChatParticipants) return refused(50418)
  const record: ParticipantRecord = defined({
    sid,
    type,
    binding,
    roleSid: given.sid,
    attributes: orAbsent(operation.attributes),
    dateCreated: now,
  })
  return accepted({ type: 'participant.put', record })
}

/** Removing who is not there is accepted and changes nothing: two people may remove the same one offline. */
export function remove(scene: Scene, operation: ParticipantRemove): Decision {
  const { state, standing } = scene
  need(standing, operation.sid === standing.participant?.sid ? 'leaveConversation' : 'removeParticipant')
  const participant = state.participant(operation.sid)
  return participant ? accepted(...going(scene, participant)) : accepted()
}

export function update(scene: Scene, operation: ParticipantUpdate): Decision {
  const { state, context, standing } = scene
  const { limits, now } = context
  const own = operation.sid === standing.participant?.sid
  if (operation.attributes !== undefined && !(own && can(standing, 'editOwnParticipantAttributes'))) {
    need(standing, 'editAnyParticipantAttributes')
  }
  // another role amounts to being removed and added again
  if (operation.roleSid !== undefined) {
    need(standing, 'removeParticipant')
    need(standing, 'addParticipant')
  }
  const participant = state.participant(operation.sid)
  if (!participant) return refused(50432)

  const patched = patchedAttributes(
    participant.attributes,
    operation.attributes,
    limits.attributesBytes,
    limits.jsonDepth,
  )
  const given = operation.roleSid === undefined ? undefined : givenRole(scene, operation.roleSid)
  if (given && 'verdict' in given) return given
  const roleChanges = given !== undefined && given.sid !== participant.roleSid
  if (!patched && !roleChanges) return accepted()
  const record: ParticipantRecord = defined({
    ...participant,
    ...patched,
    roleSid: given?.sid ?? participant.roleSid,
    dateUpdated: now,
  })
  const changes: Change[] = [{ type: 'participant.put', record }]
  if (roleChanges) changes.push(...withoutInvitesOf(scene.conversation, participant))
  return accepted(...changes)
}

/** The role to give, if it is one of a conversation's and the actor has all that it permits. */
function givenRole({ context, standing }: Scene, sid: string): Role | DecisionAgainst {
  const role = context.roles.get(sid)
  if (role?.type !== 'conversation') return refused(50434)
  return covers(standing, role)
    ? role
    : refused(20403, `Nobody gives more than they have: ${role.friendlyName}`)
}

function isFull(
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
function entering(
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
function going({ state, conversation }: Scene, participant: ParticipantRecord): Change[] {
  const { sid, identity } = participant
  const changes: Change[] = [{ type: 'participant.delete', record: participant }]
  if (state.read(sid)) changes.push({ type: 'read.delete', participantSid: sid })
  if (identity !== undefined) {
    changes.push({ type: 'directory.delete', identity, conversationSid: conversation.sid })
  }
  changes.push(...withoutInvitesOf(conversation, participant))
  return changes
}
