/** The `confab` command administers a relay while it runs, and its database while none does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAccessToken } from '@confab/relay'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { NativePeer } from '../support/native-peer.ts'
import { Program } from '../support/program.ts'
import { HEARD, pointed, webhookServer } from '../webhooks/stage.ts'

// each of them starts processes, on machines that have other things to do
vi.setConfig({ testTimeout: 120_000 })

const MAIN = join(import.meta.dirname, '../../server/src/cli/main.ts')
const SECRET = 'a secret that signs nothing but tests'
const AUTH_TOKEN = 'c'.repeat(32)

let folder: string
let database: string
const ends: (() => unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'confab-commands-'))
  database = join(folder, 'relay.sqlite')
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  rmSync(folder, { recursive: true, force: true })
})

const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' }

async function relay(...more: string[]): Promise<{ url: string; httpUrl: string; program: Program }> {
  const program = new Program(
    process.execPath,
    [MAIN, 'relay', '-p', '0', '-d', database, '--log-level', 'error', ...more],
    { env },
  )
  ends.push(() => program.stop('SIGKILL'))
  const url = /ws:\S+(?=,)/.exec(await program.line('confab relay at'))?.[0] as string
  return { url, httpUrl: url.replace('ws', 'http'), program }
}

/** What a command prints; its errors, when it fails. */
async function confab(...words: string[]): Promise<string> {
  const program = new Program(process.execPath, [MAIN, ...words, '-d', database], { env })
  const code = await program.finish()
  return code === 0 ? program.lines.join('\n') : `failed: ${program.errors.trim()}`
}

const word = (text: string, label: string) => new RegExp(`${label}\\s+(\\S+)`).exec(text)?.[1] as string

async function welcome(url: string, token: string): Promise<object> {
  const peer = await NativePeer.dial(url)
  ends.push(() => peer.close())
  peer.say({ type: 'hello', version: 1, token, agent: 'test' })
  return peer.frame('welcome').catch(() => peer.closed ?? {})
}

test('accounts and keys are made, listed, rotated and revoked while the relay runs, and count at once', async () => {
  const made = await confab('accounts', 'create', 'before')
  const sid = word(made, 'Account SID')
  const { url, httpUrl } = await relay()
  const before = pointed({ httpUrl }, sid, word(made, 'Auth token'))
  await expect(before.services.list()).resolves.toHaveLength(1)

  const another = word(await confab('accounts', 'create', 'while it runs'), 'Account SID')
  const list = await confab('accounts', 'list')
  expect(list).toContain(sid)
  expect(list).toContain('while it runs')

  const rotated = word(await confab('accounts', 'rotate', sid), 'Auth token')
  await expect(before.services.list()).rejects.toMatchObject({ status: 401 })
  await expect(pointed({ httpUrl }, sid, rotated).services.list()).resolves.toHaveLength(1)

  const key = await confab('keys', 'create', another, 'for phones')
  const [keySid, secret] = [word(key, 'Key SID'), word(key, 'Secret')]
  const token = () => createAccessToken({ accountSid: another, key: keySid, secret, identity: 'ada' })
  expect(await welcome(url, await token())).toMatchObject({ identity: 'ada' })
  expect(await confab('keys', 'list', another)).toContain(keySid)
  await confab('keys', 'delete', keySid)
  expect(await welcome(url, await token())).toMatchObject({ code: 4401 })
  expect(await confab('keys', 'delete', keySid)).toMatch(/failed:.*no key/)

  const audit = await confab('audit')
  expect(audit.split('\n').map((line) => line.split('  ')[2])).toEqual([
    'keys.delete',
    'keys.create',
    'accounts.rotate',
    'accounts.create',
    'accounts.create',
  ])
  for (const secretText of [rotated, secret]) expect(audit).not.toContain(secretText)
})

