/**
 * What a post costs, in things that can be counted and come out the same on every machine: bytes on the wire and on
 * disk, statements and transactions, messages sent. A change here is a change of what Confab costs: if it is meant,
 * the new figure is written down here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { encodeFrames, limitsWith, PROTOCOL_VERSION, SERVICE_USER } from '@confab/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { seeded } from '../../../packages/core/test/relay-model.ts'
import { createEngine } from '../../../server/src/commit/create-engine.ts'
import type { Engine } from '../../../server/src/engine.ts'
import { NativeSession } from '../../../server/src/session/native-session.ts'
import { DEFAULT_TIMING } from '../../../server/src/session/session.ts'
import { openSqliteStore } from '../../../server/src/store/sqlite/sqlite-store.ts'
import type { Store } from '../../../server/src/store/store.ts'
import { silentLog } from '../../../server/test/support/wire.ts'
import { Author, bodyOf, identityOf, SERVICE, setUp } from './load.ts'

/** Statements run and transactions committed. Reads are counted apart: they write nothing. */
const counted = { writes: 0, reads: 0, transactions: 0 }
type Method = (this: StatementSync, ...values: unknown[]) => unknown
const prototype = StatementSync.prototype as unknown as Record<'run' | 'get' | 'all', Method>
const { run, get, all } = prototype

let folder: string
let store: Store
let engine: Engine
let now: number
let timers: (() => void)[]
beforeEach(() => {
  prototype.run = function (...values) {
    if (this.sourceSQL === 'COMMIT') counted.transactions++
    else if (!this.sourceSQL.startsWith('BEGIN')) counted.writes++
    return run.apply(this, values)
  }
  for (const [name, method] of Object.entries({ get, all })) {
    prototype[name as 'get' | 'all'] = function (...values) {
      counted.reads++
      return method.apply(this, values)
    }
  }
  folder = mkdtempSync(join(tmpdir(), 'confab-costs-'))
  store = openSqliteStore(join(folder, 'relay.db'))
  now = Date.UTC(2026, 0, 1)
  timers = []
  const random = seeded(6)
  engine = createEngine({
    store,
    now: () => now,
    sealing: false,
    random: (count) => Uint8Array.from({ length: count }, () => random.int(256)),
    after: (_, then) => {
      timers.push(then)
      return () => {
        timers = timers.filter((one) => one !== then)
      }
    },
  })
})
afterEach(() => {
  Object.assign(prototype, { run, get, all })
  rmSync(folder, { recursive: true })
})

interface Reader {
  session: NativeSession
  messages: number
  bytes: number
}

