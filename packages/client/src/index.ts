/**
 * The Confab SDK. What stands here is public; its declarations name no type of the engine's, of Yjs or of a schema
 * library's.
 */

import { examineStores as examineDirectory, directory as openDirectory } from '#directory'
import type { ClientStorage, ClientTransport } from './client-options.ts'
import { loadedMemory } from './storage/default.ts'
import { indexedDB as openIndexedDB } from './storage/indexed-db.ts'
import { native as openNative } from './transport/native.ts'
import { yWebsocket as openYWebsocket } from './transport/y-websocket.ts'
import type { StoreReport } from './types.ts'

/**
 * Keeps a client's data in one folder (Node). A second client on the same folder shares it. `maxBytes` bounds it:
 * what would need more is refused (70501).
 */
export const directory: (path: string, options?: { maxBytes?: number }) => ClientStorage = (path, options) =>
  openDirectory(path, options)
/**
 * Looks over the stores in a folder that `directory(path)` made and no client has open (Node): what `confab doctor` does.
 * Rejects when there is none, or the folder can't be read.
 */
export const examineStores: (path: string) => Promise<StoreReport[]> = (path) => examineDirectory(path)
/** Keeps a client's data in IndexedDB (browsers). Tabs share it. */
export const indexedDB: () => ClientStorage = () => openIndexedDB()
/** Keeps a client's data as long as this object lives. Clients given the same object share it. */
export const memory: () => ClientStorage = () => loadedMemory()
/** One WebSocket for all conversations. */
export const native: () => ClientTransport = () => openNative()
/** The stock y-websocket provider: one WebSocket for each conversation. */
export const yWebsocket: () => ClientTransport = () => openYWebsocket()

export { ConfabError, type ErrorBody, type ErrorCode } from '@confab/core'
export { CancellablePromise } from './cancellable-promise.ts'
export { Client, type ClientEvents } from './client.ts'
export type {
  ClientLimits,
  ClientLogger,
  ClientOptions,
  ClientStorage,
  ClientTransport,
  CreateConversationOptions,
  LogLevel,
  TokenSource,
} from './client-options.ts'
export type {
  ContentData,
  ContentDataAction,
  ContentDataActionOther,
  ContentDataActionPhone,
  ContentDataActionReply,
  ContentDataActionUrl,
  ContentDataCallToAction,
  ContentDataCard,
  ContentDataListItem,
  ContentDataListPicker,
  ContentDataLocation,
  ContentDataMedia,
  ContentDataOther,
  ContentDataQuickReply,
  ContentDataReply,
  ContentDataText,
  EmailRecipientLevel,
  RecipientDescriptor,
} from './content.ts'
export {
  ChannelMetadata,
  ContentTemplate,
  EmailRecipientDescriptor,
  UnknownRecipientDescriptor,
} from './content.ts'
export { Conversation, type ConversationEvents } from './conversation.ts'
export { AggregatedDeliveryReceipt, DetailedDeliveryReceipt } from './delivery-receipts.ts'
export { ReplayEventEmitter } from './emitter.ts'
export { HeldOperation } from './held-operation.ts'
export { Media } from './media.ts'
export { Message, type MessageEvents } from './message.ts'
export { ContentTemplateVariable, MessageBuilder, UnsentMessage } from './message-builder.ts'
export { Page as RestPaginator, type Paginator } from './paginator.ts'
export { Participant, type ParticipantEvents } from './participant.ts'
export {
  NotificationTypes,
  PushNotification,
  type PushNotificationData,
  type PushNotificationDescriptor,
  type PushNotificationType,
} from './push-notification.ts'
export type {
  ConnectionError,
  ConnectionState,
  ConversationBindings,
  ConversationDiagnostics,
  ConversationEmailBinding,
  ConversationExport,
  ConversationLimits,
  ConversationSmsBinding,
  ConversationState,
  ConversationStatus,
  ConversationTimers,
  ConversationUpdatedEventArgs,
  ConversationUpdateReason,
  DeliveryAmount,
  DeliveryStatus,
  Diagnostics,
  ExportedFile,
  InviteOptions,
  JSONArray,
  JSONObject,
  JSONValue,
  LastMessage,
  MediaCategory,
  MediaDownload,
  MessageStatus,
  MessageType,
  MessageUpdatedEventArgs,
  MessageUpdateReason,
  NotificationLevel,
  NotificationsChannelType,
  OperationContent,
  ParticipantAddressBinding,
  ParticipantBindingOptions,
  ParticipantBindings,
  ParticipantEmailBinding,
  ParticipantEmailLevel,
  ParticipantResponse,
  ParticipantType,
  ParticipantUpdatedEventArgs,
  ParticipantUpdateReason,
  PendingOperation,
  SearchOptions,
  SearchResult,
  SendEmailOptions,
  SendMediaOptions,
  State,
  StorageFigures,
  StoreFinding,
  StoreReport,
  UnseenMessages,
  UploadProgressEventArgs,
  UploadState,
  UserUpdatedEventArgs,
  UserUpdateReason,
} from './types.ts'
export { User, type UserEvents } from './user.ts'
