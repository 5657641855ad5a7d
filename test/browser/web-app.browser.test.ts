/** The web app as people meet it: in a real browser, served by a real relay. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BrowserContext, FrameLocator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createAccessToken, createRelay, type Log, type Relay } from '../../server/src/index.ts'
import { startChromium } from './chromium.ts'
import { browserAvailable } from './harness.ts'

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 })

const root = join(import.meta.dirname, '../..')
const dist = join(root, 'examples/web/dist')
const shots = join(root, 'node_modules/.cache/confab/screenshots')
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }
const SECRET = 'a secret of the browser tests, long enough'

const available = await browserAvailable()

let folder: string
let relay: Relay
const contexts: BrowserContext[] = []
/** Everything that pages asked for, and what they complained of. */
const asked: string[] = []
const complaints: string[] = []

const startRelay = (port = 0) =>
  createRelay({
    port,
    database: join(folder, 'relay.sqlite'),
    accessKeys: { SK1: SECRET },
    app: dist,
    demoTokens: (identity) => createAccessToken({ accountSid: 'AC1', key: 'SK1', secret: SECRET, identity }),
    logger: SILENT,
  })

/** A person with a browser of their own. */
async function person(): Promise<{ context: BrowserContext; page: Page; profile: string }> {
  const profile = await mkdtemp(join(folder, 'profile-'))
  return { ...(await opened(profile)), profile }
}

async function opened(profile: string): Promise<{ context: BrowserContext; page: Page }> {
  const context = await startChromium(profile)
  contexts.push(context)
  context.on('request', (request) => asked.push(request.url()))
  context.on('weberror', (error) => complaints.push(error.error().message))
  const page = context.pages()[0] ?? (await context.newPage())
  page.on('console', (message) => {
    const text = message.text()
    if (message.type() === 'error' && !/WebSocket|ERR_|Failed to load resource/.test(text))
      complaints.push(text)
  })
  page.setDefaultTimeout(15_000)
  await page.setViewportSize({ width: 1200, height: 800 })
  return { context, page }
}

async function signedIn(name: string): Promise<{ context: BrowserContext; page: Page; profile: string }> {
  const somebody = await person()
  await somebody.page.goto(relay.httpUrl)
  await somebody.page.getByLabel('Your name').fill(name)
  await somebody.page.getByRole('button', { name: 'Sign in' }).click()
  await somebody.page.getByText('Connected').first().waitFor()
  return somebody
}

const box = (page: Page) => page.getByRole('textbox', { name: 'Message' })
async function say(page: Page, text: string): Promise<void> {
  await box(page).fill(text)
  await box(page).press('Enter')
}
const message = (page: Page, text: string) => page.getByRole('article').filter({ hasText: text })

const isConnected = (page: Page) => page.locator('.pill.on:visible').waitFor()

/** Turns the network off, or on, by the app's own switch. */
const toggle = (page: Page | FrameLocator) => page.locator('.switch-track:visible').click()

async function begin(page: Page, name: string, people: string): Promise<void> {
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('People').fill(people)
  await page.getByRole('button', { name: 'Create' }).click()
  await box(page).waitFor()
}

