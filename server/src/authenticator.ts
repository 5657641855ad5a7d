/** Who is it: the app's own `authenticate` hook, or access tokens, and those of an identity provider. */
import { ConfabError, type Limits, normaliseIdentity, SERVICE_USER } from '@confab/core'
import type { Accounts } from './accounts/accounts.ts'
import type { Authentication, Hooks } from './hooks.ts'
import { type OpenIdOptions, openIdVerifier } from './open-id.ts'
import type { Services } from './services/services.ts'
import type { Authenticate } from './session/session.ts'
import { type AccessKeys, issuerOf, LAST_TIME, verifyAccessToken } from './token.ts'

export function authenticator(options: {
  accessKeys: AccessKeys
  /** Accounts of those configured keys that are somebody's. */
  keyAccounts?: ReadonlyMap<string, string>
  /** Whose stored API keys sign tokens, too, and which services those may be for. */
  stored?: { accounts: Pick<Accounts, 'keySecret'>; services: Pick<Services, 'has'> }
  hooks: Pick<Hooks, 'authenticate'>
  /** An identity provider whose tokens are taken, too. */
  openId?: OpenIdOptions | null
  limits: Limits
  now(): number
}): Authenticate {
  const { accessKeys, hooks, limits, now } = options
  if (hooks.authenticate) {
    const authenticate = hooks.authenticate.bind(hooks)
    return async (token) => normalised(await authenticate(token), limits)
  }
  const { openId } = options
  const byProvider = openId ? openIdVerifier(openId, { limits, now }) : null
  return async (token) => {
    const issuer = issuerOf(token)
    if (byProvider && issuer === openId?.issuer) return byProvider(token)
    const key = await options.stored?.accounts.keySecret(issuer)
    const claims = await verifyAccessToken(token, key?.keys ?? accessKeys, { now: now(), limits })
    const { accountSid, serviceSid, identity, roleSid, expiresAt } = claims
    // a key that is somebody's speaks for its own account and that one's services
    const owner = key?.accountSid ?? options.keyAccounts?.get(issuer)
    const isOwn =
      owner === undefined ||
      (owner === accountSid && (await options.stored?.services.has(accountSid, serviceSid)))
    if (!isOwn) throw new ConfabError(20003)
    return {
      principal: { accountSid, serviceSid, identity, serviceRoleSid: roleSid ?? SERVICE_USER },
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
