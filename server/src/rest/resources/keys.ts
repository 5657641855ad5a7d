/** API keys, where the official package looks for them: `/2010-04-01/Accounts/{AccountSid}/Keys.json`. */
import type { Json } from '@confab/core'
import * as z from 'zod'
import { KEY, type KeyValue, newSecret, secretHash } from '../authentication.ts'
import type { Call } from '../call.ts'
import { page } from '../paging.ts'
import { none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { text } from '../shapes.ts'

const answer = z.object({ sid: text, friendly_name: text, date_created: text, date_updated: text })
const made = answer.extend({ secret: text })
const path = '/2010-04-01/Keys'

const shape = (
  sid: string,
  { friendlyName, dateCreated, dateUpdated }: KeyValue,
): z.infer<typeof answer> => ({
  sid,
  friendly_name: friendlyName,
  // this part of Twilio's API dates as mail does
  date_created: new Date(dateCreated).toUTCString(),
  date_updated: new Date(dateUpdated).toUTCString(),
})

/** @throws ConfabError 20404 */
async function wanted(call: Call): Promise<{ sid: string; value: KeyValue }> {
  const found = await call.relay.store.objects.get('keys', KEY, call.part('Sid'))
  const value = found?.value as unknown as KeyValue | undefined
  if (!found || value?.accountSid !== call.accountSid) throw call.notFound()
  return { sid: found.sid, value }
}

export const keys: readonly Route[] = [
  route({
    method: 'POST',
    path,
    scope: 'account',
    resource: 'Keys',
    summary: 'Makes an API key; its secret is told now and never again',
    parameters: z.object({ FriendlyName: textField.max(64).optional() }),
    answer: made,
    status: 201,
    handle: async (call, { FriendlyName: friendlyName = '' }): Promise<z.infer<typeof made>> => {
      const now = call.relay.now()
      const secret = newSecret()
      const sid = call.newSid('SK')
      const { accountSid } = call
      const value: KeyValue = {
        friendlyName,
        accountSid,
        hash: secretHash(secret),
        dateCreated: now,
        dateUpdated: now,
      }
      await call.relay.store.objects.put('keys', KEY, sid, value as unknown as Json)
      return { ...shape(sid, value), secret }
    },
  }),
  route({
    method: 'GET',
    path,
    scope: 'account',
    resource: 'Keys',
    summary: 'Lists the API keys of the account',
    parameters: paging,
    answer,
    list: 'keys',
    handle: async (call, given) =>
      page(
        call,
        'keys',
        given,
        (span, limit) => call.relay.store.objects.list('keys', KEY, span, limit),
        ({ sid, value }) => {
          const key = value as unknown as KeyValue
          return key.accountSid === call.accountSid ? shape(sid, key) : null
        },
      ),
  }),
  route({
    method: 'GET',
    path: `${path}/{Sid}`,
    scope: 'account',
    resource: 'Keys',
    summary: 'Fetches an API key, without its secret',
    parameters: none,
    answer,
    handle: async (call) => {
      const { sid, value } = await wanted(call)
      return shape(sid, value)
    },
  }),
  route({
    method: 'DELETE',
    path: `${path}/{Sid}`,
    scope: 'account',
    resource: 'Keys',
    summary: 'Revokes an API key, from the next request on',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { sid } = await wanted(call)
      await call.relay.store.objects.delete('keys', KEY, sid)
      return null
    },
  }),
]
