/** The reducer of `user/<identity>`: profiles, settings of one's own, push registrations. Pure, as `decide` is. */
import { ConfabError } from '../error.ts'
import {
  isUserOperation,
  type Operation,
  type PushRemove,
  type PushSet,
  type SettingSet,
  type UserUpdate,
} from '../operations.ts'
import type { ProfileRecord, PushRegistrationRecord } from '../records.ts'
import { can, standingInService } from '../roles.ts'
import { userSid } from '../sid.ts'
import type { UserChange, UserDecideContext, UserDecision, UserState } from '../user-state.ts'
import { need, patchedAttributes, refused } from './verdicts.ts'

/**
 * Decides one well-formed operation (`parseOperation`) of a user document, on the state as it stands. Never throws a
 * ConfabError: what is against it is in the decision. There is no "not now" here: nobody else writes there.
 */
export function decideUser(state: UserState, operation: Operation, context: UserDecideContext): UserDecision {
  if (!isUserOperation(operation)) return refused(20001, 'This operation is for a conversation')
  try {
    switch (operation.type) {
      case 'user.update':
        return update(state, operation, context)
      case 'setting.set':
        return setting(state, operation, context)
      case 'push.set':
      case 'push.remove':
        return push(state, operation, context)
      case 'user.delete':
        return remove(context)
    }
  } catch (error) {
    if (error instanceof ConfabError) return refused(error.code, error.message)
    throw error
  }
}

const accepted = (...changes: UserChange[]): UserDecision => ({ verdict: 'accepted', changes })

function update(state: UserState, operation: UserUpdate, context: UserDecideContext): UserDecision {
  const { limits } = context
  const standing = standingInService(context)
  const identity = operation.identity ?? context.identity
  const own = standing.identity === identity
  if (!(own && can(standing, 'editOwnUserInfo'))) need(standing, 'editAnyUserInfo')

  const profile = state.profile(identity)
  const values: Partial<ProfileRecord> = {}
  if (operation.friendlyName !== undefined) {
    const friendlyName = operation.friendlyName ?? undefined
    if (friendlyName !== profile?.friendlyName) values.friendlyName = friendlyName
  }
  const patched = patchedAttributes(profile?.attributes, operation.attributes, limits.attributesBytes, limits)
  if (patched) values.attributes = patched.attributes
  // an administrator makes somebody known of whom nothing is said yet
  const isNew = profile === null && standing.identity === null
  return Object.keys(values).length === 0 && !isNew
    ? accepted()
    : accepted(profileSet(profile, identity, values, context))
}

function setting(state: UserState, operation: SettingSet, { limits }: UserDecideContext): UserDecision {
  const { conversationSid, notificationLevel } = operation
  const current = state.setting(conversationSid)
  if (notificationLevel !== 'muted')
    return current ? accepted({ type: 'setting.delete', conversationSid }) : accepted()
  if (current) return accepted()
  // of conversations too that the relay hasn't heard of yet: they may be on their way
  if (state.settingCount >= limits.conversationsPerIdentity) return refused(50422)
  return accepted({ type: 'setting.put', conversationSid, record: { notificationLevel } })
}

function push(state: UserState, operation: PushSet | PushRemove, context: UserDecideContext): UserDecision {
  const { channelType, token } = operation
  const before = state.pushRegistrations
  const isIt = (one: PushRegistrationRecord) => one.channelType === channelType && one.token === token
  const known = before.some(isIt)
  if (known === (operation.type === 'push.set')) return accepted()
  const registrations = known
    ? before.filter((one) => !isIt(one))
    : [...before, { channelType, token, dateCreated: context.now }].slice(-context.limits.pushRegistrations)
  const changes: UserChange[] = [{ type: 'push.put', registrations }]
  const profile = state.profile(context.identity)
  const notifiable = registrations.length > 0
  if (notifiable !== (profile?.notifiable === true)) {
    const values: Partial<ProfileRecord> = { notifiable: notifiable || undefined }
    changes.push(profileSet(profile, context.identity, values, context))
  }
  return accepted(...changes)
}

function remove({ actor, identity }: UserDecideContext): UserDecision {
  if (actor.kind !== 'system') return refused(20403, 'Only an administrator deletes a person')
  return accepted({ type: 'user.erase', identity })
}

function profileSet(
  profile: ProfileRecord | null,
  identity: string,
  values: Partial<ProfileRecord>,
  { serviceSid, now }: UserDecideContext,
): UserChange {
  const dates = profile
    ? { dateUpdated: now }
    : { sid: userSid(serviceSid, identity), identity, dateCreated: now }
  return { type: 'profile.set', identity, values: { ...dates, ...values } }
}
