/**
 * Roles, permissions, and `can`: the one place where a permission is decided.
 *
 * Twilio publishes the names of the permissions; the sets below are Confab's reading of its default roles, with
 * two decisions of our own: a channel user has `editAnyMessageAttributes`, because apps keep reactions in the
 * attributes of other people's messages, and `addParticipant`, because a member's invite is worth nothing if
 * only the admin can make one (nobody can give more than they have: see `covers`).
 */
import type { ParticipantRecord } from './records.ts'
import { participantSid, roleSid } from './sid.ts'
import type { ConversationState, DecideContext } from './state.ts'

export const PERMISSIONS = [
  'addParticipant',
  'addNonChatParticipant',
  'removeParticipant',
  'deleteConversation',
  'deleteAnyMessage',
  'deleteOwnMessage',
  'editAnyMessage',
  'editOwnMessage',
  'editAnyMessageAttributes',
  'editOwnMessageAttributes',
  'editAnyParticipantAttributes',
  'editOwnParticipantAttributes',
  'editConversationName',
  'editConversationAttributes',
  'editNotificationLevel',
  'sendMessage',
  'sendMediaMessage',
  'leaveConversation',
  'createConversation',
  'joinConversation',
  'editAnyUserInfo',
  'editOwnUserInfo',
  /** Ours: bringing again what others had written and the relay lost with a restored backup. */
  'restoreMessages',
] as const

export type Permission = (typeof PERMISSIONS)[number]

export interface Role {
  readonly sid: string
  readonly friendlyName: string
  readonly type: 'conversation' | 'service'
  readonly permissions: ReadonlySet<Permission>
}

/** The roles of a service, by sid. The four default ones are always among them. */
export type RoleTable = ReadonlyMap<string, Role>

export const SERVICE_ADMIN = roleSid('service admin')
export const SERVICE_USER = roleSid('service user')
export const CHANNEL_ADMIN = roleSid('channel admin')
export const CHANNEL_USER = roleSid('channel user')

const CHANNEL_USER_PERMISSIONS: Permission[] = [
  'addParticipant',
  'deleteOwnMessage',
  'editOwnMessage',
  'editAnyMessageAttributes',
  'editOwnMessageAttributes',
  'editOwnParticipantAttributes',
  'editNotificationLevel',
  'sendMessage',
  'sendMediaMessage',
  'leaveConversation',
]

/** What a new service starts with. */
export const DEFAULT_ROLES: RoleTable = new Map(
  (
    [
      [SERVICE_ADMIN, 'service admin', 'service', [...PERMISSIONS]],
      [
        SERVICE_USER,
        'service user',
        'service',
        ['createConversation', 'joinConversation', 'editOwnUserInfo'],
      ],
      [
        CHANNEL_ADMIN,
        'channel admin',
        'conversation',
        [
          ...CHANNEL_USER_PERMISSIONS,
          'addNonChatParticipant',
          'removeParticipant',
          'deleteConversation',
          'deleteAnyMessage',
          'editAnyMessage',
          'editAnyParticipantAttributes',
          'editConversationName',
          'editConversationAttributes',
        ],
      ],
      [CHANNEL_USER, 'channel user', 'conversation', CHANNEL_USER_PERMISSIONS],
    ] satisfies [string, string, Role['type'], Permission[]][]
  ).map(([sid, friendlyName, type, permissions]) => [
    sid,
    { sid, friendlyName, type, permissions: new Set<Permission>(permissions) },
  ]),
)

/** Other roles to begin with than `CHANNEL_ADMIN` and `CHANNEL_USER`, where an administrator of the service chose some. */
export interface DefaultRoles {
  /** What a conversation's creator joins as, and acts as until then. */
  readonly creator?: string | undefined
  /** What being added means. */
  readonly participant?: string | undefined
}

/** Whom an administrator lets restore messages: nobody but service admins, channel admins too, or all members. */
export type RestoringFrom = 'service admins' | 'channel admins' | 'members'

/** The roles, with `restoreMessages` given to those whom an administrator lets restore. */
export function rolesRestoring(roles: RoleTable, from: RestoringFrom): RoleTable {
  const isGiven = ({ sid, type }: Role) =>
    type === 'conversation' && (from === 'members' || (from === 'channel admins' && sid === CHANNEL_ADMIN))
  return new Map(
    [...roles].map(([sid, role]) => [
      sid,
      isGiven(role)
        ? { ...role, permissions: new Set([...role.permissions, 'restoreMessages' as const]) }
        : role,
    ]),
  )
}

/** Who an actor is in one conversation, looked up once per decision. */
export interface Standing {
  /** What a record says of who did it: the identity, or `system`. */
  readonly name: string
  /** Null for a system actor. */
  readonly identity: string | null
  /** The actor's participant sid, whether or not they are one; null for a system actor. */
  readonly participantSid: string | null
  readonly participant: ParticipantRecord | undefined
  /** The creator before their first join: acts as channel admin. */
  readonly pendingCreator: boolean
  readonly conversationRole: Role | undefined
  readonly serviceRole: Role | undefined
}

/** Where the actor of `context` stands in the conversation. */
export function standingOf(state: ConversationState, context: DecideContext): Standing {
  const { actor, roles } = context
  const inService = standingInService(context)
  if (actor.kind === 'system') return inService
  const sid = participantSid(context.conversationSid, { identity: actor.identity })
  const participant = state.participant(sid)
  const pendingCreator =
    participant === undefined &&
    state.conversation?.creatorPending === true &&
    state.conversation.createdBy === actor.identity
  return {
    ...inService,
    participantSid: sid,
    participant,
    pendingCreator,
    conversationRole: roles.get(pendingCreator ? creatorRole(context) : (participant?.roleSid ?? '')),
  }
}

/** Where the actor stands outside of any conversation: what their role in the service gives. */
export function standingInService(
  context: Pick<DecideContext, 'actor' | 'roles' | 'serviceRoleSid'>,
): Standing {
  const { actor } = context
  const identity = actor.kind === 'system' ? null : actor.identity
  return {
    name: identity ?? 'system',
    identity,
    participantSid: null,
    participant: undefined,
    pendingCreator: false,
    conversationRole: undefined,
    serviceRole: context.roles.get(context.serviceRoleSid),
  }
}

export const creatorRole = ({ defaultRoles }: Pick<DecideContext, 'defaultRoles'>): string =>
  defaultRoles?.creator ?? CHANNEL_ADMIN
export const participantRole = ({ defaultRoles }: Pick<DecideContext, 'defaultRoles'>): string =>
  defaultRoles?.participant ?? CHANNEL_USER

/** Whether the actor belongs to the conversation: a participant, its pending creator, or the system. */
export function belongs(standing: Standing): boolean {
  return standing.identity === null || standing.participant !== undefined || standing.pendingCreator
}

/** The one place where a permission is decided: the role here, the role in the service, or the system. */
export function can(standing: Standing, permission: Permission): boolean {
  return (
    standing.identity === null ||
    standing.conversationRole?.permissions.has(permission) === true ||
    standing.serviceRole?.permissions.has(permission) === true
  )
}

/**
 * Whether the actor, who may add people, may give them `role`: nobody gives a permission that they don't have. The
 * default role is what adding means, and open to all who may add.
 */
export function covers(
  standing: Standing,
  role: Role,
  context: Pick<DecideContext, 'defaultRoles'>,
): boolean {
  if (role.sid === participantRole(context)) return true
  for (const permission of role.permissions) if (!can(standing, permission)) return false
  return true
}
