/** Reads y-protocols awareness updates: they carry who is typing, and who is connected. */
import * as decoding from 'lib0/decoding'

export interface AwarenessEntry {
  client: number
  clock: number
  state: { readonly [key: string]: unknown } | null
}

/** The entries of an update, each read as it is asked for. */
export function* readAwareness(update: Uint8Array): Iterable<AwarenessEntry> {
  const decoder = decoding.createDecoder(update)
  for (let left = decoding.readVarUint(decoder); left > 0; left--) {
    const client = decoding.readVarUint(decoder)
    const clock = decoding.readVarUint(decoder)
    yield { client, clock, state: JSON.parse(decoding.readVarString(decoder)) }
  }
}
