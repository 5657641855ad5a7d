import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { HONEST_SCENARIOS, type HonestScenario } from '../../test/honest-corpus.ts'
import { isComplete, load, RelayModel, randomCommit, seeded } from '../../test/relay-model.ts'
import { upload } from '../../test/relay-upload.ts'
import { type Admitted, compactUpdates } from './index.ts'

const OUTBOX = 'outbox/ada'

function play(scenario: HonestScenario, seed: number): RelayModel {
  const random = seeded(seed)
  const relay = new RelayModel(random.u32)
  for (let i = 0; i < 10; i++) randomCommit(relay, random)
  let count = 0
  const run = scenario.run({
    outbox: OUTBOX,
    initial: [...relay.updates],
    operation: (text = 'text') => ({ id: `operation-${count++}`, type: 'message.post', body: text }),
    random: random.u32,
  })
  let step = run.next()
  while (!step.done) {
    const { update, operations, missing = false } = step.value
    const { admission, replies } = upload(relay, OUTBOX, update)
    expect(admission.kind, JSON.stringify(admission)).toBe('admitted')
    const admitted = admission as Admitted
    expect(byText(admitted.operations.map(({ value }) => value))).toEqual(byText(operations))
    expect(admitted.missing).toBe(missing)
    expectClocksInOrder(admitted)
    step = run.next(replies)
  }
  const own = relay.outboxUpdates.get(OUTBOX) ?? []
  // whoever holds nothing else sees the relay's records, an empty outbox and nothing pending
  for (const updates of [
    [...relay.updates, ...own],
    [compactUpdates(relay.updates), compactUpdates(own)],
  ]) {
    const reader = load(updates)
    expect(isComplete(reader)).toBe(true)
    expect(relay.seen(reader)).toEqual(relay.expected())
    expect(reader.getArray(OUTBOX).length).toBe(0)
  }
  for (const device of step.value) {
    for (const update of [...relay.updates, ...own]) Y.applyUpdate(device, update)
    expect(device.getArray(OUTBOX).toArray()).toEqual([])
    expect(relay.seen(device)).toEqual(relay.expected())
    expect(isComplete(device)).toBe(true)
    expect(upload(relay, OUTBOX, Y.encodeStateAsUpdate(device)).admission).toMatchObject({
      kind: 'admitted',
      operations: [],
      structs: [],
      missing: false,
    })
  }
  return relay
}

const byText = (values: unknown[]): string[] => values.map((value) => JSON.stringify(value)).sort()

function expectClocksInOrder({ operations }: Admitted): void {
  const clocks = new Map<number, number>()
  for (const { client, clock } of operations) {
    expect(clock).toBeGreaterThan(clocks.get(client) ?? -1)
    clocks.set(client, clock)
  }
}

describe('honest updates are neither refused nor misread', () => {
  for (const scenario of HONEST_SCENARIOS) {
    it(scenario.name, () => {
      for (let seed = 1; seed <= 25; seed++) play(scenario, seed)
    })
  }
})
