/** `Users` and `Users/Conversations`. A user is whoever was in a conversation once, or has said something of themselves. */
import {
  ConfabError,
  type ConversationRecord,
  diffAttributes,
  isSid,
  normaliseIdentity,
  type ParticipantRecord,
  type ProfileRecord,
  participantSid,
  profileDocument,
  type ReadRecord,
  type SettingRecord,
  stateOf,
  userDocument,
  userSid,
} from '@confab/core'
import * as z from 'zod'
import type { NotedUser } from '../../store/objects.ts'
import { readConversation } from '../../store/read-conversation.ts'
import type { Call } from '../call.ts'
import { page } from '../paging.ts'
import { attributes, date as dateField, none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { anything, date, dates, json, links, maybe, text, timersOf } from '../shapes.ts'

const userAnswer = z.object({
  sid: text,
  account_sid: text,
  chat_service_sid: text,
  role_sid: text,
  identity: text,
  friendly_name: maybe,
  attributes: text,
  is_online: z.boolean().nullable(),
  is_notifiable: z.boolean(),
  date_created: date,
  date_updated: date,
  url: text,
  links,
})

const userFields = z.object({
  FriendlyName: textField.optional(),
  Attributes: attributes.optional(),
  RoleSid: textField.optional(),
})

async function profileOf(call: Call, identity: string): Promise<ProfileRecord | null> {
  const loaded = await call.relay.store.load(call.serviceSid, profileDocument(identity))
  if (!loaded) return null
  const values = loaded.mapItems.filter(({ root, value }) => root === 'profile' && value !== undefined)
  return Object.fromEntries(values.map(({ key, value }) => [key, value])) as unknown as ProfileRecord
}

async function shown(call: Call, { identity, noted }: NotedUser): Promise<z.infer<typeof userAnswer>> {
  const { book, engine } = call.relay
  const { reachabilityEnabled = true } = book.configuration(call.serviceSid)
  const profile = await profileOf(call, identity)
  const sid = userSid(call.serviceSid, identity)
  const url = `${call.base}/Users/${sid}`
  return {
    sid,
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    role_sid: book.serviceRole(call.serviceSid, identity),
    identity,
    friendly_name: profile?.friendlyName ?? null,
    attributes: json(profile?.attributes),
    is_online: reachabilityEnabled ? engine.isOnline(call.serviceSid, identity) : null,
    is_notifiable: profile?.notifiable ?? false,
    ...dates(profile?.dateCreated === undefined ? { dateCreated: noted } : profile),
    url,
    links: { user_conversations: `${url}/Conversations` },
  }
}

/** By sid or identity. @throws ConfabError 20404 */
async function userIn(call: Call, name: string): Promise<NotedUser> {
  const given = call.part(name)
  const { catalogue } = call.relay.store
  const sid = isSid('US', given) ? given : userSid(call.serviceSid, normalised(call, given))
  const user = await catalogue.user(call.serviceSid, sid)
  if (user === null) throw call.notFound()
  return user
}

function normalised(call: Call, identity: string): string {
  return normaliseIdentity(identity, call.relay.limits)
}

async function change(call: Call, identity: string, fields: z.infer<typeof userFields>): Promise<void> {
  const { FriendlyName, Attributes, RoleSid } = fields
  if (RoleSid !== undefined) {
    const role = call.relay.book.roles(call.serviceSid).get(RoleSid)
    if (role?.type !== 'service') throw new ConfabError(50434, `${RoleSid} is no role of the service`)
    await call.relay.book.putUserRole(call.serviceSid, identity, RoleSid)
  }
  if (FriendlyName === undefined && Attributes === undefined) return
  const before = await profileOf(call, identity)
  await call.submit(userDocument(identity), {
    type: 'user.update',
    identity,
    ...(FriendlyName !== undefined && { friendlyName: FriendlyName || null }),
    ...(Attributes !== undefined && { attributes: diffAttributes(before?.attributes ?? {}, Attributes) }),
  })
}

export const users: readonly Route[] = [
  route({
    method: 'POST',
    path: '/Users',
    resource: 'Users',
    summary: 'Makes a person known before they are in any conversation',
    parameters: userFields.extend({ Identity: textField }),
    answer: userAnswer,
    status: 201,
    handle: async (call, { Identity, ...fields }) => {
      const identity = normalised(call, Identity)
      const { catalogue } = call.relay.store
      const sid = userSid(call.serviceSid, identity)
      if ((await catalogue.user(call.serviceSid, sid)) !== null)
        throw new ConfabError(50201, `User ${identity} already exists`)
      await catalogue.noteUser(call.serviceSid, identity)
      await change(call, identity, fields)
      return shown(call, (await catalogue.user(call.serviceSid, sid)) as NotedUser)
    },
  }),
  route({
    method: 'GET',
    path: '/Users',
    resource: 'Users',
    summary: 'Lists the people of the service',
    parameters: paging,
    answer: userAnswer,
    list: 'users',
    handle: (call, given) =>
      page(
        call,
        'users',
        given,
        (span, limit) => call.relay.store.catalogue.users(call.serviceSid, span, limit),
        (user) => shown(call, user),
      ),
  }),
  route({
    method: 'GET',
    path: '/Users/{Sid}',
    resource: 'Users',
    summary: 'Fetches a person, by sid or identity',
    parameters: none,
    answer: userAnswer,
    handle: async (call) => shown(call, await userIn(call, 'Sid')),
  }),
  route({
    method: 'POST',
    path: '/Users/{Sid}',
    resource: 'Users',
    summary: 'Changes what is said of a person, or their role in the service',
    parameters: userFields,
    answer: userAnswer,
    handle: async (call, fields) => {
      const user = await userIn(call, 'Sid')
      await change(call, user.identity, fields)
      return shown(call, user)
    },
  }),
  route({
    method: 'DELETE',
    path: '/Users/{Sid}',
    resource: 'Users',
    summary:
      'Takes a person out of every conversation, and removes what is said of them; their messages stay',
    parameters: none,
    answer: null,
    handle: async (call) => {
      await forgetUser(call, (await userIn(call, 'Sid')).identity)
      return null
    },
  }),
]

/** Conversations at a time. */
const AT_A_TIME = 100

export async function forgetUser(call: Call, identity: string): Promise<void> {
  const { catalogue } = call.relay.store
  for (let after = -1; ; ) {
    const found = await catalogue.conversationsWith(call.serviceSid, { identity }, { after }, AT_A_TIME)
    for (const { sid } of found) {
      await call.submit(sid, { type: 'participant.remove', sid: participantSid(sid, { identity }) })
    }
    const last = found.at(-1)
    if (!last) break
    after = last.position
  }
  await call.submit(userDocument(identity), { type: 'user.delete' })
  await call.relay.book.putUserRole(call.serviceSid, identity, null)
  await catalogue.forgetUser(call.serviceSid, identity)
}

const userConversationAnswer = z.object({
  account_sid: text,
  chat_service_sid: text,
  conversation_sid: text,
  unread_messages_count: z.int().nullable(),
  last_read_message_index: z.int().nullable(),
  participant_sid: text,
  user_sid: text,
  friendly_name: maybe,
  conversation_state: z.enum(['active', 'inactive', 'closed']),
  timers: anything,
  attributes: text,
  date_created: date,
  date_updated: date,
  created_by: text,
  notification_level: z.enum(['default', 'muted']),
  unique_name: maybe,
  url: text,
  links,
})

interface Part {
  record: ConversationRecord
  participant: ParticipantRecord
  read: ReadRecord | undefined
  unread: number | null
}

async function partOf(call: Call, conversationSid: string, identity: string): Promise<Part | null> {
  const { store } = call.relay
  const found = await readConversation(store, call.serviceSid, conversationSid)
  const sid = participantSid(conversationSid, { identity })
  const participant = found?.participants.find((one) => one.sid === sid)
  if (!found || !participant) return null
  const read = found.reads.get(sid)
  const horizon = read?.lastReadMessageIndex ?? null
  const unread = horizon === null ? null : await store.catalogue.messagesAfter(found.key, horizon)
  return { record: found.record, participant, read, unread }
}

async function settingOf(
  call: Call,
  identity: string,
  conversationSid: string,
): Promise<SettingRecord | undefined> {
  const loaded = await call.relay.store.load(call.serviceSid, userDocument(identity))
  const item = loaded?.mapItems.find(({ root, key }) => root === 'settings' && key === conversationSid)
  return item?.value as SettingRecord | undefined
}

async function userConversation(
  call: Call,
  identity: string,
  part: Part,
): Promise<z.infer<typeof userConversationAnswer>> {
  const { record, participant, read, unread } = part
  const user = userSid(call.serviceSid, identity)
  const setting = await settingOf(call, identity, record.sid)
  const conversation = `${call.base}/Conversations/${record.sid}`
  return {
    account_sid: call.accountSid,
    chat_service_sid: call.serviceSid,
    conversation_sid: record.sid,
    unread_messages_count: unread,
    last_read_message_index: read?.lastReadMessageIndex ?? null,
    participant_sid: participant.sid,
    user_sid: user,
    friendly_name: record.friendlyName ?? null,
    conversation_state: stateOf(record),
    timers: timersOf(record),
    attributes: json(record.attributes),
    ...dates(record),
    created_by: record.createdBy,
    notification_level: setting?.notificationLevel ?? 'default',
    unique_name: record.uniqueName ?? null,
    url: `${call.base}/Users/${user}/Conversations/${record.sid}`,
    links: { participant: `${conversation}/Participants/${participant.sid}`, conversation },
  }
}

/** @throws ConfabError 20404 */
async function wanted(call: Call): Promise<{ identity: string; part: Part }> {
  const { identity } = await userIn(call, 'UserSid')
  const sid = await call.conversationSid(call.part('ConversationSid'))
  const part = sid === null ? null : await partOf(call, sid, identity)
  if (!part) throw call.notFound()
  return { identity, part }
}

const path = '/Users/{UserSid}/Conversations'
const resource = 'Users/Conversations'

export const userConversations: readonly Route[] = [
  route({
    method: 'GET',
    path,
    resource,
    summary: 'Lists the conversations in which a person takes part',
    parameters: paging,
    answer: userConversationAnswer,
    list: 'conversations',
    handle: async (call, given) => {
      const { identity } = await userIn(call, 'UserSid')
      const { catalogue } = call.relay.store
      return page(
        call,
        'conversations',
        given,
        (span, limit) => catalogue.conversationsWith(call.serviceSid, { identity }, span, limit),
        async ({ sid }) => {
          const part = await partOf(call, sid, identity)
          return part && userConversation(call, identity, part)
        },
      )
    },
  }),
  route({
    method: 'GET',
    path: `${path}/{ConversationSid}`,
    resource,
    summary: 'Fetches a conversation as one person has it',
    parameters: none,
    answer: userConversationAnswer,
    handle: async (call) => {
      const { identity, part } = await wanted(call)
      return userConversation(call, identity, part)
    },
  }),
  route({
    method: 'POST',
    path: `${path}/{ConversationSid}`,
    resource,
    summary: 'Changes how much somebody hears of a conversation, or how far they have read',
    parameters: z.object({
      NotificationLevel: z.enum(['default', 'muted']).optional(),
      LastReadMessageIndex: z
        .string()
        .regex(/^(|null|\d{1,15})$/, 'must be a whole number, or null')
        .optional(),
      LastReadTimestamp: dateField.optional(),
    }),
    answer: userConversationAnswer,
    handle: async (call, { NotificationLevel: notificationLevel, LastReadMessageIndex: read }) => {
      const { identity, part } = await wanted(call)
      const { sid } = part.record
      if (notificationLevel !== undefined) {
        await call.submit(userDocument(identity), {
          type: 'setting.set',
          conversationSid: sid,
          notificationLevel,
        })
      }
      if (read !== undefined) {
        const index = read === '' || read === 'null' ? null : Number(read)
        await call.submit(sid, { type: 'read.set', participantSid: part.participant.sid, index })
      }
      return userConversation(call, identity, (await partOf(call, sid, identity)) ?? part)
    },
  }),
  route({
    method: 'DELETE',
    path: `${path}/{ConversationSid}`,
    resource,
    summary: 'Takes a person out of a conversation',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { part } = await wanted(call)
      await call.submit(part.record.sid, { type: 'participant.remove', sid: part.participant.sid })
      return null
    },
  }),
]
