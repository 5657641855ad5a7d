/** The Yjs of the bundle for browsers reads and encodes what the full one does, to the byte. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { RootArray, RootMap } from '../packages/client/src/engine/root-types.ts'
import { ownYjs } from '../scripts/build/own-yjs.ts'
import { type Random, seeded } from './simulation/random.ts'

const dist = mkdtempSync(join(tmpdir(), 'confab-yjs-'))
let own: typeof Y

beforeAll(async () => {
  const outfile = join(dist, 'yjs.js')
  await build({
    stdin: { contents: "export * from 'yjs'", resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    logLevel: 'error',
    plugins: [ownYjs],
    outfile,
  })
  own = await import(pathToFileURL(outfile).href)
})
afterAll(() => rmSync(dist, { recursive: true, force: true }))

test('every member of its root types that the engine may use is there', () => {
  const members = <Type>(...names: readonly (keyof Type)[]) => names as readonly (string | symbol)[]
  const doc = new own.Doc()
  const [map, array] = [doc.getMap('map'), doc.getArray('array')]
  for (const name of members<RootMap<unknown>>('get', 'entries', 'keys', 'values', 'toJSON', '_map'))
    expect(name in map, String(name)).toBe(true)
  for (const name of members<RootArray<unknown>>('toArray', 'push', 'delete', Symbol.iterator))
    expect(name in array, String(name)).toBe(true)
})

/** One document, held by the full Yjs and by ours, which are told the same. */
class Twins {
  readonly full = new Y.Doc()
  readonly own = new own.Doc()
  /** What listeners for `update` were told. */
  readonly told: { full: Uint8Array[]; own: Uint8Array[] } = { full: [], own: [] }

  constructor(client: number) {
    for (const which of ['full', 'own'] as const) {
      const doc = this[which]
      doc.clientID = client
      for (const name of ARRAYS) doc.getArray(name)
      for (const name of MAPS) doc.getMap(name)
      doc.on('update', (update: Uint8Array) => this.told[which].push(update))
    }
  }

  change(how: (doc: Y.Doc) => void): void {
    how(this.full)
    how(this.own)
    this.compare()
  }

  receive(updates: readonly Uint8Array[]): void {
    Y.transact(
      this.full,
      () => updates.forEach((update) => void Y.applyUpdate(this.full, update)),
      'x',
      false,
    )
    own.transact(
      this.own,
      () => updates.forEach((update) => void own.applyUpdate(this.own, update)),
      'x',
      false,
    )
    this.compare()
  }

  compare(from?: Uint8Array): void {
    same(own.encodeStateVector(this.own), Y.encodeStateVector(this.full))
    const { pendingStructs, pendingDs } = this.full.store
    expect(this.own.store.pendingStructs === null).toBe(pendingStructs === null)
    expect(this.own.store.pendingDs === null).toBe(pendingDs === null)
    // what can't be applied yet is not in ours
    this.full.store.pendingStructs = this.full.store.pendingDs = null
    same(own.encodeStateAsUpdate(this.own, from), Y.encodeStateAsUpdate(this.full, from))
    Object.assign(this.full.store, { pendingStructs, pendingDs })
    same(...(['own', 'full'] as const).map((which) => Buffer.concat(this.told[which])))
    const shown = (doc: Y.Doc) => [
      ...ARRAYS.map((name) => [doc.getArray(name).toArray(), [...doc.getArray(name)]]),
      ...MAPS.map((name) => {
        const map = doc.getMap(name)
        return [map.toJSON(), [...map.keys()], [...map.values()], [...map.entries()], map.get('key 1')]
      }),
    ]
    expect(JSON.stringify(shown(this.own))).toBe(JSON.stringify(shown(this.full)))
  }
}

/** Faster by far than comparing element by element. */
function same(...[ours, theirs]: Uint8Array[]): void {
  expect(Buffer.from(ours!).toString('hex')).toBe(Buffer.from(theirs!).toString('hex'))
}

const ARRAYS = ['messages', 'outbox/ada', 'commits']
const MAPS = ['conversation', 'participants']

function valueFrom(random: Random, depth = 0): unknown {
  const kinds = [
    () => random.int(-(2 ** 31), 2 ** 31 - 1),
    () => random.real() * 1e9,
    () => 'grüße 🐈'.slice(0, random.int(0, 8)) + random.int(0, 9),
    () => random.chance(0.5),
    () => null,
    () => Array.from({ length: random.int(0, 3) }, () => valueFrom(random, depth + 1)),
    () => Object.fromEntries([1, 2].map((key) => [`key ${key}`, valueFrom(random, depth + 1)])),
  ]
  return random.pick(depth > 2 ? kinds.slice(0, 5) : kinds)()
}

