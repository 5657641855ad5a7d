/** Webhooks: `Configuration/Webhooks` of the account and of services, and those of single conversations. */
import { ConfabError } from '@confab/core'
import * as z from 'zod'
import { POST_EVENTS } from '../../events.ts'
import {
  ALL_EVENTS,
  type ConversationWebhook,
  type EventType,
  type HttpMethod,
  scopeOf,
  WEBHOOK,
  type WebhookConfiguration,
} from '../../webhooks/book.ts'
import { checkTarget } from '../../webhooks/target.ts'
import type { Call } from '../call.ts'
import { integer, list, none, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { date, dates, maybe, text } from '../shapes.ts'
import { storedResource } from './stored.ts'

/** Messages that a new webhook is told of that were there before it. */
const MOST_REPLAYED = 1000
/** Webhooks of one conversation, at most: as many as with Twilio. */
const MOST = 5

const method = z.enum(['GET', 'POST', 'get', 'post'], { error: 'must be GET or POST' })

const filtersOf = (given: readonly string[], events: readonly EventType[], name: string): EventType[] => {
  const unknown = given.find((one) => one !== '' && !events.includes(one as EventType))
  if (unknown !== undefined)
    throw new ConfabError(20001, `${name}: ${unknown.slice(0, 64)} is none of ${events.join(', ')}`)
  return [...new Set(given.filter((one) => one !== ''))] as EventType[]
}

// ── configurations ──────────────────────────────────────────────────────────────────────────────────

const fields = z.object({
  Method: method.optional(),
  Filters: list(textField).optional(),
  PreWebhookUrl: textField.optional(),
  PostWebhookUrl: textField.optional(),
})

const common = { account_sid: text, method: z.enum(['GET', 'POST']), filters: z.array(text), url: text }
const urls = { pre_webhook_url: maybe, post_webhook_url: maybe }
const accountAnswer = z.object({ ...common, ...urls, target: z.enum(['webhook', 'flex']) })
const serviceAnswer = z.object({ ...common, ...urls, chat_service_sid: text })

const shapeOf = (call: Call, { method, filters, preUrl, postUrl }: WebhookConfiguration) => ({
  account_sid: call.accountSid,
  method,
  filters: filters ?? [...ALL_EVENTS],
  pre_webhook_url: preUrl,
  post_webhook_url: postUrl,
  url: `${call.base}/Configuration/Webhooks`,
})

const accountShape = (call: Call, configuration: WebhookConfiguration): z.infer<typeof accountAnswer> => ({
  ...shapeOf(call, configuration),
  target: 'webhook',
})

const serviceShape = (call: Call, configuration: WebhookConfiguration): z.infer<typeof serviceAnswer> => ({
  ...shapeOf(call, configuration),
  chat_service_sid: call.serviceSid,
})

/** Changes what is given; an empty address is none. */
async function configure(
  call: Call,
  sid: string,
  given: z.infer<typeof fields>,
): Promise<WebhookConfiguration> {
  const { book, settings } = call.relay.webhooks
  for (const name of ['PreWebhookUrl', 'PostWebhookUrl'] as const)
    if (given[name]) checkTarget(name, given[name], settings.allowPrivateTargets)
  const before = book.configuration(sid)
  const after: WebhookConfiguration = {
    preUrl: given.PreWebhookUrl === undefined ? before.preUrl : given.PreWebhookUrl || null,
    postUrl: given.PostWebhookUrl === undefined ? before.postUrl : given.PostWebhookUrl || null,
    method: (given.Method?.toUpperCase() as HttpMethod | undefined) ?? before.method,
    filters: given.Filters ? filtersOf(given.Filters, ALL_EVENTS, 'Filters') : before.filters,
  }
  await book.configure(sid, after)
  return after
}

export const webhookConfigurations: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Configuration/Webhooks',
    scope: 'account',
    resource: 'Configuration/Webhooks',
    summary: 'Fetches the webhooks of the account, which are for every service that has none of its own',
    parameters: none,
    answer: accountAnswer,
    handle: async (call) => accountShape(call, call.relay.webhooks.book.configuration(call.accountSid)),
  }),
  route({
    method: 'POST',
    path: '/Configuration/Webhooks',
    scope: 'account',
    resource: 'Configuration/Webhooks',
    summary: 'Changes the webhooks of the account; only the fields that are given',
    parameters: fields.extend({ Target: textField.optional() }),
    answer: accountAnswer,
    handle: async (call, { Target, ...given }) => {
      if (Target !== undefined && Target !== 'webhook')
        throw new ConfabError(20001, 'Target must be webhook: flex is a service of Twilio’s')
      return accountShape(call, await configure(call, call.accountSid, given))
    },
  }),
  route({
    method: 'GET',
    path: '/Configuration/Webhooks',
    scope: 'service',
    resource: 'Configuration/Webhooks',
    summary: 'Fetches the webhooks of the service',
    parameters: none,
    answer: serviceAnswer,
    handle: async (call) => serviceShape(call, call.relay.webhooks.book.configuration(call.serviceSid)),
  }),
  route({
    method: 'POST',
    path: '/Configuration/Webhooks',
    scope: 'service',
    resource: 'Configuration/Webhooks',
    summary: 'Changes the webhooks of the service, which are instead of the account’s',
    parameters: fields,
    answer: serviceAnswer,
    handle: async (call, given) => serviceShape(call, await configure(call, call.serviceSid, given)),
  }),
]

