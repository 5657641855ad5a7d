/**
 * OpenID: tokens of an app's identity provider, verified against the keys that it publishes. The keys are cached and
 * fetched again when a token names one that isn't known, at most every half minute.
 */
import { ConfabError, defaultServiceSid, type Limits, normaliseIdentity, SERVICE_USER } from '@confab/core'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import type { Authentication, Awaitable } from './hooks.ts'
import { LAST_TIME } from './token.ts'

/** Signatures by keys that only the provider has. Those by shared secrets (HS…) are never taken. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const
export type OpenIdAlgorithm = (typeof ALGORITHMS)[number]

/** Who a token is for, as its claims say. */
export interface OpenIdClaims {
  identity: string
  /** The account's default service when left out. */
  serviceSid?: string
  /** Role in the whole service; what an administrator chose when left out. */
  roleSid?: string
}

export interface OpenIdOptions {
  /** Where the provider publishes its keys, by https (http on this machine only). */
  jwksUrl: string
  /** What tokens must have as `iss`: by it they are told from access tokens. */
  issuer: string
  /** What tokens must have as, or among, `aud`. */
  audience: string
  /** The account that everybody who comes this way belongs to. */
  accountSid: string
  /** Algorithms that are taken. Default: `RS256`, `PS256`, `ES256`, `ES384`, `EdDSA`. */
  algorithms?: readonly OpenIdAlgorithm[]
  /**
   * Who somebody is: the name of a claim that holds the identity, or a function of all claims, which throws to turn
   * them away. Default: `'sub'`.
   */
  claims?: string | ((claims: Readonly<JWTPayload>) => Awaitable<OpenIdClaims>)
  /** Milliseconds that keys are kept. Default 600,000. */
  cacheFor?: number
  /** Milliseconds between two fetches, at least. Default 30,000. */
  cooldown?: number
}

/** Milliseconds that the provider may take to answer. */
const TIMEOUT = 5000
/** Seconds that clocks may differ. */
const SKEW = 30

/** @throws ConfabError 20001 naming the option and what it should be */
export function checkOpenId(options: OpenIdOptions): void {
  const refuse = (option: string, expected: string): never => {
    throw new ConfabError(20001, `openId.${option} must be ${expected}`)
  }
  const url = URL.parse(options.jwksUrl)
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(url?.hostname ?? '')
  if (url?.protocol !== 'https:' && !(url?.protocol === 'http:' && isLocal))
    refuse('jwksUrl', "a URL such as 'https://id.example.org/.well-known/jwks.json'")
  for (const name of ['issuer', 'audience', 'accountSid'] as const) {
    if (typeof options[name] !== 'string' || options[name] === '') refuse(name, 'a text that is not empty')
  }
  const known: readonly string[] = ALGORITHMS
  if (options.algorithms?.length === 0 || options.algorithms?.some((one) => !known.includes(one)))
    refuse('algorithms', `of ${ALGORITHMS.join(', ')}`)
}

/**
 * Verifies tokens of the provider.
 * @returns rejects with 20104 for one that has ended, 20003 for one that isn't to be trusted, and with something else
 * when the provider doesn't answer: the device comes back later
 */
export function openIdVerifier(
  options: OpenIdOptions,
  { limits, now }: { limits: Pick<Limits, 'identityLength'>; now(): number },
): (token: string) => Promise<Authentication> {
  const { issuer, audience, accountSid, algorithms = ALGORITHMS, claims = 'sub' } = options
  const keys = createRemoteJWKSet(new URL(options.jwksUrl), {
    cacheMaxAge: options.cacheFor ?? 600_000,
    cooldownDuration: options.cooldown ?? 30_000,
    timeoutDuration: TIMEOUT,
  })
  return async (token) => {
    const payload = await verified(() =>
      jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: SKEW,
        requiredClaims: ['exp'],
        currentDate: new Date(now()),
      }),
    )
    const who = typeof claims === 'string' ? { identity: payload[claims] } : await claims(payload)
    const { identity, serviceSid, roleSid } = who as OpenIdClaims
    if (typeof identity !== 'string') throw new ConfabError(20003)
    return {
      principal: {
        accountSid,
        serviceSid: serviceSid ?? defaultServiceSid(accountSid),
        identity: trusted(identity, limits),
        serviceRoleSid: roleSid ?? SERVICE_USER,
      },
      expiresAt: Math.min(Math.floor((payload.exp as number) * 1000), LAST_TIME),
    }
  }
}

async function verified(verify: () => Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await verify()).payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new ConfabError(20104)
    const isOfProvider =
      error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || !isOfToken(error)
    throw isOfProvider ? error : new ConfabError(20003)
  }
}

/** Everything of jose's but what it says of an answer that wasn't 200: that is a plain JOSEError. */
const isOfToken = (error: unknown): boolean =>
  error instanceof errors.JOSEError && error.code !== errors.JOSEError.code

function trusted(identity: string, limits: Pick<Limits, 'identityLength'>): string {
  try {
    return normaliseIdentity(identity, limits)
  } catch {
    throw new ConfabError(20003)
  }
}
