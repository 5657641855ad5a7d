/** Every route there is. A path that has a name in it comes behind those that say the same part by letters. */

import { addresses } from './resources/addresses.ts'
import { audit } from './resources/audit.ts'
import { conversationWithParticipants } from './resources/conversation-with-participants.ts'
import { conversations } from './resources/conversations.ts'
import { failedEvents } from './resources/failed-events.ts'
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
import type { Route } from './route.ts'

export const routes: readonly Route[] = [
  ...conversations,
  ...participants,
  ...messages,
  ...media,
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
