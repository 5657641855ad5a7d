/** Moving from one relay to another that runs: exported from a device, imported over the network with an administrator's key. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { Client, type Conversation, directory, memory } from '@confab/client'
import { CHANNEL_USER, participantSid } from '@confab/core'
import { createAccessToken, createRelay, type Relay, type RelayOptions } from '@confab/relay'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { type ImportTarget, importFile } from '../../server/src/import/run.ts'
import { toRelay } from '../../server/src/import/to-relay.ts'
import { ACCOUNT, KEY, SECRET } from '../support/relay.ts'

const TOKEN = 'f'.repeat(32)
const OTHER_ACCOUNT = `AC${'e'.repeat(32)}`
const folder = mkdtempSync(join(tmpdir(), 'confab-import-network-'))
const clients: Client[] = []
const relays: Relay[] = []
let made = 0

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fresh = (name: string) => join(folder, `${name}-${++made}`)

async function start(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const relay = await createRelay({
    port: 0,
    database: fresh('relay'),
    accessKeys: { [KEY]: SECRET },
    accounts: { [ACCOUNT]: { authToken: TOKEN }, [OTHER_ACCOUNT]: { authToken: TOKEN } },
    ...options,
  })
  relays.push(relay)
  return relay
}

function person(
  identity: string,
  { url }: Pick<Relay, 'url'>,
  storage: ReturnType<typeof memory> = memory(),
): Client {
  const token = () => createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity })
  const client = new Client(token, { url, storage, history: 'all', logLevel: 'silent' })
  clients.push(client)
  return client
}

const when = (condition: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 30_000, interval: 10 })
const settled = () => when(() => clients.every((client) => client.getPendingOperations().length === 0))

async function first(client: Client): Promise<Conversation> {
  await when(async () => (await client.getSubscribedConversations()).items.length > 0)
  return (await client.getSubscribedConversations()).items[0] as Conversation
}

async function readAll(conversation: Conversation): Promise<void> {
  for (let page = await conversation.getMessages(100); page.hasPrevPage; ) page = await page.prevPage()
}

/** As somebody runs it, with the relay's administrator in the environment. */
function confab(...args: string[]) {
  const main = join(import.meta.dirname, '../../server/src/cli/main.ts')
  const env = { ...process.env, CONFAB_ACCOUNT: ACCOUNT, CONFAB_AUTH_TOKEN: TOKEN }
  return new Promise<{ status: number; stdout: string; stderr: string }>((done) => {
    execFile(process.execPath, [main, ...args], { env, encoding: 'utf8' }, (error, stdout, stderr) =>
      done({ status: Number(error?.code ?? 0), stdout, stderr }),
    )
  })
}

/** Every file below, by its path. */
function filesIn(root: string): { [path: string]: string } {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort()
      .map((file) => [relative(root, file), readFileSync(file, 'base64')]),
  )
}

async function exportAll(store: string): Promise<{ root: string; files: string[] }> {
  const root = fresh('exported')
  const { status, stdout, stderr } = await confab('export', store, '--all', '--attachments', '-o', root)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return { root, files: stdout.trim().split('\n') }
}

const target = (relay: Relay, more: Partial<Parameters<typeof toRelay>[0]> = {}): ImportTarget =>
  toRelay({ url: relay.url, sid: ACCOUNT, secret: TOKEN, ...more })

/** An exported conversation of so many messages, between ada and bob, written down here. */
function exportedFile(messages: number, more: (index: number) => object = () => ({})): string {
  const sid = (prefix: string, n: number) => prefix + n.toString(16).padStart(32, '0')
  const participant = (identity: string) => ({
    type: 'participant',
    record: {
      sid: participantSid(sid('CH', 1), { identity }),
      type: 'chat',
      identity,
      roleSid: CHANNEL_USER,
      dateCreated: 1000,
    },
  })
  const lines = [
    { type: 'conversation', version: 1, record: { sid: sid('CH', 1), createdBy: 'ada', dateCreated: 1000 } },
    participant('ada'),
    participant('bob'),
    ...Array.from({ length: messages }, (_, index) => ({
      type: 'message',
      record: {
        sid: sid('IM', index + 1),
        index,
        author: 'ada',
        body: `message ${index}`,
        dateCreated: 2000 + index,
        ...more(index),
      },
    })),
  ]
  const file = join(mkdtempSync(join(folder, 'file-')), 'conversation.jsonl')
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  return file
}

