import { ConfabError, defaultServiceSid } from '@confab/core'
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createAccessToken, verifyAccessToken } from '../src/token.ts'

const now = Date.UTC(2026, 0, 1)
const secret = 's'.repeat(32)
const keys = { SKone: secret, SKtwo: 't'.repeat(32) }
const options = { accountSid: 'AC1', key: 'SKone', secret, identity: 'alice', serviceSid: 'IS1', now }

const codeOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  return error instanceof ConfabError ? error.code : error
}

describe('an access token', () => {
  it('has the form of Twilio’s', async () => {
    const token = await createAccessToken(options)
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' })
    expect(decodeJwt(token)).toEqual({
      jti: `SKone-${now / 1000}`,
      iss: 'SKone',
      sub: 'AC1',
      exp: now / 1000 + 3600,
      grants: { identity: 'alice', chat: { service_sid: 'IS1' } },
    })
  })

  it('says who it is for, until when, and in what service', async () => {
    const token = await createAccessToken({ ...options, ttl: 60, roleSid: 'RL1', relayUrl: 'wss://r' })
    expect(await verifyAccessToken(token, keys, { now })).toEqual({
      accountSid: 'AC1',
      serviceSid: 'IS1',
      identity: 'alice',
      roleSid: 'RL1',
      expiresAt: now + 60_000,
    })
    expect(decodeJwt(token).grants).toMatchObject({ confab: { url: 'wss://r', role_sid: 'RL1' } })
  })

  it('without a service is for its account’s default one', async () => {
    const minted = await createAccessToken({ ...options, serviceSid: undefined })
    const bare = await new SignJWT({
      iss: 'SKone',
      sub: 'AC1',
      exp: now / 1000 + 9,
      grants: { identity: 'a' },
    })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(secret))
    for (const token of [minted, bare]) {
      const { serviceSid } = await verifyAccessToken(token, keys, { now })
      expect(serviceSid).toBe(defaultServiceSid('AC1'))
    }
  })

  it('means the same person whichever way the name is spelt', async () => {
    const token = await createAccessToken({ ...options, identity: 'Ame\u0301lie' })
    expect((await verifyAccessToken(token, keys, { now })).identity).toBe('Am\u00e9lie')
  })

  it('expires with 20104, and only once its signature is good', async () => {
    const token = await createAccessToken({ ...options, ttl: 60 })
    expect(await codeOf(verifyAccessToken(token, keys, { now: now + 59_999 }))).toBeNull()
    expect(await codeOf(verifyAccessToken(token, keys, { now: now + 60_000 }))).toBe(20104)
    expect(await codeOf(verifyAccessToken(token, { SKone: 'another' }, { now: now + 60_000 }))).toBe(20003)
  })

  const sign = (payload: object, header: { alg: string } = { alg: 'HS256' }, by = secret) =>
    new SignJWT({ ...payload }).setProtectedHeader(header).sign(new TextEncoder().encode(by))
  const good = { iss: 'SKone', sub: 'AC1', exp: now / 1000 + 60, grants: { identity: 'alice' } }
  const none = (payload: object) =>
    `${[{ alg: 'none' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`
  const refused: [what: string, token: () => string | Promise<string>][] = [
    ['is no token', () => 'nonsense'],
    ['is empty', () => ''],
    ['is of an unknown key', () => sign({ ...good, iss: 'SKnone' })],
    ['names a key that every object has', () => sign({ ...good, iss: 'constructor' })],
    ['names no key', () => sign({ ...good, iss: undefined })],
    ['is signed by another key than it names', () => sign(good, { alg: 'HS256' }, keys.SKtwo)],
    ['is signed by another algorithm', () => sign(good, { alg: 'HS512' }, secret.repeat(2))],
    ['is not signed', () => none(good)],
    ['never ends', () => sign({ ...good, exp: undefined })],
    ['is not valid yet', () => sign({ ...good, nbf: now / 1000 + 31 })],
    ['names no identity', () => sign({ ...good, grants: {} })],
    ['has no grants', () => sign({ ...good, grants: undefined })],
    ['names a malformed identity', () => sign({ ...good, grants: { identity: 'a\u0000' } })],
    ['names an identity that is too long', () => sign({ ...good, grants: { identity: 'a'.repeat(257) } })],
    ['names no account', () => sign({ ...good, sub: undefined })],
  ]
  for (const [what, token] of refused) {
    it(`that ${what} is not trusted, without a word on why`, async () => {
      const error = await verifyAccessToken(await token(), keys, { now }).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 20003, message: 'Authentication failed' })
    })
  }

  it('is not minted out of missing parts', async () => {
    for (const part of [{ identity: '' }, { ttl: -1 }, { ttl: Number.NaN }, { secret: '' }, { key: '' }]) {
      expect(await codeOf(createAccessToken({ ...options, ...part }))).toBe(20001)
    }
  })

  it('is signed with no secret that can be guessed: 32 bytes, which Twilio’s API keys have', async () => {
    await expect(createAccessToken({ ...options, secret: 's'.repeat(31) })).rejects.toMatchObject({
      code: 20001,
      message: expect.stringMatching(/^secret must be a secret of 32 bytes or more/),
    })
    expect(await codeOf(createAccessToken({ ...options, secret: 's'.repeat(32) }))).toBeNull()
    expect(await codeOf(createAccessToken({ ...options, secret: 'é'.repeat(16) }))).toBeNull()
  })

  it('that ends beyond all times ends at the last one', async () => {
    for (const exp of [8.64e12 + 1, 1e300]) {
      const { expiresAt } = await verifyAccessToken(await sign({ ...good, exp }), keys, { now })
      expect(expiresAt).toBe(8.64e15)
    }
  })
})
