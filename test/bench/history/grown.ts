/**
 * Relays' databases with one long conversation each, grown through the relay's own engine (all but the newest as an
 * import, sealed as everything is) and kept, because a million messages take minutes: `node test/bench/history/grown.ts <messages>` makes one.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CHANNEL_USER,
  conversationSid,
  defaultServiceSid,
  type MessageRecord,
  messageSidOf,
  participantSid,
} from '@confab/core'
import { createEngine } from '../../../server/src/commit/create-engine.ts'
import { DEFAULT_SEALING } from '../../../server/src/commit/options.ts'
import type { Exported } from '../../../server/src/import/exported.ts'
import { openSqliteStore } from '../../../server/src/store/sqlite/sqlite-store.ts'
import { freshId, operation } from '../../support/operations.ts'
import { ACCOUNT } from '../../support/relay.ts'

export const READER = 'reader'
export const AUTHOR = 'friend'
/** Grows with what is grown here: what was kept of an earlier one is made anew. */
const VERSION = 3
const KEPT = join(import.meta.dirname, '../../../node_modules/.cache/confab/grown')
/** Messages that are taken in, or posts that are on their way, at a time. */
const BATCH = 1000
/** Live messages at the end: as many as there may be, so that what is measured is the worst. */
export const LIVE = DEFAULT_SEALING.messages
/** What is left live for a moment, so that exactly as many can be posted as may be live: fewer than sealing leaves. */
const LEFT = 50

export interface Grown {
  /** The database; whoever measures takes a copy. */
  database: string
  sid: string
}

const nonceOf = (messages: number) => messages.toString(16).padStart(32, '0')

/** What messages say: 4 to 24 words, always the same for an index. */
export function bodyOf(index: number): string {
  const words: string[] = [`Number ${index}:`]
  for (let i = 0; i < 2 + ((index * 7) % 21); i++)
    words.push(WORDS[(index * 31 + i * 17) % WORDS.length] as string)
  return words.join(' ')
}
const WORDS =
  'meeting tomorrow we should bring the other papers and ask whether anybody has seen what they wrote about it'.split(
    ' ',
  )

/** A conversation of so many messages. */
export async function grown(messages: number): Promise<Grown> {
  const sid = conversationSid(AUTHOR, nonceOf(messages))
  const folder = join(KEPT, `${messages}-v${VERSION}`)
  const database = join(folder, 'relay.db')
  if (existsSync(join(folder, 'whole'))) return { database, sid: readFileSync(join(folder, 'whole'), 'utf8') }
  const making = `${folder}-making`
  rmSync(making, { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(making, { recursive: true })
  await grow(join(making, 'relay.db'), sid, messages)
  writeFileSync(join(making, 'whole'), sid)
  renameSync(making, folder)
  return { database, sid }
}

async function grow(database: string, sid: string, messages: number): Promise<void> {
  const store = openSqliteStore(database)
  const service = defaultServiceSid(ACCOUNT)
  let engine = createEngine({ store })
  const live = async () => (await store.load(service, sid))?.head.history.live ?? 0
  const began = Date.now() - messages
  const piece = (records: MessageRecord[], participants: Exported['participants'] = []): Exported => ({
    record: { sid, createdBy: AUTHOR, dateCreated: began, friendlyName: 'A long conversation' },
    unseen: 0,
    profiles: [],
    participants,
    messages: records,
  })
  const written = messages > LIVE ? messages - LIVE + LEFT : 0
  for (let next = 0; next < written; next += BATCH) {
    const records = Array.from(
      { length: Math.min(BATCH, written - next) },
      (_, i): MessageRecord => ({
        sid: messageSidOf(freshId()),
        index: next + i,
        author: AUTHOR,
        body: bodyOf(next + i),
        dateCreated: began + next + i,
      }),
    )
    await engine.takeIn(service, piece(records))
    // the sealer is to keep up
    await until(async () => (await live()) <= 4 * BATCH)
  }
  if (written > 0) {
    await engine.drain()
    // down to a quarter of its bound, and no sealer goes on with it
    engine = createEngine({ store, sealing: { messages: 4 * LEFT } })
    await until(async () => (await live()) === LEFT)
    await engine.drain()
    engine = createEngine({ store })
  }
  const people = [READER, AUTHOR].map((identity) => ({
    record: {
      sid: participantSid(sid, { identity }),
      type: 'chat' as const,
      identity,
      roleSid: CHANNEL_USER,
      dateCreated: began,
    },
  }))
  await engine.takeIn(service, piece([], people))
  for (let next = written; next < messages; next += BATCH) {
    const posts = Array.from({ length: Math.min(BATCH, messages - next) }, (_, i) =>
      engine.submit(
        service,
        sid,
        operation('message.post', { body: bodyOf(next + i), author: AUTHOR }),
        'bench',
      ),
    )
    for (const { verdict } of await Promise.all(posts))
      if (verdict !== 'accepted') throw new Error(`The relay said ${verdict}`)
  }
  if ((await live()) !== Math.min(messages, LIVE)) throw new Error(`${await live()} messages are live`)
  await engine.drain()
  await store.close()
}

/** Nothing tells of sealing: it is looked at now and then. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50))
}

if (import.meta.main) console.log(await grown(Number(process.argv[2])))
