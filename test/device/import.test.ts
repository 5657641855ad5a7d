/** Moving a conversation from one relay to another: exported from a device, imported, and read by a device that knows nothing. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Conversation, memory } from '@confab/client'
import { defaultServiceSid } from '@confab/core'
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { readExported } from '../../server/src/import/exported.ts'
import { importFile } from '../../server/src/import/run.ts'
import { toDatabase } from '../../server/src/import/to-database.ts'
import { tiny } from '../history/stage.ts'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const SERVICE = defaultServiceSid(ACCESS.accountSid)
const folder = mkdtempSync(join(tmpdir(), 'confab-import-'))
const clients: Client[] = []
const relays: Relay[] = []
let databases = 0

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newDatabase = () => join(folder, `relay-${++databases}.sqlite`)

async function relayOn(database: string, sealing: typeof tiny | false = tiny): Promise<Relay> {
  const relay = await createRelay({
    port: 0,
    database,
    accessKeys: { [ACCESS.key]: ACCESS.secret },
    sealing,
  })
  relays.push(relay)
  return relay
}

/** On a device of its own. */
function start(identity: string, relay: Relay): Client {
  const token = () => createAccessToken({ ...ACCESS, identity })
  const client = new Client(token, { url: relay.url, storage: memory(), history: 'all' })
  clients.push(client)
  return client
}

const when = (condition: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 15_000, interval: 10 })

async function first(client: Client): Promise<Conversation> {
  await when(async () => (await client.getSubscribedConversations()).items.length > 0)
  return (await client.getSubscribedConversations()).items[0] as Conversation
}

async function readAll(conversation: Conversation): Promise<void> {
  for (let page = await conversation.getMessages(100); page.hasPrevPage; ) page = await page.prevPage()
}

const textOf = async (conversation: Conversation) => {
  await readAll(conversation)
  const { blob, unseen } = await conversation.export()
  return { text: await blob.text(), unseen }
}

/** A conversation with everything in it: names, attributes, roles, horizons, an address, edits, removals, the last removed. */
async function written(relay: Relay): Promise<string> {
  const ada = start('ada', relay)
  const bob = start('bob', relay)
  const conversation = await (
    await ada.createConversation({ friendlyName: 'Trip', uniqueName: 'trip', attributes: { place: 'Łódź' } })
  ).join()
  await conversation.add('bob', { colour: 'red' })
  await conversation.addNonChatParticipant('+15550001111', '+15550002222', { name: 'Carol' })
  const bobs = await first(bob)
  for (let index = 0; index < 20; index++) {
    await conversation.sendMessage(`ada ${index} 🐈`, { n: index })
    await bobs.sendMessage(`bob ${index}`)
  }
  const { items } = await conversation.getMessages(100)
  await items[3]?.updateBody('edited')
  await items[5]?.remove()
  await items.at(-1)?.remove()
  await bobs.advanceLastReadMessageIndex(11)
  await when(() => ada.getPendingOperations().length + bob.getPendingOperations().length === 0)
  const horizon = async () => (await conversation.getParticipantByIdentity('bob'))?.lastReadMessageIndex
  await when(async () => (await horizon()) === 11)
  return (await textOf(conversation)).text
}

async function imported(database: string, text: string) {
  const file = join(mkdtempSync(join(folder, 'exported-')), 'conversation.jsonl')
  writeFileSync(file, text)
  const target = await toDatabase(database, SERVICE)
  try {
    const { messages, warnings } = await importFile(target, file, () => {})
    return { messages, warnings }
  } finally {
    await target.close()
  }
}

test.each([
  ['sealed', tiny],
  ['live', false],
] as const)(
  'exported, imported elsewhere (%s there), exported again: the same to the byte, and it goes on',
  async (_, sealing) => {
    const text = await written(await relayOn(newDatabase()))
    await Promise.all(clients.splice(0).map((client) => client.shutdown()))
    const database = newDatabase()
    expect(await imported(database, text)).toEqual({ messages: 38, warnings: [] })
    const relay = await relayOn(database, sealing)
    const [ada, bob] = [start('ada', relay), start('bob', relay)]
    const asAda = await first(ada)
    await when(async () => (await textOf(asAda)).unseen.length === 0)
    await when(async () => (await textOf(asAda)).text === text)
    // what is said next comes behind what was removed last, to everybody
    const asBob = await first(bob)
    await asAda.sendMessage('after the move')
    await when(async () => (await asBob.getMessages(1)).items[0]?.body === 'after the move')
    expect((await asBob.getMessages(1)).items[0]?.index).toBe(40)
    expect(await asBob.getUnreadMessagesCount()).toBeGreaterThan(20)
    expect((await ada.getConversationByUniqueName('trip')).sid).toBe(asAda.sid)
    await asAda.removeParticipant('bob')
    await when(async () => (await bob.getSubscribedConversations()).items.length === 0)
    // nobody else sees it
    const eve = start('eve', relay)
    await when(() => eve.connectionState === 'connected')
    await expect(eve.getConversationBySid(asAda.sid)).rejects.toMatchObject({ code: 20404 })
  },
)

