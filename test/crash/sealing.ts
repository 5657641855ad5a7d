/**
 * One conversation goes through kills of its relay while it seals, makes pages anew and erases. Ada and Bob post until it
 * dies, or Ada removes a sealed message and a live one; then it is started again on the same file.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Conversation, Message } from '@confab/client'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { sealed, tiny } from '../history/stage.ts'
import { gone } from '../support/bytes-in.ts'
import { openDocument } from '../support/reader.ts'
import { until } from '../support/until.ts'
import { eager, joined, Person, type Shown, shown } from './kills.ts'
import { after, before, type Moment } from './moments.ts'
import { Mortal } from './mortal.ts'

interface SealingStep {
  name: string
  /** What the relay is asked for when it dies. */
  during: 'posts' | 'removals'
  moment: Moment
  /** Part of `npm test`. */
  isQuick?: true
}

const ROWS = 'ORDER BY m\\.position ASC'
const PAGE = '^INSERT INTO pages'
const GONE = '^DELETE FROM pages'
const ERASED = '^UPDATE documents SET removed_at = NULL'
const COMMIT = '^COMMIT$'
const TOLD = '^socket write'

export const SEALING_STEPS: readonly SealingStep[] = [
  { during: 'posts', name: 'the messages of a page were read', moment: after(ROWS) },
  {
    during: 'posts',
    name: 'its page is made, nothing of it stored',
    moment: before(ROWS, PAGE),
    isQuick: true,
  },
  {
    during: 'posts',
    name: 'page and commit are written, nothing committed',
    moment: before(PAGE, COMMIT),
    isQuick: true,
  },
  { during: 'posts', name: 'committed, nobody told', moment: after(PAGE, COMMIT), isQuick: true },
  { during: 'posts', name: 'committed, one connection told', moment: after(PAGE, COMMIT, TOLD) },
  { during: 'posts', name: 'committed, the next page was read', moment: after(PAGE, COMMIT, ROWS) },
  { during: 'removals', name: 'the old page is deleted, nothing committed', moment: before(GONE, COMMIT) },
  {
    during: 'removals',
    name: 'the removal is committed, its text in log and snapshot',
    moment: after(GONE, COMMIT),
    isQuick: true,
  },
  {
    during: 'removals',
    name: 'the page is made anew, nothing of it stored',
    moment: before(GONE, COMMIT, ROWS, PAGE),
  },
  {
    during: 'removals',
    name: 'the new page is written, nothing committed',
    moment: before(GONE, COMMIT, PAGE, COMMIT),
  },
  {
    during: 'removals',
    name: 'the new page is committed, nobody told',
    moment: after(GONE, COMMIT, PAGE, COMMIT),
    isQuick: true,
  },
  {
    during: 'removals',
    name: 'log and snapshot are rewritten, nothing committed',
    moment: before(GONE, ERASED, COMMIT),
    isQuick: true,
  },
  {
    during: 'removals',
    name: 'that is committed, the write-ahead log not emptied',
    moment: after(GONE, ERASED, COMMIT),
    isQuick: true,
  },
  {
    during: 'removals',
    name: 'the write-ahead log is emptied',
    moment: after(GONE, ERASED, COMMIT, '^PRAGMA wal_checkpoint'),
  },
]

export interface SealingReport {
  shown: { who: string; messages: Shown[] }[]
  acknowledged: Map<string, Shown>
  contradictions: string[]
  /** What each wrote and nobody removed, in order. */
  left: Map<string, string[]>
  held: string[]
}

