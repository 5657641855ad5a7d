/** Webhooks are told of what has happened: by a real server, the official package and SDK clients. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import twilio from 'twilio'
import { expect, test } from 'vitest'
import { ACCOUNT, HEARD, person, SERVICE, TOKEN, webhookServer, withServer } from './stage.ts'

test('everything that people and servers do is told, with Twilio’s fields, signed so that the official validator says yes', async () => {
  const { rest, server, url } = await withServer()
  const postWebhookUrl = `${server.url}/told?app=1`
  await rest.configuration.webhooks().update({ postWebhookUrl })
  const ada = await person({ url }, 'ada')
  const conversation = await (
    await ada.createConversation({ friendlyName: 'Tea', uniqueName: 'tea', attributes: { room: 1 } })
  ).join()
  await conversation.sendMessage('Hello, wörld', { mood: 'good' })
  const [message] = (await conversation.getMessages()).items
  await message?.updateBody('Hello again')
  await message?.remove()
  await conversation.updateFriendlyName('Coffee')
  const { sid } = conversation
  await rest.conversations(sid).participants.create({ identity: 'bob', ...HEARD })
  await rest
    .conversations(sid)
    .participants('bob')
    .update({ attributes: '{"seat":2}', ...HEARD })
  await rest.conversations(sid).participants('bob').remove(HEARD)
  await rest.conversations(sid).update({ state: 'inactive', ...HEARD })
  await rest.conversations(sid).remove(HEARD)
  await rest.users.create({ identity: 'carol', friendlyName: 'Carol', ...HEARD })
  await server.until(
    () => server.types.includes('onUserAdded') && server.types.includes('onConversationRemoved'),
  )

  const ofConversation = server.told.filter(({ fields }) => fields.ConversationSid === sid)
  expect(ofConversation.map(({ fields }) => fields.EventType)).toEqual([
    'onConversationAdded',
    'onParticipantAdded',
    'onMessageAdded',
    'onMessageUpdated',
    'onMessageRemoved',
    'onConversationUpdated',
    'onParticipantAdded',
    'onParticipantUpdated',
    'onParticipantRemoved',
    'onConversationStateUpdated',
    'onConversationRemoved',
  ])
  const common = { AccountSid: ACCOUNT, ChatServiceSid: SERVICE, ConversationSid: sid, RetryCount: '0' }
  const byAda = { ...common, Source: 'SDK', ClientIdentity: 'ada' }
  const byServer = { ...common, Source: 'API' }
  const [added, joined, posted, edited, removed, named, bob, seated, gone, state, deleted] =
    ofConversation.map(({ fields }) => fields)
  expect(added).toMatchObject({
    ...byAda,
    FriendlyName: 'Tea',
    UniqueName: 'tea',
    Attributes: '{"room":1}',
    State: 'active',
  })
  expect(joined).toMatchObject({ ...byAda, Identity: 'ada', ParticipantSid: expect.stringMatching(/^MB/) })
  expect(posted).toMatchObject({
    ...byAda,
    MessageSid: message?.sid,
    Index: '0',
    Body: 'Hello, wörld',
    Author: 'ada',
    Attributes: '{"mood":"good"}',
    ParticipantSid: joined?.ParticipantSid,
  })
  expect(edited).toMatchObject({ MessageSid: message?.sid, Body: 'Hello again' })
  expect(removed).toMatchObject({ ...byAda, MessageSid: message?.sid, Index: '0', Author: 'ada' })
  expect(removed).not.toHaveProperty('Body')
  expect(named).toMatchObject({ FriendlyName: 'Coffee' })
  expect(bob).toMatchObject({ ...byServer, Identity: 'bob', RoleSid: expect.stringMatching(/^RL/) })
  expect(bob).not.toHaveProperty('ClientIdentity')
  expect(seated).toMatchObject({ Attributes: '{"seat":2}' })
  expect(gone).toMatchObject({ Identity: 'bob', ParticipantSid: bob?.ParticipantSid })
  expect(state).toMatchObject({ StateFrom: 'active', StateTo: 'inactive', Reason: 'API' })
  expect(deleted).toMatchObject(byServer)
  expect(server.told.find(({ fields }) => fields.EventType === 'onUserAdded')?.fields).toMatchObject({
    Identity: 'carol',
    FriendlyName: 'Carol',
    ChatServiceSid: SERVICE,
  })

  const tokens = server.told.map(({ headers }) => headers['i-twilio-idempotency-token'])
  expect(new Set(tokens).size).toBe(server.told.length)
  for (const { method, headers, fields } of server.told) {
    expect(method).toBe('POST')
    const signature = headers['x-twilio-signature'] as string
    expect(twilio.validateRequest(TOKEN, signature, postWebhookUrl, fields)).toBe(true)
    expect(
      twilio.validateRequest(TOKEN, signature, postWebhookUrl, { ...fields, Source: 'somebody else' }),
    ).toBe(false)
  }
})

test('by GET the fields stand in the address, which is what is signed', async () => {
  const { rest, server } = await withServer()
  await rest.configuration.webhooks().update({
    postWebhookUrl: `${server.url}/told?app=1`,
    method: 'GET',
    filters: ['onConversationAdded'],
  })
  await rest.conversations.create({ friendlyName: 'A & B', ...HEARD })
  await server.until(() => server.told.length === 1)
  const [told] = server.told
  expect(told).toMatchObject({ method: 'GET', fields: { app: '1', FriendlyName: 'A & B' } })
  const signature = told?.headers['x-twilio-signature'] as string
  expect(twilio.validateRequest(TOKEN, signature, `${server.url}${told?.path}`, {})).toBe(true)
})

test('what a server does without X-Twilio-Webhook-Enabled is told to nobody', async () => {
  const { rest, server } = await withServer()
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, preWebhookUrl: server.url })
  await rest.conversations.create({ uniqueName: 'silent' })
  await rest.conversations.create({ uniqueName: 'heard', ...HEARD })
  await server.until(() => server.told.length >= 2)
  expect(server.told.map(({ fields }) => [fields.EventType, fields.UniqueName])).toEqual([
    ['onConversationAdd', 'heard'],
    ['onConversationAdded', 'heard'],
  ])
})

test('a service’s webhooks are instead of its account’s, and a conversation’s beside them, each with its filters', async () => {
  const { rest, server } = await withServer()
  const own = await webhookServer()
  const one = await webhookServer()
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url })
  const service = await rest.services.create({ friendlyName: 'Other' })
  const other = rest.services(service.sid)
  await other.configuration.webhooks().update({ postWebhookUrl: own.url, filters: ['onMessageAdded'] })
  const { sid } = await other.conversations.create({ ...HEARD })
  const webhook = await other.conversations(sid).webhooks.create({
    target: 'webhook',
    'configuration.url': one.url,
    'configuration.filters': ['onMessageAdded', 'onParticipantAdded'],
  })
  await other.conversations(sid).participants.create({ identity: 'ada', ...HEARD })
  await other.conversations(sid).messages.create({ body: 'Hello', ...HEARD })
  const elsewhere = await rest.conversations.create({ ...HEARD })
  await Promise.all([
    own.until(() => own.told.length === 1),
    one.until(() => one.told.length === 2),
    server.until(() => server.told.length === 1),
  ])
  expect(own.types).toEqual(['onMessageAdded'])
  expect(one.types).toEqual(['onParticipantAdded', 'onMessageAdded'])
  expect(one.told[0]?.fields).toMatchObject({ WebhookSid: webhook.sid })
  expect(server.told[0]?.fields).toMatchObject({
    EventType: 'onConversationAdded',
    ConversationSid: elsewhere.sid,
  })
})

test('events of a conversation are told in order and again until they are taken, by the same token', async () => {
  const { rest, server } = await withServer()
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  const refusals = [503, 500, 429]
  server.answer = ({ fields }) => ({ status: fields.Body === '1' ? (refusals.shift() ?? 200) : 204 })
  for (const body of ['0', '1', '2', '3']) await rest.conversations(sid).messages.create({ body, ...HEARD })
  await server.until(() => server.told.at(-1)?.fields.Body === '3')
  expect(server.told.map(({ fields }) => `${fields.Body}/${fields.RetryCount}`)).toEqual([
    '0/0',
    '1/0',
    '1/1',
    '1/2',
    '1/3',
    '2/0',
    '3/0',
  ])
  const tokens = server.told.slice(1, 5).map(({ headers }) => headers['i-twilio-idempotency-token'])
  expect(new Set(tokens).size).toBe(1)
})

test('a server that never answers holds up neither others nor the relay, and has a bounded number of requests', async () => {
  const { rest, server } = await withServer({ webhooks: { perTarget: 3, timeout: 600_000 } })
  const slow = await webhookServer()
  slow.answer = () => undefined
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const sids: string[] = []
  for (let i = 0; i < 6; i++) {
    const { sid } = await rest.conversations.create()
    sids.push(sid)
    await rest.conversations(sid).webhooks.create({ target: 'webhook', 'configuration.url': slow.url })
  }
  for (const body of ['first', 'second'])
    for (const sid of sids) await rest.conversations(sid).messages.create({ body, ...HEARD })
  await server.until(() => server.told.length === 12)
  await slow.until(() => slow.open === 3)
  expect(slow.mostOpen).toBe(3)
  expect(slow.told).toHaveLength(3)
})

test('what nobody takes is given up after so many tries, can be read, and is told again when asked for', async () => {
  const { rest, server, httpUrl } = await withServer({ webhooks: { attempts: 3 } })
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  server.answer = ({ fields }) => ({ status: fields.Body === 'lost' ? 500 : 200 })
  await rest.conversations(sid).messages.create({ body: 'lost', ...HEARD })
  await rest.conversations(sid).messages.create({ body: 'next', ...HEARD })
  await server.until(() => server.told.at(-1)?.fields.Body === 'next')
  expect(server.told.map(({ fields }) => fields.Body)).toEqual(['lost', 'lost', 'lost', 'next'])

  const asked = (method: string) =>
    fetch(`${httpUrl}/v1/Configuration/Webhooks/Failures`, {
      method,
      headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}` },
    })
  const { failures } = (await (await asked('GET')).json()) as { failures: object[] }
  expect(failures).toMatchObject([
    { event_type: 'onMessageAdded', conversation_sid: sid, attempts: 3, error: 'HTTP 500' },
  ])
  expect(JSON.stringify(failures)).not.toContain('lost')

  server.answer = () => ({ status: 200 })
  const again = await asked('POST')
  expect(again.status).toBe(202)
  expect(await again.json()).toEqual({ retried: 1 })
  await server.until(() => server.told.length === 5)
  expect(server.told.at(-1)?.fields.Body).toBe('lost')
  expect(await (await asked('GET')).json()).toEqual({ failures: [] })
})

test('a message that is removed before it was told is told without its text', async () => {
  const { rest, server } = await withServer()
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  let release = (_: { status: number }) => {}
  server.answer = ({ fields }) =>
    fields.Body === 'first' ? new Promise((resolve) => (release = resolve)) : { status: 200 }
  await rest.conversations(sid).messages.create({ body: 'first', ...HEARD })
  const secret = await rest.conversations(sid).messages.create({ body: 'secret', ...HEARD })
  await server.until(() => server.open === 1)
  await rest.conversations(sid).messages(secret.sid).remove()
  release({ status: 200 })
  await server.until(() => server.told.length === 2)
  expect(server.told[1]?.fields).toMatchObject({ MessageSid: secret.sid, Body: '' })
})

test('what is told again while newer events are told comes before those that still wait', async () => {
  const { rest, server, httpUrl } = await withServer({ webhooks: { attempts: 1 } })
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  server.answer = () => ({ status: 500 })
  await rest.conversations(sid).messages.create({ body: 'lost', ...HEARD })
  await rest.conversations(sid).messages.create({ body: 'lost too', ...HEARD })
  await server.until(() => server.told.length === 2)
  let release = (_: { status: number }) => {}
  server.answer = ({ fields }) =>
    fields.Body === 'newer' ? new Promise((resolve) => (release = resolve)) : { status: 200 }
  for (const body of ['newer', 'newest']) await rest.conversations(sid).messages.create({ body, ...HEARD })
  await server.until(() => server.told.length === 3)
  const again = await fetch(`${httpUrl}/v1/Configuration/Webhooks/Failures`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}` },
  })
  expect(await again.json()).toEqual({ retried: 2 })
  release({ status: 200 })
  await server.until(() => server.told.length === 6)
  expect(server.told.map(({ fields }) => fields.Body).slice(2)).toEqual([
    'newer',
    'lost',
    'lost too',
    'newest',
  ])
})

test('servers that fail have one request at a time, and leave the room to others', async () => {
  const { rest, server } = await withServer({
    webhooks: { concurrency: 4, perTarget: 2, timeout: 600_000, firstRetry: 1, longestRetry: 1 },
  })
  const failing = await Promise.all([webhookServer(), webhookServer()])
  for (const one of failing) one.answer = () => ({ status: 500 })
  const sids: string[] = []
  for (let i = 0; i < 4; i++) {
    const { sid } = await rest.conversations.create()
    sids.push(sid)
    for (const { url } of failing)
      await rest.conversations(sid).webhooks.create({ target: 'webhook', 'configuration.url': url })
    await rest.conversations(sid).messages.create({ body: 'to be refused', ...HEARD })
  }
  await Promise.all(failing.map((one) => one.until(() => one.told.length >= 8)))
  // from now on they don't answer at all
  for (const one of failing) one.answer = () => undefined
  await Promise.all(failing.map((one) => one.until(() => one.open === 1)))
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  for (const sid of sids) await rest.conversations(sid).messages.create({ body: 'to be told', ...HEARD })
  await server.until(() => server.told.length === 4)
  expect(failing.map(({ open }) => open)).toEqual([1, 1])
})

test('a service that is deleted is told to the end', async () => {
  const { rest, server, httpUrl } = await withServer()
  const own = await webhookServer()
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url })
  const plain = await rest.services.create({ friendlyName: 'plain' })
  const special = await rest.services.create({ friendlyName: 'special' })
  await rest.services(special.sid).configuration.webhooks().update({ postWebhookUrl: own.url })
  for (const { sid } of [plain, special]) {
    await rest.services(sid).conversations.create()
    const deleted = await fetch(`${httpUrl}/v1/Services/${sid}`, {
      method: 'DELETE',
      headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}`, 'x-twilio-webhook-enabled': 'true' },
    })
    expect(deleted.status).toBe(204)
  }
  await Promise.all([server, own].map((one) => one.until(() => one.told.length === 1)))
  for (const [one, service] of [
    [server, plain],
    [own, special],
  ] as const) {
    const [told] = one.told
    expect(told?.fields).toMatchObject({ EventType: 'onConversationRemoved', ChatServiceSid: service.sid })
    const signature = told?.headers['x-twilio-signature'] as string
    expect(twilio.validateRequest(TOKEN, signature, one.url, told?.fields ?? {})).toBe(true)
  }
})

test('a webhook that comes late is told of the messages from an index on, and then of the new ones', async () => {
  const { rest, server } = await withServer()
  const { sid } = await rest.conversations.create()
  for (let i = 0; i < 5; i++) await rest.conversations(sid).messages.create({ author: 'ada', body: `${i}` })
  await rest.conversations(sid).webhooks.create({
    target: 'webhook',
    'configuration.url': server.url,
    'configuration.replayAfter': 2,
  })
  await rest.conversations(sid).messages.create({ body: 'new', ...HEARD })
  await server.until(() => server.told.length === 4)
  expect(server.told.map(({ fields }) => [fields.Body, fields.Index, fields.Source])).toEqual([
    ['2', '2', 'REPLAY'],
    ['3', '3', 'REPLAY'],
    ['4', '4', 'REPLAY'],
    ['new', '5', 'API'],
  ])
})

test('a relay that closes doesn’t wait for a webhook that never answers; the next one tells it, as if for the first time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-closing-'))
  try {
    const database = join(folder, 'relay.sqlite')
    const options = { database, webhooks: { timeout: 600_000 } }
    const { rest, server, close } = await withServer(options)
    server.answer = () => undefined
    await rest.configuration.webhooks().update({ postWebhookUrl: server.url })
    await rest.conversations.create(HEARD)
    await server.until(() => server.open === 1)
    await close()
    expect(server.told).toHaveLength(1)
    server.answer = () => ({ status: 200 })
    await withServer(options)
    await server.until(() => server.told.length === 2)
    expect(server.told.map(({ fields }) => fields.RetryCount)).toEqual(['0', '0'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
