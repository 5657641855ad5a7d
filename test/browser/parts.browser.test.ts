/** The files of the package as a page loads them by itself, when one of those that come later doesn't. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { bundleForBrowsers } from '../../scripts/build/javascript.ts'
import { tokenFor } from '../support/relay.ts'
import { startChromium } from './chromium.ts'
import { browserAvailable } from './harness.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const available = await browserAvailable()
const PAGE = `<!doctype html><meta charset="utf-8"><title>Parts</title>
  <script type="module">
    import * as confab from './browser.js'
    globalThis.confab = confab
  </script>`

describe.skipIf(!available)('a part of the package that is loaded when it is needed', () => {
  let folder: string
  let server: Server
  let browser: BrowserContext
  let page: Page
  /** Files that the network doesn't give, by what is in their names. */
  let missing = ''
  const asked: string[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'confab-parts-'))
    const source = join(import.meta.dirname, '../../packages/client')
    await bundleForBrowsers({ source, entry: 'src/index.ts', dist: folder })
    server = createServer((request, response) => {
      const name = request.url?.slice(1) ?? ''
      asked.push(name)
      if (missing !== '' && name.includes(missing)) return request.socket.destroy()
      if (name === '') return response.setHeader('content-type', 'text/html').end(PAGE)
      readFile(join(folder, name)).then(
        (bytes) => response.setHeader('content-type', 'text/javascript').end(bytes),
        () => response.writeHead(404).end(),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    browser = await startChromium(join(folder, 'profile'))
    page = browser.pages()[0]!
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.waitForFunction(() => 'confab' in globalThis)
  })
  afterAll(async () => {
    await browser?.close()
    server?.closeAllConnections()
    await new Promise((resolve) => server?.close(resolve))
    await rm(folder, { recursive: true, force: true })
  })

  /** Searches once; gives how many were found, or the error's code. */
  const search = (token: string) =>
    page.evaluate(async (token) => {
      const { Client } = (globalThis as unknown as { confab: typeof import('@confab/client') }).confab
      const kept = globalThis as unknown as { client?: InstanceType<typeof Client> }
      kept.client ??= new Client(token, { url: 'ws://127.0.0.1:9', logLevel: 'silent' })
      return kept.client.searchMessages('word').then(
        ({ messages }) => messages.length,
        (error: { code: number; message: string }) => `${error.code} ${error.message}`,
      )
    }, token)

  test('says so when it does not come; everything else goes on, and the page loaded again has it', async () => {
    const token = await tokenFor('ann')
    expect(asked.filter((name) => /search|tools|memory/.test(name))).toEqual([])
    missing = 'browser.search'
    expect(await search(token)).toBe('70702 This part of the package could not be loaded')
    const posted = await page.evaluate(async () => {
      const { client } = globalThis as unknown as { client: import('@confab/client').Client }
      const conversation = await (await client.createConversation({ friendlyName: 'Parts' })).join()
      return conversation.sendMessage('a word')
    })
    expect(posted).toBe(0)
    missing = ''
    // Chromium remembers what it could not import for as long as the page is there
    await page.reload()
    await page.waitForFunction(() => 'confab' in globalThis)
    expect(await search(token)).toBe(1)
  })
})
