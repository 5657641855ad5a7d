/**
 * One conversation goes through kills of its relay at exact steps. At each of them Ada posts by the native transport and
 * Bob by y-websocket; the relay dies, is started again on the same file, and both hear what became of their messages.
 */
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Conversation, Message } from '@confab/client'
import { defaultServiceSid, diffAttributes } from '@confab/core'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { createEngine } from '../../server/src/commit/create-engine.ts'
import { openSqliteStore } from '../../server/src/store/sqlite/sqlite-store.ts'
import { operation } from '../support/operations.ts'
import { ACCOUNT } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { eager, joined, Person, type Report, type Shown, shown } from './kills.ts'
import { Mortal } from './mortal.ts'
import type { Step } from './steps.ts'

const SERVICE = defaultServiceSid(ACCOUNT)
const HOUR = 3_600_000
/** Commits that make a compaction due. */
const LONG_LOG = 520
/** Client ids of one person from which an epoch is due. */
const OUTBOX_CLIENTS = 4

export interface StepResult {
  step: Step
  /** How many of the messages that were posted while it died were on disk then, and how many. */
  stored: number
  posted: number
  /** Who had heard by then that theirs was accepted. */
  told: string[]
  /** Who heard it after the restart. */
  toldAfterwards: string[]
}

export interface MatrixReport extends Report {
  results: StepResult[]
  /** How often the conversation became inactive: once for each time that a timer was overdue. */
  inactive: { happened: number; due: number }
}