test('what webhooks did not take is listed and told again by command', async () => {
  const server = await webhookServer()
  const { httpUrl } = await relay('--allow-private-webhooks', '-a', 'ACtest', '--auth-token', AUTH_TOKEN)
  const rest = pointed({ httpUrl }, 'ACtest', AUTH_TOKEN)
  await rest.configuration
    .webhooks()
    .update({ postWebhookUrl: `${server.url}/?key=secret`, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  // not tried again
  server.answer = () => ({ status: 302 })
  await rest.conversations(sid).messages.create({ body: 'private words', ...HEARD })
  await server.until(() => server.told.length === 1)
  const listed = await vi.waitUntil(async () => {
    const text = await confab('webhooks', 'list')
    return text.includes('1 given up') && text
  }, 60_000)
  expect(listed).toContain('onMessageAdded')
  expect(listed).toContain('redirects are not followed')
  for (const hidden of ['private words', 'secret']) expect(listed).not.toContain(hidden)
  server.answer = () => ({ status: 200 })
  expect(await confab('webhooks', 'retry')).toMatch(/failed:.*--all/)
  expect(await confab('webhooks', 'retry', '--all')).toBe('1 will be told again')
  await server.until(() => server.told.length === 2)
  expect(server.told[1]?.fields.Body).toBe('private words')
})

test('retention is set by command, whether or not the relay runs', async () => {
  expect(await confab('retention', 'list')).toBe('Messages are kept for ever.')
  expect(await confab('retention', 'set', '30', '-a', 'ACtest')).toBe('Messages are kept 30 days')
  expect(await confab('retention', 'set', 'soon', '-a', 'ACtest')).toMatch(/failed:.*whole number/s)
  await relay('-a', 'ACtest', '--auth-token', AUTH_TOKEN)
  expect(await confab('retention', 'list')).toMatch(/^IS[0-9a-f]{32} {2}every conversation {2}30 days$/)
  await confab('retention', 'set', 'forever', '-a', 'ACtest')
  expect(await confab('retention', 'list')).toBe('Messages are kept for ever.')
})

test('a configured key that names an account signs for that one alone', async () => {
  const { url } = await relay('-k', `ACmine/SKmine=${SECRET}`, '-k', `SKany=${SECRET}`)
  const token = (key: string, accountSid: string, serviceSid?: string) =>
    createAccessToken({
      accountSid,
      key,
      secret: SECRET,
      identity: 'ada',
      ...(serviceSid !== undefined && { serviceSid }),
    })
  expect(await welcome(url, await token('SKmine', 'ACmine'))).toMatchObject({ identity: 'ada' })
  expect(await welcome(url, await token('SKmine', 'ACother'))).toMatchObject({ code: 4401 })
  const foreign = await token('SKmine', 'ACmine', `IS${'0'.repeat(32)}`)
  expect(await welcome(url, foreign)).toMatchObject({ code: 4401 })
  expect(await welcome(url, await token('SKany', 'ACother'))).toMatchObject({ identity: 'ada' })
})

test('an identity provider is named by options', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const provider = createServer(async (_, response) => {
    const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }]
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
  })
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
  ends.push(() => provider.close())
  const jwks = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks`
  const { url } = await relay(
    ...['--openid-jwks', jwks, '--openid-issuer', 'https://id.example.org/', '--openid-audience', 'confab'],
    ...['--openid-identity', 'preferred_username', '-a', 'ACtest'],
  )
  const token = await new SignJWT({ preferred_username: 'ada' })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer('https://id.example.org/')
    .setAudience('confab')
    .setExpirationTime('1h')
    .sign(privateKey)
  expect(await welcome(url, token)).toMatchObject({ identity: 'ada' })

  const half = new Program(
    process.execPath,
    [MAIN, 'relay', '-p', '0', '-d', join(folder, 'other.sqlite'), '--openid-jwks', jwks],
    { env },
  )
  expect(await half.finish()).toBe(1)
  expect(half.errors).toContain('--openid-issuer')
})
