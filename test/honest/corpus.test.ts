/** Odd but honest updates of real Yjs documents, uploaded through a real relay: none refused, none misread. */
import { messageSidOf, outboxName } from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { HONEST_SCENARIOS, type HonestScenario } from '../../packages/core/test/honest-corpus.ts'
import { isComplete, load, seeded } from '../../packages/core/test/relay-model.ts'
import { createConversation } from '../support/conversation.ts'
import { post } from '../support/operations.ts'
import { ENDPOINTS, type Endpoint, openDocument, type Reader } from '../support/reader.ts'
import { startRelay, type TestRelay } from '../support/relay.ts'

const SEEDS = [1, 2, 3]
/** Outcomes of the operations that show that everything before them was decided. */
const BARRIER = 'barrier'

describe.each(ENDPOINTS)('over the %s endpoint', (endpoint) => {
  let relay: TestRelay
  beforeAll(async () => {
    relay = await startRelay({ timing: { request: 1 }, limits: { bytesPerSecond: 1e8 } })
  })
  afterAll(() => relay?.close())

  it.each(HONEST_SCENARIOS.map(({ name }) => name))('%s', async (name) => {
    const scenario = HONEST_SCENARIOS.find((one) => one.name === name) as HonestScenario
    for (const seed of SEEDS) await play(scenario, seed, endpoint, relay)
    expect(relay.failures).toEqual([])
  })
})

async function play(scenario: HonestScenario, seed: number, endpoint: Endpoint, relay: TestRelay) {
  const { sid, creator } = await createConversation(relay.url, ['alice', 'ada'])
  await creator.accepted(post('what was there before'), post('and more'))
  const reader = await openDocument(endpoint, relay.url, 'ada', sid)
  const { u32 } = seeded(seed)
  const run = scenario.run({
    outbox: outboxName('ada'),
    initial: [...reader.updates],
    operation: (text = 'text') => post(text),
    random: u32,
  })
  /** How often each operation must have been told as accepted. */
  const told = new Map<string, number>()
  let step = run.next()
  while (!step.done) {
    const { update, operations, missing = false } = step.value
    const heard = reader.updates.length
    const asked = reader.requests
    reader.upload(update)
    for (const { id } of operations as { id: string }[]) told.set(id, (told.get(id) ?? 0) + 1)
    await reader.peer.when(() => [...told].every(([id, times]) => timesTold(reader, id) >= times), 'outcomes')
    if (missing) await reader.peer.when(() => reader.requests > asked, 'a request for what is missing')
    await reader.accepted(post(BARRIER))
    if (!missing) expect(reader.requests).toBe(asked)
    step = run.next(reader.updates.slice(heard))
  }
  // nothing was taken for anything else
  const own = reader.outcomes.filter(({ id }) => told.has(id))
  expect(own.filter(({ verdict }) => verdict !== 'accepted')).toEqual([])
  for (const [id, times] of told) expect(timesTold(reader, id)).toBe(times)
  expect(reader.nacks).toEqual([])

  const witness = await openDocument(endpoint, relay.url, 'ada', sid)
  const messages = witness.doc.getArray('messages').toJSON() as { sid: string; index: number; body: string }[]
  const sids = messages
    .filter(({ body }) => body !== BARRIER)
    .slice(2)
    .map((message) => message.sid)
  expect(sids.toSorted()).toEqual([...told.keys()].map((id) => messageSidOf(id)).sort())
  expect(messages.map(({ index }) => index)).toEqual(messages.map((_, i) => i))
  for (const doc of [load(reader.updates), ...step.value]) {
    for (const update of reader.updates) Y.applyUpdate(doc, update)
    expect(isComplete(doc)).toBe(true)
    expect(doc.getArray(outboxName('ada')).toJSON()).toEqual([])
    expect(doc.getArray('messages').toJSON()).toEqual(messages)
    expect(doc.getMap('participants').toJSON()).toEqual(witness.doc.getMap('participants').toJSON())
  }
  for (const { peer } of [reader, witness, creator]) {
    expect(peer.closed).toBe(null)
    await peer.close()
  }
}

const timesTold = ({ outcomes }: Reader, id: string): number =>
  outcomes.filter((outcome) => outcome.id === id).length