function connect(identity: string, document: string): Reader {
  const reader = { messages: 0, bytes: 0 } as Reader
  reader.session = new NativeSession({
    clock: { now: () => now, elapsed: () => 0, after: () => () => {}, defer: setImmediate },
    engine,
    outlet: {
      send(messages, written) {
        reader.messages += messages.length
        for (const { length } of messages) reader.bytes += length
        written()
      },
      ping() {},
      close(code, reason) {
        throw new Error(`closed: ${code} ${reason}`)
      },
    },
    authenticate: async () => ({
      principal: { accountSid: 'AC', serviceSid: SERVICE, identity, serviceRoleSid: SERVICE_USER },
      expiresAt: now + 3_600_000,
    }),
    limits: limitsWith({ operationsPerSecond: 1e9, bytesPerSecond: 1e12 }),
    timing: DEFAULT_TIMING,
    log: silentLog,
  })
  const entry = { channel: 1, document, epoch: 0, commitsId: 0, clock: 0, pending: false }
  reader.session.receive(
    encodeFrames([
      { type: 'hello', version: PROTOCOL_VERSION, token: 'token', agent: 'test' },
      { type: 'open', entries: [entry] },
    ]),
  )
  return reader
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
/** Everything that was sent is decided, stored and told. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn()
  for (const then of timers.splice(0)) then()
  for (let i = 0; i < 10; i++) await turn()
  await engine.idle()
  await turn()
}

/** A conversation of so many, all connected, and the first to write. */
async function conversation(members: number) {
  const [sid = ''] = await setUp({ conversations: 1, members }, (...args) => engine.submit(...args))
  const readers = Array.from({ length: members }, (_, member) => connect(identityOf(0, member), sid))
  await settled()
  const random = seeded(7)
  const author = new Author(identityOf(0, 0), random.u32())
  let number = 0
  const post = () => {
    const { update } = author.post(bodyOf(number++))
    readers[0]?.session.receive(encodeFrames([{ type: 'update', channel: 1, update }]))
  }
  return { readers, post }
}

/** What so many posts cost, each; `together` of them come in one turn. */
async function costOf(members: number, posts: number, together: number) {
  const { readers, post } = await conversation(members)
  // the first ones of a client and of this life of the relay bring ids with them
  for (let i = 0; i < 10; i++) {
    post()
    await settled()
  }
  const before = { ...counted }
  for (const reader of readers) reader.messages = reader.bytes = 0
  for (let i = 0; i < posts; i += together) {
    for (let j = 0; j < together; j++) post()
    await settled()
  }
  const each = (total: number) => Number((total / posts).toFixed(2))
  const [author, reader] = readers as [Reader, Reader]
  const deliveries = readers.reduce((sum, { messages }) => sum + messages, 0)
  return {
    transactions: each(counted.transactions - before.transactions),
    writes: each(counted.writes - before.writes),
    reads: each(counted.reads - before.reads),
    bytesToAuthor: each(author.bytes),
    bytesToReader: each(reader.bytes),
    messagesPerDelivery: Number((deliveries / posts / members).toFixed(2)),
  }
}

it('a post that comes alone is one transaction of one row, and one message to each', async () => {
  expect(await costOf(3, 100, 1)).toEqual({
    transactions: 1,
    writes: 1,
    reads: 1,
    bytesToAuthor: 306.46,
    bytesToReader: 248.46,
    messagesPerDelivery: 1,
  })
})

it('posts that come together share the transaction, the commit and the message', async () => {
  expect(await costOf(3, 128, 64)).toEqual({
    transactions: 0.02,
    writes: 0.02,
    reads: 1,
    bytesToAuthor: 252.59,
    bytesToReader: 210.26,
    messagesPerDelivery: 0.02,
  })
})

it('on disk a message takes less than a kilobyte when everything is in its place, and so many rows', async () => {
  const { post } = await conversation(2)
  const database = join(folder, 'relay.db')
  const posts = 2000
  const fill = async () => {
    for (let i = 0; i < posts; i++) {
      post()
      if (i % 10 === 9) await settled()
    }
  }
  await fill()
  const before = { ...counted }
  await fill()
  const writes = (counted.writes - before.writes) / posts
  await store.close()
  const db = new DatabaseSync(database)
  const [{ bytes, count }] = db
    .prepare(
      `SELECT count(*) AS count, (SELECT sum(octet_length(common) + octet_length(private)) FROM log)
        + sum(octet_length(record)) + (SELECT sum(16 + octet_length(identity)) FROM decided) AS bytes FROM messages`,
    )
    .all() as [{ bytes: number; count: number }]
  const pages = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number
  const used = (pages('page_count') - pages('freelist_count')) * pages('page_size')
  // what every database has, with nothing in it
  const [{ tables }] = db
    .prepare('SELECT count(*) AS tables FROM sqlite_schema WHERE rootpage > 0')
    .all() as [{ tables: number }]
  const empty = tables * pages('page_size')
  db.close()
  expect(count).toBe(2 * posts)
  expect({ writes: Number(writes.toFixed(1)), bytes: Math.round(bytes / count) }).toEqual({
    writes: 2.3,
    bytes: 545,
  })
  expect((used - empty) / count).toBeLessThan(750)
})
