/** Adding, removing and changing participants, by others. */
import { bindingType } from '../identity.ts'
import type { ParticipantAdd, ParticipantRemove, ParticipantUpdate } from '../operations.ts'
import type { Identity, MessagingBindingRecord, ParticipantRecord } from '../records.ts'
import { can, covers, creatorRole, participantRole, type Role } from '../roles.ts'
import { participantSid } from '../sid.ts'
import type { Change, Decision, DecisionAgainst } from '../state.ts'
import { stateOf } from './conversation.ts'
import { withoutInvitesOf } from './invite.ts'
import { entering, going, isFull } from './membership.ts'
import { accepted, defined, need, orAbsent, patchedAttributes, refused, type Scene } from './verdicts.ts'

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
  const given = givenRole(scene, operation.roleSid ?? participantRole(context))
  if ('verdict' in given) return given
  const full = isFull(state, identity, context)
  if (full) return full

  // Being added is the creator's first join. A member who may add people must not thereby demote them.
  const isCreator = conversation.creatorPending === true && conversation.createdBy === identity
  const chosen = operation.roleSid !== undefined && (standing.pendingCreator || standing.identity === null)
  const roleSid = isCreator && !chosen ? creatorRole(context) : given.sid
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
  if (context.isPossibleAddress?.(binding.address) === false) {
    return refused(50407, `No network has a number ${binding.address}`)
  }
  // a pair of addresses is bound to an open conversation
  if (stateOf(conversation) === 'closed') return refused(50382)
  const sid = participantSid(conversation.sid, binding)
  if (state.participant(sid)) return refused(50425)
  const owner = context.bindingOwner(binding.address, binding.proxyAddress)
  if (owner !== null && owner !== conversation.sid) return refused(50416)
  const given = givenRole(scene, operation.roleSid ?? participantRole(context))
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
  const own = operation.sid === standing.participant?.sid
  if (!(own && can(standing, 'leaveConversation'))) need(standing, 'removeParticipant')
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
    limits,
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

/** The role to give, if it is one of a conversation's and the actor may give it. */
function givenRole({ context, standing }: Scene, sid: string): Role | DecisionAgainst {
  const role = context.roles.get(sid)
  if (role?.type !== 'conversation') return refused(50434)
  return covers(standing, role, context)
    ? role
    : refused(20403, `Nobody gives more than they have: ${role.friendlyName}`)
}
