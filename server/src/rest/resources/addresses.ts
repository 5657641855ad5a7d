/** `Configuration/Addresses`: what becomes of a stranger's message to an address of ours. */
import { addressType, ConfabError, defaultServiceSid } from '@confab/core'
import * as z from 'zod'
import { normaliseAddress } from '../../address.ts'
import { ADDRESS, type StoredAddress } from '../../channels/stored-addresses.ts'
import type { Call } from '../call.ts'
import { boolean, integer, list, text as textField } from '../parameters.ts'
import type { Route } from '../route.ts'
import { anything, date, dates, maybe, text } from '../shapes.ts'
import { type StoredValue, storedResource } from './stored.ts'

interface AddressValue extends StoredValue, StoredAddress {
  type: string
  friendlyName: string | null
  country: string | null
  autoCreation: StoredAddress['autoCreation'] & {
    type: 'webhook' | 'studio' | 'default'
    webhookUrl: string | null
    webhookMethod: string | null
    webhookFilters: string[]
  }
}

const answer = z.object({
  sid: text,
  account_sid: text,
  type: text,
  address: text,
  friendly_name: maybe,
  auto_creation: anything,
  date_created: date,
  date_updated: date,
  url: text,
  address_country: maybe,
})

const fields = z.object({
  FriendlyName: textField.max(256).optional(),
  'AutoCreation.Enabled': boolean.optional(),
  'AutoCreation.Type': z.enum(['webhook', 'studio', 'default']).optional(),
  'AutoCreation.ConversationServiceSid': textField.optional(),
  'AutoCreation.WebhookUrl': z.url({ error: 'must be a URL' }).optional(),
  'AutoCreation.WebhookMethod': z.enum(['GET', 'POST', 'get', 'post']).optional(),
  'AutoCreation.WebhookFilters': list(textField).optional(),
  'AutoCreation.StudioFlowSid': textField.optional(),
  'AutoCreation.StudioRetryCount': integer.optional(),
})

async function autoCreation(
  call: Call,
  given: z.infer<typeof fields>,
  before?: AddressValue['autoCreation'],
): Promise<AddressValue['autoCreation']> {
  if (given['AutoCreation.Type'] === 'studio' || given['AutoCreation.StudioFlowSid'] !== undefined) {
    throw new ConfabError(20001, 'AutoCreation.Type studio is not supported: flows are a service of Twilio’s')
  }
  if (given['AutoCreation.Type'] === 'webhook' || given['AutoCreation.WebhookUrl'] !== undefined) {
    throw new ConfabError(
      20001,
      'AutoCreation.Type webhook is not supported: use default, and a webhook of the service for onConversationAdded and onMessageAdded',
    )
  }
  const serviceSid = given['AutoCreation.ConversationServiceSid']
  if (serviceSid !== undefined && !(await call.relay.services.has(call.accountSid, serviceSid)))
    throw new ConfabError(20001, 'AutoCreation.ConversationServiceSid must be a service of the account')
  return {
    enabled: given['AutoCreation.Enabled'] ?? before?.enabled ?? false,
    type: given['AutoCreation.Type'] ?? before?.type ?? 'default',
    serviceSid: serviceSid ?? before?.serviceSid ?? defaultServiceSid(call.accountSid),
    webhookUrl: given['AutoCreation.WebhookUrl'] ?? before?.webhookUrl ?? null,
    webhookMethod: given['AutoCreation.WebhookMethod']?.toUpperCase() ?? before?.webhookMethod ?? null,
    webhookFilters: given['AutoCreation.WebhookFilters'] ?? before?.webhookFilters ?? [],
  }
}

export const addresses: readonly Route[] = storedResource<AddressValue, z.ZodObject, z.ZodObject>({
  kind: ADDRESS,
  path: '/Configuration/Addresses',
  scope: 'account',
  resource: 'Configuration/Addresses',
  one: 'the configuration of an address',
  list: 'address_configurations',
  prefix: 'IG',
  most: 1000,
  scopeOf: (call) => call.accountSid,
  create: fields.extend({
    Type: z.enum(['sms', 'whatsapp', 'email'], { error: 'must be sms, whatsapp or email' }),
    Address: textField,
    AddressCountry: textField.max(2).optional(),
  }),
  update: fields,
  answer,
  made: async (call, given) => {
    const { Type, Address, AddressCountry, FriendlyName } = given as {
      Type: string
      Address: string
      AddressCountry?: string
      FriendlyName?: string
    }
    const address = normaliseAddress(Address)
    if (address === null || addressType(address) !== Type) {
      throw new ConfabError(50407, `Address must be one of type ${Type}`)
    }
    const known = await call.relay.store.objects.list(call.accountSid, ADDRESS, { after: -1 }, 1000)
    if (known.some(({ value }) => (value as unknown as AddressValue).address === address)) {
      throw new ConfabError(50416, `${address} is configured already`)
    }
    return {
      type: Type,
      address,
      friendlyName: FriendlyName ?? null,
      country: AddressCountry ?? null,
      autoCreation: await autoCreation(call, given as z.infer<typeof fields>),
    }
  },
  changed: async (call, before, given) => ({
    friendlyName: (given.FriendlyName as string | undefined) ?? before.friendlyName,
    autoCreation: await autoCreation(call, given as z.infer<typeof fields>, before.autoCreation),
  }),
  shape: (call, sid, value): z.infer<typeof answer> => ({
    sid,
    account_sid: call.accountSid,
    type: value.type,
    address: value.address,
    friendly_name: value.friendlyName,
    auto_creation: {
      enabled: value.autoCreation.enabled,
      type: value.autoCreation.type,
      conversation_service_sid: value.autoCreation.serviceSid,
      webhook_url: value.autoCreation.webhookUrl,
      webhook_method: value.autoCreation.webhookMethod,
      webhook_filters: value.autoCreation.webhookFilters,
    },
    ...dates(value),
    url: `${call.base}/Configuration/Addresses/${sid}`,
    address_country: value.country,
  }),
  listed: {
    parameters: z.object({ Type: textField.optional() }),
    isShown: (value, { Type }) => Type === undefined || value.type === Type,
  },
})