test('an import that was cut short goes on, one that is done does nothing, and another conversation is not touched', async () => {
  const text = await written(await relayOn(newDatabase()))
  const lines = text.trimEnd().split('\n')
  const database = newDatabase()
  // what is written at the end was not reached
  const [head = '', ...others] = lines.slice(0, -20)
  const half = [head.replace(/"highestIndex":\d+,/, ''), ...others].join('\n')
  expect(await imported(database, half)).toEqual({ messages: 18, warnings: [] })
  expect(await imported(database, text)).toEqual({ messages: 20, warnings: [] })
  expect(await imported(database, text)).toEqual({ messages: 0, warnings: [] })
  const other = text.replace('ada 0 🐈', 'something else')
  await expect(imported(database, other)).rejects.toThrow('not the beginning of this one')
  expect(await imported(database, half)).toEqual({ messages: 0, warnings: [] })
  const relay = await relayOn(database)
  await when(async () => (await textOf(await first(start('ada', relay)))).text === text)
})

test('a unique name that is taken is left out, and said', async () => {
  const text = await written(await relayOn(newDatabase()))
  const database = newDatabase()
  const relay = await relayOn(database)
  await (await start('eve', relay).createConversation({ uniqueName: 'trip' })).join()
  await when(() => clients.every((client) => client.getPendingOperations().length === 0))
  await relay.close()
  relays.length = 0
  const { warnings } = await imported(database, text)
  expect(warnings).toEqual(['the unique name "trip" is taken: the conversation comes without it'])
})

test('attachments whose content does not come along are counted, and their messages kept', async () => {
  const sid = (kind: string) => `${kind}${'0'.repeat(32)}`
  const media = [
    { sid: sid('ME'), category: 'media', contentType: 'text/plain', size: 3, sha256: 'a'.repeat(64) },
  ]
  const record = { sid: sid('CH'), createdBy: 'ada', dateCreated: 1 }
  const message = { sid: sid('IM'), index: 0, author: 'ada', dateCreated: 1, media }
  const text = [
    JSON.stringify({ type: 'conversation', version: 1, record }),
    JSON.stringify({ type: 'message', record: message }),
  ].join('\n')
  expect(await imported(newDatabase(), text)).toEqual({
    messages: 1,
    warnings: [expect.stringMatching(/^1 attachments are named/)],
  })
})

test.each<[string, (lines: string[]) => string[]]>([
  ['line 1: the first line', (lines) => lines.slice(1)],
  ['line 2: the first line', (lines) => [lines[0] as string, lines[0] as string]],
  [
    'line 1: it is of version 2',
    ([line = '', ...others]) => [line.replace('"version":1', '"version":2'), ...others],
  ],
  [
    'line 1: x is no sid',
    ([line = '', ...others]) => [line.replace(/"sid":"CH[^"]*"/, '"sid":"x"'), ...others],
  ],
  ['line 2: Expected', (lines) => [lines[0] as string, '{']],
  ['is no such sid', (lines) => lines.map((line) => line.replace(/"sid":"IM/, '"sid":"XX'))],
  ['its index is not above', (lines) => [...lines, lines.at(-1) as string]],
  ['index: ', (lines) => lines.map((line) => line.replace(/"index":\d+/, '"index":-1'))],
  ['there is no type "x"', (lines) => [...lines, '{"type":"x"}']],
  ['it is empty', () => []],
])('a file that is malformed is refused, by its line: %s', async (reason, spoil) => {
  const record = { sid: `CH${'0'.repeat(32)}`, createdBy: 'ada', dateCreated: 1 }
  const message = { sid: `IM${'0'.repeat(32)}`, index: 0, author: 'ada', dateCreated: 1 }
  const lines = [
    JSON.stringify({ type: 'conversation', version: 1, record }),
    JSON.stringify({ type: 'message', record: message }),
  ]
  expect(readExported(lines.join('\n')).messages).toHaveLength(1)
  expect(() => readExported(spoil(lines).join('\n'))).toThrow(reason)
})
