/** Services as tenants: nothing of one meets anything of another; and what an account and a service are configured to do. */
import type { Conversation } from '@confab/client'
import { describe, expect, test, vi } from 'vitest'
import {
  ACCOUNT,
  event,
  OTHER_ACCOUNT,
  OTHER_TOKEN,
  onStage,
  person,
  pointed,
  refusal,
  SERVICE,
} from './stage.ts'

test('are made, listed, fetched and deleted, with everything in them', async () => {
  const { rest, url } = await onStage()
  const made = await rest.services.create({ friendlyName: 'Shop' })
  expect(made).toMatchObject({ accountSid: ACCOUNT, friendlyName: 'Shop' })
  expect((await rest.services.list()).map(({ sid }) => sid)).toEqual([SERVICE, made.sid])
  expect(await rest.services(made.sid).fetch()).toMatchObject({ friendlyName: 'Shop' })
  const shop = rest.services(made.sid)
  const ada = await person({ url }, 'ada', { serviceSid: made.sid })
  const conversation = await (await ada.createConversation()).join()
  await ada.user.updateFriendlyName('Ada')
  const removed = event<Conversation>(ada, 'conversationRemoved')
  expect(await rest.services(made.sid).remove()).toBe(true)
  expect((await removed).sid).toBe(conversation.sid)
  expect(await refusal(shop.conversations.list())).toMatchObject({ code: 20404 })
  expect(await refusal(rest.services(SERVICE).remove())).toMatchObject({ code: 20001 })
})

describe('tenants', () => {
  test('have the same names for different things, and never see each other’s', async () => {
    const { rest, url, failures } = await onStage()
    const made = await rest.services.create({ friendlyName: 'Shop' })
    const shop = rest.services(made.sid)
    const [here, there] = [
      await rest.conversations.create({ uniqueName: 'tea', friendlyName: 'here' }),
      await shop.conversations.create({ uniqueName: 'tea', friendlyName: 'there' }),
    ]
    expect((await rest.conversations('tea').fetch()).friendlyName).toBe('here')
    expect((await shop.conversations('tea').fetch()).friendlyName).toBe('there')
    expect(there.chatServiceSid).toBe(made.sid)
    expect(there.url).toContain(`/v1/Services/${made.sid}/Conversations/`)
    for (const one of [
      rest.conversations(there.sid).fetch(),
      shop.conversations(here.sid).fetch(),
      shop.conversations(here.sid).remove(),
      shop.conversations(here.sid).participants.create({ identity: 'x' }),
      shop.conversations(here.sid).messages.create({ body: 'x' }),
    ]) {
      expect(await refusal(one)).toMatchObject({ code: 20404, status: 404 })
    }
    await rest.conversations('tea').participants.create({ identity: 'ada' })
    await shop.conversations('tea').participants.create({ identity: 'ada' })
    await rest.users('ada').update({ friendlyName: 'Ada here' })
    expect(await shop.users('ada').fetch()).toMatchObject({ friendlyName: null })
    expect((await shop.users.list()).map(({ chatServiceSid }) => chatServiceSid)).toEqual([made.sid])
    expect(await shop.participantConversations.list({ identity: 'ada' })).toMatchObject([
      { conversationSid: there.sid },
    ])
    const role = await shop.roles.create({ friendlyName: 'x', type: 'service', permission: ['sendMessage'] })
    expect(await refusal(rest.roles(role.sid).fetch())).toMatchObject({ code: 20404 })

    const ada = await person({ url }, 'ada', { serviceSid: made.sid })
    const found = await vi.waitFor(() => ada.getConversationByUniqueName('tea'))
    expect(found.sid).toBe(there.sid)
    expect(await refusal(ada.getConversationBySid(here.sid))).toMatchObject({ status: 404 })
    expect(failures).toEqual([])
  })

  test('of another account aren’t there', async () => {
    const stage = await onStage()
    const { rest } = stage
    const other = pointed(stage, OTHER_ACCOUNT, OTHER_TOKEN)
    const made = await rest.services.create({ friendlyName: 'Shop' })
    const { sid } = await rest.conversations.create({ uniqueName: 'tea' })
    for (const one of [
      other.services(made.sid).fetch(),
      other.services(made.sid).remove(),
      other.services(made.sid).conversations.list(),
      other.services(SERVICE).conversations(sid).fetch(),
      other.conversations(sid).fetch(),
      other.conversations('tea').fetch(),
    ]) {
      expect(await refusal(one)).toMatchObject({ code: 20404 })
    }
    expect(await other.conversations.create({ uniqueName: 'tea' })).toMatchObject({
      accountSid: OTHER_ACCOUNT,
    })
    expect((await other.services.list()).map(({ accountSid }) => accountSid)).toEqual([OTHER_ACCOUNT])
  })
})

