/**
 * Who is here and typing, in one document: y-protocols' awareness, of which only a connection's own entries are
 * believed. Kept in memory only.
 *
 * | field | encoding |
 * |---|---|
 * | entries | varuint count, then per entry: |
 * | client | varuint |
 * | clock | varuint |
 * | state | varstring, JSON; `null`: gone |
 */
import { isJsonObject } from '@confab/core'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { Subscriber } from '../engine.ts'

/** Bytes of one update: a stock client sends everybody's states back, so an honest one grows with the readers. */
const UPDATE_BYTES = 512 * 1024
/** Bytes of one state. */
const STATE_BYTES = 4096
/** Client ids that one connection may use in a document. */
const IDS_PER_CONNECTION = 16

/**
 * Client ids that are remembered as one identity's, per document, beside those in use: of each page that was loaded
 * there is one. Per identity, so that nobody makes somebody else's be forgotten.
 */
const BOUND_IDS = 256

interface Entry {
  clock: number
  /** JSON; `null` when gone: the clock is remembered, so that an old state doesn't come back. */
  state: string
  /** Null: the relay itself. */
  from: Subscriber | null
}

export class Presence {
  readonly #entries = new Map<number, Entry>()
  readonly #bound = new Map<number, string>()
  /** The same by identity, the oldest first. */
  readonly #idsBound = new Map<string, Set<number>>()

  boundTo(client: number): string | undefined {
    return this.#bound.get(client)
  }

  /**
   * Takes an update's honest entries; everything else is dropped without a word.
   * @param ownerOf whose outbox a client id writes to
   * @returns what the other readers are told, or null
   */
  receive(
    from: Subscriber,
    update: Uint8Array,
    ownerOf: (client: number) => string | undefined,
  ): Uint8Array | null {
    if (update.length > UPDATE_BYTES) return null
    const { identity } = from.principal
    const taken: [client: number, entry: Entry][] = []
    try {
      const decoder = decoding.createDecoder(update)
      for (let left = decoding.readVarUint(decoder); left > 0; left--) {
        const client = decoding.readVarUint(decoder)
        const clock = decoding.readVarUint(decoder)
        const state = decoding.readVarString(decoder)
        const owner = ownerOf(client) ?? this.#bound.get(client)
        if (owner !== undefined && owner !== identity) continue
        if (!this.#isNews(client, clock, state) || !isHonest(state, identity)) continue
        if (client > 0xffff_ffff || (owner === undefined && this.#idsOf(from) >= IDS_PER_CONNECTION)) continue
        const entry = { clock, state, from }
        this.#entries.set(client, entry)
        this.#bind(client, identity)
        taken.push([client, entry])
      }
    } catch {
      // cut off in the middle of an entry: what came before it is taken
    }
    return taken.length > 0 ? encode(taken) : null
  }

  /** What the relay itself says, under a client id of its own; null: nothing any more. */
  announce(client: number, state: { [key: string]: boolean } | null): Uint8Array {
    // from 1: to a stock reader, 0 is what it knew before
    const clock = (this.#entries.get(client)?.clock ?? 0) + 1
    const entry = { clock, state: JSON.stringify(state), from: null }
    this.#entries.set(client, entry)
    return encode([[client, entry]])
  }

  /** Everybody who is here, for somebody who comes; null for nobody. */
  all(except: Subscriber): Uint8Array | null {
    const here = [...this.#entries].filter(([, { state, from }]) => state !== 'null' && from !== except)
    return here.length > 0 ? encode(here) : null
  }

  /** A connection is gone, and its entries with it. Its ids stay its identity's. */
  leave(from: Subscriber): Uint8Array | null {
    const gone: [number, Entry][] = []
    for (const [client, entry] of this.#entries) {
      if (entry.from !== from) continue
      if (entry.state !== 'null') gone.push([client, { clock: entry.clock + 1, state: 'null', from }])
      this.#entries.delete(client)
    }
    return gone.length > 0 ? encode(gone) : null
  }

  #bind(client: number, identity: string): void {
    if (this.#bound.get(client) === identity) return
    this.#bound.set(client, identity)
    const ids = this.#idsBound.get(identity) ?? new Set()
    this.#idsBound.set(identity, ids.add(client))
    if (ids.size <= BOUND_IDS) return
    for (const oldest of ids) {
      if (this.#entries.has(oldest)) continue
      ids.delete(oldest)
      this.#bound.delete(oldest)
      return
    }
  }

  #isNews(client: number, clock: number, state: string): boolean {
    const held = this.#entries.get(client)
    return !held || clock > held.clock || (clock === held.clock && state === 'null' && held.state !== 'null')
  }

  #idsOf(from: Subscriber): number {
    let count = 0
    for (const entry of this.#entries.values()) if (entry.from === from) count++
    return count
  }
}

/** Whether a state claims to be nobody else's. */
function isHonest(text: string, identity: string): boolean {
  if (text.length > STATE_BYTES) return false
  let state: unknown
  try {
    state = JSON.parse(text)
  } catch {
    return false
  }
  if (state === null) return true
  if (!isJsonObject(state)) return false
  const { user } = state
  const claims = [
    state.identity,
    typeof user === 'string' ? user : undefined,
    isJsonObject(user) ? user.identity : undefined,
  ]
  return claims.every((claim) => claim === undefined || claim === identity)
}

function encode(entries: readonly [number, Entry][]): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, entries.length)
  for (const [client, { clock, state }] of entries) {
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
    encoding.writeVarString(encoder, state)
  }
  return encoding.toUint8Array(encoder)
}
