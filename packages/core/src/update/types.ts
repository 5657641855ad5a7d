/** The shapes that reading, judging, writing and compacting updates share. */

/** The id of one item: (client, clock). The same tuple as the relay's store keeps. */
export type ItemId = readonly [client: number, clock: number]

/** Bounds of the strict reader; what goes beyond one is a violation. */
export interface UpdateBounds {
  /** Bytes of the whole update. */
  bytes: number
  /** Structs and delete ranges together. */
  structs: number
  /**
   * Nesting of `Any` values. Let it stand well above the limit for operations (twice `limits.jsonDepth`), so that
   * an operation that is merely too deep is refused with an outcome, and only a bomb ends the connection.
   */
  jsonDepth: number
}

/**
 * One struct as it stands in the update. `any` and `deleted` are items of `length` elements; `skip` is a gap.
 * Content is not decoded: `content` and `end` are offsets into `ParsedUpdate.bytes`.
 */
export interface ParsedStruct {
  kind: 'any' | 'deleted' | 'skip'
  clock: number
  length: number
  origin: ItemId | null
  rightOrigin: ItemId | null
  /** Name of the root type: only encoded when there is neither origin nor right origin, otherwise inherited. */
  root: string | null
  /** Key in a map, where it is encoded (only along with `root`). */
  key: string | null
  /** The item says that it stands under a map key, encoded or inherited. */
  keyed: boolean
  /** Offset of the info byte. */
  start: number
  /** Offset of the content behind its length: the first value of `any`. */
  content: number
  /** Offset behind the struct. */
  end: number
}

/** All structs of one client, contiguous from the first one's clock. */
export interface ParsedBlock {
  client: number
  /** Clock of the first struct. */
  clock: number
  /** At least one. */
  structs: ParsedStruct[]
}

/** Deleted ranges of one client: flat pairs (clock, length), sorted, merged. */
export interface DeletedRanges {
  client: number
  ranges: number[]
}

export interface ParsedUpdate {
  bytes: Uint8Array
  blocks: ParsedBlock[]
  deletes: DeletedRanges[]
  /** The bound that it was read with. */
  jsonDepth: number
}

/** Bytes that are not an update of the grammar, or one beyond its bounds. The message says what and where. */
export class UpdateViolation extends Error {
  override readonly name = 'UpdateViolation'
}

/** Whose a client id is in this document, from the uploading identity's point of view; null: nobody's yet. */
export type ClientOwner = 'self' | 'other' | 'relay' | null

/**
 * What admission may know. For somebody who is no participant pass the knowledge of a document that doesn't exist
 * (every clock 0, every owner null): answers then reveal nothing of the real one. Judge again with the real
 * knowledge when what they brought lets them in.
 */
export interface AdmissionKnowledge {
  /** Root name of the uploading identity's outbox (`outboxName`). */
  outbox: string
  /** Committed items of this client, in whichever root; 0 when unknown. */
  clock(client: number): number
  owner(client: number): ClientOwner
  /** Operations that may still be taken now; the rest is left for a later upload, as if it were missing. */
  room: number
  /** Client ids that may still be bound to this identity here; the rest is left likewise. Unbounded when absent. */
  clientRoom?: number
}

/** One undecided operation. */
export interface AdmittedOperation {
  client: number
  clock: number
  /** As decoded: any JSON-like value, and also undefined, bigint, Uint8Array. Its schema is judged elsewhere. */
  value: unknown
  /** Length of its encoding. */
  bytes: number
}

/** New items of the outbox, to be stored as deleted under their ids and origins (`UpdateWriter.outboxDeleted`). */
export interface OutboxStruct {
  client: number
  clock: number
  length: number
  origin: ItemId | null
  rightOrigin: ItemId | null
}

/** What is taken of an update. */
export interface Admitted {
  kind: 'admitted'
  /** To be decided, in an order that respects each client's clock and what was written after what. */
  operations: AdmittedOperation[]
  /** Everything new, withdrawn operations included, in an order in which each one's origins come first. */
  structs: OutboxStruct[]
  /** Clocks after this admission, of every client with something new; `bound` false: to be bound to the uploader. */
  clients: { client: number; clock: number; bound: boolean }[]
  /** Some part was left out because something it depends on isn't here: answer with sync step 1. */
  missing: boolean
}

export type Admission =
  | Admitted
  /** A client id in it belongs to somebody else, or to the relay: nothing is taken (70602). */
  | { kind: 'clientTaken'; client: number }
  /** Not an honest update: nothing is taken, the connection is told why and closed (70601). */
  | { kind: 'violation'; message: string }