describe('configuration', () => {
  test('of a service: reachability', async () => {
    const { rest, url } = await onStage()
    const service = rest.services(SERVICE)
    expect(await service.configuration().fetch()).toMatchObject({
      chatServiceSid: SERVICE,
      reachabilityEnabled: true,
    })
    await person({ url }, 'bob')
    await rest.users.create({ identity: 'bob' })
    expect((await rest.users('bob').fetch()).isOnline).toBe(true)
    const ada = await person({ url }, 'ada')
    const seen = await ada.getUser('bob')
    await vi.waitFor(() => expect(seen.isOnline).toBe(true))
    const hidden = event(seen, 'updated', () => seen.isOnline === null)
    const updated = await service.configuration().update({ reachabilityEnabled: false })
    expect(updated.reachabilityEnabled).toBe(false)
    expect((await rest.users('bob').fetch()).isOnline).toBeNull()
    await hidden
    const again = event(seen, 'updated', () => seen.isOnline === true)
    await service.configuration().update({ reachabilityEnabled: true })
    await again
  })

  test('of a service: what push notifications say is kept', async () => {
    const { rest } = await onStage()
    const { notifications } = rest.services(SERVICE).configuration
    const at = notifications()
    const before = await at.fetch()
    expect(before).toMatchObject({ chatServiceSid: SERVICE, logEnabled: false })
    const updated = await at.update({
      logEnabled: true,
      'newMessage.enabled': true,
      'newMessage.template': 'USER: MESSAGE',
      'newMessage.badgeCountEnabled': true,
      'newMessage.withMedia.enabled': true,
      'newMessage.withMedia.template': 'a picture',
      'addedToConversation.enabled': true,
      'removedFromConversation.sound': 'bye',
    })
    expect(updated.logEnabled).toBe(true)
    expect(updated.newMessage).toMatchObject({
      enabled: true,
      template: 'USER: MESSAGE',
      badge_count_enabled: true,
      with_media: { enabled: true, template: 'a picture' },
    })
    expect(updated.addedToConversation).toMatchObject({ enabled: true })
    expect(updated.removedFromConversation).toMatchObject({ enabled: false, sound: 'bye' })
    expect((await at.fetch()).newMessage).toEqual(updated.newMessage)
  })

  test('of addresses', async () => {
    const { rest } = await onStage()
    const desk = {
      type: 'sms',
      address: '+14155550999',
      friendlyName: 'Desk',
      'autoCreation.enabled': true,
    } as const
    const toWebhook = {
      'autoCreation.type': 'webhook',
      'autoCreation.webhookUrl': 'https://example.org/hook',
    } as const
    // it would never be called
    expect(await refusal(rest.addressConfigurations.create({ ...desk, ...toWebhook }))).toMatchObject({
      status: 400,
      code: 20001,
    })
    const made = await rest.addressConfigurations.create({ ...desk, 'autoCreation.type': 'default' })
    expect(await refusal(rest.addressConfigurations(made.sid).update(toWebhook))).toMatchObject({
      code: 20001,
    })
    expect(made).toMatchObject({ type: 'sms', address: '+14155550999', friendlyName: 'Desk' })
    expect(made.autoCreation).toMatchObject({
      enabled: true,
      type: 'default',
      conversation_service_sid: SERVICE,
    })
    expect(
      await refusal(rest.addressConfigurations.create({ type: 'sms', address: '+14155550999' })),
    ).toMatchObject({ status: 409 })
    expect(
      await rest
        .addressConfigurations(made.sid)
        .update({ friendlyName: 'Front', 'autoCreation.enabled': false }),
    ).toMatchObject({ friendlyName: 'Front', autoCreation: { enabled: false, type: 'default' } })
    expect(await rest.addressConfigurations.list({ type: 'whatsapp' })).toEqual([])
    expect(await rest.addressConfigurations.list()).toHaveLength(1)
    expect(await rest.addressConfigurations(made.sid).fetch()).toMatchObject({ friendlyName: 'Front' })
    expect(await rest.addressConfigurations(made.sid).remove()).toBe(true)
    expect(await rest.addressConfigurations.list()).toEqual([])
  })
})

describe('push', () => {
  test('credentials are kept by name', async () => {
    const { rest } = await onStage()
    const made = await rest.credentials.create({ type: 'fcm', friendlyName: 'app', secret: 'a-server-key' })
    expect(made).toMatchObject({ type: 'fcm', friendlyName: 'app' })
    expect(await rest.credentials(made.sid).update({ friendlyName: 'App', sandbox: true })).toMatchObject({
      friendlyName: 'App',
      sandbox: 'true',
    })
    expect(await rest.credentials.list()).toHaveLength(1)
    expect(await rest.credentials(made.sid).fetch()).toMatchObject({ friendlyName: 'App' })
    expect(await rest.credentials(made.sid).remove()).toBe(true)
    expect(await refusal(rest.credentials(made.sid).fetch())).toMatchObject({ code: 20404 })
  })

  test('bindings are the devices that registered, and can be forgotten', async () => {
    const { rest, url } = await onStage()
    const ada = await person({ url }, 'ada')
    await ada.setPushRegistrationId('fcm', 'token-1')
    await ada.setPushRegistrationId('apn', 'token-2')
    const bob = await person({ url }, 'bob')
    await bob.setPushRegistrationId('fcm', 'token-3')
    const { bindings } = rest.services(SERVICE)
    const all = await bindings.list({ pageSize: 2 })
    expect(all.map(({ identity, bindingType }) => [identity, bindingType])).toEqual([
      ['ada', 'fcm'],
      ['ada', 'apn'],
      ['bob', 'fcm'],
    ])
    expect(await bindings.list({ bindingType: ['fcm'], identity: ['ada'] })).toHaveLength(1)
    const last = await (await bindings.page({ pageSize: 2 })).nextPage()
    expect(last?.instances.map(({ identity }) => identity)).toEqual(['bob'])
    expect((await last?.previousPage())?.instances.map(({ sid }) => sid)).toEqual(
      all.slice(0, 2).map(({ sid }) => sid),
    )
    const first = all[0]?.sid as string
    expect(await bindings(first).fetch()).toMatchObject({ identity: 'ada', bindingType: 'fcm' })
    expect(await bindings(first).remove()).toBe(true)
    expect(await refusal(bindings(first).fetch())).toMatchObject({ code: 20404 })
    expect(await bindings.list()).toHaveLength(2)
  })
})
