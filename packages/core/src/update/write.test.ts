import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { isComplete, load, RelayModel, randomCommit, seeded, shuffled } from '../../test/relay-model.ts'
import { isPlainJson } from '../json.ts'
import { decodeStateVector, EMPTY_UPDATE, encodeStateVector, readUpdate, UpdateWriter } from './index.ts'

const BOUNDS = { bytes: 1 << 24, structs: 1 << 20, jsonDepth: 64 }
const seeds = fc.integer({ min: 0, max: 0xffff_ffff })

function history(seed: number, commits: number): { relay: RelayModel; random: ReturnType<typeof seeded> } {
  const random = seeded(seed)
  const relay = new RelayModel(random.u32)
  for (let i = 0; i < commits; i++) randomCommit(relay, random)
  return { relay, random }
}

describe('what the relay writes, in stock Y.Docs', () => {
  it('gives exactly the records the relay believes, in any order of delivery, merged or not', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { relay, random } = history(seed, 30)
        const { updates } = relay
        const cut = random.int(updates.length)
        const inputs = [
          updates,
          shuffled(updates, random),
          [...updates, ...updates],
          [Y.mergeUpdates(updates)],
          [Y.mergeUpdates(updates.slice(cut)), Y.mergeUpdates(updates.slice(0, cut + 1))],
        ]
        for (const input of inputs) {
          for (const gc of [true, false]) {
            const doc = load(input, { gc })
            expect(isComplete(doc)).toBe(true)
            expect(relay.seen(doc)).toEqual(relay.expected())
            expect(decodeStateVector(Y.encodeStateVector(doc), 1000)).toEqual(relay.stateVector())
          }
        }
      }),
      { numRuns: 60, seed: 1 },
    )
  })

  it('reads back with the strict reader, each byte accounted for', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        for (const update of history(seed, 20).relay.updates) {
          const { blocks } = readUpdate(update, BOUNDS)
          const clients = blocks.map(({ client }) => client)
          expect(clients).toEqual([...clients].sort((a, b) => b - a))
        }
      }),
      { numRuns: 30, seed: 2 },
    )
  })

  it('encodes values as Yjs decodes them', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        fc.pre(isPlainJson(value, 10))
        const writer = new UpdateWriter()
        writer.append('messages', [7, 0], null, value)
        const doc = load([writer.finish()])
        expect(doc.getArray('messages').toArray()).toEqual([value])
      }),
      { numRuns: 400, seed: 3 },
    )
  })

  it('leaves out keys without a value, and keeps text of every length whole', () => {
    const writer = new UpdateWriter()
    const texts = [0, 1, 95, 96, 97, 127, 128, 129, 5461, 20_000].flatMap((n) => [
      'a'.repeat(n),
      'é'.repeat(n),
    ])
    writer.append('messages', [0xffff_ffff, 0], null, { texts, absent: undefined })
    const doc = load([writer.finish()])
    expect(doc.getArray('messages').toArray()).toEqual([{ texts }])
    expect(Object.keys(doc.getArray('messages').get(0) as object)).toEqual(['texts'])
  })

  it('is empty after finish, and gives the empty update then', () => {
    const writer = new UpdateWriter()
    writer.append('messages', [7, 0], null, 1)
    const first = writer.finish()
    expect(writer.isEmpty).toBe(true)
    expect(writer.finish()).toBe(EMPTY_UPDATE)
    writer.append('messages', [7, 0], null, 1)
    expect(writer.finish()).toEqual(first)
    expect(load([EMPTY_UPDATE]).store.clients.size).toBe(0)
  })

  it('refuses to write a gap', () => {
    const writer = new UpdateWriter()
    writer.append('messages', [7, 0], null, 1)
    expect(() => writer.append('messages', [7, 2], [7, 0], 1)).toThrow(RangeError)
  })
})

describe('a state vector', () => {
  it('is encoded as Yjs encodes it', () => {
    const { relay } = history(5, 40)
    expect(encodeStateVector(relay.stateVector())).toEqual(Y.encodeStateVector(load(relay.updates)))
  })

  it('is refused when malformed', () => {
    for (const bytes of [[], [1], [1, 1], [0, 0], [2, 1, 1, 1, 2], [1, 0x80, 0x80, 0x80, 0x80, 0x10, 1]]) {
      expect(() => decodeStateVector(Uint8Array.from(bytes), 10)).toThrow('')
    }
    expect(() => decodeStateVector(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), 10)).toThrow('at most 10')
  })
})
