/**
 * Sealed history and yesterday's backup: a relay that seals at a few messages is restored from a backup that lacks them,
 * and what devices have in pages comes again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Conversation, directory, type Message } from '@confab/client'
import type { RelayOptions } from '@confab/relay'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { manifestOf } from '../server/test/support/history.ts'
import { sealed, tiny } from './history/stage.ts'
import { Program } from './support/program.ts'
import { openDocument } from './support/reader.ts'
import { tokenFor } from './support/relay.ts'
import { type RelayProcess, runRelay } from './support/relay-process.ts'
import { until } from './support/until.ts'

// each starts processes, on machines that have other things to do
vi.setConfig({ testTimeout: 90_000 })

const main = join(import.meta.dirname, '../server/src/cli/main.ts')
const MEMBERS: Partial<RelayOptions> = { restoringFrom: 'members' }

let folder: string
let database: string
let relay: RelayProcess
const people = new Set<Client>()

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'confab-restore-sealed-'))
  database = join(folder, 'relay.sqlite')
  relay = await start(0)
})
afterEach(async () => {
  for (const client of people) await client.shutdown()
  people.clear()
  await relay.kill()
  rmSync(folder, { recursive: true, force: true })
})

const start = (port: number, options: Partial<RelayOptions> = {}) =>
  runRelay({ database, port, sealing: tiny, ...options })

async function confab(...args: string[]): Promise<void> {
  const program = new Program(process.execPath, [main, ...args, '-d', database])
  const code = await program.ended()
  if (code !== 0) throw new Error(program.errors)
}

const backUp = () => confab('backup', join(folder, 'backup.sqlite'))

/** The relay ends, and begins again with what the backup has. */
async function restore(options: Partial<RelayOptions> = {}): Promise<void> {
  await relay.kill()
  await confab('restore', join(folder, 'backup.sqlite'), '--force')
  relay = await start(relay.port, options)
}

/** Somebody's device: whatever was kept in this place of theirs is there again. */
function person(identity: string, place = identity): Client {
  const storage = directory(join(folder, place))
  const client = new Client(() => tokenFor(identity), { url: relay.url, identity, storage, logger: {} })
  people.add(client)
  return client
}

async function goes(client: Client): Promise<void> {
  people.delete(client)
  await client.shutdown()
}

const joined = (client: Client) =>
  new Promise<Conversation>((resolve) => client.once('conversationJoined', resolve))

/** Every message as it is shown, live or sealed. */
async function messages(client: Client, sid: string): Promise<Message[]> {
  const conversation = await client.peekConversationBySid(sid).catch(() => null)
  const all: Message[] = []
  let page = await conversation?.getMessages(100)
  while (page) {
    all.unshift(...page.items)
    page = page.hasPrevPage ? await page.prevPage() : undefined
  }
  return all
}

const accepted = async (client: Client, sid: string) =>
  (await messages(client, sid)).filter(({ status }) => status === 'accepted')
const bodies = async (client: Client, sid: string) => (await accepted(client, sid)).map(({ body }) => body)

const shows = (client: Client, sid: string, count: number) =>
  until(client, async () => (await accepted(client, sid)).length === count)

const settled = (client: Client) => until(client, () => client.getPendingOperations().length === 0)

/** Resolves when the relay has so many messages, and nothing left to seal. */
async function relayHas(sid: string, count: number): Promise<void> {
  const reader = await openDocument('native', relay.url, 'carol', sid)
  const total = () => manifestOf(reader.doc).count + reader.doc.getArray('messages').length
  await reader.peer.when(() => total() === count, `${count} messages`)
  await sealed(reader)
  await reader.peer.close()
}

/** What somebody reads who has nothing of it on their device. */
async function fresh(sid: string, count: number): Promise<Message[]> {
  const client = person('carol', `fresh ${people.size}`)
  await shows(client, sid, count)
  return accepted(client, sid)
}

const LOST = 24

/** Six messages, a backup, and many more that are sealed, by alice and by bob in turn; everybody has them all. */
async function stage() {
  const [alice, bob, carol] = [person('alice'), person('bob'), person('carol')]
  const arrived = Promise.all([joined(bob), joined(carol)])
  const talk = await alice.createConversation({ friendlyName: 'talk' })
  await talk.join()
  await talk.add('bob')
  await talk.add('carol')
  const [bobs] = await arrived
  const { sid } = talk
  const before = Array.from({ length: 6 }, (_, i) => `in the backup ${i}`)
  for (const body of before) await talk.sendMessage(body)
  await backUp()
  const lost: string[] = []
  for (let i = 0; i < LOST; i++) {
    const [who, where] = i % 2 === 0 ? (['alice', talk] as const) : (['bob', bobs] as const)
    lost.push(`${who} ${i}, lost`)
    await where.sendMessage(lost.at(-1) as string)
  }
  const count = before.length + LOST
  await relayHas(sid, count)
  // another device of alice's, which has written none of it
  const alicesOther = person('alice', 'alice, other')
  for (const client of [alicesOther, carol]) await shows(client, sid, count)
  return { alice, bob, carol, alicesOther, sid, talk, before, lost, count }
}

const byBody = (a: Message, b: Message) => String(a.body).localeCompare(String(b.body))

