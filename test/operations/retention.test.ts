/** Messages that are older than they may be are gone: from devices, from the API and from the file. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Message } from '@confab/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Retention } from '../../server/src/administration/retention.ts'
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import { event, onStage, person, SERVICE } from '../rest/stage.ts'
import { bytesIn } from '../support/bytes-in.ts'

const DAY = 24 * 60 * 60 * 1000
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'confab-retention-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A round, as it would go so many days from now, on a relay that runs. */
async function roundIn(days: number, database: string, relay: Awaited<ReturnType<typeof onStage>>) {
  // a copy to read from: the file itself is the relay's
  const copy = join(folder, `copy-${days}-${readdirSync(folder).length}.sqlite`)
  await relay.backup(copy)
  const store = openSqliteStore(copy)
  const retention = new Retention({
    store,
    submit: (service, conversation, operation) =>
      relay.system.submit(service, conversation, operation, 'retention'),
    every: DAY,
    now: () => Date.now() + days * DAY,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    after: () => () => {},
    log: {
      info() {},
      error(details) {
        throw (details as { err: unknown }).err
      },
    },
  })
  await retention.round()
  await store.close()
  void database
}

const set = (
  relay: Awaited<ReturnType<typeof onStage>>,
  days: number | null,
  conversation: string | null = null,
) => relay.administer('retention.set', { account: '', service: SERVICE, conversation, days }, 'tester')

test('by service and by conversation, whose own rule has the word; pages are made anew and the file forgets', async () => {
  const database = join(folder, 'relay.sqlite')
  const relay = await onStage({
    database,
    sealing: { messages: 40, pageMessages: 10, settle: 1 },
  })
  const { rest, url } = relay
  const ada = await person({ url }, 'ada')
  const [short, long, forever] = await Promise.all(
    ['short', 'long', 'forever'].map(async (name) => {
      const conversation = await (await ada.createConversation({ uniqueName: name })).join()
      for (let i = 0; i < (name === 'short' ? 60 : 2); i++)
        await rest.conversations(conversation.sid).messages.create({ body: `${name} sentence ${i}` })
      return conversation
    }),
  )
  if (!short || !long || !forever) throw new Error('no conversations')
  await set(relay, 30)
  await set(relay, 90, long.sid)
  await set(relay, null, forever.sid)
  expect(await relay.administer('retention.list', {}, 'tester')).toHaveLength(3)

  await roundIn(29, database, relay)
  expect(await rest.conversations(short.sid).messages.list()).toHaveLength(60)

  const removed = event<Message>(ada, 'messageRemoved', ({ index }) => index === 59)
  await roundIn(31, database, relay)
  await removed
  expect(await rest.conversations(short.sid).messages.list()).toEqual([])
  expect(await rest.conversations(long.sid).messages.list()).toHaveLength(2)
  await roundIn(91, database, relay)
  expect(await rest.conversations(long.sid).messages.list()).toEqual([])
  expect(await rest.conversations(forever.sid).messages.list()).toHaveLength(2)

  for (const copy of readdirSync(folder))
    if (copy.startsWith('copy')) rmSync(join(folder, copy), { recursive: true })
  await relay.close()
  const left = bytesIn(folder)
  expect(left).not.toContain('short sentence')
  expect(left).not.toContain('long sentence')
  expect(left).toContain('forever sentence')
})
