/** Tokens of an identity provider, verified against the keys that it publishes. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CLOSE_CODES, ConfabError, defaultServiceSid } from '@confab/core'
import { createRelay, type OpenIdOptions } from '@confab/relay'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NativePeer } from '../support/native-peer.ts'
import { relayOptions, tokenFor } from '../support/relay.ts'
import { ACCOUNT, onStage } from './stage.ts'

type Pair = Awaited<ReturnType<typeof generateKeyPair>> & { kid: string; alg: string }

const ISSUER = 'https://id.example.org/'
const AUDIENCE = 'confab'

let provider: Server
let published: Pair[]
let fetched: number
let jwksUrl: string
let first: Pair

async function newKey(alg: string): Promise<Pair> {
  return { ...(await generateKeyPair(alg, { extractable: true })), kid: crypto.randomUUID(), alg }
}

beforeEach(async () => {
  first = await newKey('ES256')
  published = [first]
  fetched = 0
  provider = createServer(async (_, response) => {
    fetched++
    const keys = published.map(async ({ publicKey, kid, alg }) => ({
      ...(await exportJWK(publicKey)),
      kid,
      alg,
    }))
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ keys: await Promise.all(keys) }))
  })
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  jwksUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks`
})
afterEach(() => void provider.close())

function signed(
  claims: JWTPayload,
  key = first,
  more: { issuer?: string; audience?: string; exp?: string } = {},
) {
  const { issuer = ISSUER, audience = AUDIENCE, exp = '1h' } = more
  return new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(exp)
    .sign(key.privateKey)
}

async function relayWith(more: Partial<OpenIdOptions> = {}) {
  const { url, failures } = await onStage({
    openId: { jwksUrl, issuer: ISSUER, audience: AUDIENCE, accountSid: ACCOUNT, cooldown: 0, ...more },
  })
  const enter = async (token: string) => {
    const peer = await NativePeer.connect(url, '', token)
    const welcome = peer.frames.find(({ type }) => type === 'welcome')
    await peer.close()
    return welcome as { identity?: string; serviceSid?: string }
  }
  return { url, failures, enter }
}

/** The code that the connection is closed with. */
async function closedWith(url: string, token: string): Promise<number> {
  const peer = await NativePeer.dial(url)
  const closed = new Promise<number>((resolve) => peer.socket.once('close', resolve))
  peer.say({ type: 'hello', version: 1, token, agent: 'test' })
  return closed
}

test('lets in whom the provider vouches for, beside access tokens', async () => {
  const { enter, url } = await relayWith()
  expect(await enter(await signed({ sub: 'ada' }))).toMatchObject({ identity: 'ada' })
  expect(await enter(await tokenFor('bob'))).toMatchObject({ identity: 'bob' })
  expect(fetched).toBe(1)
  expect(await enter(await signed({ sub: 'cleo' }))).toMatchObject({ identity: 'cleo' })
  expect(fetched).toBe(1)
  expect(await closedWith(url, await signed({ sub: 'ada' }, first, { exp: '-1h' }))).toBe(
    CLOSE_CODES.tokenExpired,
  )
})

test('follows the provider when it changes its keys', async () => {
  const { enter, url } = await relayWith()
  await enter(await signed({ sub: 'ada' }))
  const next = await newKey('RS256')
  published = [next]
  expect(await enter(await signed({ sub: 'ada' }, next))).toMatchObject({ identity: 'ada' })
  const gone = await closedWith(url, await signed({ sub: 'ada' }))
  expect(gone).toBe(CLOSE_CODES.unauthenticated)
})

describe('turns away', () => {
  test('what another has signed, or for another, or by an algorithm that is not pinned', async () => {
    const { url } = await relayWith({ algorithms: ['RS256'] })
    const stranger = await newKey('RS256')
    const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(first.publicKey)))
    const forged = await new SignJWT({ sub: 'ada' })
      .setProtectedHeader({ alg: 'HS256', kid: first.kid })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime('1h')
      .sign(secret)
    const none = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ sub: 'ada', iss: ISSUER, aud: AUDIENCE, exp: 9e9 }))}.`
    for (const token of [
      await signed({ sub: 'ada' }),
      await signed({ sub: 'ada' }, stranger),
      await signed({ sub: 'ada' }, { ...stranger, kid: first.kid }),
      await signed({ sub: 'ada' }, first, { audience: 'others' }),
      await signed({ sub: 'ada' }, first, { issuer: 'https://evil.example.org/' }),
      await signed({}),
      forged,
      none.replaceAll('=', ''),
    ]) {
      expect(await closedWith(url, token)).toBe(CLOSE_CODES.unauthenticated)
    }
  })

  test('nobody for good while the provider doesn’t answer', async () => {
    provider.close()
    const { url } = await relayWith()
    expect(await closedWith(url, await signed({ sub: 'ada' }))).toBeGreaterThanOrEqual(4500)
  })
})

test('identity and service come from the claims that an app names, or maps by a function', async () => {
  const byName = await relayWith({ claims: 'email' })
  expect(await byName.enter(await signed({ sub: '1', email: 'ada@example.org' }))).toMatchObject({
    identity: 'ada@example.org',
  })
  const tenant = defaultServiceSid('AC-of-a-tenant')
  const mapped = await relayWith({
    claims: ({ sub, tenant: of }) => {
      if (of !== 'shop') throw new ConfabError(20403)
      return { identity: `shop/${sub}`, serviceSid: tenant }
    },
  })
  expect(await mapped.enter(await signed({ sub: '1', tenant: 'shop' }))).toMatchObject({ identity: 'shop/1' })
  expect(await closedWith(mapped.url, await signed({ sub: '1' }))).toBe(CLOSE_CODES.forbidden)
})

test('wrong options are said', async () => {
  const good: OpenIdOptions = { jwksUrl, issuer: ISSUER, audience: AUDIENCE, accountSid: ACCOUNT }
  for (const [wrong, message] of [
    [{ jwksUrl: 'http://id.example.org/jwks' }, /openId.jwksUrl/],
    [{ issuer: '' }, /openId.issuer/],
    [{ algorithms: ['HS256' as never] }, /openId.algorithms/],
  ] as const) {
    await expect(createRelay(relayOptions({ openId: { ...good, ...wrong } }))).rejects.toThrow(message)
  }
})
