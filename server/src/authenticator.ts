/** Who is it: the app's own `authenticate` hook, or access tokens. */
import { ConfabError, type Limits, normaliseIdentity, SERVICE_USER } from '@confab/core'
import type { Authentication, Hooks } from './hooks.ts'
import type { Authenticate } from './session/session.ts'
import { type AccessKeys, LAST_TIME, verifyAccessToken } from './token.ts'

export function authenticator(options: {
  accessKeys: AccessKeys
  hooks: Pick<Hooks, 'authenticate'>
  limits: Limits
  now(): number
  /** The role in the service that an administrator gave this person. */
  roleOf?(serviceSid: string, identity: string): Promise<string | null>
}): Authenticate {
  const { accessKeys, hooks, limits, now } = options
  if (hooks.authenticate) {
    const authenticate = hooks.authenticate.bind(hooks)
    return async (token) => normalised(await authenticate(token), limits)
  }
  return async (token) => {
    const claims = await verifyAccessToken(token, accessKeys, { now: now(), limits })
    const { accountSid, serviceSid, identity, roleSid, expiresAt } = claims
    return {
      principal: {
        accountSid,
        serviceSid,
        identity,
        serviceRoleSid: roleSid ?? (await options.roleOf?.(serviceSid, identity)) ?? SERVICE_USER,
      },
      expiresAt,
    }
  }
}

/** An app's identities are normalised here, or two spellings of one name would be two people. */
function normalised({ principal, expiresAt }: Authentication, limits: Limits): Authentication {
  if (!Number.isFinite(expiresAt)) throw new ConfabError(20500, 'authenticate must say when the token ends')
  return {
    principal: { ...principal, identity: normaliseIdentity(principal.identity, limits) },
    expiresAt: Math.min(Math.floor(expiresAt), LAST_TIME),
  }
}
