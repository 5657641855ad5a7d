/** What those see who run a relay: whether it lives, figures, and logs in which nothing of anybody stands. */
import { conversationSid } from '@confab/core'
import { createRelay } from '@confab/relay'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { onStage, refusal, SERVICE } from '../rest/stage.ts'
import { relayOptions } from '../support/relay.ts'
import { ACCOUNT, HEARD, OTHER_TOKEN, person, SECRET, TOKEN, withServer } from '../webhooks/stage.ts'

const status = async (url: string, headers: HeadersInit = {}) => {
  const response = await fetch(url, { headers })
  return [response.status, await response.json().catch(() => null)]
}

test('it lives, it is ready, and at other methods it says what it takes', async () => {
  const { httpUrl } = await onStage()
  expect(await status(`${httpUrl}/healthz`)).toMatchObject([200, { status: 'ok' }])
  expect(await status(`${httpUrl}/readyz`)).toMatchObject([200, { status: 'ready' }])
  expect((await fetch(`${httpUrl}/readyz`, { method: 'POST' })).status).toBe(405)
})

describe('figures', () => {
  test('are nowhere unless they are asked for', async () => {
    const { httpUrl, metricsUrl } = await onStage()
    expect(metricsUrl).toBeNull()
    expect((await fetch(`${httpUrl}/metrics`)).status).toBe(404)
  })

  test('are on the relay’s own port for whoever has the token', async () => {
    const { httpUrl } = await onStage({ metrics: { token: 'a token for watchers' } })
    expect((await fetch(`${httpUrl}/metrics`)).status).toBe(401)
    const wrong = { authorization: 'Bearer another token' }
    expect((await fetch(`${httpUrl}/metrics`, { headers: wrong })).status).toBe(401)
    const right = { authorization: 'Bearer a token for watchers' }
    const response = await fetch(`${httpUrl}/metrics`, { headers: right })
    expect(response.headers.get('content-type')).toContain('text/plain')
    expect(await response.text()).toContain('confab_connections 0')
  })

  test('count what happens, on a port of their own, and name nobody', async () => {
    const stage = await withServer({ metrics: { port: 0 } })
    const { rest, server, url, httpUrl, metricsUrl } = stage
    expect((await fetch(`${httpUrl}/metrics`)).status).toBe(404)
    await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
    const ada = await person({ url }, 'ada')
    const conversation = await (await ada.createConversation({ friendlyName: 'Tea' })).join()
    for (const body of ['one', 'two', 'three']) await conversation.sendMessage(body)
    await conversation.add('bob')
    await expect(conversation.add('bob')).rejects.toMatchObject({ code: 50433 })
    expect(await refusal(rest.conversations('nowhere').fetch())).toMatchObject({ code: 20404 })
    await server.until(() => server.told.length === 3)
    await rest.conversations(conversation.sid).messages.create({ body: 'four', ...HEARD })
    await server.until(() => server.told.length === 4)

    const text = await (await fetch(metricsUrl as string)).text()
    const figure = (name: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')
          .at(-1),
      )
    expect(figure('confab_connections')).toBe(1)
    expect(figure('confab_messages_written_total')).toBe(4)
    expect(figure('confab_loaded_documents')).toBeGreaterThan(0)
    expect(figure('confab_commits_total')).toBeGreaterThanOrEqual(6)
    expect(figure('confab_commit_seconds_count')).toBeGreaterThanOrEqual(6)
    expect(figure('confab_update_bytes_total')).toBeGreaterThan(500)
    expect(figure('confab_rest_requests_total{resource="Conversations",status="4xx"}')).toBe(1)
    expect(figure('confab_webhook_requests_total{kind="post",result="answered"}')).toBe(4)
    expect(figure('confab_webhook_events{state="dead"}')).toBe(0)
    expect(figure('process_cpu_seconds_total')).toBeGreaterThan(0)
    for (const word of [ACCOUNT, conversation.sid, 'ada', 'Tea', 'nowhere', '127.0.0.1'])
      expect(text).not.toContain(word)
    // health is there, too
    expect(await status((metricsUrl as string).replace('/metrics', '/readyz'))).toMatchObject([200, {}])
  })
})

