/**
 * The oracle of reader and admission: a stock Y.Doc that is given the same update. What is accepted must be what Yjs
 * makes of it: the same structs, the same operations, the same clocks, the same deletions.
 */
import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import {
  type AdmissionKnowledge,
  type Admitted,
  type AdmittedOperation,
  admittedUntil,
  admitUpdate,
  type ParsedUpdate,
  UpdateWriter,
} from '../../packages/core/src/update/index.ts'
import { readValues } from '../../packages/core/src/update/read.ts'
import { Finding } from './target.ts'

/** What is known of a document before the update. */
export interface Known {
  /** All of it, for one person: the relay's updates and those of their outbox. */
  updates: readonly Uint8Array[]
  knowledge: AdmissionKnowledge
}

/** One struct, as either reader saw it. */
const line = (...parts: unknown[]): string => JSON.stringify(parts)

/** What was parsed, against Yjs's own decoder. False when Yjs couldn't decode it, for the text in it. */
export function expectSameReading(parsed: ParsedUpdate): boolean {
  let decoded: ReturnType<typeof Y.decodeUpdate>
  try {
    decoded = Y.decodeUpdate(parsed.bytes)
  } catch {
    return false
  }
  const theirs = decoded.structs.map((struct) => {
    const { client, clock } = struct.id
    if (struct instanceof Y.Skip) return line(client, clock, struct.length, 'skip')
    if (!(struct instanceof Y.Item)) return line(client, clock, struct.length, 'GC')
    const { origin, rightOrigin, content, parent, parentSub } = struct
    const kind =
      content instanceof Y.ContentAny ? 'any' : content instanceof Y.ContentDeleted ? 'deleted' : '?'
    return line(client, clock, struct.length, kind, idOf(origin), idOf(rightOrigin), parent, parentSub)
  })
  const ours = parsed.blocks.flatMap(({ client, structs }) =>
    structs.map(({ kind, clock, length, origin, rightOrigin, root, key }) =>
      kind === 'skip'
        ? line(client, clock, length, 'skip')
        : line(client, clock, length, kind, origin, rightOrigin, root, key),
    ),
  )
  if (!isDeepStrictEqual(ours, theirs))
    throw new Finding('structs are read otherwise than by Yjs', { ours, theirs })

  const theirDeletes = [...decoded.ds.clients].map(([client, items]) => {
    const clocks = items.flatMap(({ clock, len }) => [[clock, len] as [number, number]])
    return [client, normalised(clocks)]
  })
  const ourDeletes = parsed.deletes.map(({ client, ranges }) => [client, ranges])
  if (!isDeepStrictEqual(ourDeletes, theirDeletes))
    throw new Finding('deletions are read otherwise than by Yjs', { ourDeletes, theirDeletes })

  let at = 0
  for (const { structs } of parsed.blocks) {
    for (const struct of structs) {
      const item = decoded.structs[at++]
      if (struct.kind !== 'any') continue
      const values = readValues(parsed, struct, 0).map(({ value }) => value)
      const { arr } = (item as Y.Item).content as Y.ContentAny
      if (!isDeepStrictEqual(values, arr))
        throw new Finding('values are read otherwise than by Yjs', { values, arr })
    }
  }
  return true
}

const idOf = (id: Y.ID | null) => (id ? [id.client, id.clock] : null)

function normalised(pairs: [number, number][]): number[] {
  const merged: [number, number][] = []
  for (const [clock, length] of pairs.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last && clock <= last[0] + last[1]) last[1] = Math.max(last[1], clock + length - last[0])
    else merged.push([clock, length])
  }
  return merged.flat()
}

/** A document without garbage collection, so that what was deleted can be looked at. */
export function documentOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc({ gc: false })
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/** The private part that the relay writes of what it took. */
export function privatePart(outbox: string, admitted: Pick<Admitted, 'structs'>): Uint8Array {
  const writer = new UpdateWriter()
  for (const struct of admitted.structs) writer.outboxDeleted(outbox, struct)
  return writer.finish()
}

