/** People post through a network at fault until each fault was met; what they wrote is there once, in their order. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Message } from '@confab/client'
import { expect } from 'vitest'
import type { TransportFactory } from '../../packages/client/src/transport/transport.ts'
import { eager, joined, Person, type Shown, shown } from '../crash/kills.ts'
import { expectNothingLost } from '../crash/sentences.ts'
import { type Fault, type FaultyProxy, faultyProxy } from '../support/faulty-proxy.ts'
import { startRelay } from '../support/relay.ts'

export interface Weather {
  transport: () => TransportFactory
  faults: readonly Fault[]
  /** Whether it has been bad enough: they post until then. By default, when every fault was met. */
  enough?: (proxy: FaultyProxy) => boolean
  /** Milliseconds of the relay's heartbeat. */
  heartbeat?: number
  /** Milliseconds that somebody rests after a message, where the faults take long; none by default. */
  rest?: number
}

export async function postThrough({
  transport,
  faults,
  enough = ({ left }) => left === 0,
  heartbeat = 250,
  rest = 0,
}: Weather): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'confab-network-'))
  const relay = await startRelay({ timing: { heartbeat } })
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
        if (enough(proxy)) void person.stopPosting()
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
      person.start(await came, rest)
    })
    alice.start(conversation, rest)
    await Promise.all(others)
    await Promise.all(people.map((person) => person.posted()))
    await Promise.all(people.map((person) => person.settled()))
    // the devices did notice: what they wrote went another way
    await proxy.noticed()
    expect(enough(proxy)).toBe(true)

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
}
