/** Roles: what they permit counts from the next decision on, on live connections and for what waits in outboxes. */
import type { HeldOperation, Message } from '@confab/client'
import { CHANNEL_ADMIN, CHANNEL_USER, DEFAULT_ROLES, SERVICE_ADMIN, SERVICE_USER } from '@confab/core'
import { describe, expect, test } from 'vitest'
import { event, onStage, person, refusal } from './stage.ts'

const permissions = (sid: string) => [...(DEFAULT_ROLES.get(sid)?.permissions ?? [])]
const without = (sid: string, ...gone: string[]) => permissions(sid).filter((one) => !gone.includes(one))

test('are four from the start; others are made, changed, given and deleted', async () => {
  const { rest } = await onStage()
  const names = (await rest.roles.list()).map(({ friendlyName, type }) => [friendlyName, type])
  expect(names).toEqual([
    ['service admin', 'service'],
    ['service user', 'service'],
    ['channel admin', 'conversation'],
    ['channel user', 'conversation'],
  ])
  expect((await rest.roles(CHANNEL_USER).fetch()).permissions.sort()).toEqual(
    permissions(CHANNEL_USER).sort(),
  )
  const made = await rest.roles.create({
    friendlyName: 'reader',
    type: 'conversation',
    permission: ['leaveConversation', 'editNotificationLevel'],
  })
  expect(made).toMatchObject({ friendlyName: 'reader', type: 'conversation' })
  expect(made.permissions.sort()).toEqual(['editNotificationLevel', 'leaveConversation'])
  const { sid } = await rest.conversations.create()
  expect(
    await rest.conversations(sid).participants.create({ identity: 'ada', roleSid: made.sid }),
  ).toMatchObject({ roleSid: made.sid })
  expect((await rest.roles(made.sid).update({ permission: ['sendMessage'] })).permissions).toEqual([
    'sendMessage',
  ])
  expect(await rest.roles(made.sid).remove()).toBe(true)
  expect(await refusal(rest.roles(made.sid).fetch())).toMatchObject({ code: 20404 })
  expect(await refusal(rest.roles(SERVICE_USER).remove())).toMatchObject({ code: 20001 })
  expect(
    await refusal(rest.roles.create({ friendlyName: 'x', type: 'conversation', permission: ['fly'] })),
  ).toMatchObject({ code: 20001, message: expect.stringContaining('Permission') })
})

describe('a permission that is taken away', () => {
  test('refuses the operations that wait in an outbox, and their text is held', async () => {
    const { rest, url } = await onStage()
    const ada = await person({ url }, 'ada')
    const conversation = await (await ada.createConversation()).join()
    await conversation.add('bob')
    const bob = await person({ url }, 'bob')
    const his = await bob.getConversationBySid(conversation.sid)
    await his.sendMessage('before')
    await bob.goOffline()
    await his.sendMessage('written with no network')
    await rest.roles(CHANNEL_USER).update({ permission: without(CHANNEL_USER, 'sendMessage') })
    const held = event<HeldOperation>(bob, 'operationRefused')
    await bob.goOnline()
    const refused = await held
    expect(refused.error.code).toBe(20403)
    expect(refused.operation).toMatchObject({ type: 'message.post', body: 'written with no network' })
    expect(bob.getHeldOperations()).toHaveLength(1)
    expect((await rest.conversations(conversation.sid).messages.list()).map(({ body }) => body)).toEqual([
      'before',
    ])
  })

  test('counts for who is connected from the next operation on, and again when it is given back', async () => {
    const { rest, url } = await onStage()
    const ada = await person({ url }, 'ada')
    const conversation = await (await ada.createConversation()).join()
    await conversation.add('bob')
    const bob = await person({ url }, 'bob')
    const his = await bob.getConversationBySid(conversation.sid)
    await rest.roles(CHANNEL_USER).update({ permission: without(CHANNEL_USER, 'sendMessage') })
    expect(await refusal(his.sendMessage('now?'))).toMatchObject({ code: 20403 })
    await rest.roles(CHANNEL_USER).update({ permission: permissions(CHANNEL_USER) })
    const arrived = event<Message>(conversation, 'messageAdded')
    await his.sendMessage('now!')
    expect((await arrived).body).toBe('now!')
  })
})

test('a service’s roles to begin with are given to who joins, who is added, and who connects', async () => {
  const { rest, url } = await onStage()
  const services = await rest.services.list()
  const service = rest.services(services[0]?.sid as string)
  const role = (friendlyName: string, type: 'conversation' | 'service', permission: string[]) =>
    rest.roles.create({ friendlyName, type, permission })
  const creator = await role('creator', 'conversation', without(CHANNEL_ADMIN, 'deleteConversation'))
  const guest = await role('guest', 'conversation', permissions(CHANNEL_USER))
  const silent = await role('silent', 'service', ['joinConversation'])
  await service.configuration().update({
    defaultConversationCreatorRoleSid: creator.sid,
    defaultConversationRoleSid: guest.sid,
  })
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation()).join()
  await conversation.add('bob')
  const { participants } = rest.conversations(conversation.sid)
  expect(await participants('ada').fetch()).toMatchObject({ roleSid: creator.sid })
  expect(await participants('bob').fetch()).toMatchObject({ roleSid: guest.sid })
  expect(await participants.create({ identity: 'cleo' })).toMatchObject({ roleSid: guest.sid })
  expect(await refusal(rest.roles(guest.sid).remove())).toMatchObject({ code: 20001 })

  await service.configuration().update({ defaultChatServiceRoleSid: silent.sid })
  expect(await service.configuration().fetch()).toMatchObject({ defaultChatServiceRoleSid: silent.sid })
  expect(await refusal(ada.createConversation())).toMatchObject({ code: 20403 })
  expect(await rest.users('ada').fetch()).toMatchObject({ roleSid: silent.sid })
  const admin = await person({ url }, 'root', { roleSid: SERVICE_ADMIN })
  await admin.createConversation()
  expect(
    await refusal(service.configuration().update({ defaultChatServiceRoleSid: guest.sid })),
  ).toMatchObject({ code: 50434 })
})
