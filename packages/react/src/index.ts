/** React hooks over the Confab SDK. They listen while they are rendered, and re-render what a change concerns. */
export { type Connection, useConnection } from './connection.ts'
export { type Conversations, useConversation, useConversations } from './conversations.ts'
export type { MessagesState, Range } from './message-window.ts'
export { type Messages, useMessage, useMessages } from './messages.ts'
export { useHeldOperations, usePendingOperations } from './operations.ts'
export { useParticipants, useTyping, useUnread, useUser } from './people.ts'
export { ConfabProvider, useClient, useMaybeClient } from './provider.ts'
