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

/** A path of object keys; `[]` is the whole value. */
export type AttributesPath = string[]

/** A difference between two attribute values. Applied in the order unset, set, remove, add. */
export interface AttributesPatch {
  set?: [AttributesPath, Json][]
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
  return jsonBytes(patch) > most ? { set: [[[], after]] } : patch
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
      if (!Object.hasOwn(after, key)) changes.unset.push([...path, key])
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
  return !patch.set?.length && !patch.unset?.length && !patch.add?.length && !patch.remove?.length
}

/** `current` with the patch applied; never changes its argument. A path through a non-object makes objects. */
export function applyAttributesPatch(current: Json, patch: AttributesPatch): Json {
  let result = current
  for (const path of patch.unset ?? []) result = change(result, path, () => undefined) ?? {}
  for (const [path, value] of patch.set ?? []) result = change(result, path, () => value) ?? {}
  for (const [path, values] of patch.remove ?? []) {
    result =
      change(result, path, (at) =>
        Array.isArray(at) ? at.filter((entry) => !isScalar(entry) || !values.includes(entry)) : at,
      ) ?? {}
  }
  for (const [path, values] of patch.add ?? []) {
    result =
      change(result, path, (at) => {
        const array = Array.isArray(at) ? at : []
        return [...array, ...new Set(values.filter((value) => !array.includes(value)))]
      }) ?? {}
  }
  return result
}

function change(
  at: Json | undefined,
  path: AttributesPath,
  edit: (at: Json | undefined) => Json | undefined,
): Json | undefined {
  const [key, ...rest] = path
  if (key === undefined) return edit(at)
  if (isForbiddenKey(key)) return at
  const object: JsonObject = isJsonObject(at) ? { ...at } : {}
  const value = change(Object.hasOwn(object, key) ? object[key] : undefined, rest, edit)
  if (value === undefined) {
    if (!isJsonObject(at)) return at
    delete object[key]
  } else {
    object[key] = value
  }
  return object
}
