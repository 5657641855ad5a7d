/**
 * A page: consecutive messages that left the live document, as bytes that are named by their hash. JSON of columns:
 * half as many bytes as JSON of records, a third once deflated, and parsed five times as fast (docs/design.md, "History").
 *
 * ```
 * { v: 1, count, index: column, sid: column, author: column, … }   keys of records in the order of `COLUMNS`
 * column := [value, …]                 one per message
 *         | { of: [value, …], at: [n, …] }   some messages have none; `at` are the steps between those that do
 * ```
 *
 * Texts that repeat (`REPEATED`) are given once: `{ names: [text, …], is: column of positions }`. Indices and times
 * are the differences named in `relative`. The same records make the same bytes on every machine, so a device that
 * holds the messages of a page makes it itself and proves by its hash that it is the relay's.
 */
import { toBase64UrlEncoded } from 'lib0/buffer'
import { digest } from 'lib0/hash/sha256'
import { ConfabError } from '../error.ts'
import type { MessageRecord } from '../records.ts'

const VERSION = 1

const COLUMNS = [
  'index',
  'sid',
  'author',
  'participantSid',
  'body',
  'subject',
  'attributes',
  'media',
  'dateCreated',
  'dateWritten',
  'dateUpdated',
  'lastUpdatedBy',
  'receipts',
  'restored',
] as const
const REPEATED = new Set<string>(['author', 'participantSid', 'lastUpdatedBy'])

type Loose = { [key: string]: unknown }
type Column = unknown[] | { of: unknown[]; at: number[] }

const encoder = new TextEncoder()

/** @param records ascending by index */
export function encodePage(records: readonly MessageRecord[]): Uint8Array {
  const page: Loose = { v: VERSION, count: records.length }
  const all = records as readonly unknown[] as readonly Loose[]
  for (const key of COLUMNS) {
    const values: unknown[] = []
    const at: number[] = []
    let before = 0
    all.forEach((record, i) => {
      const value = record[key]
      if (value === undefined) return
      values.push(typeof value === 'number' ? value - reference(key, all, i) : value)
      at.push(i - before)
      before = i
    })
    if (values.length === 0) continue
    const names = REPEATED.has(key) ? [...new Set(values)] : null
    const places = new Map(names?.map((name, i) => [name, i]))
    const of = names ? values.map((value) => places.get(value)) : values
    const column: Column = of.length === all.length ? of : { of, at }
    page[key] = names ? { names, is: column } : column
  }
  return encoder.encode(JSON.stringify(page))
}

/**
 * The records of a page, ascending by index.
 * @throws ConfabError 70605 when these are no bytes of a page
 */
export function decodePage(bytes: Uint8Array): MessageRecord[] {
  try {
    const page = JSON.parse(new TextDecoder().decode(bytes))
    if (page.v !== VERSION) throw new Error(`A page of version ${page.v}`)
    // each record has an index there
    if (!(page.count <= bytes.length)) throw new Error(`A page of ${page.count} messages`)
    const records = Array.from({ length: page.count }, (): Loose => ({}))
    for (const key of COLUMNS) {
      const stored = page[key]
      if (!stored) continue
      const column: Column = stored.names ? stored.is : stored
      const values = Array.isArray(column) ? column : column.of
      let i = -1
      values.forEach((value, n) => {
        i = Array.isArray(column) ? n : Math.max(i, 0) + (column.at[n] as number)
        const record = records[i] as Loose
        record[key] = stored.names
          ? stored.names[value as number]
          : typeof value === 'number'
            ? value + reference(key, records, i)
            : value
      })
    }
    return records as unknown[] as MessageRecord[]
  } catch (cause) {
    throw new ConfabError(70605, 'These are not the bytes of a page of messages', { cause })
  }
}

/** What a page is named by: SHA-256 of its bytes, 43 characters of base64url. */
export const pageHash = (bytes: Uint8Array): string => toBase64UrlEncoded(digest(bytes))

/** What a number in a column is relative to: the message before it, or its own acceptance time. */
function reference(key: string, records: readonly Loose[], i: number): number {
  const own = key === 'dateWritten' || key === 'dateUpdated'
  const from = own
    ? records[i]?.dateCreated
    : key === 'index' || key === 'dateCreated'
      ? records[i - 1]?.[key]
      : 0
  return (from as number | undefined) ?? 0
}