export async function killAtEachStep(steps: readonly Step[]): Promise<MatrixReport> {
  const folder = await mkdtemp(join(tmpdir(), 'confab-matrix-'))
  const database = join(folder, 'relay.sqlite')
  const acknowledged = new Map<string, Shown>()
  const contradictions: string[] = []
  const told = new Set<string>()
  const results: StepResult[] = []
  const inactive = { happened: 0, due: 0 }
  let ahead = 0

  const options = (port: number) => ({
    database,
    port,
    limits: { outboxClients: OUTBOX_CLIENTS },
    timing: { epoch: 1 },
  })
  const start = async (port: number): Promise<Mortal> => {
    const started = await Mortal.start(options(port), { ahead })
    if (!started) throw new Error('the relay did not start')
    return started
  }
  let mortal = await start(0)
  const { port, url } = mortal.relay
  const person = (who: string, place: string, transport = native()) =>
    new Person(who, { url, transport: eager(transport) }, join(folder, place), { note() {} }, (message) =>
      accepted(who, message),
    )
  function accepted(who: string, message: Message): void {
    const now = shown(message)
    if (now.author === who) told.add(now.body)
    const before = acknowledged.get(now.sid)
    if (before && (before.index !== now.index || before.body !== now.body))
      contradictions.push(`${now.sid}: ${before.index} "${before.body}", then ${now.index} "${now.body}"`)
    acknowledged.set(now.sid, now)
  }

  const ada = person('ada', 'ada')
  const bob = person('bob', 'bob', yWebsocket())
  const people = [ada, bob]
  const everybody = [...people]
  const all = () => Promise.all(everybody.map((one) => one.settled()))
  let written = 0
  const write = (one: Person, who: string) => one.write(`${who} ${written++}`)

  /** Another device of Ada's posts once: one client id more. Resolves when the relay has decided it. */
  async function postFromAnotherDevice(): Promise<void> {
    const device = person('ada', `ada ${everybody.length}`)
    everybody.push(device)
    device.look(await joined(device.client))
    await write(device, 'ada')
    ada.written.push(...device.written.splice(0))
    await device.settled()
  }

  async function deathDuring({ during, moment }: Step): Promise<{ posting: Promise<unknown> }> {
    if (during === 'timer') {
      await mortal.relay.kill()
      ahead += 2 * HOUR
      inactive.due++
      const survivor = await Mortal.start(options(port), { ahead, moment })
      await survivor?.gone
      return { posting: Promise.resolve() }
    }
    if (during === 'replay') {
      await write(ada, 'ada')
      await ada.settled()
      await mortal.relay.kill()
      const survivor = await Mortal.start(options(port), { ahead, moment })
      if (survivor) throw new Error('the relay found nothing to replay')
      return { posting: Promise.resolve() }
    }
    await mortal.dieAt(moment)
    let posting: Promise<unknown> = Promise.resolve()
    if (during === 'turn') posting = Promise.all([write(ada, 'ada'), write(bob, 'bob')])
    else if (during === 'compaction') posting = write(ada, 'ada')
    else {
      while (mortal.isAlive) {
        posting = postFromAnotherDevice()
        await Promise.race([mortal.gone, posting])
      }
    }
    await mortal.gone
    return { posting }
  }

  try {
    const conversation = await ada.client.createConversation({ friendlyName: 'crash' })
    await conversation.join()
    const came = joined(bob.client)
    await conversation.add('bob')
    ada.look(conversation)
    bob.look(await came)
    await all()
    await mortal.relay.kill()
    await fill(database, conversation)
    mortal = await start(port)

    for (const step of steps) {
      const from = written
      const { posting } = await deathDuring(step)
      // what was sent before the end is read before it
      await Promise.all(
        everybody.map(({ client }) => until(client, () => client.connectionState !== 'connected')),
      )
      const posted = Array.from({ length: written - from }, (_, i) => from + i)
      const bodies = everybody
        .flatMap((one) => one.written)
        .filter((body) => posted.includes(Number(body.split(' ')[1])))
      const lost = new Set(bodies)
      const toldBefore = [...lost].filter((body) => told.has(body))
      const stored = (await storedBodies(database, folder)).filter((body) => lost.has(body))
      mortal = await start(port)
      await posting
      await all()
      if (step.during === 'timer') {
        await until(ada.client, () => conversation.state?.current === 'inactive')
        inactive.happened++
        await write(ada, 'ada')
        await all()
        await until(ada.client, () => conversation.state?.current === 'active')
      }
      results.push({
        step,
        posted: lost.size,
        stored: stored.length,
        told: toldBefore,
        toldAfterwards: [...lost].filter((body) => told.has(body) && !toldBefore.includes(body)),
      })
    }
    const held = everybody.flatMap(({ client }) =>
      client.getHeldOperations().map(({ error, operation }) => `${error.code} ${JSON.stringify(operation)}`),
    )
    const views = await Promise.all(
      everybody.map(async (one, i) => ({ who: `device ${i}`, messages: await one.shows(written) })),
    )
    await mortal.relay.kill()
    mortal = await start(port)
    const fresh = person('bob', 'fresh')
    everybody.push(fresh)
    fresh.look(await joined(fresh.client))
    views.push({ who: 'a fresh device', messages: await fresh.shows(written) })
    const bodies = new Map([
      ['ada', ada.written],
      ['bob', bob.written],
    ])
    return {
      kills: steps.length,
      shown: views,
      acknowledged,
      contradictions,
      written: bodies,
      held,
      results,
      inactive,
    }
  } finally {
    await Promise.all(everybody.map(({ client }) => client.shutdown()))
    await mortal.relay.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Timers, and a log long enough to be compacted, one commit for each change. */
async function fill(database: string, { sid }: Conversation): Promise<void> {
  const store = openSqliteStore(database)
  const engine = createEngine({ store, compactAfter: Number.MAX_SAFE_INTEGER })
  const timers = { inactive: 'PT1H' }
  const set = await engine.submit(SERVICE, sid, operation('conversation.update', { timers }), 'system')
  if (set.verdict !== 'accepted') throw new Error(JSON.stringify(set))
  for (let i = 0; i < LONG_LOG; i++) {
    const attributes = diffAttributes({ n: i - 1 }, { n: i })
    await engine.submit(SERVICE, sid, operation('conversation.update', { attributes }), 'system')
  }
  await engine.drain()
  await store.close()
}

/** What a relay would find: of a copy, because looking at a database after a crash repairs it. */
async function storedBodies(database: string, folder: string): Promise<string[]> {
  const copy = join(folder, `${randomBytes(8).toString('hex')}.sqlite`)
  for (const end of ['', '-wal']) if (existsSync(database + end)) copyFileSync(database + end, copy + end)
  // what lies in the journal comes to its place
  await openSqliteStore(copy).close()
  const db = new DatabaseSync(copy)
  const rows = db.prepare('SELECT record FROM messages').all() as { record: string }[]
  db.close()
  return rows.map(({ record }) => (JSON.parse(record) as { body: string }).body)
}