// two commands export and two import, each a process of its own
test('exported, wiped, imported over the network, exported again: the same to the byte, attachments and profiles included', {
  timeout: 240_000,
}, async () => {
  const old = await start()
  const before = fresh('store')
  const [ada, bob] = [person('ada', old, directory(before)), person('bob', old)]
  await bob.user.updateFriendlyName('Bob 🐝')
  await bob.user.updateAttributes({ colour: 'red' })
  const conversation = await (await ada.createConversation({ friendlyName: 'Trip' })).join()
  await conversation.add('bob')
  const bobs = await first(bob)
  await conversation.sendMessage({ contentType: 'text/plain', filename: 'a.txt', media: 'from ada' })
  await bobs.sendMessage('from bob')
  await conversation.sendMessage('edited')
  await (await conversation.getMessages(1)).items[0]?.updateBody('edited since')
  await bobs.advanceLastReadMessageIndex(1)
  await settled()
  const nameOf = async (client: Client) => (await client.getUser('bob')).friendlyName
  await when(async () => (await nameOf(ada)) === 'Bob 🐝')
  await when(async () => (await conversation.getParticipantByIdentity('bob'))?.lastReadMessageIndex === 1)
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  const exported = await exportAll(before)
  await Promise.all(relays.splice(0).map((relay) => relay.close()))

  const relay = await start()
  const imported = await confab('import', ...exported.files, '--relay', relay.httpUrl)
  expect(imported).toMatchObject({ status: 0, stderr: '' })
  expect(imported.stdout).toMatch(/^CH[0-9a-f]{32}: 3 messages and 1 attachments imported from /)
  const again = await confab('import', ...exported.files, '--relay', relay.httpUrl)
  expect(again).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringContaining(': 0 messages imported'),
  })

  const after = fresh('store')
  const here = person('ada', relay, directory(after))
  const moved = await first(here)
  await readAll(moved)
  expect(await nameOf(here)).toBe('Bob 🐝')
  expect((await here.getUser('bob')).attributes).toEqual({ colour: 'red' })
  await moved.downloadMedia()
  const [attached] = (await moved.getMessages(10)).items
  const url = await attached?.attachedMedia?.[0]?.getContentTemporaryUrl()
  expect(await (await fetch(url as string)).text()).toBe('from ada')
  await here.shutdown()
  clients.length = 0
  const { root } = await exportAll(after)
  const files = filesIn(root)
  expect(files).toEqual(filesIn(exported.root))
  expect(Object.keys(files).map((file) => basename(file))).toEqual([
    expect.stringMatching(/^Trip .*\.jsonl$/),
    '0-1 a.txt',
  ])
})

test('an import that is cut short goes on when it is run again; until its end nobody sees it, and twice changes nothing', async () => {
  const relay = await start()
  const file = exportedFile(1200)
  const bob = person('bob', relay)
  await when(() => bob.connectionState === 'connected')
  const joined = vi.fn()
  bob.on('conversationJoined', joined)
  let pieces = 0
  const cut: ImportTarget = {
    ...target(relay),
    take(piece) {
      if (++pieces === 3) throw new Error('the cable was pulled')
      return target(relay).take(piece)
    },
  }
  await expect(importFile(cut, file, () => {})).rejects.toThrow('the cable was pulled')
  const told: string[] = []
  expect((await bob.getSubscribedConversations()).items).toEqual([])
  await expect(bob.getConversationBySid(`CH${'1'.padStart(32, '0')}`)).rejects.toMatchObject({ code: 20404 })
  const report = await importFile(target(relay), file, (done, all) => told.push(`${done} of ${all}`))
  expect(report).toMatchObject({ messages: 200, attachments: 0, warnings: [] })
  expect(told).toEqual(['500 of 1200', '1000 of 1200', '1200 of 1200', '1200 of 1200'])
  // whoever is connected hears of it at once
  await when(() => joined.mock.calls.length === 1)
  const bobs = await first(bob)
  await readAll(bobs)
  const textOf = async () => (await bobs.export()).blob.text()
  const text = await textOf()
  expect(text.match(/"message \d+"/g)).toHaveLength(1200)
  expect(await importFile(target(relay), file, () => {})).toMatchObject({ messages: 0, warnings: [] })
  await bobs.sendMessage('after it')
  await settled()
  expect((await bobs.getMessages(1)).items[0]?.index).toBe(1200)
  // what was said since is none of its business
  expect(await importFile(target(relay), file, () => {})).toMatchObject({ messages: 0, warnings: [] })
})

test('clients of the old relay go on where the new one answers at the same address, with what they wrote in between', async () => {
  const old = await start()
  const port = Number(new URL(old.httpUrl).port)
  const [ada, bob] = [person('ada', old), person('bob', old)]
  const conversation = await (await ada.createConversation({ friendlyName: 'Trip' })).join()
  await conversation.add('bob')
  const bobs = await first(bob)
  for (let index = 0; index < 5; index++) await conversation.sendMessage(`ada ${index}`)
  await bobs.sendMessage('bob 5')
  await settled()
  await when(async () => (await conversation.getMessages(1)).items[0]?.body === 'bob 5')
  const file = join(mkdtempSync(join(folder, 'file-')), 'trip.jsonl')
  writeFileSync(file, await (await conversation.export()).blob.text())
  await relays.splice(0)[0]?.close()
  await when(() => ada.connectionState !== 'connected' && bob.connectionState !== 'connected')
  await bobs.sendMessage('written in between')

  // at another address, until it has everything
  const database = fresh('relay')
  const relay = await start({ database })
  expect(await importFile(target(relay), file, () => {})).toMatchObject({ messages: 6, warnings: [] })
  await relays.splice(0)[0]?.close()
  await start({ database, port })
  await ada.goOnline()
  await bob.goOnline()
  await settled()
  const bodies = async (of: Conversation) =>
    (await of.getMessages(100)).items.map(({ index, body }) => `${index} ${body}`)
  const all = ['0 ada 0', '1 ada 1', '2 ada 2', '3 ada 3', '4 ada 4', '5 bob 5', '6 written in between']
  await when(async () => (await bodies(conversation)).join() === all.join())
  await when(async () => (await bodies(bobs)).join() === all.join())
  const held = [...ada.getHeldOperations(), ...bob.getHeldOperations()].map(({ operation }) => operation.type)
  // what was done beside posting is here already, and is refused when a device brings it again
  expect(held.filter((type) => type.startsWith('message.'))).toEqual([])
})

