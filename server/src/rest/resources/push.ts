/** `Credentials` and `Bindings`: what an app's sender of push notifications needs. The relay keeps them, and sends nothing. */

import { createHash } from 'node:crypto'
import { isSid, PUSH_KEY, type PushRegistrationRecord, userDocument } from '@confab/core'
import * as z from 'zod'
import type { Call } from '../call.ts'
import { spanOf } from '../in-memory.ts'
import { page } from '../paging.ts'
import { boolean, list, none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { date, dates, dateText, maybe, text } from '../shapes.ts'
import { type StoredValue, storedResource } from './stored.ts'

interface CredentialValue extends StoredValue {
  friendlyName: string | null
  type: 'apn' | 'gcm' | 'fcm'
  sandbox: boolean | null
}

const credentialAnswer = z.object({
  sid: text,
  account_sid: text,
  friendly_name: maybe,
  type: z.enum(['apn', 'gcm', 'fcm']),
  sandbox: maybe,
  date_created: date,
  date_updated: date,
  url: text,
})

const credentialFields = z.object({
  Type: z.enum(['apn', 'gcm', 'fcm'], { error: 'must be apn, gcm or fcm' }).optional(),
  FriendlyName: textField.max(64).optional(),
  Certificate: textField.optional(),
  PrivateKey: textField.optional(),
  Sandbox: boolean.optional(),
  ApiKey: textField.optional(),
  Secret: textField.optional(),
})

// The secrets themselves are not kept: nothing here would use them, and what isn't kept can't be taken.
export const credentials: readonly Route[] = storedResource<CredentialValue, z.ZodObject, z.ZodObject>({
  kind: 'credential',
  path: '/Credentials',
  scope: 'account',
  resource: 'Credentials',
  one: 'the name of a credential for push; its secrets are not kept, since the app sends',
  list: 'credentials',
  prefix: 'CR',
  most: 100,
  scopeOf: (call) => call.accountSid,
  create: credentialFields.required({ Type: true }),
  update: credentialFields,
  answer: credentialAnswer,
  made: (_, given) => ({
    friendlyName: (given.FriendlyName as string | undefined) ?? null,
    type: given.Type as CredentialValue['type'],
    sandbox: (given.Sandbox as boolean | undefined) ?? null,
  }),
  changed: (_, before, given) => ({
    friendlyName: (given.FriendlyName as string | undefined) ?? before.friendlyName,
    type: (given.Type as CredentialValue['type'] | undefined) ?? before.type,
    sandbox: (given.Sandbox as boolean | undefined) ?? before.sandbox,
  }),
  shape: (call, sid, value): z.infer<typeof credentialAnswer> => ({
    sid,
    account_sid: call.accountSid,
    friendly_name: value.friendlyName,
    type: value.type,
    sandbox: value.sandbox === null ? null : String(value.sandbox),
    ...dates(value),
    url: `${call.base}/Credentials/${sid}`,
  }),
})

const bindingAnswer = z.object({
  sid: text,
  account_sid: text,
  chat_service_sid: text,
  credential_sid: maybe,
  date_created: date,
  date_updated: date,
  endpoint: text,
  identity: text,
  binding_type: z.enum(['apn', 'gcm', 'fcm']),
  message_types: z.array(z.string()),
  url: text,
})

type Binding = z.infer<typeof bindingAnswer>

/** A registration's sid: the same whoever asks. */
const bindingSid = (identity: string, { channelType, token }: PushRegistrationRecord): string =>
  `BS${createHash('sha256')
    .update(JSON.stringify([identity, channelType, token]))
    .digest('hex')
    .slice(0, 32)}`

async function bindingsOf(
  call: Call,
  identity: string,
): Promise<{ shape: Binding; registration: PushRegistrationRecord }[]> {
  const loaded = await call.relay.store.load(call.serviceSid, userDocument(identity))
  const item = loaded?.mapItems.find(({ root, key }) => root === 'settings' && key === PUSH_KEY)
  const registrations = (item?.value ?? []) as PushRegistrationRecord[]
  return registrations
    .filter(({ channelType }) => channelType !== 'twilsock')
    .map((registration) => {
      const sid = bindingSid(identity, registration)
      const made = dateText(registration.dateCreated)
      const shape: Binding = {
        sid,
        account_sid: call.accountSid,
        chat_service_sid: call.serviceSid,
        credential_sid: null,
        date_created: made,
        date_updated: made,
        endpoint: `${registration.channelType}:${registration.token.slice(0, 16)}`,
        identity,
        binding_type: registration.channelType as Binding['binding_type'],
        message_types: ['new_message', 'added_to_conversation', 'removed_from_conversation'],
        url: `${call.base}/Bindings/${sid}`,
      }
      return { shape, registration }
    })
}

/** Everybody's, or those of some. People of a service are gone through a thousand at a time. */
async function all(call: Call, identities: readonly string[] | undefined) {
  const found: { shape: Binding; registration: PushRegistrationRecord }[] = []
  if (identities) {
    for (const identity of identities) found.push(...(await bindingsOf(call, identity)))
    return found
  }
  for (let after = -1; ; ) {
    const people = await call.relay.store.catalogue.users(call.serviceSid, { after }, 1000)
    for (const { identity } of people) found.push(...(await bindingsOf(call, identity)))
    const last = people.at(-1)
    if (!last) return found
    after = last.position
  }
}

/** @throws ConfabError 20404 */
async function wanted(call: Call) {
  const sid = call.part('Sid')
  const found = isSid('BS' as never, sid)
    ? (await all(call, undefined)).find(({ shape }) => shape.sid === sid)
    : undefined
  if (!found) throw call.notFound()
  return found
}

export const bindings: readonly Route[] = [
  route({
    method: 'GET',
    path: '/Bindings',
    scope: 'service',
    resource: 'Bindings',
    summary: 'Lists devices that can be reached by push',
    parameters: paging.extend({
      BindingType: list(z.enum(['apn', 'gcm', 'fcm'])).optional(),
      Identity: list(textField).optional(),
    }),
    answer: bindingAnswer,
    list: 'bindings',
    handle: async (call, { BindingType, Identity, ...rest }) => {
      const found = await all(call, Identity)
      const shown = found
        .map(({ shape }) => shape)
        .filter(({ binding_type }) => !BindingType || BindingType.includes(binding_type))
      return page(call, 'bindings', rest, spanOf(shown), ({ item }) => item)
    },
  }),
  route({
    method: 'GET',
    path: '/Bindings/{Sid}',
    scope: 'service',
    resource: 'Bindings',
    summary: 'Fetches one',
    parameters: none,
    answer: bindingAnswer,
    handle: async (call) => (await wanted(call)).shape,
  }),
  route({
    method: 'DELETE',
    path: '/Bindings/{Sid}',
    scope: 'service',
    resource: 'Bindings',
    summary: 'Forgets one: the device is reached by push no more',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { shape, registration } = await wanted(call)
      const { channelType, token } = registration
      await call.submit(userDocument(shape.identity), { type: 'push.remove', channelType, token })
      return null
    },
  }),
]
