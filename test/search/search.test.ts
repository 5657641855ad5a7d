/** Searching as an app does it: the public surface, a real relay that seals, stores on disk, offline starts. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { inflateRawSync } from 'node:zlib'
import { Client, type ClientOptions, type Conversation, directory } from '@confab/client'
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { tiny } from '../history/stage.ts'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const folder = mkdtempSync(join(tmpdir(), 'confab-search-'))
const clients: Client[] = []
let relay: Relay
let devices = 0

beforeEach(async () => {
  relay = await createRelay({
    port: 0,
    database: ':memory:',
    accessKeys: { [ACCESS.key]: ACCESS.secret },
    sealing: tiny,
  })
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await relay.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newDevice = () => join(folder, `device-${++devices}`)

function start(identity: string, device: string, options: ClientOptions = {}): Client {
  const token = () => createAccessToken({ ...ACCESS, identity, serviceSid: 'IS1' })
  const client = new Client(token, { url: relay.url, storage: directory(device), ...options })
  clients.push(client)
  return client
}

const when = (condition: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 10_000, interval: 5 })

const WORDS = ['apricot', 'Blåbær', 'cerise', 'дыня', '茘枝', 'تين', 'ガヴァ']
const body = (index: number) => `fruit ${index} ${WORDS[index % WORDS.length]}`

async function filled(client: Client, count: number): Promise<Conversation> {
  const conversation = await (await client.createConversation({ friendlyName: 'Fruit' })).join()
  for (let index = 0; index < count; index++) await conversation.sendMessage(body(index))
  await when(() => client.getPendingOperations().length === 0)
  return conversation
}

const indices = async (client: Client, query: string, options = {}) =>
  (await client.searchMessages(query, { limit: 100, ...options })).messages.map(({ index }) => index)

/** From the newest on. */
const expected = (count: number, word: number) =>
  Array.from({ length: count }, (_, index) => count - 1 - index).filter(
    (index) => index % WORDS.length === word,
  )

test('live and sealed messages are found, in every script, offline and after a restart, with nothing asked', async () => {
  const device = newDevice()
  const client = start('ada', device)
  const conversation = await filled(client, 40)
  const queries = ['APRI', 'blabaer', 'Cerise', 'дын', '枝', 'تين', 'ヴァ']
  for (const [word, query] of queries.entries())
    expect(await indices(client, query)).toEqual(expected(40, word))
  await conversation.sendMessage('a late apricot')
  expect(await indices(client, 'apricot late', { conversation })).toEqual([40])
  expect(await indices(client, 'apricot late', { author: 'nobody' })).toEqual([])
  const { messages, more } = await client.searchMessages('fruit', { limit: 3 })
  expect(messages.map(({ body }) => body)).toEqual([body(39), body(38), body(37)])
  expect(more).toBe(true)
  expect(messages[0]?.conversation).toBe(conversation)
  await client.shutdown()

  const offline = start('ada', device, { url: relay.url.replace(/\d+$/, '1') })
  await offline.getSubscribedConversations()
  await offline.shutdown()
  await relay.close()
  const again = start('ada', device)
  for (const [word, query] of queries.entries())
    expect((await indices(again, query)).filter((index) => index < 40)).toEqual(expected(40, word))
})

test('an edit is found by its new text alone, a pending message at once, and what was removed nowhere, disk included', async () => {
  const device = newDevice()
  const client = start('ada', device)
  const conversation = await filled(client, 30)
  const messages = (await conversation.getMessages(100)).items
  expect(await indices(client, 'fruit 2', {})).toContain(2)
  await messages[2]?.updateBody('a vegetable')
  await messages[29]?.updateBody('another vegetable')
  expect(await indices(client, 'veget')).toEqual([29, 2])
  expect(await indices(client, 'cerise')).not.toContain(2)
  const secret = 'quincequincequince'
  await conversation.sendMessage(secret)
  expect(await indices(client, 'quinceq')).toEqual([30])
  await client.goOffline()
  await conversation.sendMessage('pending medlar')
  expect(await indices(client, 'medlar')).toEqual([31])
  await client.goOnline()
  const found = (await client.searchMessages(secret)).messages[0]
  await found?.remove()
  expect(await indices(client, secret)).toEqual([])
  await when(() => client.getPendingOperations().length === 0)
  await client.shutdown()
  const words = await indexIn(device)
  expect(words).toContain('vegetable')
  expect(words).not.toContain(secret)

  const later = start('ada', device)
  const again = await later.getConversationBySid(conversation.sid)
  const vegetable = (await again.getMessages(100)).items.find(({ body }) => body === 'another vegetable')
  await vegetable?.remove()
  await when(async () => !(await indexIn(device)).includes('another'))
  expect(await indexIn(device)).toContain('vegetable')
})

/** The files of the index, unpacked. */
async function indexIn(device: string): Promise<string> {
  const file = readdirSync(device).find((name) => /^[0-9a-f]{32}\.sqlite$/.test(name)) as string
  const db = new DatabaseSync(join(device, file))
  const rows = db.prepare("select bytes from pages where document = '#files' and hash <> 'progress'").all()
  db.close()
  return rows.map(({ bytes }) => inflateRawSync(bytes as Uint8Array).toString()).join('\n')
}

test('a device that has not read the history says what it could not see, and sees it once it has', async () => {
  await filled(start('ada', newDevice()), 40)
  const ada = start('ada', newDevice())
  await when(() => ada.connectionState === 'connected')
  await when(async () => (await ada.getSubscribedConversations()).items.length === 1)
  const { items } = await ada.getSubscribedConversations()
  const first = await ada.searchMessages('apricot', { limit: 100 })
  const [conversation] = items
  expect(first.unseen.length).toBeGreaterThan(0)
  const hidden = first.unseen.flatMap(({ from, to }) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
  )
  const seen = expected(40, 0).filter((index) => !hidden.includes(index))
  expect(first.messages.map(({ index }) => index)).toEqual(seen)
  expect(first.unseen[0]).toMatchObject({ conversationSid: conversation?.sid, from: 0 })
  for (let page = await conversation?.getMessages(10); page?.hasPrevPage; ) page = await page.prevPage()
  const later = await ada.searchMessages('apricot', { limit: 100 })
  expect(later.unseen).toEqual([])
  expect(later.messages.map(({ index }) => index)).toEqual(expected(40, 0))
})

test('malformed options are refused with 20001', async () => {
  const client = start('ada', newDevice())
  for (const [query, options] of [
    [7, {}],
    ['x', { limit: 0 }],
    ['x', { before: 'yesterday' }],
    ['x', { after: new Date('never') }],
    ['x', { author: 1 }],
    ['x', { conversation: {} }],
  ]) {
    await expect(client.searchMessages(query as string, options as never)).rejects.toMatchObject({
      code: 20001,
    })
  }
})
