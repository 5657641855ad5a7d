/** Webhooks that are asked before something happens: it is let be, changed, or refused. */
import type { Client } from '@confab/client'
import twilio from 'twilio'
import { describe, expect, test } from 'vitest'
import { event, HEARD, person, refusal, TOKEN, webhookServer, withServer } from './stage.ts'
import type { Told } from './webhook-server.ts'

const talk = async (ada: Client) => (await ada.createConversation({ friendlyName: 'Tea' })).join()
const lastBody = async (conversation: Awaited<ReturnType<typeof talk>>) =>
  (await conversation.getMessages()).items.at(-1)?.body

test('an answer with nothing in it publishes; what is asked is signed, and names nothing that isn’t yet', async () => {
  const { rest, server, url } = await withServer()
  await rest.configuration.webhooks().update({ preWebhookUrl: `${server.url}/ask` })
  const ada = await person({ url }, 'ada')
  server.answer = () => ({ status: 200, body: '{}' })
  const conversation = await talk(ada)
  await conversation.sendMessage('Hello', { mood: 1 })
  expect(server.types).toEqual(['onConversationAdd', 'onParticipantAdd', 'onMessageAdd'])
  const { fields, headers } = server.told[2] as Told
  expect(fields).toMatchObject({
    Body: 'Hello',
    Author: 'ada',
    ClientIdentity: 'ada',
    Attributes: '{"mood":1}',
    ConversationSid: conversation.sid,
    Source: 'SDK',
  })
  expect(fields).not.toHaveProperty('Index')
  expect(
    twilio.validateRequest(TOKEN, headers['x-twilio-signature'] as string, `${server.url}/ask`, fields),
  ).toBe(true)
  expect(await lastBody(conversation)).toBe('Hello')
})

test('an answer changes a message, an edit and a conversation’s name', async () => {
  const { rest, server, url } = await withServer()
  await rest.configuration.webhooks().update({ preWebhookUrl: server.url })
  const ada = await person({ url }, 'ada')
  server.answer = ({ fields }) => {
    if (fields.EventType === 'onMessageAdd')
      return {
        status: 200,
        body: JSON.stringify({ body: `${fields.Body}!`, attributes: JSON.stringify({ seen: true }) }),
      }
    if (fields.EventType === 'onMessageUpdate')
      return { status: 200, body: JSON.stringify({ body: 'masked', attributes: { edited: 1 } }) }
    if (fields.EventType === 'onConversationUpdate')
      return { status: 200, body: JSON.stringify({ friendly_name: fields.FriendlyName?.toUpperCase() }) }
    return { status: 200 }
  }
  const conversation = await talk(ada)
  await conversation.sendMessage('Hello')
  const [message] = (await conversation.getMessages()).items
  expect(message).toMatchObject({ body: 'Hello!', attributes: { seen: true } })
  const edited = event(message as never, 'updated', () => message?.body === 'masked')
  await message?.updateBody('something else')
  await edited
  expect(message?.attributes).toEqual({ edited: 1 })
  await conversation.updateFriendlyName('coffee')
  expect(await rest.conversations(conversation.sid).fetch()).toMatchObject({ friendlyName: 'COFFEE' })
})

test('4xx and 5xx refuse: the device holds the text, a server is told, and nobody else sees it', async () => {
  const { rest, server, url } = await withServer()
  await rest.configuration
    .webhooks()
    .update({ preWebhookUrl: server.url, filters: ['onMessageAdd', 'onMessageAdded'] })
  const ada = await person({ url }, 'ada')
  const conversation = await talk(ada)
  server.answer = ({ fields }) =>
    fields.Body?.includes('rude')
      ? { status: fields.Author === 'ada' ? 403 : 500, body: '{"message":"Stay kind"}' }
      : { status: 200 }
  await expect(conversation.sendMessage('something rude')).rejects.toMatchObject({
    code: 70301,
    message: 'Stay kind',
  })
  expect(await ada.getHeldOperations()).toMatchObject([
    { error: { code: 70301 }, operation: { type: 'message.post', body: 'something rude' } },
  ])
  const messages = rest.conversations(conversation.sid).messages
  expect(await refusal(messages.create({ body: 'rude too', ...HEARD }))).toMatchObject({ code: 70301 })
  await messages.create({ body: 'kind', ...HEARD })
  expect((await messages.list()).map(({ body }) => body)).toEqual(['kind'])
})

