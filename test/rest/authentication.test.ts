/** Who may ask: accounts of the configuration and stored ones, API keys; and what a database keeps of their secrets. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultServiceSid } from '@confab/core'
import { createAccessToken } from '@confab/relay'
import twilio from 'twilio'
import { afterAll, describe, expect, test } from 'vitest'
import { bytesIn } from '../support/bytes-in.ts'
import { NativePeer } from '../support/native-peer.ts'
import { Program } from '../support/program.ts'
import { ACCOUNT, OTHER_ACCOUNT, onStage, pointed, refusal, TOKEN } from './stage.ts'

const folder = mkdtempSync(join(tmpdir(), 'confab-accounts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('a request', () => {
  test('is answered in the same words for an account that there is and for one that there isn’t', async () => {
    const { httpUrl } = await onStage()
    const ask = async (path: string, authorization?: string) => {
      const response = await fetch(httpUrl + path, { headers: authorization ? { authorization } : {} })
      return [response.status, response.headers.get('www-authenticate'), await response.text()]
    }
    const answers = [
      await ask('/v1/Conversations'),
      await ask('/v1/NoSuchThing'),
      await ask('/v1/Conversations', basic(`${ACCOUNT}:${'0'.repeat(32)}`)),
      await ask('/v1/Conversations', basic(`AC${'0'.repeat(32)}:${TOKEN}`)),
      await ask('/v1/Conversations', basic(`SK${'0'.repeat(32)}:${TOKEN}`)),
      await ask('/v1/Conversations', basic(TOKEN)),
      await ask('/v1/Conversations', basic(`__proto__:${TOKEN}`)),
      await ask('/v1/Conversations', 'Basic !!!'),
      await ask('/v1/Conversations', `Bearer ${TOKEN}`),
      await ask('/v1/Conversations', basic(`${ACCOUNT}:${TOKEN}${'x'.repeat(700)}`)),
    ]
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]?.[0]).toBe(401)
    expect(JSON.parse(answers[0]?.[2] as string)).toMatchObject({ code: 20003, status: 401 })
  })

  test('with wrong credentials again and again has to wait, and keeps nobody out who has the right ones', async () => {
    const stage = await onStage()
    const wrong = pointed(stage, ACCOUNT, '0'.repeat(32))
    for (let i = 0; i < 20; i++) expect((await refusal(wrong.conversations.list())).code).toBe(20003)
    expect(await refusal(wrong.conversations.list())).toMatchObject({ code: 20429, status: 429 })
    expect(await stage.rest.conversations.list()).toEqual([])
    expect((await refusal(wrong.conversations.list())).code).toBe(20429)
  })
})

describe('an API key', () => {
  test('is made by the official package, asks in the name of its account, and is revoked', async () => {
    const stage = await onStage()
    const api = twilio(ACCOUNT, TOKEN)
    api.api.baseUrl = stage.httpUrl
    const key = await api.newKeys.create({ friendlyName: 'a server' })
    expect(key).toMatchObject({ friendlyName: 'a server' })
    expect((await api.keys.list()).map(({ sid }) => sid)).toEqual([key.sid])
    const by = pointed(stage, key.sid, key.secret)
    expect(await by.conversations.create()).toMatchObject({ accountSid: ACCOUNT })
    expect(await api.keys(key.sid).remove()).toBe(true)
    expect(await refusal(by.conversations.list())).toMatchObject({ code: 20003 })
  })

  test('signs access tokens of its own account and its services, and of no other', async () => {
    const stage = await onStage()
    const api = twilio(ACCOUNT, TOKEN)
    api.api.baseUrl = stage.httpUrl
    const { sid: key, secret } = await api.newKeys.create()
    const token = (accountSid: string) => createAccessToken({ accountSid, key, secret, identity: 'ada' })
    await (await NativePeer.connect(stage.url, 'ada', await token(ACCOUNT))).close()
    const foreign = NativePeer.connect(stage.url, 'ada', await token(`AC${'0'.repeat(32)}`))
    await expect(foreign).rejects.toThrow()
    const intoAnother = await createAccessToken({
      accountSid: ACCOUNT,
      serviceSid: defaultServiceSid(OTHER_ACCOUNT),
      key,
      secret,
      identity: 'ada',
    })
    await expect(NativePeer.connect(stage.url, 'ada', intoAnother)).rejects.toThrow()
    const { sid: serviceSid } = await stage.rest.services.create({ friendlyName: 'Shop' })
    const intoOwn = await createAccessToken({ accountSid: ACCOUNT, serviceSid, key, secret, identity: 'ada' })
    await (await NativePeer.connect(stage.url, 'ada', intoOwn)).close()
  })
})

describe('accounts in a database', () => {
  const confab = async (...words: string[]) => {
    const program = new Program(process.execPath, ['server/src/cli/main.ts', ...words])
    await program.finish()
    return { stdout: program.lines.join('\n'), stderr: program.errors }
  }

  test('are made, listed and rotated by the command; of their secrets the database has nothing in plain', async () => {
    const database = join(folder, 'relay.sqlite')
    const made = await confab('accounts', 'create', 'shop', '--database', database)
    const [, sid = ''] = /Account SID +(AC[0-9a-f]{32})/.exec(made.stdout) ?? []
    const [, token = ''] = /Auth token +([0-9a-f]{64})/.exec(made.stdout) ?? []
    const key = await confab('keys', 'create', sid, 'server', '--database', database)
    const [, keySid = ''] = /Key SID +(SK[0-9a-f]{32})/.exec(key.stdout) ?? []
    const [, secret = ''] = /Secret +([0-9a-f]{64})/.exec(key.stdout) ?? []
    expect((await confab('accounts', 'list', '--database', database)).stdout).toContain(`${sid}  `)
    expect((await confab('keys', 'list', sid, '--database', database)).stdout).toContain('server')
    const again = await confab('accounts', 'rotate', sid, '--database', database)
    const [, rotated = ''] = /Auth token +([0-9a-f]{64})/.exec(again.stdout) ?? []
    expect(rotated).not.toBe(token)

    const stage = await onStage({ database, accounts: {}, accessKeys: {} })
    expect(await refusal(pointed(stage, sid, token).conversations.list())).toMatchObject({ code: 20003 })
    expect(await pointed(stage, sid, rotated).conversations.create()).toMatchObject({
      accountSid: sid,
      chatServiceSid: defaultServiceSid(sid),
    })
    expect(await pointed(stage, keySid, secret).conversations.list()).toHaveLength(1)
    const running = await confab('accounts', 'list', '--database', database)
    expect(running.stderr).toContain('in use by another process')
    await stage.close()

    const bytes = bytesIn(folder)
    for (const text of [token, rotated, secret]) expect(bytes.includes(text)).toBe(false)
    expect(statSync(`${database}.sealing-key`).mode & 0o777).toBe(0o600)
  }, 120_000)

  test('say what was wrong', async () => {
    const database = join(folder, 'other.sqlite')
    const said = await Promise.all([
      confab('accounts', 'rotate', 'AC1', '-d', `${database}1`),
      confab('keys', 'create', 'AC1', '-d', `${database}2`),
      confab('keys', 'delete', 'SK1', '-d', `${database}3`),
    ])
    const missing = ['no account AC1', 'no account AC1', 'no key SK1']
    for (const [i, text] of missing.entries()) expect(said[i]?.stderr).toContain(text)
    expect((await confab('accounts', '--help')).stdout).toContain('rotate')
  }, 120_000)
})
