/** `Services`, and what each is configured to do. A service is a tenant: nothing of one meets anything of another. */
import {
  CHANNEL_ADMIN,
  CHANNEL_USER,
  ConfabError,
  defaultServiceSid,
  type Json,
  SERVICE_USER,
  type TimersRecord,
  timersProblem,
} from '@confab/core'
import * as z from 'zod'
import type { ListedService } from '../../services/services.ts'
import type { Call } from '../call.ts'
import { page } from '../paging.ts'
import { boolean, none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { anything, date, dates, links, maybe, text } from '../shapes.ts'
import { forgetUser } from './users.ts'

const NOTIFICATIONS = 'service-notifications'

const serviceAnswer = z.object({
  account_sid: text,
  sid: text,
  friendly_name: text,
  date_created: date,
  date_updated: date,
  url: text,
  links,
})

function serviceShape(call: Call, service: ListedService): z.infer<typeof serviceAnswer> {
  const { sid, friendlyName } = service
  const url = `${call.base}/Services/${sid}`
  const parts = ['Conversations', 'Users', 'Roles', 'Bindings', 'Configuration']
  return {
    account_sid: call.accountSid,
    sid,
    friendly_name: friendlyName,
    ...dates(service),
    url,
    links: Object.fromEntries(parts.map((part) => [part.toLowerCase(), `${url}/${part}`])),
  }
}

/** @throws ConfabError 20404 */
async function wanted(call: Call): Promise<ListedService> {
  const found = await call.relay.services.get(call.accountSid, call.part('Sid'))
  if (!found) throw call.notFound()
  return found
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
      const { services } = call.relay
      const known = await services.list(call.accountSid, { after: -1 }, MOST)
      if (known.length >= MOST) throw new ConfabError(20001, `An account has at most ${MOST} services`)
      const sid = await services.create(call.accountSid, friendlyName)
      return serviceShape(call, (await services.get(call.accountSid, sid)) as ListedService)
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
    handle: (call, given) =>
      page(
        call,
        'services',
        given,
        (span, limit) => call.relay.services.list(call.accountSid, span, limit),
        (service) => serviceShape(call, service),
      ),
  }),
  route({
    method: 'GET',
    path: '/Services/{Sid}',
    scope: 'account',
    resource: 'Services',
    summary: 'Fetches a service',
    parameters: none,
    answer: serviceAnswer,
    handle: async (call) => serviceShape(call, await wanted(call)),
  }),
  route({
    method: 'DELETE',
    path: '/Services/{Sid}',
    scope: 'account',
    resource: 'Services',
    summary: 'Deletes a service with everything in it; not the one that /v1/… is about',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { sid } = await wanted(call)
      const { services, book } = call.relay
      if (sid === defaultServiceSid(call.accountSid))
        throw new ConfabError(20001, "The default service can't be deleted")
      // from here on nobody gets in by this API, and what is taken out stays out
      await services.delete(call.accountSid, sid)
      await emptied(call.within(sid))
      await book.forget(sid)
      call.relay.webhooks.book.forget(sid)
      return null
    },
  }),
]