describe('a webhook that does not answer', () => {
  test('holds up its own conversation and no other, and then what was written is published', async () => {
    const { rest, server, url } = await withServer({ webhooks: { preTimeout: 400 } })
    await rest.configuration.webhooks().update({ preWebhookUrl: server.url, filters: ['onMessageAdd'] })
    const ada = await person({ url }, 'ada')
    const [slow, quick] = [await talk(ada), await talk(ada)]
    server.answer = ({ fields }) => (fields.ConversationSid === slow.sid ? undefined : { status: 200 })
    const order: string[] = []
    await Promise.all([
      slow.sendMessage('slow').then(() => order.push('slow')),
      server
        .until(() => server.open === 1)
        .then(() => quick.sendMessage('quick').then(() => order.push('quick'))),
    ])
    expect(order).toEqual(['quick', 'slow'])
    expect(await lastBody(slow)).toBe('slow')
  })

  test('refuses, where the relay is told to', async () => {
    const { rest, server, url } = await withServer({ webhooks: { preTimeout: 200, onTimeout: 'refuse' } })
    await rest.configuration.webhooks().update({ preWebhookUrl: server.url, filters: ['onMessageAdd'] })
    const ada = await person({ url }, 'ada')
    const conversation = await talk(ada)
    server.answer = () => undefined
    await expect(conversation.sendMessage('anybody?')).rejects.toMatchObject({ code: 70302 })
    await server.stop()
    await expect(conversation.sendMessage('still nobody')).rejects.toMatchObject({ code: 70302 })
  })
})

test('an app’s hook is asked first, by the same names, and the webhook about what it made of it', async () => {
  const asked: (string | undefined)[] = []
  const told: string[] = []
  const { rest, server, url } = await withServer({
    hooks: {
      async beforeCommit({ event, operation }) {
        asked.push(event?.type)
        return operation.type === 'message.post'
          ? { amend: { ...operation, body: 'from the app' } }
          : undefined
      },
      afterCommit: ({ events }) => void told.push(...events.map(({ type }) => type)),
    },
  })
  await rest.configuration.webhooks().update({ preWebhookUrl: server.url })
  server.answer = ({ fields }) => ({
    status: 200,
    body: fields.Body ? JSON.stringify({ body: `${fields.Body}, and the webhook` }) : '',
  })
  const ada = await person({ url }, 'ada')
  const conversation = await talk(ada)
  await conversation.sendMessage('from ada')
  expect(asked.filter((type) => type !== undefined)).toEqual([
    'onConversationAdd',
    'onParticipantAdd',
    'onMessageAdd',
  ])
  expect(told).toEqual(
    expect.arrayContaining(['onConversationAdded', 'onParticipantAdded', 'onMessageAdded']),
  )
  expect(server.told.at(-1)?.fields.Body).toBe('from the app')
  expect(await lastBody(conversation)).toBe('from the app, and the webhook')
})

test('a webhook elsewhere is asked by its own service alone', async () => {
  const { rest, server, url } = await withServer()
  const other = await webhookServer()
  const service = await rest.services.create({ friendlyName: 'Other' })
  await rest.services(service.sid).configuration.webhooks().update({ preWebhookUrl: other.url })
  const ada = await person({ url }, 'ada')
  await talk(ada)
  expect(other.told).toEqual([])
  expect(server.told).toEqual([])
})