test.each([
  ['an author first', ['alicesOther', 'carol']],
  ['a witness first', ['carol', 'alicesOther']],
] as const)(
  'what was sealed since is there once, though no device is left that has written it: %s',
  async (_, order) => {
    const scene = await stage()
    const { sid, lost, before, count } = scene
    for (const client of [scene.alice, scene.bob, scene.alicesOther, scene.carol]) await goes(client)
    await restore(MEMBERS)
    for (const name of order) {
      const client = name === 'carol' ? person('carol') : person('alice', 'alice, other')
      await shows(client, sid, count)
      await settled(client)
      expect(client.getHeldOperations()).toEqual([])
    }
    const all = await fresh(sid, count)
    expect(all.slice(0, before.length).map(({ body }) => body)).toEqual(before)
    expect(all.map(({ body }) => body).sort()).toEqual([...before, ...lost].sort())
    expect(all.every(({ body, author }) => body?.startsWith('in') || body?.startsWith(`${author} `))).toBe(
      true,
    )
    const restored = all.filter((message) => message.restored).sort(byBody)
    const brought = order[0] === 'carol' ? lost : lost.filter((body) => body.startsWith('bob'))
    expect(restored.map(({ body }) => body)).toEqual([...brought].sort((a, b) => a.localeCompare(b)))
    // and whoever is there sees the same
    for (const client of people) {
      await until(
        client,
        async () => String(await bodies(client, sid)) === String(all.map(({ body }) => body)),
      )
    }
  },
)

test('what the backup has live and devices have sealed is there already: nobody brings it, and nobody hears of it', async () => {
  const { alice, bob, carol, alicesOther, sid, before, lost, count } = await stage()
  await goes(alicesOther)
  const added: string[] = []
  for (const client of [alice, bob, carol]) await client.goOffline()
  await restore(MEMBERS)
  carol.on('messageAdded', ({ body }) => added.push(String(body)))
  for (const client of [alice, bob, carol]) {
    await client.goOnline()
    await relayHas(sid, count)
  }
  const all = await fresh(sid, count)
  await until(carol, async () => String(await bodies(carol, sid)) === String(all.map(({ body }) => body)))
  expect(all.slice(0, before.length).map(({ body, restored }) => [body, restored])).toEqual(
    before.map((body) => [body, false]),
  )
  expect(all.map(({ body }) => body).sort()).toEqual([...before, ...lost].sort())
  expect(added.filter((body) => before.includes(body))).toEqual([])
  for (const client of people) expect(client.getHeldOperations()).toEqual([])
})

test('nobody offers what the relay knows, and what it may not be given is held on the device with its text', async () => {
  const { alice, bob, carol, alicesOther, sid, before, lost } = await stage()
  for (const client of [bob, alicesOther, carol]) await goes(client)
  await alice.goOffline()
  await restore()
  await alice.goOnline()
  const alices = lost.filter((body) => body.startsWith('alice'))
  const bobs = lost.filter((body) => body.startsWith('bob'))
  await relayHas(sid, before.length + alices.length)
  const held = (client: Client) => client.getHeldOperations().map(({ operation }) => operation.body)
  await until(alice, () => held(alice).length === bobs.length)
  expect(held(alice).sort()).toEqual([...bobs].sort())
  // one after another brings their own; carol has all of it, and only what is missing is refused
  const other = person('alice', 'alice, other')
  const late = person('carol')
  for (const client of [other, late]) {
    await until(client, () => held(client).length === bobs.length)
    await settled(client)
    expect(held(client).sort()).toEqual([...bobs].sort())
  }
  // an administrator allows it
  await relay.kill()
  relay = await start(relay.port, MEMBERS)
  for (const operation of late.getHeldOperations()) await operation.resend()
  await shows(late, sid, before.length + lost.length)
  expect((await fresh(sid, before.length + lost.length)).map(({ body }) => body).sort()).toEqual(
    [...before, ...lost].sort(),
  )
})

test.each(['remover', 'witness'] as const)(
  'a sealed message that was removed stays away, whether its remover or a witness comes first: %s',
  async (first) => {
    const { alice, bob, carol, alicesOther, sid, before, lost, count } = await stage()
    for (const client of [bob, carol]) await goes(client)
    // alice, an admin, removes one of bob's and one of the backup's, which carol never hears
    const gone = [lost[1], before[1]]
    for (const message of (await accepted(alice, sid)).filter(({ body }) => gone.includes(body ?? '')))
      await message.remove()
    await shows(alicesOther, sid, count - 2)
    await goes(alicesOther)
    await alice.goOffline()
    await restore(MEMBERS)
    if (first === 'witness') {
      person('carol')
      // what was removed is there again, until its remover comes
      await relayHas(sid, count)
      await alice.goOnline()
    } else {
      await alice.goOnline()
      await relayHas(sid, count - 2)
      person('carol')
    }
    await relayHas(sid, count - 2)
    for (const client of people) {
      await shows(client, sid, count - 2)
      await settled(client)
      expect(client.getHeldOperations()).toEqual([])
    }
    // and its author comes at last
    const author = person('bob')
    await shows(author, sid, count - 2)
    await settled(author)
    expect(author.getHeldOperations()).toEqual([])
    const left = [...before, ...lost].filter((body) => !gone.includes(body))
    expect((await fresh(sid, count - 2)).map(({ body }) => body).sort()).toEqual(left.sort())
  },
)
