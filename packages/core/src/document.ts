/** The documents there are, their names, and their root types. */

export type DocumentKind = 'conversation' | 'user' | 'profile'

/** Root types that the relay writes, by kind of document, with their Yjs type. `commits` is in all. */
export const RELAY_ROOTS = {
  conversation: {
    conversation: 'map',
    participants: 'map',
    history: 'map',
    messages: 'array',
    reads: 'array',
    commits: 'array',
  },
  user: { conversations: 'map', refusals: 'array', settings: 'map', commits: 'array' },
  profile: { profile: 'map', commits: 'array' },
} as const satisfies Record<DocumentKind, Record<string, 'map' | 'array'>>

const CONVERSATION_NAME = /^CH[0-9a-f]{32}$/

/** A document's name: a conversation's sid, `user/<identity>` or `profile/<identity>`. */
export type DocumentName = string

/** What a name names, or null when it is not a document's name. The identity is not checked here. */
export function parseDocumentName(name: DocumentName): { kind: DocumentKind; id: string } | null {
  if (CONVERSATION_NAME.test(name)) return { kind: 'conversation', id: name }
  if (name.startsWith('user/')) return { kind: 'user', id: name.slice(5) }
  if (name.startsWith('profile/')) return { kind: 'profile', id: name.slice(8) }
  return null
}

export const userDocument = (identity: string): DocumentName => `user/${identity}`
export const profileDocument = (identity: string): DocumentName => `profile/${identity}`

/** The root array to which an identity's devices append their operations. */
export const outboxName = (identity: string): string => `outbox/${encodeURIComponent(identity)}`

/** The key of `settings` under which push registrations stand; every other key is a conversation's sid. */
export const PUSH_KEY = 'push'
