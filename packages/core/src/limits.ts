/** Every bound in one place. Defaults are Twilio's where Twilio has the bound; all are configurable. */

export interface Limits {
  /** Characters of a friendlyName or uniqueName (Twilio: 256). */
  nameLength: number
  /** UTF-8 bytes of a conversation's attributes as JSON (Twilio: 16 KB). */
  conversationAttributesBytes: number
  /** UTF-8 bytes of a message's, participant's or user's attributes as JSON (Twilio: 4 KB). */
  attributesBytes: number
  /** UTF-8 bytes of a message body (Twilio: 32 KB). */
  bodyBytes: number
  /** Characters of an identity or an address, after NFC (Twilio: 256). */
  identityLength: number
  /** Participants of one conversation (Twilio: 1,000). */
  participants: number
  /** Non-chat participants of one conversation (Twilio: 50). */
  nonChatParticipants: number
  /** Conversations of one identity (Twilio: 1,000). */
  conversationsPerIdentity: number
  /** Media entries of one message. */
  mediaPerMessage: number
  /** Invites that stand on one conversation. */
  invites: number
  /** Push registrations of one identity; the oldest go. */
  pushRegistrations: number
  /** Nesting of JSON anywhere in an operation. Real attributes stay below 8. */
  jsonDepth: number
  /** UTF-8 bytes of one operation; above the sum of body, attributes and media. */
  operationBytes: number
  /** Bytes of one update a client uploads. A client splits larger ones. */
  updateBytes: number
  /** Structs and delete ranges in one uploaded update; bounds the reader's work. */
  updateStructs: number
  /** Operations of one identity that may wait for a decision in one document. */
  pendingOperations: number
  /** Documents one connection may have open. */
  openDocuments: number
  /** Operations per second of one connection, sustained; bursts of ten times as many are taken. */
  operationsPerSecond: number
  /** Bytes per second that one connection may upload, sustained; bursts of ten times as many are taken. */
  bytesPerSecond: number
  /** Bytes that may wait in one connection's send buffer before a slow reader is cut off. */
  sendBufferBytes: number
  /** Client ids in one outbox before the relay opens a new epoch (each costs every transaction). */
  outboxClients: number
}

export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  nameLength: 256,
  conversationAttributesBytes: 16 * 1024,
  attributesBytes: 4 * 1024,
  bodyBytes: 32 * 1024,
  identityLength: 256,
  participants: 1000,
  nonChatParticipants: 50,
  conversationsPerIdentity: 1000,
  mediaPerMessage: 10,
  invites: 100,
  pushRegistrations: 20,
  jsonDepth: 32,
  operationBytes: 64 * 1024,
  updateBytes: 1024 * 1024,
  updateStructs: 20_000,
  pendingOperations: 10_000,
  openDocuments: 2000,
  operationsPerSecond: 200,
  bytesPerSecond: 1024 * 1024,
  sendBufferBytes: 8 * 1024 * 1024,
  outboxClients: 200,
})

/** The defaults with the given bounds replaced. */
export function limitsWith(overrides: Partial<Limits> = {}): Limits {
  return { ...DEFAULT_LIMITS, ...overrides }
}
