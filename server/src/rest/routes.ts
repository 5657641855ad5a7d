/** Every route there is. A path that has a name in it comes behind those that say the same part by letters. */

import { addresses } from './resources/addresses.ts'
import { audit } from './resources/audit.ts'
import { conversationWithParticipants } from './resources/conversation-with-participants.ts'
import { conversations } from './resources/conversations.ts'
import { failedEvents } from './resources/failed-events.ts'
import { imports } from './resources/imports.ts'
import { keys } from './resources/keys.ts'
import { media } from './resources/media.ts'
import { messages } from './resources/messages.ts'
import { participantConversations } from './resources/participant-conversations.ts'
import { participants } from './resources/participants.ts'
import { bindings, credentials } from './resources/push.ts'
import { roles } from './resources/roles.ts'
import { accountConfiguration, serviceConfiguration, services } from './resources/services.ts'
import { userConversations, users } from './resources/users.ts'
import { conversationWebhooks, webhookConfigurations } from './resources/webhooks.ts'
import { matches, type Route } from './route.ts'

export const routes: readonly Route[] = [
  ...conversations,
  ...participants,
  ...messages,
  ...media,
  ...imports,
  ...users,
  ...userConversations,
  ...participantConversations,
  ...conversationWithParticipants,
  ...services,
  ...serviceConfiguration,
  ...accountConfiguration,
  ...addresses,
  ...conversationWebhooks,
  ...webhookConfigurations,
  ...failedEvents,
  ...roles,
  ...bindings,
  ...credentials,
  ...keys,
  ...audit,
]

const withContent = routes.filter(({ takes }) => takes === 'content').map(({ path }) => path.split('/'))

/** Whether a request's body is content, and may take long. */
export function isContentPath(path: string): boolean {
  const parts = path.replace(/^\/v1(?:\/Services\/[^/]+)?/, '').split('/')
  return path.startsWith('/v1/') && withContent.some((template) => matches(template, parts) !== null)
}
