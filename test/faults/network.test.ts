/** People post through a network that cuts, swallows and delays; what they write arrives once, in their order. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Message } from '@confab/client'
import { expect, it } from 'vitest'
import { native } from '../../packages/client/src/transport/native.ts'
import { yWebsocket } from '../../packages/client/src/transport/y-websocket.ts'
import { seeded } from '../../packages/core/test/relay-model.ts'
import { eager, joined, Person, type Shown, shown } from '../crash/kills.ts'
import { expectNothingLost } from '../crash/sentences.ts'
import { type Fault, faultyProxy } from '../support/faulty-proxy.ts'
import { startRelay } from '../support/relay.ts'

/** More than the relay's greeting has: who waits for that is more patient than a heartbeat. */
const GREETED = 4000

/** What the network does over each transport: y-websocket notices silence after 30 s, which is no time for a test. */
const WAYS = [
  { does: 'cuts, swallows and delays', transport: native, swallows: true },
  { does: 'cuts and delays', transport: yWebsocket, swallows: false },
]

function faultsFrom(seed: number, count: number, swallows: boolean): Fault[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => {
    const late = random.int(3) * 5
    return random.int(3) === 0 && swallows
      ? { end: 'swallow', after: GREETED + random.int(2000), late }
      : { end: 'cut', after: random.int(8000), late }
  })
}

it.each(WAYS)(
  'nothing is lost or doubled by a network that $does again and again, over $transport.name',
  async ({ transport, swallows }) => {
    const folder = await mkdtemp(join(tmpdir(), 'confab-network-'))
    const relay = await startRelay({ timing: { heartbeat: 250 } })
    const faults = faultsFrom(1, 12, swallows)
    const proxy = await faultyProxy(Number(new URL(relay.url).port), faults)
    const acknowledged = new Map<string, Shown>()
    const contradictions: string[] = []
    const accepted = (message: Message) => {
      const told = shown(message)
      const before = acknowledged.get(told.sid)
      if (before && before.index !== told.index)
        contradictions.push(`${told.sid}: ${before.index}, then ${told.index}`)
      acknowledged.set(told.sid, told)
    }
    const way = { url: `ws://127.0.0.1:${proxy.port}`, transport: eager(transport()) }
    const names = ['alice', 'bob', 'carol']
    const people = names.map((who) => {
      const posts = {
        note() {
          if (proxy.left === 0) void person.stopPosting()
        },
      }
      const person: Person = new Person(who, way, folder, posts, accepted)
      return person
    })
    const [alice] = people as [Person]
    try {
      const conversation = await alice.client.createConversation({ friendlyName: 'through thick and thin' })
      await conversation.join()
      const others = people.slice(1).map(async (person, i) => {
        const came = joined(person.client)
        await conversation.add(names[i + 1] as string)
        person.start(await came)
      })
      alice.start(conversation)
      await Promise.all(others)
      await Promise.all(people.map((person) => person.posted()))
      await Promise.all(people.map((person) => person.settled()))
      // the devices did notice: what they wrote went another way
      await proxy.noticed()
      expect(proxy.left).toBe(0)
      expect(proxy.swallowed > 0).toBe(swallows)

      const written = new Map(people.map((person, i) => [names[i] as string, person.written]))
      const count = [...written.values()].flat().length
      const views = await Promise.all(
        people.map(async (person, i) => ({ who: names[i] as string, messages: await person.shows(count) })),
      )
      expectNothingLost({
        kills: 0,
        shown: views,
        acknowledged,
        contradictions,
        written,
        held: people.flatMap(({ client }) => client.getHeldOperations().map(({ error }) => error.message)),
      })
      expect(relay.failures).toEqual([])
    } finally {
      await Promise.all(people.map(({ client }) => client.shutdown()))
      await proxy.close()
      await relay.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
  60_000,
)
