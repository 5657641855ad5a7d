/** API keys, where the official package looks for them: `/2010-04-01/Accounts/{AccountSid}/Keys.json`. */
import * as z from 'zod'
import type { Listed } from '../../accounts/accounts.ts'
import type { Call } from '../call.ts'
import { spanOf } from '../in-memory.ts'
import { page } from '../paging.ts'
import { none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { text } from '../shapes.ts'

const answer = z.object({ sid: text, friendly_name: text, date_created: text, date_updated: text })
const made = answer.extend({ secret: text })
const path = '/2010-04-01/Keys'
const scope = 'account'
const resource = 'Keys'

/** This part of Twilio's API dates as mail does. */
const mailDate = (time: number | null) => new Date(time ?? 0).toUTCString()

const shape = ({ sid, friendlyName, dateCreated, dateUpdated }: Listed): z.infer<typeof answer> => ({
  sid,
  friendly_name: friendlyName,
  date_created: mailDate(dateCreated),
  date_updated: mailDate(dateUpdated),
})

/** @throws ConfabError 20404 */
async function wanted(call: Call, sid = call.part('Sid')): Promise<Listed> {
  const own = await call.relay.accounts.listKeys(call.accountSid)
  const found = own.find((key) => key.sid === sid)
  if (!found) throw call.notFound()
  return found
}

export const keys: readonly Route[] = [
  route({
    method: 'POST',
    path,
    scope,
    resource,
    summary: 'Makes an API key; its secret is told now and never again',
    parameters: z.object({ FriendlyName: textField.max(64).optional() }),
    answer: made,
    status: 201,
    handle: async (call, { FriendlyName = '' }): Promise<z.infer<typeof made>> => {
      const { sid, secret } = await call.relay.accounts.createKey(call.accountSid, FriendlyName)
      return { ...shape(await wanted(call, sid)), secret }
    },
  }),
  route({
    method: 'GET',
    path,
    scope,
    resource,
    summary: 'Lists the API keys of the account',
    parameters: paging,
    answer,
    list: 'keys',
    handle: async (call, given) => {
      const own = await call.relay.accounts.listKeys(call.accountSid)
      return page(call, 'keys', given, spanOf(own), ({ item }) => shape(item))
    },
  }),
  route({
    method: 'GET',
    path: `${path}/{Sid}`,
    scope,
    resource,
    summary: 'Fetches an API key, without its secret',
    parameters: none,
    answer,
    handle: async (call) => shape(await wanted(call)),
  }),
  route({
    method: 'DELETE',
    path: `${path}/{Sid}`,
    scope,
    resource,
    summary: 'Revokes an API key, from the next request on',
    parameters: none,
    answer: null,
    handle: async (call) => {
      await call.relay.accounts.deleteKey((await wanted(call)).sid)
      return null
    },
  }),
]