/** What is known once that was taken. */
export function knowledgeAfter(before: AdmissionKnowledge, { clients }: Admitted): AdmissionKnowledge {
  const taken = new Map(clients.map(({ client, clock }) => [client, clock]))
  return {
    ...before,
    clock: (client) => taken.get(client) ?? before.clock(client),
    owner: (client) => (taken.has(client) ? 'self' : before.owner(client)),
  }
}

/**
 * Applies the update to a stock document, and compares what became of it with what admission said; then gives it what
 * the relay would answer.
 */
export function expectSameEffect(known: Known, parsed: ParsedUpdate, admitted: Admitted): void {
  const { knowledge } = known
  const doc = documentOf(known.updates)
  const before = Y.decodeStateVector(Y.encodeStateVector(doc))
  // an author who says something else of what is known deceives nobody but their own devices
  if (contradicts(doc, parsed)) return
  const roots = [...doc.share.keys(), knowledge.outbox].sort()
  Y.applyUpdate(doc, parsed.bytes)

  const expected = new Map(before)
  for (const { client, clock } of admitted.clients) expected.set(client, clock)
  const after = Y.decodeStateVector(Y.encodeStateVector(doc))
  if (!isDeepStrictEqual(sorted(after), sorted(expected)))
    throw new Finding('another state vector than Yjs comes to', {
      ours: sorted(expected),
      yjs: sorted(after),
    })

  const ours = new Map(admitted.operations.map(({ client, clock, value }) => [`${client}:${clock}`, value]))
  const theirs = liveSince(doc, before)
  if (!isDeepStrictEqual(sorted(ours), sorted(theirs)))
    throw new Finding('other operations than Yjs shows', { ours: sorted(ours), yjs: sorted(theirs) })

  const isPending = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
  const hasSkip = parsed.blocks.some(({ structs }) => structs.some(({ kind }) => kind === 'skip'))
  if (isPending !== admitted.missing && !(hasSkip && admitted.missing))
    throw new Finding('something is missing to one of the two', { ours: admitted.missing, yjs: isPending })
  const strange = [...new Set([...doc.share.keys(), knowledge.outbox])].sort()
  if (!isDeepStrictEqual(strange, [...new Set(roots)])) throw new Finding('a new root', { strange })

  expectAnswerFits(known, admitted, doc, isPending)
}

/** What the relay stores and sends of it: nothing is left in the outbox, and nothing waits for anything. */
function expectAnswerFits(known: Known, admitted: Admitted, device: Y.Doc, isPending: boolean): void {
  const { outbox } = known.knowledge
  const answer = privatePart(outbox, admitted)
  Y.applyUpdate(device, answer)
  for (const { client, clock } of admitted.operations) {
    if (!Y.getItem(device.store, Y.createID(client, clock)).deleted)
      throw new Finding('an operation that was decided is left on its device', { client, clock })
  }
  if (!isPending && device.getArray(outbox).length > 0) throw new Finding('the outbox is not empty', {})
  const one = documentOf([...known.updates, answer])
  const single = documentOf(known.updates)
  for (const struct of admitted.structs) {
    Y.applyUpdate(single, privatePart(outbox, { structs: [struct] }))
    if (single.store.pendingStructs) throw new Finding('a struct comes before what it stands on', struct)
  }
  const vector = sorted(Y.decodeStateVector(Y.encodeStateVector(device)))
  for (const doc of [one, single]) {
    if (doc.store.pendingStructs || doc.store.pendingDs)
      throw new Finding('what the relay writes waits for something')
    if (doc.getArray(outbox).length > 0)
      throw new Finding('what the relay writes shows something in the outbox')
    const theirs = sorted(Y.decodeStateVector(Y.encodeStateVector(doc)))
    if (!isDeepStrictEqual(theirs, vector))
      throw new Finding('what the relay writes gives another state vector', { theirs, vector })
  }
}

