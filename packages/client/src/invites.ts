/** Making invites and taking them: the text that a person hands on, over the engine's operations. */
import {
  CHANNEL_USER,
  ConfabError,
  decodeInvite,
  encodeInvite,
  INVITE_SECRET_BYTES,
  inviteHash,
  inviteSecretText,
  roleSid,
} from '@confab/core'
import type { ConversationView, Engine } from './engine/engine.ts'
import type { InviteOptions } from './types.ts'

/** Seconds that an invite stands when its maker doesn't say: a week. */
const INVITE_SECONDS = 7 * 24 * 3600

/** The sid of a role that is given by its name, `channel admin`, or by its sid. */
export const roleOf = (role: string): string => (/^RL[0-9a-f]{32}$/.test(role) ? role : roleSid(role))

type Inviting = Pick<Engine, 'submit' | 'conversation' | 'local'>

/** @throws ConfabError 20001 for malformed options, and what `submit` rejects with */
export async function createInvite(engine: Inviting, sid: string, options: InviteOptions): Promise<string> {
  const { role = CHANNEL_USER, expiresIn = INVITE_SECONDS, maxUses = 1 } = options
  if (!(Number.isFinite(expiresIn) && expiresIn > 0)) {
    throw new ConfabError(20001, 'expiresIn must be a positive number of seconds')
  }
  if (!(Number.isSafeInteger(maxUses) && maxUses > 0)) {
    throw new ConfabError(20001, 'maxUses must be a positive integer')
  }
  const secret = engine.local.random(INVITE_SECRET_BYTES)
  const given = roleOf(role)
  const expiresAt = Math.floor(engine.local.relayNow() + expiresIn * 1000)
  const hash = inviteHash(secret)
  await engine.submit(sid, [{ type: 'invite.create', hash, roleSid: given, expiresAt, maxUses }])
  const friendlyName = engine.conversation(sid)?.record.friendlyName
  return encodeInvite({
    conversationSid: sid,
    secret,
    expiresAt,
    roleSid: given,
    ...(friendlyName === undefined ? {} : { friendlyName }),
  })
}

/** Opens the invited conversation locally and joins it. */
export async function joinByInvite(
  engine: Pick<Engine, 'joinInvited'>,
  invite: string,
): Promise<ConversationView> {
  const { conversationSid, secret, expiresAt } = decodeInvite(invite)
  return engine.joinInvited(conversationSid, inviteSecretText(secret), expiresAt)
}
