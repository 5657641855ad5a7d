/**
 * Invites: a secret's hash that stands on the conversation until it expires, is used up or revoked, or its
 * maker leaves, is removed or gets another role (otherwise a removed member would walk in again by their own).
 */
import { inviteSecretBytes } from '../invite.ts'
import type { InviteCreate, InviteRevoke } from '../operations.ts'
import type { ConversationRecord, InviteRecord, ParticipantRecord } from '../records.ts'
import { covers } from '../roles.ts'
import { inviteHash } from '../sid.ts'
import type { Change, DecideContext, Decision } from '../state.ts'
import { accepted, need, refused, type Scene } from './verdicts.ts'

type Invites = { [hash: string]: InviteRecord }

export function create({ conversation, context, standing }: Scene, operation: InviteCreate): Decision {
  const { now, limits, roles } = context
  need(standing, 'addParticipant')
  const role = roles.get(operation.roleSid)
  if (role?.type !== 'conversation') return refused(50434)
  if (!covers(standing, role, context))
    return refused(20403, `Nobody gives more than they have: ${role.friendlyName}`)
  // by the relay's clock: a device's own may be wrong
  if (!context.trustInvites && operation.expiresAt <= now) return refused(70202)
  const invites = invitesWhere(conversation, (invite) => isUsable(invite, now)) ?? {}
  if (Object.hasOwn(invites, operation.hash)) return refused(70105)
  if (Object.keys(invites).length >= limits.invites) {
    return refused(20001, `A conversation has at most ${limits.invites} invites that stand`)
  }
  invites[operation.hash] = {
    roleSid: role.sid,
    createdBy: standing.name,
    dateCreated: now,
    expiresAt: operation.expiresAt,
    usesLeft: operation.maxUses,
  }
  return accepted({ type: 'conversation.set', values: { invites } })
}

/** One's own, or as somebody who may remove participants. Revoking what is not there changes nothing. */
export function revoke({ conversation, standing }: Scene, operation: InviteRevoke): Decision {
  const invite = inviteOf(conversation, operation.hash)
  if (!invite) return accepted()
  if (invite.createdBy !== standing.name) need(standing, 'removeParticipant')
  return accepted(setInvites(invitesWhere(conversation, (_, hash) => hash !== operation.hash)))
}

/**
 * The role that the secret gives and the invites that then remain; null when it gives none, for whatever reason.
 * @param secret base64url of 32 bytes
 */
export function redeem(
  conversation: ConversationRecord | null,
  secret: string,
  { now, roles }: DecideContext,
): { roleSid: string; invites: Invites } | null {
  if (conversation === null) return null
  const hash = inviteHash(inviteSecretBytes(secret))
  const invite = inviteOf(conversation, hash)
  if (!invite || !isUsable(invite, now) || roles.get(invite.roleSid)?.type !== 'conversation') return null
  const invites = { ...conversation.invites, [hash]: { ...invite, usesLeft: invite.usesLeft - 1 } }
  return { roleSid: invite.roleSid, invites }
}

/** The change that takes away what a participant's name vouched for, if there is something. */
export function withoutInvitesOf(
  conversation: ConversationRecord,
  { identity }: ParticipantRecord,
): Change[] {
  if (identity === undefined) return []
  const all = Object.values(conversation.invites ?? {})
  if (!all.some((invite) => invite.createdBy === identity)) return []
  return [setInvites(invitesWhere(conversation, (invite) => invite.createdBy !== identity))]
}

const isUsable = (invite: InviteRecord, now: number) => invite.expiresAt > now && invite.usesLeft > 0

const setInvites = (invites: Invites | undefined): Change => ({
  type: 'conversation.set',
  values: { invites },
})

function inviteOf(conversation: ConversationRecord, hash: string): InviteRecord | undefined {
  return conversation.invites && Object.hasOwn(conversation.invites, hash)
    ? conversation.invites[hash]
    : undefined
}

/** Those that pass; undefined when none does, so that the key is left out. */
function invitesWhere(
  conversation: ConversationRecord,
  test: (invite: InviteRecord, hash: string) => boolean,
): Invites | undefined {
  const kept = Object.entries(conversation.invites ?? {}).filter(([hash, invite]) => test(invite, hash))
  return kept.length > 0 ? Object.fromEntries(kept) : undefined
}