/** Taking it in two parts, wherever it is cut, is taking it: for lack of room, or until the first that is refused. */
export function expectDivisible(
  parsed: ParsedUpdate,
  knowledge: AdmissionKnowledge,
  admitted: Admitted,
  cut: number,
): void {
  const all = admitted.operations
  const first = all.slice(0, cut)
  const until = admittedUntil(admitted, cut)
  if (!isDeepStrictEqual(until.operations, first)) throw new Finding('admittedUntil gives others', { cut })
  const withRoom = admitUpdate(parsed, { ...knowledge, room: cut })
  if (withRoom.kind !== 'admitted') throw new Finding('is no longer admitted for lack of room', withRoom)
  if (!isDeepStrictEqual(withRoom.operations, first))
    throw new Finding('room for so many gives others', { cut })
  if (!withRoom.missing && cut < all.length) throw new Finding('nothing is asked for again for lack of room')
  for (const part of [until, withRoom]) {
    const rest = admitUpdate(parsed, knowledgeAfter(knowledge, part))
    if (rest.kind !== 'admitted') throw new Finding('the rest is not admitted', rest)
    const both = [...part.operations, ...rest.operations]
    if (!isDeepStrictEqual(byId(both), byId(all)))
      throw new Finding('in two parts, others are admitted', {
        cut,
        first: part.operations,
        rest: rest.operations,
      })
    const clocks = new Map([...part.clients, ...rest.clients].map(({ client, clock }) => [client, clock]))
    const whole = new Map(admitted.clients.map(({ client, clock }) => [client, clock]))
    if (!isDeepStrictEqual(sorted(clocks), sorted(whole)))
      throw new Finding('in two parts, other clocks are reached', { cut })
  }
}

const byId = (operations: readonly AdmittedOperation[]) =>
  operations.toSorted((a, b) => a.client - b.client || a.clock - b.clock)

/** Values that are live and above these clocks, by id. */
function liveSince(doc: Y.Doc, before: ReadonlyMap<number, number>): Map<string, unknown> {
  const live = new Map<string, unknown>()
  for (const [client, structs] of doc.store.clients) {
    const known = before.get(client) ?? 0
    for (const struct of structs) {
      if (!(struct instanceof Y.Item) || struct.deleted || !(struct.content instanceof Y.ContentAny)) continue
      for (const [i, value] of struct.content.arr.entries()) {
        const clock = struct.id.clock + i
        if (clock >= known) live.set(`${client}:${clock}`, value)
      }
    }
  }
  return live
}

/** Whether the update says of known items what the document doesn't: another place, or deletes what is the relay's. */
function contradicts(doc: Y.Doc, parsed: ParsedUpdate): boolean {
  for (const { client, structs } of parsed.blocks) {
    const known = Y.getState(doc.store, client)
    for (const { clock, length, kind, origin, rightOrigin, root } of structs) {
      if (clock >= known) continue
      if (kind === 'skip') return true
      const held = Y.getItem(doc.store, Y.createID(client, clock))
      if (!(held instanceof Y.Item)) return true
      const inside = clock - held.id.clock
      const left = inside > 0 ? [client, clock - 1] : idOf(held.origin)
      if (!isDeepStrictEqual([left, idOf(held.rightOrigin)], [origin, rightOrigin])) return true
      if (root !== null && held.parent !== doc.share.get(root)) return true
      // a run whose right origin is a lie is one all along
      const last = Y.getItem(doc.store, Y.createID(client, Math.min(clock + length, known) - 1))
      if (!(last instanceof Y.Item) || !isDeepStrictEqual(idOf(last.rightOrigin), rightOrigin)) return true
    }
  }
  for (const { client, ranges } of parsed.deletes) {
    for (let i = 0; i < ranges.length; i += 2) {
      const until = Math.min((ranges[i] as number) + (ranges[i + 1] as number), Y.getState(doc.store, client))
      for (let clock = ranges[i] as number; clock < until; clock++) {
        if (!Y.getItem(doc.store, Y.createID(client, clock)).deleted) return true
      }
    }
  }
  return false
}

const sorted = <Value>(map: ReadonlyMap<number | string, Value>): [number | string, Value][] =>
  [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
