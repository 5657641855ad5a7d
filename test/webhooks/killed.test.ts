/** A relay that is killed between a commit and its telling loses nothing of what webhooks are to be told. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RelayProcess, runRelay } from '../support/relay-process.ts'
import { ACCOUNT, HEARD, pointed, TOKEN, webhookServer } from './stage.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'confab-webhooks-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const start = () =>
  runRelay({
    database: join(folder, 'relay.sqlite'),
    accounts: { [ACCOUNT]: { authToken: TOKEN } },
    webhooks: { allowPrivateTargets: true, firstRetry: 5, longestRetry: 20 },
  })
const restOf = ({ port }: RelayProcess) => pointed({ httpUrl: `http://127.0.0.1:${port}` })

test('SIGKILL while a webhook is being told, and while others wait: the next run tells all of it, in order', async () => {
  const server = await webhookServer()
  server.answer = () => undefined
  const first = await start()
  const rest = restOf(first)
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  const bodies = Array.from({ length: 20 }, (_, i) => String(i))
  for (const body of bodies) await rest.conversations(sid).messages.create({ body, ...HEARD })
  await server.until(() => server.told.length === 1)
  await first.kill()

  server.answer = () => ({ status: 200 })
  const second = await start()
  await server.until(() => server.told.at(-1)?.fields.Body === '19')
  expect(server.told.map(({ fields }) => fields.Body)).toEqual(['0', ...bodies])
  const [once, again] = server.told.map(({ headers }) => headers['i-twilio-idempotency-token'])
  expect(again).toBe(once)
  await second.kill()
})

test('what was told and is recorded isn’t told again by the run after a kill, beyond the last moment', async () => {
  const server = await webhookServer()
  const first = await start()
  const rest = restOf(first)
  await rest.configuration.webhooks().update({ postWebhookUrl: server.url, filters: ['onMessageAdded'] })
  const { sid } = await rest.conversations.create()
  for (let i = 0; i < 150; i++) await rest.conversations(sid).messages.create({ body: String(i), ...HEARD })
  await server.until(() => server.told.length === 150)
  await first.kill()
  const second = await start()
  await restOf(second)
    .conversations(sid)
    .messages.create({ body: 'last', ...HEARD })
  await server.until(() => server.told.at(-1)?.fields.Body === 'last')
  const again = server.told.slice(150, -1).map(({ fields }) => Number(fields.Body))
  expect(again.length).toBeLessThanOrEqual(100)
  // in order, to the end
  expect(again).toEqual(again.map((_, i) => 150 - again.length + i))
  await second.kill()
})
