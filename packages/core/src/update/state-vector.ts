/** State vectors: client by client, the clock up to which items are held. */
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { UpdateViolation } from './types.ts'

/** Yjs's encoding, in descending client id. */
export function encodeStateVector(clocks: ReadonlyMap<number, number>): Uint8Array {
  const writer = new ByteWriter(16 + 8 * clocks.size)
  writer.varuint(clocks.size)
  for (const [client, clock] of [...clocks].sort((a, b) => b[0] - a[0])) {
    writer.varuint(client)
    writer.varuint(clock)
  }
  return writer.toBytes()
}

/**
 * Reads an untrusted state vector.
 * @param maxClients more than this many entries are a violation
 * @throws UpdateViolation for malformed bytes, a client id above 2^32 − 1 or given twice, or bytes left over
 */
export function decodeStateVector(bytes: Uint8Array, maxClients: number): Map<number, number> {
  const reader = new ByteReader(bytes)
  const count = reader.varuint()
  if (count > maxClients) throw new UpdateViolation(`state vector of ${count} clients: at most ${maxClients}`)
  const clocks = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const client = reader.varuint()
    if (client > 0xffff_ffff) throw new UpdateViolation(`client id ${client}: at most 2^32 - 1`)
    if (clocks.has(client)) throw new UpdateViolation(`client ${client} twice`)
    clocks.set(client, reader.varuint())
  }
  if (!reader.atEnd) throw new UpdateViolation('bytes after the state vector')
  return clocks
}
