/** `Configuration/Webhooks/Failures`: what no webhook took. Confab's own: Twilio keeps no list of it. */
import { ConfabError, isHexId } from '@confab/core'
import * as z from 'zod'
import type { DeadEvent } from '../../webhooks/queue.ts'
import { list, none, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { date, dateText, maybe, text } from '../shapes.ts'

/** Events of a list, at most. */
const LISTED = 100

const deadAnswer = z.object({
  sid: text,
  account_sid: text,
  chat_service_sid: text,
  webhook_sid: text,
  event_type: text,
  conversation_sid: maybe,
  attempts: z.int(),
  error: text,
  date_created: date,
  date_failed: date,
})

const deadShape = (event: DeadEvent): z.infer<typeof deadAnswer> => ({
  sid: event.token,
  account_sid: event.accountSid,
  chat_service_sid: event.serviceSid,
  webhook_sid: event.webhook,
  event_type: event.fields.EventType ?? '',
  conversation_sid: event.document.startsWith('CH') ? event.document : null,
  attempts: event.attempts,
  error: event.error,
  date_created: dateText(event.at),
  date_failed: dateText(event.deadAt),
})

export const failedEvents: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Configuration/Webhooks/Failures',
    scope: 'account',
    resource: 'Configuration/Webhooks',
    summary: 'Lists the newest hundred events that no webhook took',
    parameters: none,
    answer: z.object({ failures: z.array(deadAnswer) }),
    handle: async ({ relay, accountSid }) => ({
      failures: (await relay.store.webhooks.dead(accountSid, LISTED)).map(deadShape),
    }),
  }),
  route({
    method: 'POST',
    path: '/Configuration/Webhooks/Failures',
    scope: 'account',
    resource: 'Configuration/Webhooks',
    summary: 'Tells them again: those that are named, or all',
    parameters: z.object({ Sid: list(textField).optional() }),
    answer: z.object({ retried: z.int() }),
    status: 202,
    handle: async ({ relay, accountSid }, { Sid }) => {
      const wrong = Sid?.find((one) => !isHexId(one))
      if (wrong !== undefined) throw new ConfabError(20001, 'Sid must be that of an event in the list')
      return { retried: await relay.webhooks.retry(accountSid, Sid ?? null) }
    },
  }),
]
