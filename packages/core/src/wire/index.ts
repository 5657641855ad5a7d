export { FRAMES_PER_MESSAGE, upBounds, upMessageBytes, type WireBounds } from './bounds.ts'
export { decodeDown, decodeUp, encodeFrames, type Frame, FrameBatch, PROTOCOL_LAYOUT } from './codec.ts'
export {
  CLOSE_CODES,
  type DownFrame,
  isPermanentClose,
  type OpenEntry,
  type OpenStatus,
  PROTOCOL_VERSION,
  type ResumePoint,
  type UpFrame,
} from './frames.ts'
export { ProtocolViolation } from './reader.ts'
