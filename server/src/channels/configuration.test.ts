import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultServiceSid } from '@confab/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readChannels } from './configuration.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'confab-channels-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const SMPP = {
  kind: 'smpp',
  host: 'smsc.example.org',
  systemId: 'confab',
  password: { env: 'PASSWORD' },
  addresses: ['+15550009999'],
}

const read = (content: object | string, env: NodeJS.ProcessEnv = { PASSWORD: 'secret' }) => {
  const file = join(folder, 'channels.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return readChannels(file, 'AC1', env)
}

test('channels are for the default service of the account, unless the file names one', () => {
  expect(read({ channels: [SMPP] })).toMatchObject({
    serviceSid: defaultServiceSid('AC1'),
    channels: [{ name: 'smpp', type: 'sms', addresses: ['+15550009999'] }],
  })
  expect(read({ account: 'AC2', channels: [SMPP] }).serviceSid).toBe(defaultServiceSid('AC2'))
  expect(read({ service: 'IS3', channels: [SMPP] }).serviceSid).toBe('IS3')
})

test('a secret may be in a file beside it', () => {
  writeFileSync(join(folder, 'password'), 'secret\n')
  expect(read({ channels: [{ ...SMPP, password: { file: 'password' } }] }, {}).channels).toHaveLength(1)
})

test.each([
  ['no JSON', 'channels:', /this is no JSON/],
  ['no channel', { channels: [] }, /channels: /],
  ['an unknown kind', { channels: [{ kind: 'pigeon' }] }, /channels\.0\.kind/],
  [
    'a secret in the open',
    { channels: [{ ...SMPP, password: 'secret' }] },
    /channels\.0\.password: a secret is \{ "env"/,
  ],
  [
    'a secret that is not set',
    { channels: [{ ...SMPP, password: { env: 'NOT_SET' } }] },
    /the secret NOT_SET is not set/,
  ],
  [
    'a secret whose file is missing',
    { channels: [{ ...SMPP, password: { file: 'none' } }] },
    /none can't be read/,
  ],
  ['a misspelt key', { channels: [{ ...SMPP, adresses: [] }] }, /adresses/],
])('%s is refused, and said where', (_, content, message) => {
  expect(() => read(content)).toThrow(
    expect.objectContaining({ code: 20001, message: expect.stringMatching(message) }),
  )
})
