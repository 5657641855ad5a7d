/** Webhooks by the official package: of the account, of services and of conversations. */
import { expect, test } from 'vitest'
import { ACCOUNT, onStage, refusal, SERVICE } from './stage.ts'

const URL = 'https://hooks.example.org/told'

test('the account’s webhooks: nothing at first, changed field by field, taken away by an empty address', async () => {
  const { rest } = await onStage()
  expect(await rest.configuration.webhooks().fetch()).toMatchObject({
    accountSid: ACCOUNT,
    method: 'POST',
    preWebhookUrl: null,
    postWebhookUrl: null,
    target: 'webhook',
  })
  expect(
    await rest.configuration.webhooks().update({
      preWebhookUrl: `${URL}/pre`,
      postWebhookUrl: URL,
      method: 'GET',
      filters: ['onMessageAdd', 'onMessageAdded'],
      target: 'webhook',
    }),
  ).toMatchObject({ method: 'GET', filters: ['onMessageAdd', 'onMessageAdded'], postWebhookUrl: URL })
  await rest.configuration.webhooks().update({ preWebhookUrl: '' })
  expect(await rest.configuration.webhooks().fetch()).toMatchObject({
    method: 'GET',
    preWebhookUrl: null,
    postWebhookUrl: URL,
    filters: ['onMessageAdd', 'onMessageAdded'],
  })
})

test('a service’s are its own', async () => {
  const { rest } = await onStage()
  const { sid } = await rest.services.create({ friendlyName: 'Other' })
  const { webhooks } = rest.services(sid).configuration
  expect(await webhooks().update({ postWebhookUrl: URL, filters: ['onUserAdded'] })).toMatchObject({
    accountSid: ACCOUNT,
    chatServiceSid: sid,
    postWebhookUrl: URL,
    filters: ['onUserAdded'],
  })
  expect(await rest.services(SERVICE).configuration.webhooks().fetch()).toMatchObject({
    postWebhookUrl: null,
  })
  expect(await rest.configuration.webhooks().fetch()).toMatchObject({ postWebhookUrl: null })
})

test('a conversation’s webhooks are made, listed, changed and deleted, five at most, and go with it', async () => {
  const { rest } = await onStage()
  const { sid } = await rest.conversations.create({ uniqueName: 'tea' })
  const made = await rest.conversations('tea').webhooks.create({
    target: 'webhook',
    'configuration.url': URL,
    'configuration.method': 'get',
    'configuration.filters': ['onMessageAdded', 'onConversationRemoved'],
  })
  expect(made).toMatchObject({
    sid: expect.stringMatching(/^WH[0-9a-f]{32}$/),
    accountSid: ACCOUNT,
    conversationSid: sid,
    target: 'webhook',
    configuration: { url: URL, method: 'get', filters: ['onMessageAdded', 'onConversationRemoved'] },
    dateCreated: expect.any(Date),
  })
  const one = rest.conversations(sid).webhooks(made.sid)
  expect(await one.fetch()).toMatchObject({ sid: made.sid, conversationSid: sid })
  expect(await one.update({ 'configuration.method': 'post' })).toMatchObject({
    configuration: { url: URL, method: 'post', filters: ['onMessageAdded', 'onConversationRemoved'] },
  })
  const create = () =>
    rest.conversations(sid).webhooks.create({ target: 'webhook', 'configuration.url': URL })
  for (let i = 0; i < 4; i++) await create()
  expect(await refusal(create())).toMatchObject({ code: 20001, message: expect.stringContaining('5') })
  expect(await one.remove()).toBe(true)
  expect(await rest.conversations(sid).webhooks.list()).toHaveLength(4)
  expect(await refusal(one.fetch())).toMatchObject({ code: 20404 })
  await rest.conversations(sid).remove()
  expect(await refusal(rest.conversations(sid).webhooks.list())).toMatchObject({ code: 20404 })
})

test('one service’s conversation has nothing to do with another’s', async () => {
  const { rest } = await onStage()
  const { sid: service } = await rest.services.create({ friendlyName: 'Other' })
  const { sid } = await rest.services(service).conversations.create()
  const webhook = await rest
    .services(service)
    .conversations(sid)
    .webhooks.create({ target: 'webhook', 'configuration.url': URL })
  expect(webhook).toMatchObject({ chatServiceSid: service })
  expect(await refusal(rest.conversations(sid).webhooks(webhook.sid).fetch())).toMatchObject({ code: 20404 })
})

test.each([
  ['a loopback address', { 'configuration.url': 'http://127.0.0.1/' }, /private/],
  ['a cloud’s metadata', { 'configuration.url': 'http://169.254.169.254/latest' }, /private/],
  ['another scheme', { 'configuration.url': 'gopher://example.org' }, /http or https/],
  ['no address', {}, /Configuration\.Url is needed/],
  ['an unknown event', { 'configuration.url': URL, 'configuration.filters': ['onTea'] }, /onTea/],
  ['a pre-event', { 'configuration.url': URL, 'configuration.filters': ['onMessageAdd'] }, /onMessageAdd/],
  ['triggers', { 'configuration.url': URL, 'configuration.triggers': ['hi'] }, /trigger/],
  ['replaying from nowhere', { 'configuration.url': URL, 'configuration.replayAfter': -1 }, /ReplayAfter/],
])('%s is refused, and said why', async (_, fields, message) => {
  const { rest } = await onStage()
  const { sid } = await rest.conversations.create()
  const refused = await refusal(rest.conversations(sid).webhooks.create({ target: 'webhook', ...fields }))
  expect(refused).toMatchObject({ code: 20001, status: 400, message: expect.stringMatching(message) })
  expect(await rest.conversations(sid).webhooks.list()).toEqual([])
})

test('targets that are services of Twilio’s are refused, and said so', async () => {
  const { rest } = await onStage()
  const { sid } = await rest.conversations.create()
  for (const target of ['trigger', 'studio'] as const) {
    const asked = rest.conversations(sid).webhooks.create({ target, 'configuration.url': URL })
    expect(await refusal(asked)).toMatchObject({ code: 20001, message: expect.stringMatching(/Twilio/) })
  }
  expect(await refusal(rest.configuration.webhooks().update({ target: 'flex' }))).toMatchObject({
    code: 20001,
  })
  expect(
    await refusal(rest.configuration.webhooks().update({ postWebhookUrl: 'http://10.0.0.1/' })),
  ).toMatchObject({ code: 20001, message: expect.stringMatching(/PostWebhookUrl/) })
})