/** What a device does. It is decided now, so that it can be done to two documents. */
function changeFrom(random: Random, doc: Y.Doc): (doc: Y.Doc) => void {
  const [name, other] = [random.pick(ARRAYS), random.pick(ARRAYS)]
  const values = Array.from({ length: random.int(1, 4) }, () => valueFrom(random))
  const { length } = doc.getArray(name)
  const changes = [
    (one: Y.Doc) => one.getArray(name).push(values),
    (one: Y.Doc) =>
      one.transact(() => {
        one.getArray(name).push(values)
        one.getArray(other).push(['with it'])
      }),
  ]
  if (length > 0) {
    const first = random.int(0, length - 1)
    const count = random.int(1, Math.min(5, length - first))
    changes.push((one) => one.getArray(name).delete(first, count))
  }
  return random.pick(changes)
}

/** What only others do: a relay, or a stock Yjs. */
function changeByOthers(random: Random, doc: Y.Doc): void {
  const array = doc.getArray(random.pick(ARRAYS))
  const map = doc.getMap(random.pick(MAPS))
  const key = `key ${random.int(0, 4)}`
  const values = Array.from({ length: random.int(1, 4) }, () => valueFrom(random))
  random.pick([
    () => array.insert(random.int(0, array.length), values),
    () => map.set(key, values[0]),
    () => map.delete(key),
    () =>
      doc.transact(() => {
        array.push(values)
        map.set(key, 'with it')
      }),
  ])()
}

describe('random documents of plain JSON', () => {
  test.each(Array.from({ length: 12 }, (_, i) => i))('seed %i', (seed) => {
    const random = seeded(seed)
    const writers = [1, 2, 3].map((n) => new Twins(random.int(1, 2 ** 31 - 1) + n * 2 ** 30))
    const reader = new Twins(7)
    const others = Object.assign(new Y.Doc(), { clientID: random.int(1, 2 ** 30) })
    others.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'told') updates.push(update)
    })
    /** All that was written, in the order of writing, with how much of it each has been told. */
    const updates: Uint8Array[] = []
    const heard = new Map<Twins, number>()
    for (let step = 0; step < 60; step++) {
      const writer = random.pick(writers)
      const before = writer.told.full.length
      if (random.chance(0.7)) writer.change(changeFrom(random, writer.full))
      updates.push(...writer.told.full.slice(before))
      if (random.chance(0.5)) changeByOthers(random, others)
      if (random.chance(0.3)) updates.slice().forEach((update) => void Y.applyUpdate(others, update, 'told'))
      if (random.chance(0.4)) {
        const from = heard.get(writer) ?? 0
        heard.set(writer, updates.length)
        writer.receive(updates.slice(from))
        writer.told.full.length = writer.told.own.length = 0
      }
      // out of order, some twice, some merged with gaps between them: what it can't apply yet stays pending
      if (updates.length > 2 && random.chance(0.4)) {
        const some = Array.from({ length: random.int(1, 3) }, () => random.pick(updates))
        reader.receive(random.chance(0.5) ? [Y.mergeUpdates(some)] : some)
        reader.compare(Y.encodeStateVector(writer.full))
      }
    }
    reader.receive(updates)
    expect(reader.own.store.pendingStructs).toBeNull()
    const whole = Y.encodeStateAsUpdate(reader.full)
    const fresh = new Twins(8)
    fresh.receive([whole])
  })
})

test('ranges that were collected, and what stands beside them', () => {
  const doc = new Y.Doc()
  doc.clientID = 5
  const list = doc.getArray<unknown>('messages')
  list.push(['before'])
  const nested = new Y.Map()
  list.push([nested, 'after'])
  for (const key of ['a', 'b']) nested.set(key, key)
  const state = Y.encodeStateVector(doc)
  list.delete(1)
  list.push(['later'])
  const update = Y.encodeStateAsUpdate(doc)
  expect(Y.decodeUpdate(update).structs.some((struct) => struct instanceof Y.GC)).toBe(true)
  const twins = new Twins(6)
  twins.receive([update])
  twins.change((one) => one.getArray('messages').push(['own']))
  twins.compare(state)
})

describe('what no document of Confab holds is refused', () => {
  const doc = () => Object.assign(new Y.Doc(), { clientID: 9 })
  test.each<[string, (doc: Y.Doc) => void]>([
    ['text', (one) => one.getText('messages').insert(0, 'text')],
    ['formats', (one) => one.getText('messages').insertEmbed(0, {}, { bold: true })],
    ['a nested type', (one) => one.getArray('messages').push([new Y.Map()])],
    ['XML', (one) => one.getXmlFragment('messages').push([new Y.XmlElement('p')])],
    ['bytes', (one) => one.getArray('messages').push([new Uint8Array(3)])],
    ['a document', (one) => one.getArray('messages').push([new Y.Doc()])],
  ])('%s', (_, write) => {
    const other = doc()
    write(other)
    const update = Y.encodeStateAsUpdate(other)
    expect(() => own.applyUpdate(new own.Doc(), update)).toThrow('plain JSON only')
  })

  test('an item within another', () => {
    const other = doc()
    const nested = new Y.Map()
    other.getArray('messages').push([nested])
    const before = Y.encodeStateVector(other)
    nested.set('key', 1)
    expect(() => own.applyUpdate(new own.Doc(), Y.encodeStateAsUpdate(other, before))).toThrow(
      'plain JSON only',
    )
  })
})