const media = (more: object = {}) => ({
  media: [
    {
      sid: `ME${'1'.padStart(32, '0')}`,
      category: 'media',
      contentType: 'text/plain',
      filename: 'a.txt',
      size: 5,
      // of "hello"
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      ...more,
    },
  ],
})

function withAttachment(file: string, content: string): string {
  const folder = join(dirname(file), 'attachments')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, '0-1 a.txt'), content)
  return file
}

test('an attachment with other content stays out and is said, its message is kept, and the right one comes with a later run', async () => {
  const relay = await start()
  const file = exportedFile(1, () => media())
  const missing = await importFile(target(relay), file, () => {})
  expect(missing).toMatchObject({
    messages: 1,
    attachments: 0,
    warnings: [expect.stringContaining('1 attachments')],
  })
  const spoilt = await importFile(target(relay), withAttachment(file, 'hallo'), () => {})
  expect(spoilt).toMatchObject({
    attachments: 0,
    warnings: [expect.stringContaining('not what its hash says')],
  })
  const right = await importFile(target(relay), withAttachment(file, 'hello'), () => {})
  expect(right).toMatchObject({ messages: 0, attachments: 1, warnings: [] })
  const [message] = (await (await first(person('bob', relay))).getMessages(1)).items
  const url = await message?.attachedMedia?.[0]?.getContentTemporaryUrl()
  expect(await (await fetch(url as string)).text()).toBe('hello')
})

test('whoever is no administrator of the service imports nothing, and hears why', async () => {
  const relay = await start()
  const file = exportedFile(1)
  const refused = (to: ImportTarget) => importFile(to, file, () => {}).catch((error) => String(error))
  expect(await refused(target(relay, { secret: 'wrong' }))).toContain('knows no such account or key')
  // of its own account alone
  const elsewhere = await importFile(target(relay, { sid: OTHER_ACCOUNT }), file, () => {})
  expect(elsewhere.messages).toBe(1)
  expect((await person('bob', relay).getSubscribedConversations()).items).toEqual([])
  const service = `IS${'5'.repeat(32)}`
  expect(await refused(target(relay, { service }))).toContain('not found')
  expect(() => target(relay, { url: 'file:///etc' })).toThrow('no address of a relay')
})

test('another conversation under the same sid is not touched, over the network either', async () => {
  const relay = await start()
  await importFile(target(relay), exportedFile(3), () => {})
  const other = exportedFile(3, (index) => (index === 1 ? { body: 'something else' } : {}))
  await expect(importFile(target(relay), other, () => {})).rejects.toMatchObject({ code: 70105, status: 409 })
  const [, message] = (await (await first(person('bob', relay))).getMessages(3)).items
  expect(message?.body).toBe('message 1')
})

test('what is no piece of an export is refused by its line, and what is too much by its bound', async () => {
  const relay = await start()
  const sid = `CH${'1'.padStart(32, '0')}`
  const post = async (path: string, body: string | Uint8Array<ArrayBuffer>) => {
    const authorization = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`
    const response = await fetch(`${relay.httpUrl}/v1/Imports/${path}`, {
      method: 'POST',
      headers: { authorization },
      body,
    })
    return { status: response.status, ...((await response.json()) as { code: number; message: string }) }
  }
  const text = readFileSync(exportedFile(2), 'utf8')
  expect(await post(sid, '{')).toMatchObject({
    status: 400,
    code: 20001,
    message: expect.stringMatching(/^line 1: /),
  })
  expect(await post(`CH${'2'.padStart(32, '0')}`, text)).toMatchObject({
    code: 20001,
    message: `line 1: it is of ${sid}`,
  })
  const many = readFileSync(exportedFile(1001), 'utf8')
  expect(await post(sid, many)).toMatchObject({
    code: 20001,
    message: expect.stringContaining('1000 messages'),
  })
  expect(await post(sid, new Uint8Array(33 * 1024 * 1024))).toMatchObject({ status: 413, code: 20001 })
  const nowhere = `${sid}/Messages/IM${'9'.repeat(32)}/Media/ME${'9'.repeat(32)}`
  expect(await post(nowhere, 'hello')).toMatchObject({ status: 404, code: 20404 })
  expect((await person('bob', relay).getSubscribedConversations()).items).toEqual([])
})
