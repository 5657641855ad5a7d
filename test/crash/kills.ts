/**
 * People post with the SDK, each from a folder of their own, while their relay is killed again and again. What was
 * acknowledged to anybody is noted at that moment; at the end it must be there, once, where it was.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type ClientTransport, type Conversation, directory, type Message } from '@confab/client'
import { native } from '../../packages/client/src/transport/native.ts'
import type { TransportFactory, TransportOptions } from '../../packages/client/src/transport/transport.ts'
import { seeded } from '../../packages/core/test/relay-model.ts'
import { tokenFor } from '../support/relay.ts'
import { type RelayProcess, runRelay } from '../support/relay-process.ts'
import { until } from '../support/until.ts'

const PEOPLE = ['alice', 'bob', 'carol'] as const
/** What somebody writes while there is no relay. */
const MOST_PENDING = 5
/** Seconds that a token lives: some relays of these tests are hours ahead. */
const WEEK = 7 * 24 * 3600

export interface Report {
  kills: number
  /** What every device shows at the end, and one that has never been there. */
  shown: { who: string; messages: Shown[] }[]
  /** Index and body of every message that anybody was told to be accepted, by sid, when they were told. */
  acknowledged: Map<string, Shown>
  /** Acknowledged under two indices, or with two bodies. */
  contradictions: string[]
  /** What each wrote, in order. */
  written: Map<string, string[]>
  held: string[]
}

export interface Shown {
  sid: string
  index: number
  author: string
  body: string
}

export const shown = ({ sid, index, author, body }: Message): Shown => ({
  sid,
  index,
  author: author ?? '',
  body: body ?? '',
})

/** Tries again soon, so that a test of many kills isn't one of waiting. */
export const eager = (transport: TransportFactory) =>
  ((options: TransportOptions) => transport({ ...options, random: () => 0.01 })) as unknown as ClientTransport

/** Counts what happens, and lets somebody wait for the n-th thing. */
class Tally {
  #count = 0
  #waiting: { at: number; resolve: () => void }[] = []

  note(): void {
    this.#count++
    const due = this.#waiting.filter(({ at }) => at <= this.#count)
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#count)
    for (const { resolve } of due) resolve()
  }

  /** Resolves when so many more things have happened. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ at: this.#count + count, resolve }))
  }
}

export class Person {
  readonly client: Client
  readonly written: string[] = []
  readonly #who: string
  readonly #happenings: { note(): void }
  #conversation: Conversation | null = null
  #posting: Promise<void> = Promise.resolve()
  #isPosting = true

  constructor(
    who: string,
    { url, transport }: { url: string; transport: ClientTransport },
    folder: string,
    happenings: { note(): void },
    accepted: (message: Message) => void,
  ) {
    this.#who = who
    this.#happenings = happenings
    this.client = new Client(() => tokenFor(who, WEEK), {
      url,
      identity: who,
      storage: directory(join(folder, who)),
      transport,
      logger: {},
    })
    const look = (message: Message) => {
      if (message.status === 'accepted') accepted(message)
    }
    this.client.on('messageAdded', look)
    this.client.on('messageUpdated', ({ message }) => look(message))
  }

  look(conversation: Conversation): void {
    this.#conversation = conversation
  }

  /** Posts once. Resolves when the promise is settled. */
  async write(body: string): Promise<void> {
    this.written.push(body)
    await (this.#conversation as Conversation).sendMessage(body)
  }

  /**
   * Posts one message after the other, each as soon as the promise of the last is settled.
   * @param rest milliseconds between two
   */
  start(conversation: Conversation, rest = 0): void {
    this.look(conversation)
    this.#posting = this.#post(rest)
  }

  async #post(rest: number): Promise<void> {
    while (this.#isPosting) {
      this.#happenings.note()
      await this.write(`${this.#who} ${this.written.length}`)
      // with no relay a promise settles at once: somebody who posts on and on would only fill the disk
      await until(this.client, () => this.client.getPendingOperations().length < MOST_PENDING)
      if (rest > 0) await new Promise((next) => setTimeout(next, rest))
    }
  }

  async stopPosting(): Promise<void> {
    this.#isPosting = false
    await this.#posting
  }

