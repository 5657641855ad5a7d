/**
 * The messages of y-websocket's protocol, one per WebSocket message, and three of our own that only a client that
 * asked for them by `?outcomes=1` gets (docs/protocol.md). Read strictly, like our own frames.
 */
import { NO_BOUNDS, type Outcome, ProtocolViolation, type ResumePoint, WireReader } from '@confab/core'
import * as encoding from 'lib0/encoding'

const SYNC = 0
const AWARENESS = 1
const QUERY_AWARENESS = 3
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2
const OUTCOMES = 100
const POINT = 101
const NACK = 102

/** The state vector of an empty document, and the awareness update that says nothing. */
export const EMPTY = Uint8Array.of(0)
/** The Yjs update that changes nothing. */
export const EMPTY_UPDATE = Uint8Array.of(0, 0)

export type YjsMessage =
  | { type: 'step1'; stateVector: Uint8Array }
  /** An answer to step 1, or an update as it happens: admission doesn't care which. */
  | { type: 'update'; update: Uint8Array; isAnswer: boolean }
  | { type: 'awareness'; update: Uint8Array }
  | { type: 'queryAwareness' }

/** @throws ProtocolViolation (70601) unless the message is one of these to its last byte. */
export function readYjsMessage(message: Uint8Array, updateBytes: number): YjsMessage {
  const reader = new WireReader(message, NO_BOUNDS)
  const read = readBody(reader, updateBytes)
  if (reader.hasMore) throw new ProtocolViolation('Bytes are left over')
  return read
}

function readBody(reader: WireReader, updateBytes: number): YjsMessage {
  switch (reader.uint()) {
    case SYNC:
      return readSync(reader, updateBytes)
    case AWARENESS:
      return { type: 'awareness', update: reader.bytes(updateBytes) }
    case QUERY_AWARENESS:
      return { type: 'queryAwareness' }
    default:
      throw new ProtocolViolation('Unknown message type')
  }
}

function readSync(reader: WireReader, updateBytes: number): YjsMessage {
  switch (reader.uint()) {
    case STEP_1:
      return { type: 'step1', stateVector: reader.bytes(updateBytes) }
    case STEP_2:
      return { type: 'update', update: reader.bytes(updateBytes), isAnswer: true }
    case UPDATE:
      return { type: 'update', update: reader.bytes(updateBytes), isAnswer: false }
    default:
      throw new ProtocolViolation('Unknown sync message type')
  }
}

const syncMessage = (kind: number, bytes: Uint8Array): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, SYNC)
    encoding.writeVarUint(encoder, kind)
    encoding.writeVarUint8Array(encoder, bytes)
  })

const jsonMessage = (type: number, value: object): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, type)
    encoding.writeVarString(encoder, JSON.stringify(value))
  })

export const writeStep1 = (stateVector: Uint8Array) => syncMessage(STEP_1, stateVector)
export const writeStep2 = (update: Uint8Array) => syncMessage(STEP_2, update)
export const writeUpdate = (update: Uint8Array) => syncMessage(UPDATE, update)
export const writeAwareness = (update: Uint8Array): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, AWARENESS)
    encoding.writeVarUint8Array(encoder, update)
  })
export const writeOutcomes = (outcomes: readonly Outcome[]) => jsonMessage(OUTCOMES, outcomes)
export const writePoint = (point: ResumePoint) => jsonMessage(POINT, point)
export const writeNack = (nack: { code: number; message: string; retryAfter: number }) =>
  jsonMessage(NACK, nack)
