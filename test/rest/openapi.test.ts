/** The OpenAPI document has every route that is served, and what is answered has the shape that it declares. */
import { SERVICE_USER } from '@confab/core'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { pathsOf } from '../../server/src/rest/openapi.ts'
import { routes } from '../../server/src/rest/routes.ts'
import { ACCOUNT, onStage, SERVICE, TOKEN } from './stage.ts'

interface Document {
  openapi: string
  paths: {
    [path: string]: { [method: string]: { parameters: object[]; responses: object; requestBody?: object } }
  }
}

test('every route is in the document, and nothing else is', async () => {
  const { httpUrl } = await onStage()
  const document = (await (await fetch(`${httpUrl}/v1/openapi.json`)).json()) as Document
  expect(document.openapi).toBe('3.1.0')
  const served = routes.flatMap((route) => pathsOf(route).map((path) => `${route.method} ${path}`)).sort()
  const written = Object.entries(document.paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .sort()
  expect(written).toEqual(served)
  expect(new Set(served).size).toBe(served.length)
  expect(written.length).toBeGreaterThan(80)
})

test('every path of the document is served: none is answered as one that isn’t there', async () => {
  const { httpUrl } = await onStage()
  const authorization = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`
  const { paths } = (await (await fetch(`${httpUrl}/v1/openapi.json`)).json()) as Document
  for (const path of Object.keys(paths)) {
    const at = path
      .replace('{ChatServiceSid}', SERVICE)
      .replace('{AccountSid}', ACCOUNT)
      .replace(/\{\w+\}/g, 'x')
    // every path is known by that it doesn't take this one
    const response = await fetch(httpUrl + at, { method: 'PATCH', headers: { authorization } })
    expect([path, response.status]).toEqual([path, 405])
  }
})

test('the page says the same to people, with no script', async () => {
  const { httpUrl } = await onStage()
  const response = await fetch(`${httpUrl}/v1/docs`)
  expect(response.headers.get('content-type')).toMatch(/^text\/html/)
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  const page = await response.text()
  for (const route of routes) for (const path of pathsOf(route)) expect(page).toContain(path)
  expect(page).not.toContain('<script')
})

test('what is answered has every property that is declared, and no other', async () => {
  const { httpUrl, rest, url } = await onStage()
  void url
  const { sid } = await rest.conversations.create({ friendlyName: 'x', state: 'inactive' })
  await rest.conversations(sid).participants.create({ identity: 'ada' })
  await rest.conversations(sid).participants.create({
    'messagingBinding.address': '+14155550101',
    'messagingBinding.proxyAddress': '+14155550999',
  })
  await rest.conversations(sid).messages.create({ body: 'x' })
  await rest.users('ada').update({ friendlyName: 'Ada', roleSid: SERVICE_USER })
  await rest.credentials.create({ type: 'apn' })
  await rest.addressConfigurations.create({ type: 'sms', address: '+14155550999' })
  const [message] = await rest.conversations(sid).messages.list()
  const authorization = `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}`
  const named: { [name: string]: string } = {
    ConversationSid: sid,
    UserSid: 'ada',
    MessageSid: message?.sid as string,
    ChatServiceSid: SERVICE,
    AccountSid: ACCOUNT,
  }
  let lists = 0
  for (const route of routes) {
    if (route.method !== 'GET' || !route.answer || !route.list) continue
    for (const path of pathsOf(route)) {
      const at = path.replace(/\{(\w+)\}/g, (_, name) => named[name] ?? name)
      const query = path.includes('/ParticipantConversations') ? '?Identity=ada' : ''
      const response = await fetch(httpUrl + at + query, { headers: { authorization } })
      const answered = (await response.json()) as { [key: string]: object[]; meta: never }
      const items = answered[route.list] as object[]
      for (const item of items) z.strictObject((route.answer as z.ZodObject).shape).parse(item)
      expect(answered.meta).toMatchObject({ key: route.list, page: 0, page_size: 50 })
      if (items.length > 0) lists++
      const [first] = items as { url?: string }[]
      if (first?.url?.startsWith(httpUrl)) {
        const one = await fetch(first.url, { headers: { authorization } })
        expect([first.url, one.status]).toEqual([first.url, 200])
        expect(await one.json()).toEqual(first)
      }
    }
  }
  expect(lists).toBeGreaterThan(16)
})

/** Names that the instance classes of the official package read off a payload, by what they are built from. */
test('everything that the official package reads of an answer is there', async () => {
  const { rest } = await onStage()
  const { sid } = await rest.conversations.create({
    friendlyName: 'x',
    uniqueName: 'y',
    'timers.closed': 'PT10M',
  })
  const participant = await rest.conversations(sid).participants.create({ identity: 'ada' })
  const message = await rest.conversations(sid).messages.create({ body: 'x' })
  const service = rest.services(SERVICE)
  const instances: { [name: string]: object | undefined } = {
    conversation: await rest.conversations(sid).fetch(),
    participant,
    message,
    user: await rest.users('ada').fetch(),
    userConversation: (await rest.users('ada').userConversations.list())[0],
    participantConversation: (await rest.participantConversations.list({ identity: 'ada' }))[0],
    role: (await rest.roles.list())[0],
    service: await service.fetch(),
    configuration: await rest.configuration().fetch(),
    serviceConfiguration: await service.configuration().fetch(),
    notification: await service.configuration.notifications().fetch(),
    credential: await rest.credentials.create({ type: 'fcm' }),
    address: await rest.addressConfigurations.create({ type: 'email', address: 'desk@example.org' }),
    serviceConversation: await service.conversations(sid).fetch(),
    serviceParticipant: await service.conversations(sid).participants('ada').fetch(),
    serviceMessage: await service.conversations(sid).messages(message.sid).fetch(),
    serviceUser: await service.users('ada').fetch(),
    serviceRole: (await service.roles.list())[0],
  }
  for (const [name, instance] of Object.entries(instances)) {
    for (const [key, value] of Object.entries(instance ?? {})) {
      if (key.startsWith('_')) continue
      // null says that there is nothing; undefined, and dates that are none, that it isn't said
      expect([name, key, value === undefined || Number.isNaN(value)]).toEqual([name, key, false])
      if (/^(conversation)?date(Created|Updated)$/i.test(key))
        expect([name, value]).toEqual([name, expect.any(Date)])
      if (/[sS]id$/.test(key) && value !== null)
        expect([name, key, value]).toEqual([name, key, expect.stringMatching(/^[A-Z]{2}[0-9a-f]{32}$/)])
      if (key === 'url')
        expect([name, value]).toEqual([name, expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1\//)])
    }
  }
})
