import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client, type Conversation, memory } from '@confab/client'
import { afterEach, expect, test, vi } from 'vitest'
import { Program } from './support/program.ts'
import { KEY, SECRET, tokenFor } from './support/relay.ts'
import { until } from './support/until.ts'

// each starts processes, on machines that have other things to do
vi.setConfig({ testTimeout: 90_000 })

const main = join(import.meta.dirname, '../server/src/cli/main.ts')
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const confab = (...args: string[]) => new Program(process.execPath, [main, ...args])

/** A relay's folder: its database, its backup, and the commands for both. */
class Place {
  readonly #folder = mkdtempSync(join(tmpdir(), 'confab-restore-'))
  readonly database = join(this.#folder, 'relay.sqlite')
  readonly copy = join(this.#folder, 'backup.sqlite')
  #relay: Program | null = null
  port = 0

  constructor() {
    cleanUps.push(async () => {
      await this.kill()
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  async start(...options: string[]): Promise<void> {
    const key = `${KEY}=${SECRET}`
    this.#relay = confab('relay', '-p', `${this.port}`, '-d', this.database, '-k', key, ...options)
    this.port = Number(/:(\d+),/.exec(await this.#relay.line('confab relay at'))?.[1])
  }

  async kill(): Promise<void> {
    await this.#relay?.stop('SIGKILL')
  }

  /** Runs a command on the database; gives its exit code and what it complained of. */
  async run(...args: string[]): Promise<{ code: number | null; errors: string }> {
    const program = confab(...args, '-d', this.database)
    const code = await program.ended()
    return { code, errors: program.errors }
  }

  /** The newest copy in the place of what the relay has lost. */
  async restore(...options: string[]): Promise<void> {
    await this.kill()
    expect(await this.run('restore', this.copy, '--force')).toMatchObject({ code: 0 })
    await this.start(...options)
  }

  /** Somebody with a device of their own. */
  person(identity: string): Client {
    const url = `ws://127.0.0.1:${this.port}`
    const client = new Client(() => tokenFor(identity), { url, identity, storage: memory() })
    cleanUps.push(() => client.shutdown())
    return client
  }
}

const joined = (client: Client) =>
  new Promise<Conversation>((resolve) => client.once('conversationJoined', resolve))

async function bodies(client: Client, sid: string): Promise<(string | null)[]> {
  const conversation = await client.peekConversationBySid(sid).catch(() => null)
  if (!conversation) return []
  const { items } = await conversation.getMessages(100)
  return items.filter(({ status }) => status === 'accepted').map(({ body }) => body)
}

/** What a device reads that has nothing of its own. */
async function fresh(place: Place, identity: string, sid: string, count: number) {
  const client = place.person(identity)
  await until(client, async () => (await bodies(client, sid)).length === count)
  return bodies(client, sid)
}

const settled = (client: Client) => until(client, () => client.getPendingOperations().length === 0)

/** Alice's conversation with bob and carol, backed up while it is used, and what each wrote afterwards. */
async function stage(place: Place) {
  await place.start()
  const [alice, bob, carol] = [place.person('alice'), place.person('bob'), place.person('carol')]
  const arrived = Promise.all([joined(bob), joined(carol)])
  const talk = await alice.createConversation({ friendlyName: 'talk' })
  await talk.join()
  await talk.add('bob')
  await talk.add('carol')
  const [bobs, carols] = await arrived
  await talk.sendMessage('in the backup')
  await until(carol, async () => (await bodies(carol, talk.sid)).length === 1)
  expect(await place.run('backup', place.copy)).toMatchObject({ code: 0 })
  await bobs.sendMessage("bob's, lost")
  await talk.sendMessage("alice's, lost")
  await until(carol, async () => (await bodies(carol, talk.sid)).length === 3)
  return { alice, bob, carol, talk, bobs, carols }
}

test('whoever comes back first, all that the devices of its authors have is there once, in one order', async () => {
  const place = new Place()
  const { alice, bob, carol, talk, carols } = await stage(place)
  await carol.goOffline()
  await carols.sendMessage("carol's, written offline")
  // bob has a conversation of his own that the backup doesn't know, with carol, who comes to hear of it late
  const later = await bob.createConversation({ friendlyName: 'later' })
  await later.join()
  await later.sendMessage('in a conversation that the backup does not know')
  await later.add('alice')
  await until(alice, async () => (await bodies(alice, later.sid)).length === 1)
  const alices = await alice.getConversationBySid(later.sid)
  await alices.sendMessage("alice's in bob's conversation")
  await until(bob, async () => (await bodies(bob, later.sid)).length === 2)

  const added: string[] = []
  await alice.goOffline()
  await bob.goOffline()
  await place.restore()
  // alice first, who must wait for bob in his conversation; then carol, then bob
  alice.on('messageAdded', ({ body, status }) => added.push(`${status} ${body}`))
  await alice.goOnline()
  // until she has noticed, bob's stands there too, and hers under its old index: only then is hers there again
  const back = ['in the backup', "alice's, lost"].join()
  await until(alice, async () => (await bodies(alice, talk.sid)).join() === back)
  await carol.goOnline()
  await settled(carol)
  await bob.goOnline()
  for (const client of [alice, bob, carol]) await settled(client)

  const expected = ['in the backup', "alice's, lost", "carol's, written offline", "bob's, lost"]
  expect(await fresh(place, 'carol', talk.sid, expected.length)).toEqual(expected)
  for (const client of [alice, bob, carol]) {
    await until(client, async () => (await bodies(client, talk.sid)).length === expected.length)
    expect(await bodies(client, talk.sid)).toEqual(expected)
  }
  for (const client of [alice, bob]) {
    await until(client, async () => (await bodies(client, later.sid)).length === 2)
    expect((await bodies(client, later.sid)).sort()).toEqual([
      "alice's in bob's conversation",
      'in a conversation that the backup does not know',
    ])
  }
  // nothing that was there all the time is told of again
  expect(added.filter((one) => one.includes('in the backup'))).toEqual([])
  // what others had written was offered to nobody, and is kept: it can be read and exported
  expect(alice.getHeldOperations().map(({ operation }) => [operation.type, operation.body])).toContainEqual([
    'message.restore',
    "bob's, lost",
  ])
})

test('members whom the administrator lets bring what an author who is gone had written; it is marked', async () => {
  const place = new Place()
  const { alice, bob, carol, talk } = await stage(place)
  await carol.goOffline()
  await bob.shutdown()
  await place.restore('--restore-from-members')
  const isRestored = async (client: Client) => {
    const { items } = await (await client.getConversationBySid(talk.sid)).getMessages(10)
    return items.some((message) => message.restored)
  }
  await until(alice, () => isRestored(alice))
  await carol.goOnline()
  await until(carol, () => isRestored(carol))
  for (const client of [alice, carol]) await settled(client)
  expect(await bodies(carol, talk.sid)).toEqual(await bodies(alice, talk.sid))
  const { items } = await (await carol.getConversationBySid(talk.sid)).getMessages(10)
  expect(items.map(({ body, author, restored }) => [body, author, restored]).sort()).toEqual([
    ["alice's, lost", 'alice', false],
    ["bob's, lost", 'bob', true],
    ['in the backup', 'alice', false],
  ])
  expect([...alice.getHeldOperations(), ...carol.getHeldOperations()]).toEqual([])
})

test('a removal that the backup lacks comes again, and is told from what the relay has forgotten', async () => {
  const place = new Place()
  const { alice, bob, talk } = await stage(place)
  const left = new Promise((resolve) => bob.once('conversationLeft', resolve))
  await talk.removeParticipant('bob')
  await left
  await alice.goOffline()
  await place.restore()
  // by the backup bob is one of them still: what he had posted before his removal comes again
  await until(bob, async () => (await bodies(bob, talk.sid)).includes("bob's, lost"))
  const again = new Promise((resolve) => bob.once('conversationLeft', resolve))
  await alice.goOnline()
  await again
  expect(await bodies(bob, talk.sid)).toEqual([])
  expect((await fresh(place, 'alice', talk.sid, 3)).sort()).toEqual([
    "alice's, lost",
    "bob's, lost",
    'in the backup',
  ])
})

test('restoring refuses over a relay that runs, over a newer store, and what is no backup; a copy by hand works', async () => {
  const place = new Place()
  const { talk } = await stage(place)
  expect(await place.run('backup', place.copy)).toMatchObject({
    code: 1,
    errors: expect.stringContaining('is there already'),
  })
  expect(await place.run('restore', place.copy, '--force')).toMatchObject({
    code: 1,
    errors: expect.stringContaining('in use'),
  })
  await place.kill()
  const newer = await place.run('restore', place.copy)
  expect(newer).toMatchObject({ code: 1, errors: expect.stringContaining('that the backup lacks') })
  const nothing = await place.run('restore', import.meta.filename, '--force')
  expect(nothing).toMatchObject({ code: 1, errors: expect.stringContaining('no whole backup') })
  for (const suffix of ['', '-wal', '-shm']) rmSync(place.database + suffix, { force: true })
  copyFileSync(place.copy, place.database)
  await place.start()
  expect((await fresh(place, 'carol', talk.sid, 3)).sort()).toEqual([
    "alice's, lost",
    "bob's, lost",
    'in the backup',
  ])
})

test('a backup made while somebody writes is put back without being asked twice, the newest that it holds included', async () => {
  const place = new Place()
  const { talk } = await stage(place)
  await place.kill()
  // what a backup has that was written to while it was made: commits in its journal
  rmSync(place.copy)
  for (const suffix of ['', '-wal']) copyFileSync(place.database + suffix, place.copy + suffix)
  const copy = new DatabaseSync(place.copy)
  expect(copy.prepare('SELECT count(*) AS rows FROM journal').get()?.rows).toBeGreaterThan(0)
  copy.close()
  expect(await place.run('restore', place.copy)).toMatchObject({ code: 0, errors: '' })
  await place.start()
  expect((await fresh(place, 'carol', talk.sid, 3)).sort()).toEqual([
    "alice's, lost",
    "bob's, lost",
    'in the backup',
  ])
})
