import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { isComplete, load, RelayModel, randomCommit, seeded, shuffled } from '../../test/relay-model.ts'
import { compactUpdates, readUpdate, UpdateWriter } from './index.ts'

const BOUNDS = { bytes: 1 << 24, structs: 1 << 20, jsonDepth: 64 }
const seeds = fc.integer({ min: 0, max: 0xffff_ffff })

describe('compaction', () => {
  it('is the state that the updates make, whatever the history', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seeded(seed)
        const relay = new RelayModel(random.u32)
        for (let i = 0; i < 40; i++) randomCommit(relay, random)
        const compacted = compactUpdates(relay.updates)
        const doc = load([compacted])
        expect(isComplete(doc)).toBe(true)
        expect(relay.seen(doc)).toEqual(relay.expected())
        const oracle = load(relay.updates)
        expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(oracle))
        // both hold the same items in the same order, so each accepts the other's continuation
        const next = randomCommit(relay, random)
        for (const continued of [doc, oracle]) {
          Y.applyUpdate(continued, next)
          expect(relay.seen(continued)).toEqual(relay.expected())
        }
      }),
      { numRuns: 150, seed: 11 },
    )
  })

  it('brings a reader up to date from any earlier state, deletions included', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seeded(seed)
        const relay = new RelayModel(random.u32)
        for (let i = 0; i < 25; i++) randomCommit(relay, random)
        const compacted = compactUpdates(relay.updates)
        const doc = load(relay.updates.slice(0, random.int(26)))
        Y.applyUpdate(doc, compacted)
        expect(relay.seen(doc)).toEqual(relay.expected())
      }),
      { numRuns: 60, seed: 12 },
    )
  })

  it('may be repeated, over itself and any tail, and over a tail alone', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seeded(seed)
        const relay = new RelayModel(random.u32)
        for (let i = 0; i < 30; i++) randomCommit(relay, random)
        const { updates } = relay
        const cut = 1 + random.int(29)
        const once = compactUpdates(updates)
        expect(compactUpdates([once])).toEqual(once)
        expect(compactUpdates([...updates, once])).toEqual(once)
        expect(compactUpdates(shuffled(updates, random))).toEqual(once)
        const head = compactUpdates(updates.slice(0, cut))
        expect(compactUpdates([head, ...updates.slice(cut)])).toEqual(once)
        const doc = load([head, compactUpdates([...updates.slice(cut), new UpdateWriter().finish()])])
        expect(isComplete(doc)).toBe(true)
        expect(relay.seen(doc)).toEqual(relay.expected())
      }),
      { numRuns: 60, seed: 13 },
    )
  })

  it('reads what Yjs itself merged and encoded', () => {
    const random = seeded(14)
    const relay = new RelayModel(random.u32)
    for (let i = 0; i < 60; i++) randomCommit(relay, random)
    for (const gc of [true, false]) {
      const doc = load([compactUpdates([Y.encodeStateAsUpdate(load(relay.updates, { gc }))])])
      expect(relay.seen(doc)).toEqual(relay.expected())
    }
  })

  it('keeps the order of items that several authors put between each other', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seeded(seed)
        const rows: Uint8Array[] = []
        const docs = [0, 1, 2].map(() => {
          const doc = new Y.Doc({ gc: random.int(2) === 0 })
          doc.clientID = random.u32()
          doc.on('update', (row: Uint8Array, origin: unknown) => origin !== 'peer' && rows.push(row))
          return doc
        })
        for (let step = 0; step < 40; step++) {
          const doc = docs[random.int(3)] as Y.Doc
          const array = doc.getArray('array')
          if (random.int(3) === 0)
            Y.applyUpdate(doc, Y.encodeStateAsUpdate(docs[random.int(3)] as Y.Doc), 'peer')
          else if (random.int(4) === 0 && array.length > 0) array.delete(random.int(array.length), 1)
          else array.insert(random.int(array.length + 1), [step, `${step}`].slice(random.int(2)))
        }
        const oracle = load(rows)
        const compacted = compactUpdates(shuffled(rows, random))
        const doc = load([compacted])
        expect(isComplete(doc)).toBe(true)
        expect(doc.getArray('array').toArray()).toEqual(oracle.getArray('array').toArray())
        // deleted items stand in the same order, too
        const [one] = docs as [Y.Doc]
        const late = load([compacted])
        const late2 = load(rows)
        one.getArray('array').insert(0, ['late'])
        for (const reader of [late, late2]) Y.applyUpdate(reader, Y.encodeStateAsUpdate(one))
        expect(late.getArray('array').toArray()).toEqual(late2.getArray('array').toArray())
      }),
      { numRuns: 150, seed: 18 },
    )
  })

  it('holds no byte of what was replaced or removed', () => {
    const relay = new RelayModel(seeded(19).u32)
    relay.set('conversation', 'friendlyName', 'the old name')
    relay.append('messages', { body: 'a removed text' })
    relay.append('messages', { body: 'a text that stays' })
    relay.commit()
    relay.set('conversation', 'friendlyName', 'the new name')
    relay.deleteAt('messages', 0)
    relay.commit()
    const text = new TextDecoder().decode(compactUpdates(relay.updates))
    for (const kept of ['the new name', 'a text that stays']) expect(text).toContain(kept)
    for (const gone of ['the old name', 'a removed text']) expect(text).not.toContain(gone)
  })

  it('writes no GC, and few structs for a long history', () => {
    const random = seeded(15)
    const relay = new RelayModel(random.u32)
    for (let i = 0; i < 500; i++) {
      relay.append('messages', { index: i, body: `message ${i}` })
      relay.commit()
    }
    for (let i = 0; i < 400; i++) relay.deleteAt('messages', 0)
    relay.commit()
    const { blocks } = readUpdate(compactUpdates(relay.updates), BOUNDS)
    const kinds = blocks.flatMap(({ structs }) => structs.map(({ kind, length }) => [kind, length]))
    expect(kinds.sort()).toEqual([
      ['any', 100],
      ['deleted', 400],
      ['deleted', 501],
    ])
  })

  it('says which client has a gap', () => {
    const relay = new RelayModel(seeded(16).u32)
    for (let i = 0; i < 3; i++) {
      relay.append('messages', i)
      relay.commit()
    }
    const [first, , third] = relay.updates as [Uint8Array, Uint8Array, Uint8Array]
    expect(() => compactUpdates([first, third])).toThrow(/client \d+: nothing at clock 1/)
  })

  it('compacts and loads 5,000 small commits in a few microseconds each', () => {
    const random = seeded(17)
    const relay = new RelayModel(random.u32)
    const started = performance.now()
    for (let i = 0; i < 5000; i++) {
      relay.append('messages', {
        sid: `IM${i.toString(16).padStart(32, '0')}`,
        index: i,
        author: `author${i % 5}`,
        body: 'a message of a usual length, as people write them',
        dateCreated: 1.7e12 + i,
      })
      relay.commit()
    }
    const written = performance.now()
    const compacted = compactUpdates(relay.updates)
    const done = performance.now()
    const doc = load([compacted])
    const loaded = performance.now()
    expect(doc.getArray('messages').length).toBe(5000)
    const micros = (from: number, to: number): number => (to - from) / 5
    const [write, compact, read] = [micros(started, written), micros(written, done), micros(done, loaded)]
    console.info(
      `per message: written ${write.toFixed(1)} µs, compacted ${compact.toFixed(1)} µs, loaded ${read.toFixed(1)} µs; ` +
        `${compacted.length} bytes`,
    )
    // far above what is measured, far below anything quadratic
    expect(compact).toBeLessThan(200)
  })
})
