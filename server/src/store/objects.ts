/**
 * What administrators write down beside conversations: services, roles, keys, configurations, webhooks. Small JSON
 * values by scope (an account, a service or a conversation), kind and sid, listed in the order of their making.
 */
import type { Json } from '@confab/core'

export interface StoredObject {
  sid: string
  /** Ascends in the order of making. */
  position: number
  value: Json
}

/** Which part of a list: those behind one position, or those before one, the nearest of them. */
export type Span = { after: number; before?: undefined } | { before: number; after?: undefined }

export interface ObjectStore {
  get(scope: string, kind: string, sid: string): Promise<StoredObject | null>
  /** Ascending, at most `limit`. */
  list(scope: string, kind: string, span: Span, limit: number): Promise<StoredObject[]>
  /** All of a kind, whatever their scope. */
  all(kind: string): Promise<(StoredObject & { scope: string })[]>
  /** Makes it, or changes its value in its place. On disk when it resolves. */
  put(scope: string, kind: string, sid: string, value: Json): Promise<void>
  /** Whether there was one. */
  delete(scope: string, kind: string, sid: string): Promise<boolean>
  /** Everything of a scope. */
  deleteScope(scope: string): Promise<void>
}

/** Somebody of a service. */
export interface NotedUser {
  identity: string
  /** When the relay first heard of them, milliseconds since the epoch. */
  noted: number
}

/** Finds what the relay's own documents are about. Positions ascend in the order of making. */
export interface Catalogue {
  /** Conversations of the service that exist; by `state` and by the days of their making (milliseconds, inclusive). */
  conversations(
    serviceSid: string,
    filter: { state?: string; from?: number; to?: number },
    span: Span,
    limit: number,
  ): Promise<{ position: number; sid: string }[]>
  /** Where a conversation lies, without reading it; null when the service has none of this sid. */
  conversation(serviceSid: string, sid: string): Promise<{ key: number; highestIndex: number } | null>
  /** Conversations in which an identity takes part, or an address. */
  conversationsWith(
    serviceSid: string,
    who: { identity: string } | { address: string },
    span: Span,
    limit: number,
  ): Promise<{ position: number; sid: string }[]>
  /** People of the service: everybody who was ever in a conversation, or has a profile. */
  users(serviceSid: string, span: Span, limit: number): Promise<(NotedUser & { position: number })[]>
  /** Whose sid it is; null when nobody's. */
  user(serviceSid: string, userSid: string): Promise<NotedUser | null>
  /** Lists a person who has done nothing yet. */
  noteUser(serviceSid: string, identity: string): Promise<void>
  /** How many messages of a document have an index above this one. */
  messagesAfter(key: number, index: number): Promise<number>
  /** The person is listed no more, until they are in a conversation again. */
  forgetUser(serviceSid: string, identity: string): Promise<void>
}
