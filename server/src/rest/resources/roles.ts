/** `Roles`: who may do what. A change counts from the next decision on, for everybody who is connected. */
import { ConfabError, PERMISSIONS, type Permission } from '@confab/core'
import * as z from 'zod'
import { ROLE, type RoleValue } from '../../services/service-book.ts'
import type { Call } from '../call.ts'
import { spanOf } from '../in-memory.ts'
import { page } from '../paging.ts'
import { list, none, paging, text as textField } from '../parameters.ts'
import { type Route, route } from '../route.ts'
import { date, dateText, text } from '../shapes.ts'

const answer = z.object({
  sid: text,
  account_sid: text,
  chat_service_sid: text,
  friendly_name: text,
  type: z.enum(['conversation', 'service']),
  permissions: z.array(z.enum(PERMISSIONS)),
  date_created: date,
  date_updated: date,
  url: text,
})

const permission = z.enum(PERMISSIONS, { error: `must be of ${PERMISSIONS.join(', ')}` })

interface Shown extends RoleValue {
  sid: string
}

/** When the four roles that every service has were made: with the first relay. */
const ALWAYS = Date.UTC(2026, 0, 1)

async function all(call: Call): Promise<Shown[]> {
  const { book, store } = call.relay
  const shown: Shown[] = []
  for (const { sid, friendlyName, type, permissions } of book.roles(call.serviceSid).values()) {
    const stored = await store.objects.get(call.serviceSid, ROLE, sid)
    const value = stored?.value as RoleValue | undefined
    const { dateCreated = ALWAYS, dateUpdated = ALWAYS } = value ?? {}
    shown.push({ sid, friendlyName, type, permissions: [...permissions], dateCreated, dateUpdated })
  }
  return shown
}

const shape = (call: Call, role: Shown): z.infer<typeof answer> => ({
  sid: role.sid,
  account_sid: call.accountSid,
  chat_service_sid: call.serviceSid,
  friendly_name: role.friendlyName,
  type: role.type,
  permissions: role.permissions,
  date_created: dateText(role.dateCreated),
  date_updated: dateText(role.dateUpdated),
  url: `${call.base}/Roles/${role.sid}`,
})

/** @throws ConfabError 20404 */
async function wanted(call: Call, wantedSid = call.part('Sid')): Promise<Shown> {
  const found = (await all(call)).find(({ sid }) => sid === wantedSid)
  if (!found) throw call.notFound()
  return found
}

/** Roles of one service, at most. */
const MOST = 100

export const roles: readonly Route[] = [
  route({
    method: 'POST',
    path: '/Roles',
    resource: 'Roles',
    summary: 'Makes a role',
    parameters: z.object({
      FriendlyName: textField.min(1).max(64),
      Type: z.enum(['conversation', 'service']),
      Permission: list(permission).min(1),
    }),
    answer,
    status: 201,
    handle: async (call, { FriendlyName: friendlyName, Type: type, Permission }) => {
      const { book, now } = call.relay
      if (book.roles(call.serviceSid).size >= MOST)
        throw new ConfabError(20001, `A service has at most ${MOST} roles`)
      const sid = call.newSid('RL')
      const dateCreated = now()
      const permissions = [...new Set<Permission>(Permission)]
      await book.putRole(call.serviceSid, sid, {
        friendlyName,
        type,
        permissions,
        dateCreated,
        dateUpdated: dateCreated,
      })
      return shape(call, await wanted(call, sid))
    },
  }),
  route({
    method: 'GET',
    path: '/Roles',
    resource: 'Roles',
    summary: 'Lists the roles of the service, the four that every one has among them',
    parameters: paging,
    answer,
    list: 'roles',
    handle: async (call, given) =>
      page(call, 'roles', given, spanOf(await all(call)), ({ item }) => shape(call, item)),
  }),
  route({
    method: 'GET',
    path: '/Roles/{Sid}',
    resource: 'Roles',
    summary: 'Fetches a role',
    parameters: none,
    answer,
    handle: async (call) => shape(call, await wanted(call)),
  }),
  route({
    method: 'POST',
    path: '/Roles/{Sid}',
    resource: 'Roles',
    summary: 'Gives a role other permissions, in place of those it had',
    parameters: z.object({ Permission: list(permission).min(1) }),
    answer,
    handle: async (call, { Permission }) => {
      const { sid, ...before } = await wanted(call)
      const changed = {
        ...before,
        permissions: [...new Set<Permission>(Permission)],
        dateUpdated: call.relay.now(),
      }
      await call.relay.book.putRole(call.serviceSid, sid, changed)
      return shape(call, await wanted(call))
    },
  }),
  route({
    method: 'DELETE',
    path: '/Roles/{Sid}',
    resource: 'Roles',
    summary: 'Deletes a role that was made; whoever had it may do nothing by it any more',
    parameters: none,
    answer: null,
    handle: async (call) => {
      const { sid } = await wanted(call)
      if (call.relay.book.isDefault(sid)) {
        throw new ConfabError(20001, 'One of the four roles that every service has can’t be deleted')
      }
      if (call.relay.book.isUsed(call.serviceSid, sid)) {
        throw new ConfabError(20001, 'The service gives this role, or somebody has it: change that first')
      }
      await call.relay.book.deleteRole(call.serviceSid, sid)
      return null
    },
  }),
]
