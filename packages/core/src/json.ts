/** Plain JSON: the only values that a document holds. */

export type JsonScalar = string | number | boolean | null
export type Json = JsonScalar | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

const encoder = new TextEncoder()

/** Length of `text` in UTF-8 bytes. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length
}

/** Whether the text has more UTF-8 bytes than these; nearly always its length says so. */
export function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (3 * text.length > bytes && utf8Length(text) > bytes)
}

/** UTF-8 bytes of the value's JSON text; `undefined` counts 0. */
export function jsonBytes(value: unknown): number {
  return value === undefined ? 0 : utf8Length(JSON.stringify(value))
}

/** True for an object literal: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Keys that could reach an object's prototype; refused wherever JSON from a person enters. */
export function isForbiddenKey(key: string): boolean {
  return key === '__proto__'
}

/** Whether `value` is plain JSON no deeper than `depth`, with well-formed text and no forbidden key. */
export function isPlainJson(value: unknown, depth: number): value is Json {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed()
    case 'number':
      return Number.isFinite(value)
    case 'boolean':
      return true
    case 'object': {
      if (value === null) return true
      if (depth <= 0) return false
      if (Array.isArray(value)) {
        // not `every`, which skips holes
        for (let i = 0; i < value.length; i++) if (!isPlainJson(value[i], depth - 1)) return false
        return true
      }
      const prototype = Object.getPrototypeOf(value)
      if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false
      // every operation passes here: no pair is made for each key
      for (const key of Object.keys(value)) {
        if (isForbiddenKey(key) || !key.isWellFormed()) return false
        if (!isPlainJson((value as JsonObject)[key], depth - 1)) return false
      }
      return true
    }
    default:
      return false
  }
}

/** Structural equality of two JSON values; key order does not matter. */
export function jsonEqual(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((entry, i) => jsonEqual(entry, b[i]))
  }
  if (Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEqual(a[key], b[key]))
  )
}