  /** Resolves when posting has stopped, whoever stopped it. */
  posted(): Promise<void> {
    return this.#posting
  }

  /** Resolves when the relay has decided everything of this device. */
  settled(): Promise<void> {
    return until(this.client, () => this.client.getPendingOperations().length === 0)
  }

  /** Resolves when this device shows as many messages as there are. */
  async shows(count: number): Promise<Shown[]> {
    const conversation = this.#conversation as Conversation
    await until(this.client, async () => (await conversation.getMessagesCount()) >= count)
    return timeline(conversation)
  }
}

async function timeline(conversation: Conversation): Promise<Shown[]> {
  const messages: Shown[] = []
  let page = await conversation.getMessages(100, 0, 'forward')
  for (;;) {
    messages.push(...page.items.map(shown))
    if (!page.hasNextPage) return messages
    page = await page.nextPage()
  }
}

export const joined = (client: Client): Promise<Conversation> =>
  new Promise((resolve) => client.on('conversationJoined', resolve))

export interface Plan {
  /** How many times the relay is killed. */
  kills: number
  /** Decides when. */
  seed: number
  /** `native` by default. */
  transport?: () => TransportFactory
}

export async function killRelays({ kills, seed, transport = native }: Plan): Promise<Report> {
  const random = seeded(seed)
  const folder = await mkdtemp(join(tmpdir(), 'confab-crash-'))
  const happenings = new Tally()
  const acknowledged = new Map<string, Shown>()
  const contradictions: string[] = []
  const accepted = (message: Message) => {
    happenings.note()
    const told = shown(message)
    const before = acknowledged.get(told.sid)
    if (before && (before.index !== told.index || before.body !== told.body)) {
      contradictions.push(`${told.sid}: ${before.index} "${before.body}", then ${told.index} "${told.body}"`)
    }
    acknowledged.set(told.sid, told)
  }
  const options = { database: join(folder, 'relay.sqlite'), port: 0 }
  let relay: RelayProcess = await runRelay(options)
  options.port = relay.port
  const way = { url: relay.url, transport: eager(transport()) }
  const people = PEOPLE.map((who) => new Person(who, way, folder, happenings, accepted))
  const [creator] = people as [Person]
  try {
    const conversation = await creator.client.createConversation({ friendlyName: 'crash' })
    await conversation.join()
    const others = people.slice(1).map(async (person, i) => {
      const came = joined(person.client)
      await conversation.add(PEOPLE[i + 1] as string)
      person.start(await came)
    })
    creator.start(conversation)
    await Promise.all(others)

    for (let i = 0; i < kills; i++) {
      await happenings.more(1 + random.int(12))
      // somewhere between two things: the relay is reading, deciding, storing or telling
      for (let turns = random.int(40); turns > 0; turns--) await new Promise((next) => setImmediate(next))
      await relay.kill()
      relay = await runRelay(options)
    }
    await Promise.all(people.map((person) => person.stopPosting()))
    await Promise.all(people.map((person) => person.settled()))
    const held = people.flatMap(({ client }) =>
      client.getHeldOperations().map(({ error, operation }) => `${error.code} ${JSON.stringify(operation)}`),
    )
    const written = new Map(people.map((person, i) => [PEOPLE[i] as string, person.written]))
    const count = [...written.values()].reduce((sum, bodies) => sum + bodies.length, 0) - held.length
    const views = await Promise.all(
      people.map(async (person, i) => ({ who: PEOPLE[i] as string, messages: await person.shows(count) })),
    )
    // what the disk has, told by a relay that has just started to a device that holds nothing
    await relay.kill()
    relay = await runRelay(options)
    const fresh = new Person('carol', way, join(folder, 'fresh'), happenings, () => {})
    people.push(fresh)
    fresh.look(await joined(fresh.client))
    views.push({ who: 'a fresh device', messages: await fresh.shows(count) })
    return { kills, shown: views, acknowledged, contradictions, written, held }
  } finally {
    await Promise.all(people.map(({ client }) => client.shutdown()))
    await relay.kill()
    await rm(folder, { recursive: true, force: true })
  }
}
