/** What channels see of the relay, and what they keep there: two narrow views, so that no channel knows the rest. */
import type {
  ConversationRecord,
  MediaRecord,
  MessageRecord,
  Operation,
  Outcome,
  ParticipantRecord,
} from '@confab/core'
import type { InboundMedia, InboundPart } from './channel.ts'

export interface ConversationInfo {
  record: ConversationRecord
  participants: readonly ParticipantRecord[]
}

/** The relay's conversations. */
export interface Desk {
  /** Null when there is none with this sid in the service. */
  conversation(serviceSid: string, sid: string): Promise<ConversationInfo | null>
  message(serviceSid: string, conversationSid: string, messageSid: string): Promise<MessageRecord | null>
  /** The content of an attachment; null when it is gone, or the relay takes none. */
  content(serviceSid: string, mediaSid: string): Promise<AsyncIterable<Uint8Array> | null>
  /**
   * Takes an attachment for a message of this conversation; null when the relay, or its app, doesn't take this one.
   * @throws ConfabError 70502 when there is no room for it now
   */
  bring(serviceSid: string, conversationSid: string, media: InboundMedia): Promise<MediaRecord | null>
  /** Sid of the open conversation in which this pair of addresses is bound. */
  bindingOwner(serviceSid: string, address: string, proxyAddress: string): Promise<string | null>
  /** Does an operation as the channel; resolves when it is on disk. */
  submit(serviceSid: string, conversationSid: string, operation: Operation, source: string): Promise<Outcome>
}

/** One message that is still to be sent to somebody: it has a receipt that says `queued`. */
export interface Outgoing {
  serviceSid: string
  conversationSid: string
  messageSid: string
}

/** Whom one of a provider's messages was for. */
export interface SentReference extends Outgoing {
  participantSid: string
}

/** What is kept about channels beside the conversations. The first two follow commits, in their transaction. */
export interface ChannelStore {
  /** In the order of acceptance, after the one at `position`; at most `limit`. */
  outgoing(after: number, limit: number): Promise<(Outgoing & { position: number })[]>
  /** Everything that was sent under this name of a provider's, by whichever channel. */
  sentAs(channelMessageSid: string): Promise<SentReference[]>
  /** Keeps a part; gives all of the texts, in order, once as many as `total` are here. */
  putPart(channel: string, part: InboundPart, at: number): Promise<string[] | null>
  deleteParts(channel: string, part: Omit<InboundPart, 'text'>): Promise<void>
  /** Whether the person at `address` wants to hear nothing from `proxyAddress`. */
  isOptedOut(serviceSid: string, address: string, proxyAddress: string): Promise<boolean>
  setOptedOut(serviceSid: string, address: string, proxyAddress: string, isOut: boolean): Promise<void>
}
