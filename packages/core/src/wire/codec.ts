/**
 * The bytes of every frame of `frames.ts`. A WebSocket message is one or more frames, each a `uint` length and
 * that many bytes: a `uint` type and the frame's fields in the order below. `docs/protocol.md` says the same in
 * prose; the layout's hash is pinned to `PROTOCOL_VERSION` in `codec.test.ts`.
 */
import * as encoding from 'lib0/encoding'
import { ByteWriter, putVaruint, varuintSize } from '../update/byte-writer.ts'
import { FRAMES_PER_MESSAGE, NO_BOUNDS, type WireBounds } from './bounds.ts'
import {
  bool,
  bytes,
  type Field,
  type FieldsOf,
  hash,
  list,
  oneOf,
  outcome,
  point,
  record,
  text,
  token,
  uint,
  uint32,
} from './fields.ts'
import type { DownFrame, OpenEntry, OpenStatus, UpFrame } from './frames.ts'
import { ProtocolViolation, WireReader } from './reader.ts'

export type Frame = UpFrame | DownFrame
type FrameNamed<Name extends Frame['type']> = Extract<Frame, { type: Name }>

interface FrameCodec {
  readonly name: Frame['type']
  /** The number that stands for the name on the wire. Never given to another frame. */
  readonly type: number
  readonly fields: Field<object>
}

function frame<Name extends Frame['type']>(
  name: Name,
  type: number,
  fields: FieldsOf<Omit<FrameNamed<Name>, 'type'>>,
): FrameCodec {
  return { name, type, fields: record(fields) as unknown as Field<object> }
}

const openEntry = record<OpenEntry>({
  channel: uint32,
  document: text,
  epoch: uint,
  commitsId: uint32,
  clock: uint,
  pending: bool,
})
const openStatus = oneOf<OpenStatus>('current', 'changes', 'snapshot', 'absent')
const openedEntry = record<{ channel: number; status: OpenStatus }>({ channel: uint32, status: openStatus })

const awareness = frame('awareness', 5, { channel: uint32, update: bytes })

const UP: readonly FrameCodec[] = [
  frame('hello', 1, { version: uint, token, agent: text }),
  frame('open', 2, { entries: list(openEntry) }),
  frame('close', 3, { channels: list(uint32) }),
  frame('update', 4, { channel: uint32, update: bytes }),
  awareness,
  frame('token', 6, { token }),
  frame('ping', 7, { nonce: uint }),
  frame('getPage', 8, { channel: uint32, hash, deflate: bool }),
]

const CHANGES = 35
/** What is behind the channel in `changes`: the same for all readers of a commit but its author. */
const sharedFields = { point, updates: list(bytes), outcomes: list(outcome) }
const shared = record<Shared>(sharedFields)
type Shared = Pick<FrameNamed<'changes'>, 'point' | 'updates' | 'outcomes'>

const scratch = new ByteWriter()

/** The fields of most `changes` without a closure for each: every commit passes here. */
function writeShared({ point, updates, outcomes }: Shared): Uint8Array {
  if (outcomes.some((outcome) => outcome.verdict !== 'accepted' || 'warnings' in outcome)) {
    const encoder = encoding.createEncoder()
    shared.write(encoder, { point, updates, outcomes })
    return encoding.toUint8Array(encoder)
  }
  scratch.clear()
  scratch.varuint(checked(point.epoch))
  scratch.varuint(checked(point.commitsId))
  scratch.varuint(checked(point.clock))
  scratch.varuint(updates.length)
  for (const update of updates) {
    scratch.varuint(update.length)
    scratch.copy(update, 0, update.length)
  }
  scratch.varuint(outcomes.length)
  for (const { id } of outcomes) {
    scratch.string(id)
    // accepted, without a warning
    scratch.varuint(0)
    scratch.varuint(0)
  }
  return scratch.toBytes()
}

/** What was encoded last: readers of one commit are told one after the other. */
let lastShared: (Shared & { bytes: Uint8Array }) | null = null
let lastMessage: { fields: Uint8Array; channel: number; bytes: Uint8Array } | null = null

