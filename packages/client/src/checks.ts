/** What the surface demands of an app's arguments before the engine sees them. Pure. */
import { ConfabError, isPlainJson, type Json, wellFormed } from '@confab/core'

/** Text that can be stored and sent: lone surrogates become U+FFFD. Throws 20001 when it is no string. */
export function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new ConfabError(20001, `${what} must be a string`)
  return wellFormed(value)
}

/** Text that is not empty. Throws 20001. */
export function nameOf(value: unknown, what: string): string {
  const text = textOf(value, what)
  if (text === '') throw new ConfabError(20001, `${what} must not be empty`)
  return text
}

/**
 * The value as its JSON text would be read again: what `undefined`, dates and the like become is what is stored.
 * @param depth how deep it may be nested
 * @throws ConfabError 70104 when it is no JSON, or too deep
 */
export function jsonOf(value: unknown, depth: number): Json {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw new ConfabError(70104, 'Attributes must be JSON', { cause })
  }
  if (text === undefined) throw new ConfabError(70104, 'Attributes must be JSON')
  const json: unknown = JSON.parse(text, (_key, entry: unknown) =>
    typeof entry === 'string' ? wellFormed(entry) : entry,
  )
  if (!isPlainJson(json, depth)) {
    throw new ConfabError(70104, `Attributes must be plain JSON, nested at most ${depth} deep`)
  }
  return json
}

/** A time in milliseconds since the epoch. Throws 20001. */
export function timeOf(value: unknown, what: string): number {
  const time = value instanceof Date ? value.getTime() : value
  if (typeof time === 'number' && !Number.isNaN(time)) return time
  throw new ConfabError(20001, `${what} must be a Date, or milliseconds since the epoch`)
}

/** An index of a message: an integer from 0. Throws 20001. */
export function indexOf(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new ConfabError(20001, 'A message index must be an integer from 0')
  }
  return value as number
}

/** Messages of a page unless the caller says otherwise, and at most (Twilio's). */
export const DEFAULT_PAGE_SIZE = 30
export const MAXIMUM_PAGE_SIZE = 100

/** How many messages a page has: at most 100, however many were asked for. Throws 20001. */
export function pageSizeOf(value: unknown): number {
  if (value === undefined || value === null) return DEFAULT_PAGE_SIZE
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new ConfabError(20001, 'A page size must be an integer from 1')
  }
  return Math.min(value as number, MAXIMUM_PAGE_SIZE)
}

/** Where a page begins; undefined is the end of the list. Throws 20001. */
export function anchorOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === 'end') return undefined
  if (!Number.isSafeInteger(value)) throw new ConfabError(20001, 'An anchor must be the index of a message')
  return value as number
}
