/** Yjs updates (format V1) read, judged, written and compacted, without a Y.Doc. */
export * from './types.ts'
