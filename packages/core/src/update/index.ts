/** Yjs updates (format V1) read, judged, written and compacted, without a Y.Doc. */

export { admittedUntil, admitUpdate } from './admit.ts'
export { ByteWriter } from './byte-writer.ts'
export { compactUpdates, withoutDeleted } from './compact.ts'
export { readUpdate } from './read.ts'
export { decodeStateVector, encodeStateVector } from './state-vector.ts'
export * from './types.ts'
export { EMPTY_UPDATE, UpdateWriter } from './write.ts'
