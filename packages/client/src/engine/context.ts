/** What a device knows when it decides: its own conversations, Twilio's default roles, and nothing of the service. */
import {
  CHANNEL_ADMIN,
  DEFAULT_ROLES,
  type DecideContext,
  type Limits,
  type Operation,
  type Role,
  rolesRestoring,
  SERVICE_USER,
} from '@confab/core'
import type { ConversationView } from './engine.ts'

/** A role that only the relay knows permits everything here: refusing by it is the relay's to do. */
class DeviceRoles extends Map<string, Role> {
  override get(sid: string): Role | undefined {
    const known = super.get(sid)
    if (known || sid === '') return known
    return { ...(super.get(CHANNEL_ADMIN) as Role), sid, friendlyName: 'a role of this service' }
  }
}

// who may restore messages is an administrator's to say, for a time
const ROLES = new DeviceRoles(rolesRestoring(DEFAULT_ROLES, 'members'))

export function contextMaker(
  identity: string,
  limits: () => Limits,
  conversations: () => Iterable<ConversationView>,
): (conversationSid: string) => (operation: Operation) => DecideContext {
  const uniqueNameOwner = (uniqueName: string) => {
    for (const { sid, record } of conversations()) if (record.uniqueName === uniqueName) return sid
    return null
  }
  return (conversationSid) => (operation) => ({
    actor: { kind: 'identity', identity },
    conversationSid,
    now: operation.dateWritten,
    limits: limits(),
    roles: ROLES,
    serviceRoleSid: SERVICE_USER,
    uniqueNameOwner,
    bindingOwner: () => null,
    // the relay counts; a device would have to know which of its pending operations it counts twice
    conversationCount: () => 0,
    trustInvites: true,
  })
}
