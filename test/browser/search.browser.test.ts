/** Searching in a page: the package as it is published, its index in a worker, kept in IndexedDB. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createAccessToken, createRelay, type Relay } from '@confab/relay'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { bundleForBrowsers } from '../../scripts/build/javascript.ts'
import { browserAvailable, withPage } from './harness.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const available = await browserAvailable()
const dist = mkdtempSync(join(tmpdir(), 'confab-search-page-'))
const entry = pathToFileURL(join(dist, 'page.js'))
let relay: Relay

const PAGE = `
import { Client } from './browser.js'
const { Worker } = globalThis
let workers = 0
let newest
globalThis.Worker = class extends Worker {
  constructor(...given) {
    super(...given)
    workers++
    newest = this
  }
}
let client
export const start = async (token) => {
  client = await Client.create(token)
}
export const write = async (bodies) => {
  const conversation = await (await client.createConversation()).join()
  for (const body of bodies) await conversation.sendMessage(body)
}
export const find = async (query) => {
  const { messages } = await client.searchMessages(query)
  return { workers, bodies: messages.map(({ body }) => body) }
}
export const crashAndFind = async (query) => {
  const { messages } = await client.searchMessages(query)
  const found = client.searchMessages(query)
  newest.terminate()
  newest.dispatchEvent(new ErrorEvent('error'))
  return { before: messages.length, during: (await found).messages.length, after: (await client.searchMessages(query)).messages.length, workers }
}
export const stop = () => client.shutdown()
`

interface Page {
  start(token: string): Promise<void>
  write(bodies: string[]): Promise<void>
  find(query: string): Promise<{ workers: number; bodies: string[] }>
  crashAndFind(query: string): Promise<{ before: number; during: number; after: number; workers: number }>
  stop(): Promise<void>
}

beforeAll(async () => {
  const source = join(import.meta.dirname, '../../packages/client')
  await bundleForBrowsers({ source, entry: 'src/index.ts', dist })
  writeFileSync(join(dist, 'page.js'), PAGE)
  relay = await createRelay({ port: 0, database: ':memory:', accessKeys: { [ACCESS.key]: ACCESS.secret } })
})
afterAll(async () => {
  await relay.close()
  rmSync(dist, { recursive: true, force: true })
})

test.skipIf(!available)('a page finds what it wrote, by a worker, and after a reload', async () => {
  const token = await createAccessToken({
    ...ACCESS,
    identity: 'ada',
    serviceSid: 'IS1',
    relayUrl: relay.url,
  })
  await withPage<Page>(entry, async ({ call, page }) => {
    await call('start', token)
    await call('write', ['Grüße aus Łódź', 'nothing', '東京タワー'])
    expect(await call('find', 'grusse lodz')).toEqual({ workers: 1, bodies: ['Grüße aus Łódź'] })
    expect(await call('find', 'タワ')).toEqual({ workers: 1, bodies: ['東京タワー'] })
    await call('stop')
    await page.reload()
    await call('start', token)
    expect(await call('find', 'noth')).toEqual({ workers: 1, bodies: ['nothing'] })
    await call('stop')
  })
})

test.skipIf(!available)(
  'a worker that crashes is followed by another, and after three the index does without',
  async () => {
    const token = await createAccessToken({
      ...ACCESS,
      identity: 'bob',
      serviceSid: 'IS1',
      relayUrl: relay.url,
    })
    await withPage<Page>(entry, async ({ call }) => {
      await call('start', token)
      await call('write', ['tea', 'coffee', 'more tea'])
      const found = { before: 2, during: 2, after: 2 }
      expect(await call('crashAndFind', 'tea')).toEqual({ ...found, workers: 2 })
      await call('write', ['tea again'])
      expect(await call('crashAndFind', 'tea')).toEqual({ before: 3, during: 3, after: 3, workers: 3 })
      expect(await call('crashAndFind', 'tea')).toEqual({ before: 3, during: 3, after: 3, workers: 3 })
      await call('stop')
    })
  },
)
