/** A store that is damaged in many ways: what is wrong is named each time, and a repair makes nothing worse. */
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client, directory, examineStores } from '@confab/client'
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { tiny } from '../history/stage.ts'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const folder = mkdtempSync(join(tmpdir(), 'confab-doctor-'))
const whole = join(folder, 'whole')
let relay: Relay
let sid: string
let copies = 0

const tokenOf = () => createAccessToken({ ...ACCESS, identity: 'ada', serviceSid: 'IS1' })
const start = (device: string) =>
  new Client(tokenOf, { url: relay.url, storage: directory(device), logLevel: 'silent' })
const when = (condition: () => boolean | Promise<boolean>) =>
  vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 10_000, interval: 5 })

/** A device with a sealed history, accepted messages, a held operation and two that are pending. */
beforeAll(async () => {
  relay = await createRelay({
    port: 0,
    database: ':memory:',
    accessKeys: { [ACCESS.key]: ACCESS.secret },
    sealing: tiny,
  })
  const client = start(whole)
  const conversation = await (await client.createConversation({ friendlyName: 'Tea' })).join()
  sid = conversation.sid
  for (let index = 0; index < 30; index++) await conversation.sendMessage(`message ${index}`)
  await when(async () => (await client.storage()).history > 0)
  await client.searchMessages('message')
  await client.goOffline()
  await conversation.sendMessage('pending one')
  await conversation.sendMessage('pending two')
  await client.shutdown()
  expect(await kindsIn(whole)).toEqual([])
})
afterAll(async () => {
  await relay.close()
  rmSync(folder, { recursive: true, force: true })
})

async function kindsIn(device: string): Promise<string[]> {
  const reports = await examineStores(device)
  return [...new Set(reports.flatMap(({ findings }) => findings.map(({ kind }) => kind)))].sort()
}

const databaseIn = (device: string) =>
  join(device, readdirSync(device).find((name) => /^[0-9a-f]{32}\.sqlite$/.test(name)) as string)

function sql(
  device: string,
  ...statements: [text: string, ...values: (string | number | Uint8Array)[]][]
): void {
  const db = new DatabaseSync(databaseIn(device))
  for (const [text, ...values] of statements) db.prepare(text).run(...values)
  db.close()
}

/** The newest update of the conversation's copy. */
function copyOf(device: string): { doc: Y.Doc; rows: { key: number; bytes: Uint8Array; epoch: number }[] } {
  const db = new DatabaseSync(databaseIn(device))
  const rows = db.prepare('select * from updates where document = ? order by key').all(sid) as never[]
  db.close()
  const doc = new Y.Doc()
  for (const { bytes } of rows as { bytes: Uint8Array }[]) Y.applyUpdate(doc, bytes)
  return { doc, rows }
}

const DAMAGES: [what: string, kinds: string[], damage: (device: string) => void, lost?: number][] = [
  [
    'a page with other bytes',
    ['page'],
    (device) =>
      sql(device, [
        "update pages set bytes = x'7b7d' where document = ? limit 1".replace(' limit 1', ''),
        sid,
      ]),
  ],
  [
    'a page of a conversation that nothing tells of',
    ['page-orphan'],
    (device) =>
      sql(device, [
        "update pages set document = 'CH00000000000000000000000000000000' where document = ?",
        sid,
      ]),
  ],
  [
    'an update that is cut short',
    ['document'],
    (device) =>
      sql(device, ['update updates set bytes = substr(bytes, 1, length(bytes) / 2) where document = ?', sid]),
  ],
  [
    'a first update that was lost',
    ['document'],
    (device) => {
      const { doc, rows } = copyOf(device)
      // what comes after what is missing
      const before = Y.encodeStateVector(doc)
      doc.getArray('outbox/ada').push([{ later: 1 }])
      doc.getArray('outbox/ada').push([{ later: 2 }])
      const vector = Y.decodeStateVector(before)
      const half = new Map([...vector, [doc.clientID, 1]])
      const state = Y.encodeStateAsUpdate(doc, encodeVector(half))
      sql(
        device,
        ['delete from updates where document = ?', sid],
        ['insert into updates (document, epoch, bytes) values (?, ?, ?)', sid, rows[0]?.epoch ?? 0, state],
      )
    },
  ],
  [
    'a copy of an earlier epoch that was left',
    ['document-epoch'],
    (device) =>
      sql(device, [
        'insert into updates (document, epoch, bytes) select document, epoch + 7, bytes from updates where document = ?',
        sid,
      ]),
  ],
  [
    'two messages with one index',
    ['document'],
    (device) => {
      const { doc, rows } = copyOf(device)
      const last = doc.getArray<{ index: number }>('messages').toArray().at(-1)
      doc.getArray('messages').push([{ ...last, sid: 'IMdouble' }])
      sql(device, [
        'insert into updates (document, epoch, bytes) values (?, ?, ?)',
        sid,
        rows[0]?.epoch ?? 0,
        Y.encodeStateAsUpdate(doc),
      ])
    },
  ],
  [
    'an operation in the journal that is no JSON',
    ['journal-entry'],
    (device) =>
      sql(device, [
        'update entries set operation = \'{"id":\' where position = (select max(position) from entries)',
      ]),
    1,
  ],
  [
    'an operation that is of no state',
    ['journal-state'],
    (device) =>
      sql(device, ["update entries set state = 'lost' where position = (select max(position) from entries)"]),
    1,
  ],
  [
    'a summary that is no JSON',
    ['document-orphan', 'page-orphan', 'summary'],
    (device) => sql(device, ["update summaries set data = 'x' where document = ?", sid]),
  ],
  [
    'a summary of something else',
    ['document-orphan', 'page-orphan', 'summary'],
    (device) =>
      sql(device, [`update summaries set data = '{"record":{"sid":"CH1"}}' where document = ?`, sid]),
  ],
  [
    'a setting that is no JSON',
    ['value'],
    (device) => sql(device, ["insert or replace into vals values ('limits', '{')"]),
  ],
  [
    'a list of owners that is no database',
    ['owners'],
    (device) =>
      writeFileSync(
        join(device, 'owners.sqlite'),
        'no database at all, but long enough to be read as one'.repeat(40),
      ),
  ],
  [
    'a database whose beginning was overwritten',
    ['file'],
    (device) => {
      const bytes = readFileSync(databaseIn(device))
      bytes.fill(7, 0, 4096)
      writeFileSync(databaseIn(device), bytes)
    },
    2,
  ],
  [
    'a database that was cut in the middle',
    ['file'],
    (device) => {
      const bytes = readFileSync(databaseIn(device))
      writeFileSync(databaseIn(device), bytes.subarray(0, bytes.length - 4096 * 3))
    },
    2,
  ],
]

