export { FRAMES_PER_MESSAGE, NO_BOUNDS, upBounds, upMessageBytes, type WireBounds } from './bounds.ts'
export {
  changesMessage,
  decodeDown,
  decodeUp,
  encodeFrames,
  type Frame,
  FrameBatch,
  protocolLayout,
} from './codec.ts'
export {
  CLOSE_CODES,
  type DownFrame,
  HISTORY_PATH,
  isPermanentClose,
  NATIVE_PATH,
  type OpenEntry,
  type OpenStatus,
  PROTOCOL_VERSION,
  type ResumePoint,
  type UpFrame,
  YJS_PATH,
} from './frames.ts'
export { ProtocolViolation, WireReader } from './reader.ts'
