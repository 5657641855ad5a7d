/** `confab doctor` and `confab export`, run as somebody runs them. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client, directory } from '@confab/client'
import { createAccessToken, createRelay } from '@confab/relay'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const folder = mkdtempSync(join(tmpdir(), 'confab-commands-'))
const store = join(folder, 'store')
let sid: string

function confab(...args: string[]) {
  const main = join(import.meta.dirname, '../../server/src/cli/main.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

beforeAll(async () => {
  const relay = await createRelay({
    port: 0,
    database: ':memory:',
    accessKeys: { [ACCESS.key]: ACCESS.secret },
  })
  const token = () => createAccessToken({ ...ACCESS, identity: 'ada', serviceSid: 'IS1' })
  const client = new Client(token, { url: relay.url, storage: directory(store) })
  for (const friendlyName of ['Tea', 'Coffee']) {
    const conversation = await (await client.createConversation({ friendlyName })).join()
    sid = conversation.sid
    await conversation.sendMessage(`Hello ${friendlyName}`)
  }
  await vi.waitFor(() => expect(client.getPendingOperations()).toEqual([]), { timeout: 10_000 })
  await client.shutdown()
  await relay.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// each command is a process of its own
test('export writes all conversations, or those that are named, and says where', { timeout: 120_000 }, () => {
  const all = confab('export', store, '--all', '-o', join(folder, 'all'))
  expect(all).toMatchObject({ status: 0, stderr: '' })
  expect(all.stdout.trim().split('\n')).toHaveLength(2)
  const [file] = readdirSync(join(folder, 'all')).filter((name) => name.startsWith('Coffee '))
  const lines = readFileSync(join(folder, 'all', file as string), 'utf8')
    .trim()
    .split('\n')
  expect(JSON.parse(lines.at(-1) as string)).toMatchObject({
    type: 'message',
    record: { body: 'Hello Coffee' },
  })
  expect(confab('export', store, sid, '-f', 'html', '-o', join(folder, 'one')).status).toBe(0)
  expect(readdirSync(join(folder, 'one'))).toEqual([expect.stringMatching(/^Coffee [0-9a-f]{8}\.html$/)])
  expect(confab('export', store)).toMatchObject({ status: 1, stderr: expect.stringContaining('--all') })
  expect(confab('export', store, 'CHnone')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('CHnone'),
  })
})

test('export --attachments gives each conversation a folder, its attachments beside it', {
  timeout: 120_000,
}, async () => {
  const device = join(folder, 'attachments')
  const relay = await createRelay({
    port: 0,
    database: join(folder, 'relay.sqlite'),
    accessKeys: { [ACCESS.key]: ACCESS.secret },
  })
  const token = () => createAccessToken({ ...ACCESS, identity: 'ada', serviceSid: 'IS1' })
  const client = new Client(token, { url: relay.url, storage: directory(device) })
  for (const friendlyName of ['Tea', 'Coffee']) {
    const conversation = await (await client.createConversation({ friendlyName })).join()
    await conversation.sendMessage({ contentType: 'text/plain', filename: 'a.txt', media: friendlyName })
  }
  await vi.waitFor(() => expect(client.getPendingOperations()).toEqual([]), { timeout: 10_000 })
  await client.shutdown()
  await relay.close()
  const out = join(folder, 'with')
  const { status, stdout, stderr } = confab('export', device, '--all', '--attachments', '-o', out)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const files = stdout.trim().split('\n')
  const contents = files.map((file) => readFileSync(join(dirname(file), 'attachments', '0-1 a.txt'), 'utf8'))
  expect(contents.sort()).toEqual(['Coffee', 'Tea'])
})

test('doctor finds nothing wrong, then what was broken, says what it would do, does it, and finds nothing again', {
  timeout: 120_000,
}, () => {
  const well = confab('doctor', store)
  expect(well).toMatchObject({ status: 0, stdout: expect.stringContaining('of ada at ws://') })
  expect(well.stdout).toContain('Nothing is wrong.')
  const name = readdirSync(store).find((one) => /^[0-9a-f]{32}\.sqlite$/.test(one)) as string
  const db = new DatabaseSync(join(store, name))
  db.prepare("update summaries set data = 'x' where document = ?").run(sid)
  db.close()
  const ill = confab('doctor', store)
  expect(ill.status).toBe(1)
  expect(ill.stdout).toContain(`The summary of ${sid} can't be read [summary]`)
  expect(ill.stdout).toContain('--repair')
  expect(JSON.parse(confab('doctor', store, '--json').stdout)).toMatchObject([
    { findings: [{ kind: 'summary' }, {}] },
  ])
  const healed = confab('doctor', store, '--repair')
  expect(healed).toMatchObject({ status: 0, stdout: expect.stringContaining('.before-repair-1') })
  expect(confab('doctor', store)).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('Nothing is wrong.'),
  })
  expect(confab('doctor', folder)).toMatchObject({ status: 1, stderr: expect.stringContaining('no store') })
})

test('import of what is no file, or no export, leaves no database behind, and says where one must say more', {
  timeout: 120_000,
}, () => {
  const database = join(folder, 'imported.sqlite')
  const spoilt = join(folder, 'spoilt.jsonl')
  writeFileSync(spoilt, '{')
  const none = confab('import', join(folder, 'nofile'), spoilt, '-d', database)
  expect(none).toMatchObject({ status: 1, stdout: '' })
  expect(none.stderr).toMatch(/nofile: ENOENT.*\n.*spoilt.jsonl: line 1: /)
  expect(readdirSync(folder).filter((name) => name.startsWith('imported'))).toEqual([])
  expect(existsSync(database)).toBe(false)
  expect(confab('import', spoilt)).toMatchObject({ status: 1, stderr: expect.stringContaining('--relay') })
  const both = confab('import', spoilt, '-d', database, '-r', 'http://127.0.0.1:1')
  expect(both).toMatchObject({ status: 1, stderr: expect.stringContaining('--relay') })
  const [file] = readdirSync(join(folder, 'all')).map((name) => join(folder, 'all', name))
  const nobody = confab('import', file as string, '-r', 'http://127.0.0.1:1')
  expect(nobody).toMatchObject({ status: 1, stderr: expect.stringContaining('CONFAB_AUTH_TOKEN') })
})
