/** `Services`, and what each is configured to do. A service is a tenant: nothing of one meets anything of another. */
import {
  CHANNEL_ADMIN,
  CHANNEL_USER,
  ConfabError,
  defaultServiceSid,
  type Json,
  SERVICE_USER,
  timersProblem,
} from '@confab/core'
import * as z from 'zod'
import type { Call } from '../call.ts'
import { page } from '../paging.ts'
import { boolean, none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { anything, date, dates, links, maybe, text } from '../shapes.ts'

export const SERVICE = 'service'
export const SERVICE_CONFIGURATION = 'service-configuration'
const NOTIFICATIONS = 'service-notifications'

interface ServiceValue {
  friendlyName: string
  dateCreated: number
  dateUpdated: number
}

const serviceAnswer = z.object({
  account_sid: text,
  sid: text,
  friendly_name: text,
  date_created: date,
  date_updated: date,
  url: text,
  links,
})

function serviceShape(call: Call, sid: string, value: ServiceValue): z.infer<typeof serviceAnswer> {
  const url = `${call.base.replace(/\/Services\/.*$/, '')}/Services/${sid}`
  const parts = ['Conversations', 'Users', 'Roles', 'Bindings', 'Configuration']
  return {
    account_sid: call.accountSid,
    sid,
    friendly_name: value.friendlyName,
    ...dates(value),
    url,
    links: Object.fromEntries(parts.map((part) => [part.toLowerCase(), `${url}/${part}`])),
  }
}

/** The account's own service is there from the beginning: it is written down when somebody looks. */
async function withDefault(call: Call): Promise<void> {
  const { objects } = call.relay.store
  const sid = defaultServiceSid(call.accountSid)
  if (await objects.get(call.accountSid, SERVICE, sid)) return
  const now = call.relay.now()
  const value: ServiceValue = {
    friendlyName: 'Default Conversations Service',
    dateCreated: now,
    dateUpdated: now,
  }
  await objects.put(call.accountSid, SERVICE, sid, value as unknown as Json)
}

/** @throws ConfabError 20404 */
async function wanted(call: Call): Promise<{ sid: string; value: ServiceValue }> {
  await withDefault(call)
  const found = await call.relay.store.objects.get(call.accountSid, SERVICE, call.part('Sid'))
  if (!found) throw call.notFound()
  return { sid: found.sid, value: found.value as unknown as ServiceValue }
}

/** Services of one account, at most. */
const MOST = 1000

export const services: readonly Route[] = [
  route({
    method: 'POST',
    path: '/Services',
    scope: 'account',
    resource: 'Services',
    summary: 'Makes a service: a tenant of its own',
    parameters: z.object({ FriendlyName: textField.min(1).max(64) }),
    answer: serviceAnswer,
    status: 201,
    handle: async (call, { FriendlyName: friendlyName }) => {
      await withDefault(call)
      const { objects } = call.relay.store
      const known = await objects.list(call.accountSid, SERVICE, { after: -1 }, MOST)
      if (known.length >= MOST) throw new ConfabError(20001, `An account has at most ${MOST} services`)
      const now = call.relay.now()
      const sid = call.newSid('IS')
      const value: ServiceValue = { friendlyName, dateCreated: now, dateUpdated: now }
      await objects.put(call.accountSid, SERVICE, sid, value as unknown as Json)
      return serviceShape(call, sid, value)
    },
  }),
  route({
    method: 'GET',
    path: '/Services',
    scope: 'account',
    resource: 'Services',
    summary: 'Lists the services of the account',
    parameters: paging,
    answer: serviceAnswer,
    list: 'services',
    handle: async (call, given) => {
      await withDefault(call)
      return page(
        call,
        'services',
        given,
        (span, limit) => call.relay.store.objects.list(call.accountSid, SERVICE, span, limit),
        ({ sid, value }) => serviceShape(call, sid, value as unknown as ServiceValue),
      )
    },
  }),
  route({
    method: 'GET',
    path: '/Services/{Sid}',
    scope: 'account',
    resource: 'Services',
    summary: 'Fetches a service',
    parameters: none,
    answer: serviceAnswer,
    handle: async (call) => {
      const { sid, value } = await wanted(call)
      return serviceShape(call, sid, value)
    },
  }),
  route({
    method: 'DELETE',
    path: '/Services/{Sid}',
    scope: 'account',
    resource: 'Services',
    summary: 'Deletes a service with every conversation in it; not the default one',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { sid } = await wanted(call)
      if (sid === defaultServiceSid(call.accountSid))
        throw new ConfabError(20001, 'The default service can’t be deleted')
      const { store, engine } = call.relay
      for (;;) {
        const found = await store.catalogue.conversations(sid, {}, { after: -1 }, 100)
        if (found.length === 0) break
        for (const one of found) {
          const operation = {
            id: call.newId(),
            type: 'conversation.delete',
            dateWritten: call.relay.now(),
          } as const
          await engine.submit(sid, one.sid, operation, 'api-silent')
        }
      }
      await store.objects.delete(call.accountSid, SERVICE, sid)
      return null
    },
  }),
]