// ── of a conversation ───────────────────────────────────────────────────────────────────────────────

const answer = z.object({
  sid: text,
  account_sid: text,
  conversation_sid: text,
  chat_service_sid: text,
  target: z.literal('webhook'),
  url: text,
  configuration: z.object({ url: text, method: z.enum(['get', 'post']), filters: z.array(text) }),
  date_created: date,
  date_updated: date,
})

const settings = z.object({
  'Configuration.Url': textField.optional(),
  'Configuration.Method': method.optional(),
  'Configuration.Filters': list(textField).optional(),
  'Configuration.Triggers': list(textField).optional(),
  'Configuration.FlowSid': textField.optional(),
})

function changedBy(
  call: Call,
  given: z.infer<typeof settings>,
  before: Omit<ConversationWebhook, 'dateCreated' | 'dateUpdated'>,
) {
  if (given['Configuration.Triggers'] || given['Configuration.FlowSid'] !== undefined)
    throw new ConfabError(20001, NO_TWILIO_TARGETS)
  const url = given['Configuration.Url']
  if (url !== undefined)
    checkTarget('Configuration.Url', url, call.relay.webhooks.settings.allowPrivateTargets)
  const filters = given['Configuration.Filters']
  return {
    url: url ?? before.url,
    method: (given['Configuration.Method']?.toUpperCase() as HttpMethod | undefined) ?? before.method,
    filters: filters ? filtersOf(filters, POST_EVENTS, 'Configuration.Filters') : before.filters,
  }
}

const NO_TWILIO_TARGETS =
  'Target must be webhook: trigger and studio start services of Twilio’s, which a relay has none of'

export const conversationWebhooks: readonly Route[] = storedResource<
  ConversationWebhook,
  z.ZodObject,
  z.ZodObject
>({
  kind: WEBHOOK,
  path: '/Conversations/{ConversationSid}/Webhooks',
  scope: 'both',
  resource: 'Conversations/Webhooks',
  one: 'a webhook of the conversation, which is told of what has happened there',
  list: 'webhooks',
  prefix: 'WH',
  most: MOST,
  scopeOf: async (call) => scopeOf(call.serviceSid, (await call.place()).sid),
  create: settings.extend({ Target: textField, 'Configuration.ReplayAfter': integer.optional() }),
  update: settings,
  answer,
  made: async (call, given) => {
    const { Target, ...rest } = given as { Target: string } & z.infer<typeof settings>
    if (Target !== 'webhook') throw new ConfabError(20001, NO_TWILIO_TARGETS)
    await checkReplay(call, given as { 'Configuration.ReplayAfter'?: number })
    if (!rest['Configuration.Url']) throw new ConfabError(20001, 'Configuration.Url is needed')
    return changedBy(call, rest, { url: '', method: 'POST', filters: null })
  },
  changed: (call, before, given) => changedBy(call, given as z.infer<typeof settings>, before),
  shape: (call, sid, value): z.infer<typeof answer> => {
    const conversation = call.relay.webhooks.book.conversationOf(sid) ?? call.part('ConversationSid')
    return {
      sid,
      account_sid: call.accountSid,
      conversation_sid: conversation,
      chat_service_sid: call.serviceSid,
      target: 'webhook',
      url: `${call.base}/Conversations/${conversation}/Webhooks/${sid}`,
      configuration: {
        url: value.url,
        method: value.method === 'GET' ? 'get' : 'post',
        filters: value.filters ?? [...POST_EVENTS],
      },
      ...dates(value),
    }
  },
  after: async (call, { scope, sid, value, made }) => {
    const { webhooks } = call.relay
    const from = (made as { 'Configuration.ReplayAfter'?: number } | undefined)?.['Configuration.ReplayAfter']
    const isReplayed = value && from !== undefined && (value.filters?.includes('onMessageAdded') ?? true)
    const next = isReplayed ? await replay(call, scope, sid, value, from) : null
    webhooks.book.noted(scope, sid, value)
    // what was committed meanwhile
    if (value && next !== null) await replay(call, scope, sid, value, next)
    if (!value) await webhooks.forget(sid)
  },
})

/** @throws ConfabError 20001 for an index that is none, or that lies too far back */
async function checkReplay(
  call: Call,
  { 'Configuration.ReplayAfter': from }: { 'Configuration.ReplayAfter'?: number },
): Promise<void> {
  if (from === undefined) return
  const { highestIndex } = await call.place()
  const first = Math.max(0, highestIndex + 1 - MOST_REPLAYED)
  if (from < first)
    throw new ConfabError(
      20001,
      `Configuration.ReplayAfter must be ${first} or more here: at most ${MOST_REPLAYED} messages are told again`,
    )
}

/** Gives the index behind what was told. */
function replay(
  call: Call,
  scope: string,
  sid: string,
  { url, method }: ConversationWebhook,
  from: number,
): Promise<number> {
  const { accountSid, serviceSid, relay } = call
  const conversationSid = scope.split('/')[1] as string
  const messages = relay.engine.readMessages(serviceSid, conversationSid, { from })
  const of = { accountSid, serviceSid, conversationSid }
  return relay.webhooks.replay({ webhook: sid, url, method }, of, messages, from)
}
