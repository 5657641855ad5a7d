/** The transports on a browser's own WebSocket. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createAccessToken, createRelay, type Log, type Relay } from '../../server/src/index.ts'
import { browserAvailable, withPage } from './harness.ts'

type Entry = typeof import('./transport-page.ts')

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }
const account = {
  accountSid: `AC${'1'.repeat(32)}`,
  key: 'SK1',
  secret: 'a secret of the browser tests, long enough',
}

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const entry = new URL('./transport-page.ts', import.meta.url)
const available = await browserAvailable()

describe.skipIf(!available).each(['native', 'yWebsocket'] as const)('%s() in Chromium', (kind) => {
  let directory: string
  let relay: Relay
  const startRelay = (port = 0) =>
    createRelay({
      port,
      database: join(directory, 'relay.sqlite'),
      accessKeys: { [account.key]: account.secret },
      logger: SILENT,
    })
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'confab-'))
    relay = await startRelay()
  })
  afterEach(async () => {
    await relay.close()
    await rm(directory, { recursive: true, force: true })
  })

  test('a page creates a conversation and posts to it', () =>
    withPage<Entry>(entry, async ({ call }) => {
      await call('connect', kind, relay.url, await createAccessToken({ ...account, identity: 'ada' }))
      expect(await call('converse', 'd'.repeat(32), 'from a page')).toEqual(['from a page'])
      await call('stop')
    }))

  test('close codes reach the page', () =>
    withPage<Entry>(entry, async ({ call }) => {
      const anHourAgo = Date.now() - 3_600_000
      const expired = await createAccessToken({ ...account, identity: 'ada', ttl: 1, now: anHourAgo })
      await call('start', kind, relay.url, expired)
      // after a second try, which brings the same token
      expect(await call('ended')).toMatchObject({ type: 'disconnected', code: 4402 })
      await call('stop')
    }))

  test('when the browser is online again it connects at once, however long it would have waited', () =>
    withPage<Entry>(entry, async ({ call, context }) => {
      const token = await createAccessToken({ ...account, identity: 'ada' })
      const forMinutes = 1000
      await call('connect', kind, relay.url, token, forMinutes)
      await relay.close()
      expect(await call('disconnected')).toMatchObject({ permanent: false })
      relay = await startRelay(Number(new URL(relay.url).port))
      await context.setOffline(true)
      await context.setOffline(false)
      await call('connected')
      await call('stop')
    }))
})