const isLastShared = (frame: Shared): boolean =>
  lastShared !== null &&
  lastShared.updates === frame.updates &&
  lastShared.point === frame.point &&
  lastShared.outcomes === frame.outcomes

function sharedBytes(frame: Shared): Uint8Array {
  if (lastShared && isLastShared(frame)) return lastShared.bytes
  const { point, updates, outcomes } = frame
  const bytes = writeShared(frame)
  lastShared = { point, updates, outcomes, bytes }
  return bytes
}

/**
 * One `changes` frame as a message of its own. The very same bytes for everybody who is told the very same on the same
 * channel, one after the other: they must not be changed.
 * @throws RangeError when a number of the frame is not an unsigned integer.
 */
export function changesMessage(frame: FrameNamed<'changes'>): Uint8Array {
  const fields = sharedBytes(frame)
  const { channel } = frame
  if (lastMessage?.fields === fields && lastMessage.channel === channel) return lastMessage.bytes
  const head = headOf(CHANGES, channel, fields)
  const bytes = new Uint8Array(head.length + fields.length)
  bytes.set(head)
  bytes.set(fields, head.length)
  lastMessage = { fields, channel, bytes }
  return bytes
}

/** A frame's length, type and, where it isn't in the fields, its channel. */
function headOf(type: number, channel: number | null, fields: Uint8Array): Uint8Array {
  const own = varuintSize(type) + (channel === null ? 0 : varuintSize(checked(channel)))
  const length = own + fields.length
  const head = new Uint8Array(varuintSize(length) + own)
  const at = putVaruint(head, putVaruint(head, 0, length), type)
  if (channel !== null) putVaruint(head, at, channel)
  return head
}

function checked(number: number): number {
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`Not an unsigned integer: ${number}`)
  return number
}

const DOWN: readonly FrameCodec[] = [
  awareness,
  frame('welcome', 32, {
    version: uint,
    identity: text,
    accountSid: text,
    serviceSid: text,
    now: uint,
    expiresAt: uint,
    heartbeat: uint,
    limits: text,
  }),
  frame('opened', 33, { entries: list(openedEntry) }),
  frame('snapshot', 34, {
    channel: uint32,
    replace: bool,
    lost: bool,
    point,
    updates: list(bytes),
    outcomes: list(outcome),
  }),
  frame('changes', CHANGES, { channel: uint32, ...sharedFields }),
  frame('outcomes', 36, { channel: uint32, outcomes: list(outcome) }),
  frame('request', 37, { channel: uint32, stateVector: bytes }),
  frame('absent', 38, { channel: uint32 }),
  frame('nack', 39, { channel: uint32, code: uint, message: text, retryAfter: uint }),
  frame('tokenExpiring', 40, { expiresAt: uint }),
  frame('pong', 41, { nonce: uint, now: uint }),
  frame('page', 42, { channel: uint32, hash, deflated: bool, bytes }),
]

const byName = new Map([...UP, ...DOWN].map((codec) => [codec.name, codec]))
const byType = (codecs: readonly FrameCodec[]) => new Map(codecs.map((codec) => [codec.type, codec]))
const upByType = byType(UP)
const downByType = byType(DOWN)

/** Every frame's direction, number, name and fields in order, one a line: what `PROTOCOL_VERSION` stands for. */
export const protocolLayout = (): string =>
  [
    ...UP.map(({ type, name, fields }) => `up ${type} ${name} ${fields.layout}`),
    ...DOWN.map(({ type, name, fields }) => `down ${type} ${name} ${fields.layout}`),
  ].join('\n')

/**
 * Frames on their way out, encoded as they are added, so that everything that one turn of the event loop has to
 * say leaves in one WebSocket message.
 */
export class FrameBatch {
  readonly #messageBytes: number
  #full: Uint8Array[] = []
  /** Of the message that is being made: pieces, their bytes together, and how many frames they are. */
  #pieces: Uint8Array[] = []
  #length = 0
  #frames = 0

