export {
  ConfabError,
  type Limits,
  type Operation,
  type Outcome,
  SERVICE_ADMIN,
  SERVICE_USER,
} from '@confab/core'
export {
  type Channel,
  ChannelError,
  type ChannelEvents,
  type InboundMessage,
  type OutboundMessage,
  type SentMessage,
  type StatusReport,
  type WebhookAnswer,
  type WebhookRequest,
} from './channels/channel.ts'
export type { ChannelsOptions } from './channels/channels.ts'
export { type EmailOptions, email } from './channels/email/email.ts'
export type { AddressConfiguration } from './channels/inbound.ts'
export { type SmppOptions, smpp } from './channels/sms/smpp.ts'
export { type TwilioMessagingOptions, twilioMessaging } from './channels/twilio/twilio-messaging.ts'
export { type WhatsAppCloudOptions, whatsAppCloud } from './channels/whatsapp/cloud.ts'
export type { SealingOptions } from './commit/options.ts'
export type { Principal } from './engine.ts'
export type { PostEvent, PostEventType, PreEvent, PreEventType } from './events.ts'
export type { Origins } from './gateway/http.ts'
export type {
  Authentication,
  Authorization,
  Awaitable,
  BeforeCommitAnswer,
  CommittedOperation,
  Hooks,
  MediaAnswer,
  MediaRequest,
  OperationRequest,
} from './hooks.ts'
export type { BlobStore, ByteRange } from './media/blobs.ts'
export type { MediaLimits, MediaOptions } from './media/options.ts'
export { type S3Options, s3Blobs } from './media/s3-blobs.ts'
export type { MetricsOptions } from './metrics/endpoints.ts'
export type { OpenIdAlgorithm, OpenIdClaims, OpenIdOptions } from './open-id.ts'
export { createRelay, type Relay } from './relay.ts'
export type { RelayOptions } from './relay-options.ts'
export type { Log, Timing } from './session/session.ts'
export {
  type AccessKeys,
  type AccessTokenClaims,
  type AccessTokenOptions,
  type ConfiguredKeys,
  createAccessToken,
  verifyAccessToken,
} from './token.ts'
export type { WebhookOptions } from './webhooks/options.ts'