function encodeVector(vector: ReadonlyMap<number, number>): Uint8Array {
  const doc = new Y.Doc()
  for (const [client, clock] of vector)
    doc.store.clients.set(client, [{ id: { client, clock: 0 }, length: clock }] as never)
  return Y.encodeStateVector(doc)
}

describe.each(DAMAGES)('%s', (_, kinds, damage, lost = 0) => {
  test('is named, and repaired without losing what can be read', async () => {
    const device = join(folder, `copy-${++copies}`)
    cpSync(whole, device, { recursive: true })
    damage(device)
    const untouched = readFileSync(databaseIn(device))
    const reports = await examineStores(device)
    expect(await kindsIn(device)).toEqual(kinds)
    // looking changes nothing
    expect(readFileSync(databaseIn(device)).equals(untouched)).toBe(true)
    for (const { findings } of reports) for (const { repair } of findings) expect(repair).toMatch(/\w{3}/)
    for (const report of reports) if (report.findings.length > 0) expect(await report.repair()).toMatch(/-1$/)
    expect(await kindsIn(device)).toEqual([])

    const client = start(device)
    await client.goOffline()
    const pending = () => [...client.getPendingOperations(), ...client.getHeldOperations()]
    expect(pending().length).toBeGreaterThanOrEqual(2 - lost)
    await client.goOnline()
    await when(() => client.connectionState === 'connected')
    await when(async () => (await client.getSubscribedConversations()).items.some((one) => one.sid === sid))
    const conversation = await client.getConversationBySid(sid)
    await when(async () => (await everything(conversation)).slice(0, 30).join() === EXPECTED.join())
    await client.shutdown()
    expect(await kindsIn(device)).toEqual([])
  })
})

const EXPECTED = Array.from({ length: 30 }, (_, index) => `message ${index}`)

async function everything(
  conversation: Awaited<ReturnType<Client['getConversationBySid']>>,
): Promise<string[]> {
  let page = await conversation.getMessages(100)
  const all = [...page.items]
  while (page.hasPrevPage) {
    page = await page.prevPage()
    all.unshift(...page.items)
  }
  return all.map(({ body }) => body ?? '')
}

test('a store in order: whose it is, and how much is in it; a folder without one is said to have none', async () => {
  const [report] = await examineStores(whole)
  expect(report).toMatchObject({
    owner: { identity: 'ada', relay: relay.url },
    counts: { pending: 2, held: 0, conversations: 1 },
    findings: [],
  })
  expect(await report?.repair()).toBe(null)
  await expect(examineStores(folder)).rejects.toThrow('There is no store')
  await expect(examineStores(join(folder, 'nowhere'))).rejects.toThrow('There is no folder')
})

/** Takes the tables back to their first version. */
const age = (device: string) =>
  sql(
    device,
    ['drop table pages'],
    ['alter table entries drop column message_index'],
    ['pragma user_version = 1'],
  )

const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
const filesIn = (device: string) =>
  Object.fromEntries(
    readdirSync(device)
      .sort()
      .map((name) => [name, digest(join(device, name))]),
  )

test('a store of an earlier version is looked over and left as it is, to the byte, nothing beside it', async () => {
  const device = join(folder, `copy-${++copies}`)
  cpSync(whole, device, { recursive: true })
  age(device)
  const before = filesIn(device)
  const [report] = await examineStores(device)
  expect(report).toMatchObject({ counts: { pending: 2, conversations: 1, pages: 0 }, findings: [] })
  expect(filesIn(device)).toEqual(before)
})

test('a damaged store of an earlier version: said that it is brought up first; its copy is as it was', async () => {
  const device = join(folder, `copy-${++copies}`)
  cpSync(whole, device, { recursive: true })
  age(device)
  sql(device, ["insert or replace into vals values ('limits', '{')"])
  const before = filesIn(device)
  const [report] = await examineStores(device)
  expect(report?.findings.map(({ kind }) => kind)).toEqual(['older', 'value'])
  expect(filesIn(device)).toEqual(before)
  const copy = (await report?.repair()) as string
  expect(digest(copy)).toBe(before[basename(databaseIn(device))])
  expect(await kindsIn(device)).toEqual([])
})
