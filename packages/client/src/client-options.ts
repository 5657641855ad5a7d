import type { JSONValue } from './types.ts'

/** Where a client keeps its data: made by `indexedDB()`, `directory(path)` or `memory()`. */
export interface ClientStorage {
  readonly kind: 'indexeddb' | 'directory' | 'memory'
}

/** How a client reaches its relay: made by `native()` or `yWebsocket()`. */
export type ClientTransport = (options: never) => object

/** The bounds that are checked before the network would: by default Twilio's, and those that the relay tells. */
export interface ClientLimits {
  /** Characters of a friendlyName or uniqueName. */
  nameLength: number
  /** UTF-8 bytes of a conversation's attributes as JSON. */
  conversationAttributesBytes: number
  /** UTF-8 bytes of a message's or participant's attributes as JSON. */
  attributesBytes: number
  /** UTF-8 bytes of a message body. */
  bodyBytes: number
  /** Characters of an identity or an address. */
  identityLength: number
  /** Participants of one conversation. */
  participants: number
  /** Participants of one conversation who take part by an address. */
  nonChatParticipants: number
}

/** Where a client says what an operator may want to know. Nothing that a person wrote is ever in it. */
export interface ClientLogger {
  debug?(message: string, details?: unknown): void
  info?(message: string, details?: unknown): void
  warn?(message: string, details?: unknown): void
  error?(message: string, details?: unknown): void
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** What `new Client(token, options)` takes. Twilio's options that mean nothing here are taken and ignored. */
export interface ClientOptions {
  /** The relay's URL (`ws:`, `wss:`, `http:` or `https:`). Without it, the one that the token carries. */
  url?: string
  /** `indexedDB()` in browsers, otherwise `memory()`, which keeps nothing beyond the process. */
  storage?: ClientStorage
  /** `native()` when left out. */
  transport?: ClientTransport
  limits?: Partial<ClientLimits>
  /**
   * How much of the older history of conversations stays on this device once it was here: so many pages (of up to
   * 1,000 messages) of all conversations together, 200 when left out, those read longest ago going first; `'all'`
   * fetches and keeps everything. `conversation.pinHistory()` keeps one conversation's whatever this says.
   */
  history?: 'all' | { pages: number }
  media?: {
    /**
     * How many bytes of attachments stay on this device once they were here: 500 MB when left out, those used longest ago
     * going first. What isn't sent yet stays, and so does what is in conversations with `pinHistory()`.
     */
    bytes?: number
    /** How many bytes an attachment may have that is sent from here: 150 MiB when left out. The relay has a bound of its own. */
    attachmentBytes?: number
  }
  /** Whose data to open when no token can be had at start. Otherwise that of who last used this storage. */
  identity?: string
  /** Takes the place of the console. */
  logger?: ClientLogger
  /** What goes to the console when there is no `logger`: `error` when left out. */
  logLevel?: LogLevel

  region?: string
  productId?: string
  channelMetadataCacheCapacity?: number
  messageRecipientsCacheCapacity?: number
  twilsockClient?: unknown
  notificationsClient?: unknown
  syncClient?: unknown
  typingIndicatorTimeoutOverride?: number
  consumptionReportIntervalOverride?: string
  httpCacheIntervalOverride?: string
  userInfosToSubscribeOverride?: number
  retryWhenThrottledOverride?: boolean
  backoffConfigOverride?: Record<string, unknown>
  Chat?: ClientOptions
  IPMessaging?: ClientOptions
  Sync?: Record<string, unknown>
  Notification?: Record<string, unknown>
  Twilsock?: Record<string, unknown>
  clientMetadata?: Record<string, unknown>
  initRegistrations?: unknown[]
  disableDeepClone?: boolean
  typingUri?: string
  apiUri?: string
  throwErrorsAlways?: boolean
}

/** An access token, or what fetches one: called at start, at each attempt to connect, and before one expires. */
export type TokenSource = string | (() => Promise<string>)

/** What `createConversation` takes. */
export interface CreateConversationOptions {
  attributes?: JSONValue
  friendlyName?: string
  /** One of its kind in the service. */
  uniqueName?: string
  /** Taken and ignored: every conversation is private. */
  access?: string
}