/** Roles that are given when nothing is said. */
export interface ServiceConfiguration {
  creatorRole: string
  participantRole: string
  userRole: string
  reachabilityEnabled: boolean
}

export const DEFAULT_CONFIGURATION: ServiceConfiguration = {
  creatorRole: CHANNEL_ADMIN,
  participantRole: CHANNEL_USER,
  userRole: SERVICE_USER,
  reachabilityEnabled: true,
}

const configurationAnswer = z.object({
  chat_service_sid: text,
  default_conversation_creator_role_sid: text,
  default_conversation_role_sid: text,
  default_chat_service_role_sid: text,
  url: text,
  links,
  reachability_enabled: z.boolean(),
})

async function configurationOf(call: Call): Promise<ServiceConfiguration> {
  const found = await call.relay.store.objects.get(call.serviceSid, SERVICE_CONFIGURATION, 'configuration')
  return { ...DEFAULT_CONFIGURATION, ...(found?.value as Partial<ServiceConfiguration> | undefined) }
}

function configurationShape(call: Call, given: ServiceConfiguration): z.infer<typeof configurationAnswer> {
  const url = `${call.base}/Configuration`
  return {
    chat_service_sid: call.serviceSid,
    default_conversation_creator_role_sid: given.creatorRole,
    default_conversation_role_sid: given.participantRole,
    default_chat_service_role_sid: given.userRole,
    url,
    links: { notifications: `${url}/Notifications`, webhooks: `${url}/Webhooks` },
    reachability_enabled: given.reachabilityEnabled,
  }
}

const event = {
  enabled: boolean.optional(),
  template: textField.max(1024).optional(),
  sound: textField.max(256).optional(),
}
const fieldsOf = (name: string) =>
  Object.fromEntries(
    Object.entries(event).map(([key, kind]) => [`${name}.${key[0]?.toUpperCase()}${key.slice(1)}`, kind]),
  )

const notificationFields = z.object({
  LogEnabled: boolean.optional(),
  ...fieldsOf('NewMessage'),
  'NewMessage.BadgeCountEnabled': boolean.optional(),
  'NewMessage.WithMedia.Enabled': boolean.optional(),
  'NewMessage.WithMedia.Template': textField.max(1024).optional(),
  ...fieldsOf('AddedToConversation'),
  ...fieldsOf('RemovedFromConversation'),
})

const notificationAnswer = z.object({
  account_sid: text,
  chat_service_sid: text,
  new_message: anything,
  added_to_conversation: anything,
  removed_from_conversation: anything,
  log_enabled: z.boolean(),
  url: text,
})

type Settings = { [name: string]: Json }

async function notificationsOf(call: Call): Promise<Settings> {
  const found = await call.relay.store.objects.get(call.serviceSid, NOTIFICATIONS, 'notifications')
  return (found?.value as Settings | undefined) ?? {}
}

function notificationShape(call: Call, given: Settings): z.infer<typeof notificationAnswer> {
  const group = (prefix: string) => {
    const own = Object.entries(given).filter(([name]) => name.startsWith(`${prefix}.`))
    const named = own.map(([name, value]) => [snake(name.slice(prefix.length + 1)), value] as const)
    return { enabled: false, template: '', sound: '', ...Object.fromEntries(named) }
  }
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    new_message: { badge_count_enabled: false, ...group('NewMessage') },
    added_to_conversation: group('AddedToConversation'),
    removed_from_conversation: group('RemovedFromConversation'),
    log_enabled: given.LogEnabled === true,
    url: `${call.base}/Configuration/Notifications`,
  }
}

