/**
 * Attributes merge: an update carries what its caller changed, not the whole, so that two people who
 * react offline both keep their reaction (semantics.md, "Operations").
 */
import {
  isForbiddenKey,
  isJsonObject,
  type Json,
  type JsonObject,
  type JsonScalar,
  jsonBytes,
  jsonEqual,
} from './json.ts'
import type { Limits } from './limits.ts'

/** A path of object keys; `[]` is the whole value. */
export type AttributesPath = string[]

/** A difference between two attribute values. Applied in the order remove, unset, set, add. */
export interface AttributesPatch {
  set?: [AttributesPath, Json][]
  /** An array that `remove` names too goes only if that empties it: what others added meanwhile stays. */
  unset?: AttributesPath[]
  /** Scalars appended to the array at the path (made when missing) unless they are in it. */
  add?: [AttributesPath, JsonScalar[]][]
  /** Scalars taken out of the array at the path, wherever they are. */
  remove?: [AttributesPath, JsonScalar[]][]
}

const isScalar = (value: Json): value is JsonScalar => typeof value !== 'object' || value === null

/** An array of distinct scalars: merges as a set. */
function isScalarSet(value: Json | undefined): value is JsonScalar[] {
  return Array.isArray(value) && value.every(isScalar) && new Set(value).size === value.length
}

/**
 * What turns `before` into `after`; `{}` when they are equal. Says as little as it can, so that as much as can be
 * survives of what others change meanwhile.
 */
export function diffAttributes(before: Json, after: Json): AttributesPatch {
  const changes: Changes = { set: [], unset: [], add: [], remove: [] }
  diffInto(changes, [], before, after)
  const patch: AttributesPatch = Object.fromEntries(
    Object.entries(changes).filter(([, entries]) => entries.length > 0),
  )
  const most = patchBytes(Math.max(jsonBytes(before), jsonBytes(after)))
  // many small changes deep down: their paths would take more room than the value
  return jsonBytes(patch) > most || patchEntries(patch) > PATCH_ENTRIES ? { set: [[[], after]] } : patch
}

/**
 * Nesting of attributes: what a patch puts around a value it sets (the operation, the patch, the list, the entry)
 * has to fit into `jsonDepth` as well, so that whatever can be created can be set.
 */
export const attributesDepth = (limits: Pick<Limits, 'jsonDepth'>): number => limits.jsonDepth - 4

/** Entries that one patch may have, of all four kinds together. */
export const PATCH_ENTRIES = 1000

/** How many entries there are; of anything that is shaped like a patch. */
export function patchEntries(patch: { [Key in keyof AttributesPatch]: unknown }): number {
  let count = 0
  for (const kind of ['set', 'unset', 'add', 'remove'] as const) {
    const entries = patch[kind]
    if (Array.isArray(entries)) count += entries.length
  }
  return count
}

/** UTF-8 bytes that a patch between two values of at most `bytes` bytes may have. */
export function patchBytes(bytes: number): number {
  return 2 * bytes + 256
}

type Changes = Required<AttributesPatch>

function diffInto(changes: Changes, path: AttributesPath, before: Json | undefined, after: Json): void {
  if (jsonEqual(before, after)) return
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const key of Object.keys(before)) {
      if (Object.hasOwn(after, key)) continue
      const gone = before[key]
      if (isScalarSet(gone) && gone.length > 0) changes.remove.push([[...path, key], gone])
      changes.unset.push([...path, key])
    }
    for (const [key, value] of Object.entries(after)) {
      diffInto(changes, [...path, key], Object.hasOwn(before, key) ? before[key] : undefined, value)
    }
    return
  }
  // A missing object or array is made by what is put into it: two people who each make it both keep theirs.
  if (before === undefined && isJsonObject(after) && Object.keys(after).length > 0) {
    for (const [key, value] of Object.entries(after)) diffInto(changes, [...path, key], undefined, value)
    return
  }
  if (before === undefined && isScalarSet(after) && after.length > 0) {
    changes.add.push([path, after])
    return
  }
  if (isScalarSet(before) && isScalarSet(after)) {
    const removed = before.filter((value) => !after.includes(value))
    const added = after.filter((value) => !before.includes(value))
    const merged = [...before.filter((value) => after.includes(value)), ...added]
    if (jsonEqual(merged, after)) {
      if (removed.length > 0) changes.remove.push([path, removed])
      if (added.length > 0) changes.add.push([path, added])
      return
    }
  }
  // at the path [] this replaces the whole value
  changes.set.push([path, after])
}

/** Whether a patch changes nothing by construction. */
export function isEmptyPatch(patch: AttributesPatch): boolean {
  return patchEntries(patch) === 0
}

/**
 * `current` with the patch applied; never changes its argument. A path through a non-object makes objects, and an
 * addition to a non-array makes an array. Work is proportional to the value and the
 * patch, whatever the patch says.
 */
export function applyAttributesPatch(current: Json, patch: AttributesPatch): Json {
  // a place to stand on: the whole value is changed like any other
  const root: JsonObject = { [ROOT]: copy(current) }
  // gathered by array: a thousand entries that name one array cost no more than one
  const gone = new Map<Json[], { place: Place; values: Set<Json> }>()
  for (const [path, values] of patch.remove ?? []) {
    const place = find(root, path, false)
    const array = place && valueAt(place)
    if (!place || !Array.isArray(array)) continue
    const entry = gone.get(array) ?? { place, values: new Set() }
    for (const value of values) entry.values.add(value)
    gone.set(array, entry)
  }
  const thinned = new Set<Json[]>()
  for (const [array, { place, values }] of gone) {
    const rest = array.filter((entry) => !values.has(entry))
    place.object[place.key] = rest
    thinned.add(rest)
  }
  for (const path of patch.unset ?? []) {
    const place = find(root, path, false)
    const array = place && valueAt(place)
    if (!place || (Array.isArray(array) && array.length > 0 && thinned.has(array))) continue
    delete place.object[place.key]
  }
  for (const [path, value] of patch.set ?? []) {
    const place = find(root, path, true)
    if (place) place.object[place.key] = copy(value)
  }
  const there = new Map<Json[], Set<Json>>()
  for (const [path, values] of patch.add ?? []) {
    const place = find(root, path, true)
    if (!place) continue
    let array = valueAt(place)
    if (!Array.isArray(array)) {
      array = []
      place.object[place.key] = array
    }
    const known = there.get(array) ?? new Set(array)
    there.set(array, known)
    for (const value of values) {
      if (!known.has(value)) array.push(value)
      known.add(value)
    }
  }
  // null is a value
  return root[ROOT] === undefined ? {} : root[ROOT]
}

const ROOT = 'attributes'

interface Place {
  object: JsonObject
  key: string
}

function valueAt({ object, key }: Place): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** Where the path ends; null when it leads nowhere and nothing is to be made. */
function find(root: JsonObject, path: AttributesPath, make: boolean): Place | null {
  if (path.some(isForbiddenKey)) return null
  let place: Place = { object: root, key: ROOT }
  for (const key of path) {
    let next = valueAt(place)
    if (!isJsonObject(next)) {
      if (!make) return null
      next = {}
      place.object[place.key] = next
    }
    place = { object: next, key }
  }
  return place
}

/** A deep copy, of JSON whose depth was bounded where it came in. */
function copy(value: Json): Json {
  if (Array.isArray(value)) return value.map(copy)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copy(entry)]))
}