/** What was removed is waited for after each kill: that it is in none of the relay's files. */
export async function killWhileSealing(steps: readonly SealingStep[]): Promise<SealingReport> {
  const folder = await mkdtemp(join(tmpdir(), 'confab-sealing-'))
  const place = join(folder, 'relay')
  mkdirSync(place)
  const start = async (port: number): Promise<Mortal> => {
    const options = { database: join(place, 'relay.sqlite'), port, sealing: tiny }
    const started = await Mortal.start(options)
    if (!started) throw new Error('the relay did not start')
    return started
  }
  let mortal = await start(0)
  const { port, url } = mortal.relay
  const acknowledged = new Map<string, Shown>()
  const contradictions: string[] = []
  const accepted = (message: Message) => {
    const now = shown(message)
    const told = acknowledged.get(now.sid)
    if (told && (told.index !== now.index || told.body !== now.body))
      contradictions.push(`${now.sid}: ${told.index} "${told.body}", then ${now.index} "${now.body}"`)
    acknowledged.set(now.sid, now)
  }
  const person = (who: string, where: string, transport = native()) =>
    new Person(who, { url, transport: eager(transport) }, join(folder, where), { note() {} }, accepted)
  const [ada, bob] = [person('ada', 'ada'), person('bob', 'bob', yWebsocket())]
  const everybody = [ada, bob]
  const removed = new Set<string>()
  const write = (one: Person, who: string) => one.write(`${who} ${randomBytes(12).toString('hex')}`)
  const both = () => Promise.all([write(ada, 'ada'), write(bob, 'bob')])
  const leftOf = (one: Person) => one.written.filter((body) => !removed.has(body))

  try {
    const conversation = await ada.client.createConversation({ friendlyName: 'sealing' })
    await conversation.join()
    const came = joined(bob.client)
    await conversation.add('bob')
    ada.look(conversation)
    bob.look(await came)
    for (let i = 0; i < tiny.messages; i++) await both()
    await settled()

    async function settled(): Promise<void> {
      await Promise.all(everybody.map((one) => one.settled()))
      const reader = await openDocument('native', url, 'ada', conversation.sid)
      await sealed(reader)
      await reader.peer.close()
    }

    async function posts(): Promise<{ doing: Promise<unknown> }> {
      for (;;) {
        const doing = both()
        await Promise.race([mortal.gone, doing])
        // with no relay a promise settles at once, before anybody hears of its end
        await new Promise((next) => setImmediate(next))
        if (!mortal.isAlive) return { doing }
      }
    }

    /** The oldest of Ada's messages, which is sealed, and the newest, which is not. */
    function removals(): { doing: Promise<unknown> } {
      const left = leftOf(ada)
      const bodies = [left[0], left.at(-1)] as string[]
      for (const body of bodies) removed.add(body)
      const all = Promise.all(bodies.map(async (body) => (await find(conversation, body)).remove()))
      return { doing: all }
    }

    for (const { during, moment } of steps) {
      await mortal.dieAt(moment)
      const { doing } = during === 'posts' ? await posts() : removals()
      await mortal.gone
      await Promise.all(
        everybody.map(({ client }) => until(client, () => client.connectionState !== 'connected')),
      )
      mortal = await start(port)
      await doing
      await settled()
      await gone(place, [...removed])
    }
    const held = everybody.flatMap(({ client }) =>
      client.getHeldOperations().map(({ error, operation }) => `${error.code} ${JSON.stringify(operation)}`),
    )
    const fresh = person('bob', 'fresh')
    fresh.look(await joined(fresh.client))
    everybody.push(fresh)
    const bodiesOf = async (one: Person) => (await one.shows(0)).map(({ body }) => body)
    const count = leftOf(ada).length + leftOf(bob).length
    const theirs = await fresh.shows(count)
    const isTheSame = async (one: Person) =>
      String(await bodiesOf(one)) === String(theirs.map(({ body }) => body))
    for (const one of everybody) await until(one.client, () => isTheSame(one))
    const views = await Promise.all(
      everybody.map(async (one, i) => ({ who: `device ${i}`, messages: await one.shows(count) })),
    )
    const left = new Map([
      ['ada', leftOf(ada)],
      ['bob', leftOf(bob)],
    ])
    return { shown: views, acknowledged, contradictions, left, held }
  } finally {
    await Promise.all(everybody.map(({ client }) => client.shutdown()))
    await mortal.relay.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

async function find(conversation: Conversation, body: string): Promise<Message> {
  for (let page = await conversation.getMessages(100, 0, 'forward'); ; page = await page.nextPage()) {
    const found = page.items.find((message) => message.body === body)
    if (found) return found
    if (!page.hasNextPage) throw new Error(`there is no "${body}"`)
  }
}