  /** @param messageBytes bytes that the receiver takes in one message; a frame that is larger travels alone. */
  constructor(messageBytes: number = Number.POSITIVE_INFINITY) {
    this.#messageBytes = messageBytes
  }

  get isEmpty(): boolean {
    return this.#frames === 0 && this.#full.length === 0
  }

  /** @throws RangeError when a number of the frame is not an unsigned integer. */
  add(frame: Frame): void {
    if (frame.type === 'changes') this.#add(CHANGES, frame.channel, sharedBytes(frame))
    else {
      const codec = byName.get(frame.type)
      if (!codec) throw new RangeError(`No such frame: ${frame.type}`)
      const fields = encoding.createEncoder()
      codec.fields.write(fields, frame)
      this.#add(codec.type, null, encoding.toUint8Array(fields))
    }
  }

  /** The messages to send, in order (one, unless a bound asks for more), and starts afresh. */
  take(): Uint8Array[] {
    if (this.#frames > 0) this.#endMessage()
    const messages = this.#full
    this.#full = []
    return messages
  }

  /** @param channel null: it is in the fields */
  #add(type: number, channel: number | null, fields: Uint8Array): void {
    const head = headOf(type, channel, fields)
    const fits = this.#length + head.length + fields.length <= this.#messageBytes
    if (this.#frames > 0 && (!fits || this.#frames === FRAMES_PER_MESSAGE)) this.#endMessage()
    this.#pieces.push(head, fields)
    this.#length += head.length + fields.length
    this.#frames++
  }

  #endMessage(): void {
    const message = new Uint8Array(this.#length)
    let at = 0
    for (const piece of this.#pieces) {
      message.set(piece, at)
      at += piece.length
    }
    this.#full.push(message)
    this.#pieces = []
    this.#length = 0
    this.#frames = 0
  }
}

/**
 * The frames as one WebSocket message, whatever its size; `FrameBatch` keeps to bounds.
 * @throws RangeError when there are no frames, or more than `FRAMES_PER_MESSAGE`.
 */
export function encodeFrames(frames: readonly Frame[]): Uint8Array {
  const batch = new FrameBatch()
  for (const frame of frames) batch.add(frame)
  const [message, ...more] = batch.take()
  if (!message || more.length > 0) {
    throw new RangeError(`A message holds 1 to ${FRAMES_PER_MESSAGE} frames, not ${frames.length}`)
  }
  return message
}

/**
 * The frames of a client's message. Byte fields are views of `message`: copy them to keep them.
 * @throws ProtocolViolation (70601) unless the message is well-formed to its last byte and within bounds.
 */
export function decodeUp(message: Uint8Array, bounds: WireBounds): UpFrame[] {
  return decode(message, bounds, upByType) as UpFrame[]
}

/**
 * The frames of a relay's message. Byte fields are views of `message`: copy them to keep them.
 * @throws ProtocolViolation (70601) unless the message is well-formed to its last byte.
 */
export function decodeDown(message: Uint8Array): DownFrame[] {
  return decode(message, NO_BOUNDS, downByType) as DownFrame[]
}

function decode(message: Uint8Array, bounds: WireBounds, codecs: ReadonlyMap<number, FrameCodec>): Frame[] {
  const outer = new WireReader(message, bounds)
  const frames: Frame[] = []
  do {
    if (frames.length === FRAMES_PER_MESSAGE) throw new ProtocolViolation('Too many frames in one message')
    const reader = new WireReader(outer.bytes(message.length), bounds)
    const codec = codecs.get(reader.uint())
    if (!codec) throw new ProtocolViolation('Unknown frame type')
    const fields = codec.fields.read(reader)
    if (reader.hasMore) throw new ProtocolViolation(`Bytes are left over after ${codec.name}`)
    frames.push({ type: codec.name, ...fields } as Frame)
  } while (outer.hasMore)
  return frames
}
