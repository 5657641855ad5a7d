/** `Credentials` and `Bindings`: what an app's sender of push notifications needs. The relay keeps them, and sends nothing. */

import { createHash } from 'node:crypto'
import { userDocument } from '@confab/core'
import * as z from 'zod'
import type { NotedRegistration } from '../../store/objects.ts'
import type { Call } from '../call.ts'
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

/** Which push services there are here; `twilsock` is none. */
const TYPES = ['apn', 'gcm', 'fcm']
/** Hex digits of a sid that say where the person is in the list of people, so that one registration is found by it. */
const PLACE = 12

/** A registration's sid: the same whoever asks. */
function bindingSid({ identity, userPosition, registration }: NotedRegistration): string {
  const parts = [identity, registration.channelType, registration.token]
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `BS${userPosition.toString(16).padStart(PLACE, '0')}${hash.slice(0, 32 - PLACE)}`
}

function bindingShape(call: Call, noted: NotedRegistration): Binding {
  const { identity, registration } = noted
  const sid = bindingSid(noted)
  const made = dateText(registration.dateCreated)
  return {
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
}

/** @throws ConfabError 20404 */
async function wanted(call: Call): Promise<NotedRegistration> {
  const sid = call.part('Sid')
  if (!/^BS[0-9a-f]{32}$/.test(sid)) throw call.notFound()
  const { catalogue } = call.relay.store
  const place = Number.parseInt(sid.slice(2, 2 + PLACE), 16)
  const [user] = await catalogue.users(call.serviceSid, { after: place - 1 }, 1)
  const filter = { identities: user?.position === place ? [user.identity] : [] }
  const own = await catalogue.registrations(call.serviceSid, filter, { after: -1 }, 1000)
  const found = own.find((one) => bindingSid(one) === sid)
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
    handle: (call, { BindingType: channelTypes = TYPES, Identity: identities, ...rest }) => {
      const { catalogue } = call.relay.store
      const filter = { channelTypes, ...(identities && { identities }) }
      return page(
        call,
        'bindings',
        rest,
        (span, limit) => catalogue.registrations(call.serviceSid, filter, span, limit),
        (noted) => bindingShape(call, noted),
      )
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
    handle: async (call) => bindingShape(call, await wanted(call)),
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
      const { identity, registration } = await wanted(call)
      const { channelType, token } = registration
      await call.submit(userDocument(identity), { type: 'push.remove', channelType, token })
      return null
    },
  }),
]
