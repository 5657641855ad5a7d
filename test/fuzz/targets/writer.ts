/** What the relay writes: commits merged, compacted, cut and shuffled anyhow give exactly its records. */
import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import { compactUpdates, decodeStateVector, readUpdate } from '../../../packages/core/src/update/index.ts'
import {
  isComplete,
  RelayModel,
  randomCommit,
  seeded,
  shuffled,
} from '../../../packages/core/test/relay-model.ts'
import { upload } from '../../../packages/core/test/relay-upload.ts'
import { Choices, someText, someValue } from '../choices.ts'
import { Finding, type Target } from '../target.ts'

const OUTBOXES = ['outbox/ada', 'outbox/bob']
const BOUNDS = { bytes: 2 ** 24, structs: 2 ** 20, jsonDepth: 64 }

/** A relay's life, as far as the bytes go. */
function relayOf(choices: Choices, commits: number): RelayModel {
  const ids = seeded(choices.int(256))
  // ids that sort in every order, and cost every number of bytes
  const relay = new RelayModel(() => (choices.once(3) ? ids.int(100_000) : ids.u32()))
  for (let i = 0; i < commits && !choices.isSpent; i++) {
    if (choices.once(6)) {
      // somebody's operations are decided with it
      const outbox = choices.pick(OUTBOXES)
      const device = new Y.Doc()
      device.clientID = ids.u32()
      for (const update of relay.outboxUpdates.get(outbox) ?? []) Y.applyUpdate(device, update)
      const array = device.getArray(outbox)
      for (let left = 1 + choices.int(4); left > 0; left--)
        array.insert(choices.int(array.length + 1), [someText(choices), i])
      if (choices.int(3) === 0) array.delete(0, 1)
      upload(relay, outbox, Y.encodeStateAsUpdate(device))
      device.destroy()
    } else if (choices.once(4)) {
      relay.append('messages', someValue(choices) ?? null)
      relay.set('conversation', someText(choices) || 'key', someValue(choices) ?? null)
      if (choices.int(4) === 0) relay.renew()
      relay.commit()
    } else randomCommit(relay, choices)
  }
  relay.append('messages', 'the last')
  relay.commit()
  return relay
}

/** The same updates in fewer: neighbours compacted or merged, those again, and some of them twice. */
function regrouped(updates: readonly Uint8Array[], choices: Choices, rounds: number): Uint8Array[] {
  let result = [...updates]
  for (let round = 0; round < rounds; round++) {
    const next: Uint8Array[] = []
    for (let at = 0; at < result.length; ) {
      const size = 1 + choices.int(result.length - at)
      const group = result.slice(at, at + size)
      at += size
      switch (choices.int(4)) {
        case 0:
          next.push(compactUpdates(choices.int(2) ? group : shuffled(group, choices)))
          break
        case 1:
          next.push(Y.mergeUpdates(group))
          break
        case 2:
          next.push(compactUpdates([...group, ...group.slice(0, choices.int(size + 1))]))
          break
        default:
          next.push(...group)
      }
    }
    result = next
  }
  return result
}

function expectRecords(relay: RelayModel, doc: Y.Doc, how: string): void {
  if (!isComplete(doc)) throw new Finding(`a reader waits for something: ${how}`)
  if (!isDeepStrictEqual(relay.seen(doc), relay.expected()))
    throw new Finding(`a reader sees other records: ${how}`, { seen: relay.seen(doc), is: relay.expected() })
  for (const [outbox] of relay.outboxUpdates) {
    if (doc.share.has(outbox) && doc.getArray(outbox).length > 0)
      throw new Finding(`a reader sees an outbox: ${how}`)
  }
}

function docOf(updates: readonly Uint8Array[], gc: boolean, together: boolean): Y.Doc {
  const doc = new Y.Doc({ gc })
  const apply = () => {
    for (const update of updates) Y.applyUpdate(doc, update)
  }
  if (together) doc.transact(apply)
  else apply()
  return doc
}

function play(input: Uint8Array): RelayModel {
  const choices = new Choices(input)
  const relay = relayOf(choices, 40)
  const all = [...relay.updates, ...[...relay.outboxUpdates.values()].flat()]
  // the relay keeps a log for everybody and one for each author, and regroups each by itself
  const logs = [relay.updates, ...relay.outboxUpdates.values()]
  const parts = logs.flatMap((log) => regrouped(log, choices, 1 + choices.int(3)))
  const vector = relay.stateVector()
  for (const [how, updates] of [
    ['as written', all],
    ['shuffled', shuffled(all, choices)],
    ['regrouped', parts],
    ['regrouped and shuffled', shuffled(parts, choices)],
    ['compacted', [compactUpdates(parts)]],
    ['merged', [Y.mergeUpdates(shuffled(parts, choices))]],
  ] as const) {
    const doc = docOf(updates, choices.int(2) === 0, choices.int(2) === 0)
    expectRecords(relay, doc, how)
    if (!isDeepStrictEqual(decodeStateVector(Y.encodeStateVector(doc), 10_000), vector))
      throw new Finding(`another state vector: ${how}`)
    doc.destroy()
  }
  // compaction forgets nothing, repeats itself, and catches everybody up
  const compacted = compactUpdates(all)
  if (Buffer.compare(compactUpdates([compacted]), compacted) !== 0)
    throw new Finding('compacting twice differs')
  readUpdate(compacted, BOUNDS)
  const half = docOf(all.slice(0, choices.int(all.length + 1)), choices.int(2) === 0, false)
  Y.applyUpdate(half, compacted)
  expectRecords(relay, half, 'an early reader caught up')
  const next = randomCommit(relay, choices)
  for (const doc of [half, docOf([compacted], true, false)]) {
    Y.applyUpdate(doc, next)
    expectRecords(relay, doc, 'one more commit')
    doc.destroy()
  }
  return relay
}

export const writerTarget: Target = {
  name: 'writer',
  about: "the relay's commits, merged, compacted and shuffled anyhow, load as exactly its records",
  bytes: 250,
  sources: ['/packages/core/src/update/'],
  run(input) {
    play(input)
  },
  describe(input) {
    const relay = relayOf(new Choices(input), 40)
    return `${relay.updates.length} commits, whose records are ${JSON.stringify(relay.expected()).slice(0, 2000)}`
  },
  magnified(input, times) {
    const choices = new Choices(input)
    const relay = relayOf(choices, 40)
    const random = seeded(choices.int(256))
    const { updates } = relay
    for (let left = (times - 1) * updates.length; left > 0; left--) randomCommit(relay, random)
    const bytes = updates.reduce((sum, update) => sum + update.length, 0)
    return { bytes, run: () => void compactUpdates(updates) }
  },
}
