/** How records lie in rows: ids as blobs, private parts of a log entry as one blob. */
import type { Outcome } from '@confab/core'
import { ByteWriter, ConfabError } from '@confab/core'
import * as decoding from 'lib0/decoding'
import type { PrivatePart, RootId } from '../store.ts'

/** 16 bytes of an id of 32 hex digits, or of a sid with the given prefix before them. */
export function idBytes(id: string, prefix = ''): Uint8Array {
  const bytes = Buffer.from(id.slice(prefix.length), 'hex')
  if (bytes.length !== 16 || id.length !== prefix.length + 32)
    throw new ConfabError(20001, `not an id: ${id}`)
  return bytes
}

export function idText(bytes: Uint8Array, prefix = ''): string {
  return prefix + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

/** A document's ids, as short as they can be: the row is written with every commit, and pages are shared by rows. */
export function rootsText(roots: readonly RootId[]): string {
  let text = '['
  for (const { root, client, clock, base, run } of roots) {
    if (text.length > 1) text += ','
    text += `["${root}",${client},${clock},${base ?? null},${run ?? null}]`
  }
  return `${text}]`
}

export type RootRow = [root: string, client: number, clock: number, base: number | null, run: number | null]

/** Reads also what was written before as objects. */
export const rootsFrom = (text: string): RootId[] => rootsOf(JSON.parse(text))

export function rootsOf(rows: readonly (RootRow | RootId)[]): RootId[] {
  return rows.map((row) => {
    if (!Array.isArray(row)) return row
    const [root, client, clock, base, run] = row
    const id: RootId = { root, client, clock }
    if (base !== null) id.base = base
    if (run !== null) id.run = run
    return id
  })
}

/** Reads also what was written before: ids without how far they went, which is taken for any distance. */
export function retiredFrom(text: string): [client: number, clock: number][] {
  return (JSON.parse(text) as (number | [number, number])[]).map((id) =>
    typeof id === 'number' ? [id, Number.MAX_SAFE_INTEGER] : id,
  )
}

/** Null for a plain acceptance, which nearly all outcomes are. */
export function outcomeText(outcome: Outcome): string | null {
  return outcome.verdict === 'accepted' && !outcome.warnings ? null : JSON.stringify(outcome)
}

export function outcomeFrom(id: string, text: string | null): Outcome {
  return text === null ? { id, verdict: 'accepted' } : (JSON.parse(text) as Outcome)
}

const scratch = new ByteWriter()

/**
 * | field | encoding |
 * |---|---|
 * | parts | varuint count, then per part: |
 * | identity | varstring |
 * | update | varuint8array |
 * | outcomes | varstring, JSON; empty for none |
 *
 * Null when there is none.
 */
export function encodePrivate(parts: readonly PrivatePart[]): Uint8Array | null {
  if (parts.length === 0) return null
  scratch.clear()
  scratch.varuint(parts.length)
  for (const { identity, update, outcomes } of parts) {
    scratch.string(identity)
    scratch.varuint(update.length)
    scratch.copy(update, 0, update.length)
    scratch.string(outcomesText(outcomes))
  }
  return scratch.toBytes()
}

/** Empty for none. */
export function outcomesText(outcomes: readonly Outcome[]): string {
  const [only] = outcomes
  if (!only) return ''
  // nearly always: what `JSON.stringify` would give
  if (outcomes.length === 1 && only.verdict === 'accepted' && !only.warnings)
    return `[{"id":"${only.id}","verdict":"accepted"}]`
  return JSON.stringify(outcomes)
}

/** The parts of one identity, or with `identity` null those of everybody (for compaction). */
export function decodePrivate(bytes: Uint8Array | null, identity: string | null): PrivatePart[] {
  if (bytes === null) return []
  const parts: PrivatePart[] = []
  const decoder = decoding.createDecoder(bytes)
  for (let count = decoding.readVarUint(decoder); count > 0; count--) {
    const owner = decoding.readVarString(decoder)
    const update = decoding.readVarUint8Array(decoder)
    if (identity !== null && owner !== identity) {
      // somebody else's outcomes are passed over unread
      const length = decoding.readVarUint(decoder)
      decoder.pos += length
      continue
    }
    const outcomes = decoding.readVarString(decoder)
    // copied, so that one part doesn't keep the whole row in memory
    parts.push({
      identity: owner,
      update: update.slice(),
      outcomes: outcomes === '' ? [] : (JSON.parse(outcomes) as Outcome[]),
    })
  }
  return parts
}