test('logs have request ids, and at their most talkative no body, secret or token', async () => {
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  const { rest, server, url, httpUrl } = await withServer({ logger, webhooks: { attempts: 2 } })
  await rest.configuration.webhooks().update({
    preWebhookUrl: `${server.url}/pre?secret=in-the-address`,
    postWebhookUrl: `${server.url}/post?secret=in-the-address`,
  })
  server.answer = () => ({ status: 200, body: 'not what was asked for' })
  const ada = await person({ url }, 'ada')
  const conversation = await (await ada.createConversation({ friendlyName: 'a name of theirs' })).join()
  await conversation.sendMessage('words of theirs', { key: 'attributes of theirs' })
  server.answer = ({ fields }) =>
    fields.EventType?.endsWith('ed')
      ? { status: 500, body: 'words of a webhook' }
      : { status: 403, body: '{"message":"reason of a webhook"}' }
  await expect(conversation.sendMessage('words that are refused')).rejects.toMatchObject({ code: 70301 })
  server.answer = ({ fields }) => ({ status: fields.EventType?.endsWith('ed') ? 500 : 200 })
  await rest.conversations(conversation.sid).messages.create({ body: 'words of a server', ...HEARD })
  await server.until(
    () => server.told.filter(({ fields }) => fields.Body === 'words of a server').length === 3,
  )
  await fetch(`${httpUrl}/v1/Conversations?FriendlyName=in-the-query`, {
    headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${OTHER_TOKEN}`)}` },
  })
  await fetch(`${httpUrl}/yjs/x?token=in-the-query`)
  const response = await fetch(`${httpUrl}/v1/Conversations`, {
    headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}` },
  })
  const requestId = response.headers.get('twilio-request-id')
  expect(requestId).toMatch(/^RQ[0-9a-f]{32}$/)
  const log = lines.join('')
  expect(log).toContain(`"requestId":"${requestId}"`)
  expect(log).toContain('a webhook did not take an event')
  for (const word of [
    'of theirs',
    'words',
    'of a webhook',
    'in-the-address',
    'in-the-query',
    TOKEN,
    OTHER_TOKEN,
    SECRET,
    btoa(`${ACCOUNT}:${TOKEN}`),
    'eyJ',
    server.told[0]?.headers['x-twilio-signature'] as string,
  ])
    expect(log).not.toContain(word)
})

test('a relay that closes says so at the port of watchers for as long as it has something to decide', async () => {
  let decide = () => {}
  let asked = () => {}
  const isAsked = new Promise<void>((resolve) => (asked = resolve))
  const { system, close, metricsUrl, httpUrl } = await onStage({
    metrics: { port: 0 },
    hooks: {
      beforeCommit: () => {
        asked()
        return new Promise<undefined>((resolve) => (decide = () => resolve(undefined)))
      },
    },
  })
  const nonce = '0'.repeat(32)
  const created = system.submit(SERVICE, conversationSid('', nonce), {
    id: '1'.repeat(32),
    type: 'conversation.create',
    dateWritten: Date.now(),
    nonce,
  })
  await isAsked
  const closed = close()
  const watched = (metricsUrl as string).replace('/metrics', '/readyz')
  expect(await status(watched)).toEqual([503, { status: 'closing' }])
  expect(await status(watched.replace('readyz', 'healthz'))).toMatchObject([200, {}])
  decide()
  expect(await created).toMatchObject({ verdict: 'accepted' })
  await closed
  await expect(fetch(watched)).rejects.toThrow()
  await expect(fetch(`${httpUrl}/readyz`)).rejects.toThrow()
})

test.each([
  ['metrics.port', { metrics: { port: 70_000 } }],
  ['metrics.token', { metrics: { token: 'short' } }],
  ['webhooks.onTimeout', { webhooks: { onTimeout: 'perhaps' } }],
  ['webhooks.timeout', { webhooks: { timeout: 0 } }],
  ['webhooks.allowPrivateTargets', { webhooks: { allowPrivateTargets: 'yes' } }],
  ['webhooks.tries', { webhooks: { tries: 3 } }],
  ['retentionEvery', { retentionEvery: 0 }],
  ['accessKeys.SKa.accountSid', { accessKeys: { SKa: { secret: 'x'.repeat(32), accountSid: '' } } }],
  ['accessKeys.SKa', { accessKeys: { SKa: { secret: 'short', accountSid: 'AC1' } } }],
])('%s that is wrong is named before anything starts', async (option, options) => {
  await expect(createRelay(relayOptions(options as never))).rejects.toMatchObject({
    code: 20001,
    message: expect.stringContaining(`${option} must be`),
  })
})