const snake = (name: string) =>
  name
    .replaceAll('.', '')
    .replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`)
    .toLowerCase()

export const serviceConfiguration: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Configuration',
    scope: 'service',
    resource: 'Services/Configuration',
    summary: 'Fetches the roles that a service gives when nothing is said',
    parameters: none,
    answer: configurationAnswer,
    handle: async (call) => configurationShape(call, await configurationOf(call)),
  }),
  route({
    method: 'POST',
    path: '/Configuration',
    scope: 'service',
    resource: 'Services/Configuration',
    summary: 'Changes them',
    parameters: z.object({
      DefaultConversationCreatorRoleSid: textField.optional(),
      DefaultConversationRoleSid: textField.optional(),
      DefaultChatServiceRoleSid: textField.optional(),
      ReachabilityEnabled: boolean.optional(),
    }),
    answer: configurationAnswer,
    handle: async (call, fields) => {
      const book = call.relay.roles.of(call.serviceSid)
      const role = (sid: string | undefined, type: 'conversation' | 'service') => {
        if (sid !== undefined && book.get(sid)?.type !== type)
          throw new ConfabError(50434, `${sid} is no role for that`)
        return sid
      }
      const before = await configurationOf(call)
      const creatorRole = role(fields.DefaultConversationCreatorRoleSid, 'conversation') ?? before.creatorRole
      const participantRole =
        role(fields.DefaultConversationRoleSid, 'conversation') ?? before.participantRole
      if (creatorRole !== CHANNEL_ADMIN || participantRole !== CHANNEL_USER) {
        throw new ConfabError(
          20001,
          'Creators are channel admins and others channel users, on devices with no network too: change what these roles permit',
        )
      }
      const value: ServiceConfiguration = {
        creatorRole,
        participantRole,
        userRole: role(fields.DefaultChatServiceRoleSid, 'service') ?? before.userRole,
        reachabilityEnabled: fields.ReachabilityEnabled ?? before.reachabilityEnabled,
      }
      await call.relay.store.objects.put(call.serviceSid, SERVICE_CONFIGURATION, 'configuration', {
        ...value,
      })
      return configurationShape(call, value)
    },
  }),
  route({
    method: 'GET',
    path: '/Configuration/Notifications',
    scope: 'service',
    resource: 'Services/Configuration/Notifications',
    summary: 'Fetches what push notifications say; sending them is the app’s',
    parameters: none,
    answer: notificationAnswer,
    handle: async (call) => notificationShape(call, await notificationsOf(call)),
  }),
  route({
    method: 'POST',
    path: '/Configuration/Notifications',
    scope: 'service',
    resource: 'Services/Configuration/Notifications',
    summary: 'Changes what push notifications say',
    parameters: notificationFields,
    answer: notificationAnswer,
    handle: async (call, fields) => {
      const given = Object.entries(fields).filter(([, value]) => value !== undefined)
      const value = { ...(await notificationsOf(call)), ...Object.fromEntries(given) } as Settings
      await call.relay.store.objects.put(call.serviceSid, NOTIFICATIONS, 'notifications', value)
      return notificationShape(call, value)
    },
  }),
]

/** Of the account. */
const ACCOUNT_CONFIGURATION = 'account-configuration'

const accountAnswer = z.object({
  account_sid: text,
  default_chat_service_sid: text,
  default_messaging_service_sid: maybe,
  default_inactive_timer: maybe,
  default_closed_timer: maybe,
  url: text,
  links,
})

async function accountShape(call: Call): Promise<z.infer<typeof accountAnswer>> {
  const found = await call.relay.store.objects.get(call.accountSid, ACCOUNT_CONFIGURATION, 'configuration')
  const { inactive = null, closed = null } = (found?.value ?? {}) as { inactive?: string; closed?: string }
  const url = `${call.base}/Configuration`
  return {
    account_sid: call.accountSid,
    default_chat_service_sid: defaultServiceSid(call.accountSid),
    default_messaging_service_sid: null,
    default_inactive_timer: inactive,
    default_closed_timer: closed,
    url,
    links: { service: `${call.base}/Services`, webhooks: `${url}/Webhooks` },
  }
}

export const accountConfiguration: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Configuration',
    scope: 'account',
    resource: 'Configuration',
    summary: 'Fetches what is configured for the account',
    parameters: none,
    answer: accountAnswer,
    handle: accountShape,
  }),
  route({
    method: 'POST',
    path: '/Configuration',
    scope: 'account',
    resource: 'Configuration',
    summary: 'Changes the timers that conversations created by this API have when nothing is said',
    parameters: z.object({
      DefaultChatServiceSid: textField.optional(),
      DefaultMessagingServiceSid: textField.optional(),
      DefaultInactiveTimer: textField.optional(),
      DefaultClosedTimer: textField.optional(),
    }),
    answer: accountAnswer,
    handle: async (call, fields) => {
      const { DefaultChatServiceSid: service, DefaultMessagingServiceSid: messaging } = fields
      if (messaging) throw new ConfabError(20001, 'DefaultMessagingServiceSid is not supported')
      if (service !== undefined && service !== defaultServiceSid(call.accountSid)) {
        throw new ConfabError(
          20001,
          'DefaultChatServiceSid can’t be changed: tokens that name no service are for it',
        )
      }
      const { DefaultInactiveTimer: inactive, DefaultClosedTimer: closed } = fields
      const found = await call.relay.store.objects.get(
        call.accountSid,
        ACCOUNT_CONFIGURATION,
        'configuration',
      )
      const value = {
        ...(found?.value as { [name: string]: Json } | undefined),
        ...(inactive !== undefined && { inactive }),
        ...(closed !== undefined && { closed }),
      }
      const problem = timersProblem(
        Object.fromEntries(Object.entries(value).filter(([, timer]) => timer !== '')),
      )
      if (problem) throw new ConfabError(problem.code, problem.message)
      await call.relay.store.objects.put(call.accountSid, ACCOUNT_CONFIGURATION, 'configuration', value)
      return accountShape(call)
    },
  }),
]

/** The timers of a conversation that is created by this API and says nothing of them. */
export async function defaultTimers(call: Call): Promise<{ inactive?: string; closed?: string }> {
  const found = await call.relay.store.objects.get(call.accountSid, ACCOUNT_CONFIGURATION, 'configuration')
  const { inactive, closed } = (found?.value ?? {}) as { inactive?: string; closed?: string }
  return { ...(inactive && { inactive }), ...(closed && { closed }) }
}
