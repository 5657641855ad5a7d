/** `Conversations`. */
import { randomBytes } from 'node:crypto'
import { ConfabError, conversationSid, diffAttributes, type TimersRecord } from '@confab/core'
import * as z from 'zod'
import { readConversation } from '../../store/read-conversation.ts'
import type { Call } from '../call.ts'
import { page } from '../paging.ts'
import { attributes, date, none, paging, text } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { conversationAnswer, conversationShape } from '../shapes.ts'

const state = z.enum(['active', 'inactive', 'closed'])

/** What creating and changing have in common. Dates are the relay's to give, and are taken as Twilio takes them. */
export const conversationFields = z.object({
  FriendlyName: text.optional(),
  UniqueName: text.optional(),
  Attributes: attributes.optional(),
  State: state.optional(),
  'Timers.Inactive': text.optional(),
  'Timers.Closed': text.optional(),
  MessagingServiceSid: text.optional(),
  DateCreated: date.optional(),
  DateUpdated: date.optional(),
  'Bindings.Email.Address': text.optional(),
  'Bindings.Email.Name': text.optional(),
})

export type ConversationFields = z.infer<typeof conversationFields>

/** Creates one; gives its sid. */
export async function createConversation(call: Call, fields: ConversationFields): Promise<string> {
  refuseForeign(fields)
  const { FriendlyName: friendlyName, UniqueName: uniqueName, Attributes, State } = fields
  await refuseTaken(call, uniqueName)
  const nonce = randomBytes(16).toString('hex')
  const sid = conversationSid('', nonce)
  const timers = timersOf(fields)
  const { warnings } = await call.submit(sid, {
    type: 'conversation.create',
    nonce,
    ...(friendlyName !== undefined && { friendlyName }),
    ...(uniqueName !== undefined && uniqueName !== '' && { uniqueName }),
    ...(Attributes !== undefined && { attributes: Attributes }),
    ...(timers && { timers }),
  })
  // somebody was quicker with the name: here the caller wants all of it or nothing
  if (warnings?.some(({ code }) => code === 50353)) {
    await call.submit(sid, { type: 'conversation.delete' })
    throw new ConfabError(50353, 'Conversation with provided unique name already exists')
  }
  await changeState(call, sid, State)
  return sid
}

async function refuseTaken(call: Call, uniqueName: string | undefined, self?: string): Promise<void> {
  if (!uniqueName) return
  const owner = await call.relay.store.uniqueNameOwner(call.serviceSid, uniqueName)
  if (owner !== null && owner !== self) {
    throw new ConfabError(50353, 'Conversation with provided unique name already exists')
  }
}

/** What belongs to services of Twilio's that a relay has none of. */
function refuseForeign(fields: ConversationFields): void {
  for (const name of ['MessagingServiceSid', 'Bindings.Email.Address', 'Bindings.Email.Name'] as const) {
    if (fields[name])
      throw new ConfabError(20001, `${name} is not supported: channels are configured at the relay`)
  }
}

function timersOf(fields: ConversationFields): TimersRecord | null {
  const { 'Timers.Inactive': inactive, 'Timers.Closed': closed } = fields
  if (inactive === undefined && closed === undefined) return null
  return { ...(inactive && { inactive }), ...(closed && { closed }) }
}

async function changeState(
  call: Call,
  sid: string,
  wanted: z.infer<typeof state> | undefined,
): Promise<void> {
  if (wanted === 'closed') await call.submit(sid, { type: 'conversation.close' })
  else if (wanted !== undefined) await call.submit(sid, { type: 'conversation.update', state: wanted })
}

export async function shownConversation(call: Call, sid: string) {
  const found = await readConversation(call.relay.store, call.serviceSid, sid)
  if (!found) throw call.notFound()
  return conversationShape(call, found.record)
}

export const conversations: readonly Route[] = [
  route({
    method: 'POST',
    path: '/Conversations',
    resource: 'Conversations',
    summary: 'Creates a conversation, which has no participants yet',
    parameters: conversationFields,
    answer: conversationAnswer,
    status: 201,
    handle: async (call, fields) => shownConversation(call, await createConversation(call, fields)),
  }),
  route({
    method: 'GET',
    path: '/Conversations',
    resource: 'Conversations',
    summary: 'Lists conversations of the service, the oldest first',
    parameters: paging.extend({
      StartDate: date.optional(),
      EndDate: date.optional(),
      State: state.optional(),
    }),
    answer: conversationAnswer,
    list: 'conversations',
    handle: (call, { StartDate: from, EndDate, State, ...rest }) => {
      // a day, as an end, is all of it
      const to = EndDate === undefined ? undefined : EndDate % DAY === 0 ? EndDate + DAY - 1 : EndDate
      const filter = {
        ...(State !== undefined && { state: State }),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      }
      return page(
        call,
        'conversations',
        rest,
        (span, limit) => call.relay.store.catalogue.conversations(call.serviceSid, filter, span, limit),
        async ({ sid }) => {
          const found = await readConversation(call.relay.store, call.serviceSid, sid)
          return found && conversationShape(call, found.record)
        },
      )
    },
  }),
  route({
    method: 'GET',
    path: '/Conversations/{Sid}',
    resource: 'Conversations',
    summary: 'Fetches a conversation, by its sid or its unique name',
    parameters: none,
    answer: conversationAnswer,
    handle: async (call) => conversationShape(call, (await call.conversation('Sid')).record),
  }),
  route({
    method: 'POST',
    path: '/Conversations/{Sid}',
    resource: 'Conversations',
    summary: 'Changes a conversation; only the fields that are given',
    parameters: conversationFields,
    answer: conversationAnswer,
    handle: async (call, fields) => {
      refuseForeign(fields)
      const { record } = await call.conversation('Sid')
      const { FriendlyName: friendlyName, UniqueName, Attributes, State } = fields
      await refuseTaken(call, UniqueName, record.sid)
      const timers = timersOf(fields)
      const changes = {
        ...(friendlyName !== undefined && { friendlyName: friendlyName || null }),
        ...(UniqueName !== undefined && { uniqueName: UniqueName || null }),
        ...(Attributes !== undefined && { attributes: diffAttributes(record.attributes ?? {}, Attributes) }),
        ...(timers && { timers: { ...record.timers, ...timers } }),
      }
      if (Object.keys(changes).length > 0) {
        await call.submit(record.sid, { type: 'conversation.update', ...changes })
      }
      await changeState(call, record.sid, State)
      return shownConversation(call, record.sid)
    },
  }),
  route({
    method: 'DELETE',
    path: '/Conversations/{Sid}',
    resource: 'Conversations',
    summary: 'Deletes a conversation for everybody, with its messages',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { record } = await call.conversation('Sid')
      await call.submit(record.sid, { type: 'conversation.delete' })
      return null
    },
  }),
]

const DAY = 24 * 60 * 60 * 1000
