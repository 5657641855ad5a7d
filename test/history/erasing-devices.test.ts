/** What a removed message said is in no file of anybody's device: not its author's, not a reader's, and not the relay's. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Conversation, directory, type Message } from '@confab/client'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bytesIn, gone } from '../support/bytes-in.ts'
import { openDocument } from '../support/reader.ts'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { sealed, tiny } from './stage.ts'

const COUNT = 24
/** Words that are nowhere but in this message. */
const secret = (index: number): string => `secret-${index}-${(index * 7919).toString(36).padStart(8, 'q')}`

let folder: string
let relay: TestRelay
const clients = new Set<Client>()

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'confab-erasing-devices-'))
  for (const place of ['relay', 'ada', 'bob', 'cem']) mkdirSync(join(folder, place))
  relay = await startRelay({ database: join(folder, 'relay', 'relay.sqlite'), sealing: tiny })
})
afterEach(async () => {
  for (const client of clients) await client.shutdown()
  clients.clear()
  await relay.close()
  rmSync(folder, { recursive: true, force: true })
  expect(relay.failures).toEqual([])
})

function person(identity: string): Client {
  const storage = directory(join(folder, identity))
  const client = new Client(() => tokenFor(identity), { url: relay.url, identity, storage, logger: {} })
  clients.add(client)
  return client
}

const joined = (client: Client) =>
  new Promise<Conversation>((resolve) => client.once('conversationJoined', resolve))

async function messages(conversation: Conversation): Promise<Message[]> {
  const all: Message[] = []
  for (let page = await conversation.getMessages(100); ; page = await page.prevPage()) {
    all.unshift(...page.items)
    if (!page.hasPrevPage) return all
  }
}

const shows = (client: Client, conversation: Conversation, count: number) =>
  until(client, async () => {
    const shown = await messages(conversation)
    return shown.length === count && shown.every(({ status }) => status === 'accepted')
  })

/** Ada's conversation with bob and cem: she and bob write in turn, and most of it is sealed. */
async function stage() {
  const [ada, bob, cem] = [person('ada'), person('bob'), person('cem')]
  const arrived = Promise.all([joined(bob), joined(cem)])
  const adas = await ada.createConversation({ friendlyName: 'talk' })
  await adas.join()
  await adas.add('bob')
  await adas.add('cem')
  const [bobs, cems] = await arrived
  for (let i = 0; i < COUNT; i++) await (i % 2 === 0 ? adas : bobs).sendMessage(secret(i))
  const reader = await openDocument('native', relay.url, 'cem', adas.sid)
  await sealed(reader)
  await shows(ada, adas, COUNT)
  await shows(bob, bobs, COUNT)
  await shows(cem, cems, COUNT)
  return { ada, bob, cem, adas, bobs, cems, reader }
}

// own and another's, sealed and live
const REMOVED = [2, 3, COUNT - 2, COUNT - 1]
const texts = REMOVED.map(secret)
const PLACES = ['relay', 'ada', 'bob', 'cem']

it('once everybody has heard of it, while what its neighbours said stays', async () => {
  const { adas, cems, reader } = await stage()
  for (const place of PLACES)
    for (const text of texts)
      expect(bytesIn(join(folder, place)).includes(text), `${place} ${text}`).toBe(true)
  for (const message of await messages(adas)) if (REMOVED.includes(message.index)) await message.remove()
  await sealed(reader)
  await Promise.all(PLACES.map((place) => gone(join(folder, place), texts)))
  const rest = await messages(cems)
  expect(rest.map(({ body }) => body)).toEqual(
    Array.from({ length: COUNT }, (_, i) => secret(i)).filter((text) => !texts.includes(text)),
  )
  for (const client of clients) await client.shutdown()
  clients.clear()
  for (const place of PLACES) {
    const bytes = bytesIn(join(folder, place))
    for (const text of texts) expect(bytes.includes(text), `${place} ${text}`).toBe(false)
  }
})

it('nor on a device that was away, once it has come back, what was edited before included', async () => {
  const { bob, adas, bobs, reader } = await stage()
  const edited = (index: number) => `${secret(index)} edited`
  for (const message of await messages(bobs))
    if (message.index === 3 || message.index === COUNT - 1) await message.updateBody(edited(message.index))
  await until(bob, () => bob.getPendingOperations().length === 0)
  await bob.shutdown()
  clients.delete(bob)
  expect(bytesIn(join(folder, 'bob'))).toContain(edited(3))
  for (const message of await messages(adas)) if (REMOVED.includes(message.index)) await message.remove()
  await sealed(reader)
  const again = person('bob')
  await until(again, async () => {
    const conversation = await again.peekConversationBySid(adas.sid)
    return (await messages(conversation)).length === COUNT - REMOVED.length
  })
  await gone(join(folder, 'bob'), texts)
})