describe.skipIf(!available)('the web app', () => {
  beforeAll(async () => {
    mkdirSync(shots, { recursive: true })
    folder = await mkdtemp(join(tmpdir(), 'confab-web-'))
    await promisify(execFile)(process.execPath, [join(root, 'examples/web/build.ts')], { cwd: root })
    relay = await startRelay()
  })
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()))
  })
  afterAll(async () => {
    await relay.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('two people talk, react, reply, edit, remove and see who has read', async () => {
    const [{ page: alice }, { page: bob }] = [await signedIn('alice'), await signedIn('bob')]
    await begin(alice, 'Harbour crew', 'bob')
    await say(alice, 'The crane on pier 4 is stuck')
    await bob.getByRole('option', { name: /Harbour crew/ }).click()
    await message(bob, 'The crane on pier 4').waitFor()
    await box(bob).pressSequentially('On m')
    await alice.getByText('bob typing…').waitFor()
    await say(bob, 'On my way')
    await message(alice, 'On my way').waitFor()

    await message(alice, 'On my way').hover()
    await message(alice, 'On my way').getByRole('button', { name: 'React' }).click()
    await alice.getByRole('menuitem', { name: '👍' }).click()
    await bob.getByRole('button', { name: '👍 by alice' }).click()
    await alice.getByRole('button', { name: /👍 by .*alice.*bob/ }).waitFor()

    await message(bob, 'The crane').hover()
    await message(bob, 'The crane').getByRole('button', { name: 'More' }).click()
    await bob.getByRole('menuitem', { name: 'Reply' }).click()
    await say(bob, 'Which side?')
    await message(alice, 'Which side?').getByText('The crane on pier 4 is stuck').waitFor()

    await say(alice, 'North sied')
    await message(alice, 'North sied').waitFor()
    await box(alice).press('ArrowUp')
    await box(alice).fill('North side')
    await box(alice).press('Enter')
    await message(bob, 'North side').getByText('edited').waitFor()
    await alice.getByText('Read by bob').waitFor()

    await say(alice, 'Never mind')
    await message(bob, 'Never mind').waitFor()
    await message(alice, 'Never mind').hover()
    await message(alice, 'Never mind').getByRole('button', { name: 'More' }).click()
    await alice.getByRole('menuitem', { name: 'Remove for everybody' }).click()
    await message(bob, 'Never mind').waitFor({ state: 'detached' })
    await alice.screenshot({ path: join(shots, 'chat.png') })
    expect(complaints).toEqual([])
  })

  test('somebody joins by a link, with the switch at offline, and is there when it is back', async () => {
    const { page: alice, context: ofAlice } = await signedIn('alice')
    await begin(alice, 'By invitation', '')
    await say(alice, 'come in')
    await alice.getByRole('button', { name: 'People and settings' }).click()
    await alice.getByRole('button', { name: 'Invite by a link…' }).click()
    await alice.getByRole('img', { name: 'The link as a QR code' }).waitFor()
    const link = await alice.getByLabel('Link that invites').inputValue()
    expect(link).toContain('/#join=')
    await ofAlice.close()

    const { page: carol } = await signedIn('carol')
    await carol.goto(link)
    await carol.reload()
    await message(carol, 'come in').waitFor()
    await toggle(carol)
    await say(carol, 'hello from carol')
    await carol
      .getByText(/Offline, \d to send/)
      .filter({ visible: true })
      .waitFor()
    await toggle(carol)
    await isConnected(carol)
  })

  test('two people side by side merge within a minute of the start', async () => {
    const { page } = await person()
    await page.goto(`${relay.httpUrl}/demo`)
    const [left, right] = ['alice', 'bob'].map((name) =>
      page.frameLocator(`iframe[title="Confab as ${name}"]`),
    )
    await left!.getByRole('button', { name: 'New conversation' }).click()
    await left!.getByLabel('Name', { exact: true }).fill('Demo')
    await left!.getByLabel('People').fill('bob')
    await left!.getByRole('button', { name: 'Create' }).click()
    await right!.getByRole('option', { name: /Demo/ }).click()
    await toggle(left!)
    await left!.locator('.pill.off:visible').waitFor()
    const write = async (half: typeof left, text: string) => {
      await half!.getByRole('textbox', { name: 'Message' }).fill(text)
      await half!.getByRole('textbox', { name: 'Message' }).press('Enter')
    }
    await write(left, 'left, offline')
    await write(right, 'right, online')
    await toggle(left!)
    for (const half of [left, right]) {
      await half!.getByRole('article').filter({ hasText: 'left, offline' }).waitFor()
      await half!.getByRole('article').filter({ hasText: 'right, online' }).waitFor()
    }
    await page.screenshot({ path: join(shots, 'demo.png') })
  })

  test('what people write is never taken for markup, and no page talks to anybody but the relay', async () => {
    const { page } = await signedIn('mallory')
    await begin(page, '<img src=x onerror="globalThis.hit=1">', '')
    const corpus = [
      '<script>globalThis.hit=1</script>',
      '<img src=x onerror="globalThis.hit=1">',
      '<svg/onload=globalThis.hit=1>',
      'javascript:globalThis.hit=1',
      '<a href="javascript:globalThis.hit=1">x</a>',
      '</textarea><script>globalThis.hit=1</script>',
      '{{constructor.constructor("globalThis.hit=1")()}}',
      'https://example.org/"onmouseover="globalThis.hit=1',
      '&lt;script&gt;globalThis.hit=1&lt;/script&gt;',
      '\u202eevil\u202c <iframe srcdoc="<script>parent.hit=1</script>">',
    ]
    for (const text of corpus) await say(page, text)
    const shown = page.getByRole('article').locator('.bubble > p')
    await expect.poll(() => shown.count()).toBe(corpus.length)
    expect(await shown.allTextContents()).toEqual(corpus)
    expect(await page.evaluate(() => (globalThis as { hit?: number }).hit)).toBeUndefined()
    const links = await page
      .locator('.bubble a')
      .evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).protocol))
    expect(new Set(links)).toEqual(new Set(['https:']))
    const elsewhere = asked.filter(
      (url) => !/^(http|ws|blob):(\/\/|http:\/\/)127\.0\.0\.1:/.test(url) && !url.startsWith('data:'),
    )
    expect(elsewhere).toEqual([])
    const response = await fetch(relay.httpUrl, { headers: { accept: 'text/html' } })
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
  })

  test('demo tokens are for pages of the relay alone', async () => {
    const ask = (headers: { [name: string]: string }) =>
      fetch(`${relay.httpUrl}/demo/token?identity=eve`, { headers }).then(({ status }) => status)
    expect(await ask({ 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await ask({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect((await fetch(`${relay.httpUrl}/demo/token?identity=`)).status).toBe(400)
  })
})