/** Every conversation and everybody of the service goes. */
async function emptied(call: Call): Promise<void> {
  const { catalogue } = call.relay.store
  for (;;) {
    const found = await catalogue.conversations(call.serviceSid, {}, { after: -1 }, 100)
    if (found.length === 0) break
    for (const { sid } of found) await call.submit(sid, { type: 'conversation.delete' })
  }
  for (;;) {
    const found = await catalogue.users(call.serviceSid, { after: -1 }, 100)
    if (found.length === 0) return
    for (const { identity } of found) await forgetUser(call, identity)
  }
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

function configurationShape(call: Call): z.infer<typeof configurationAnswer> {
  const given = call.relay.book.configuration(call.serviceSid)
  const url = `${call.base}/Configuration`
  return {
    chat_service_sid: call.serviceSid,
    default_conversation_creator_role_sid: given.creatorRoleSid ?? CHANNEL_ADMIN,
    default_conversation_role_sid: given.participantRoleSid ?? CHANNEL_USER,
    default_chat_service_role_sid: given.serviceRoleSid ?? SERVICE_USER,
    url,
    links: { notifications: `${url}/Notifications`, webhooks: `${url}/Webhooks` },
    reachability_enabled: given.reachabilityEnabled ?? true,
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
  const group = (prefix: string): { [name: string]: Json } => {
    const own = Object.entries(given).filter(([name]) => name.startsWith(`${prefix}.`))
    const named = own.map(([name, value]) => [snake(name.slice(prefix.length + 1)), value] as const)
    // what is nested deeper is a group of its own
    const flat = named.filter(([name]) => !name.includes('.'))
    return { enabled: false, template: '', sound: '', ...Object.fromEntries(flat) }
  }
  const { sound: _, ...media } = group('NewMessage.WithMedia')
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    new_message: { badge_count_enabled: false, ...group('NewMessage'), with_media: media },
    added_to_conversation: group('AddedToConversation'),
    removed_from_conversation: group('RemovedFromConversation'),
    log_enabled: given.LogEnabled === true,
    url: `${call.base}/Configuration/Notifications`,
  }
}

/** `BadgeCountEnabled` becomes `badge_count_enabled`. */
const snake = (name: string) => name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase()

export const serviceConfiguration: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Configuration',
    scope: 'service',
    resource: 'Services/Configuration',
    summary: 'Fetches the roles that a service gives when nothing is said',
    parameters: none,
    answer: configurationAnswer,
    handle: async (call) => configurationShape(call),
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
      const { book } = call.relay
      const role = (sid: string, type: 'conversation' | 'service') => {
        if (book.roles(call.serviceSid).get(sid)?.type !== type)
          throw new ConfabError(50434, `There is no ${type} role ${sid.slice(0, 64).toWellFormed()}`)
        return sid
      }
      const {
        DefaultConversationCreatorRoleSid: creator,
        DefaultConversationRoleSid: participant,
        DefaultChatServiceRoleSid: service,
        ReachabilityEnabled: reachabilityEnabled,
      } = fields
      await book.configure(call.serviceSid, {
        ...(creator !== undefined && { creatorRoleSid: role(creator, 'conversation') }),
        ...(participant !== undefined && { participantRoleSid: role(participant, 'conversation') }),
        ...(service !== undefined && { serviceRoleSid: role(service, 'service') }),
        ...(reachabilityEnabled !== undefined && { reachabilityEnabled }),
      })
      if (reachabilityEnabled !== undefined) call.relay.engine.reachabilityChanged(call.serviceSid)
      return configurationShape(call)
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

const accountAnswer = z.object({
  account_sid: text,
  default_chat_service_sid: text,
  default_messaging_service_sid: maybe,
  default_inactive_timer: maybe,
  default_closed_timer: maybe,
  url: text,
  links,
})

function accountShape(call: Call): z.infer<typeof accountAnswer> {
  const { inactive = null, closed = null } = call.relay.book.configuration(call.serviceSid).timers ?? {}
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
    handle: async (call) => accountShape(call),
  }),
  route({
    method: 'POST',
    path: '/Configuration',
    scope: 'account',
    resource: 'Configuration',
    summary: 'Changes the timers of new conversations of the default service that say nothing of timers',
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
      const before = call.relay.book.configuration(call.serviceSid).timers ?? {}
      const timers = withoutEmpty({
        ...before,
        ...(inactive !== undefined && { inactive }),
        ...(closed !== undefined && { closed }),
      })
      const problem = timersProblem(timers)
      if (problem) throw new ConfabError(problem.code, problem.message)
      await call.relay.book.configure(call.serviceSid, { timers })
      return accountShape(call)
    },
  }),
]

/** An empty timer is none. */
const withoutEmpty = (timers: TimersRecord): TimersRecord =>
  Object.fromEntries(Object.entries(timers).filter(([, timer]) => timer !== ''))
