/** A relay that serves the web app, and people with browsers of their own. Used by tests and benchmarks. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BrowserContext, FrameLocator, Page } from 'playwright-core'
import { Client, type Conversation, memory } from '../../packages/client/src/index.ts'
import {
  createAccessToken,
  createRelay,
  type Log,
  type Relay,
  type RelayOptions,
} from '../../server/src/index.ts'
import { startChromium } from './chromium.ts'

const root = join(import.meta.dirname, '../..')
const dist = join(root, 'examples/web/dist')
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }
const SECRET = 'a secret of the browser tests, long enough'

/** Where screenshots of the last run are. */
export const shots = join(root, 'node_modules/.cache/confab/screenshots')

export const tokenFor = (identity: string): Promise<string> =>
  createAccessToken({ accountSid: 'AC1', key: 'SK1', secret: SECRET, identity })

/** Milliseconds that a step in a browser may take, on a machine that has other things to do. */
export const STEP = 30_000

/** The app says that it has the relay. */
export const isConnected = (page: Page | FrameLocator): Promise<void> =>
  page.locator('.pill.on:visible').waitFor()

/** Somebody with a browser of their own, which keeps what it has in `profile`. */
export interface Person {
  readonly context: BrowserContext
  readonly page: Page
  readonly profile: string
}

export class WebStage {
  relay!: Relay
  /** Everything that pages asked for, and what they complained of. */
  readonly asked: string[] = []
  readonly complaints: string[] = []
  #folder = ''
  readonly #options: Partial<RelayOptions>
  readonly #contexts: BrowserContext[] = []
  readonly #clients: Client[] = []

  /** @param options of the relay, beside what the stage sets */
  constructor(options: Partial<RelayOptions> = {}) {
    this.#options = options
  }

  /** Builds the app, if it has changed, and starts the relay. */
  async start(): Promise<void> {
    mkdirSync(shots, { recursive: true })
    await promisify(execFile)(process.execPath, [join(root, 'examples/web/build.ts')], { cwd: root })
    this.#folder = await mkdtemp(join(tmpdir(), 'confab-web-'))
    await this.startRelay()
  }

  /** Starts the relay, again at the address where it was. */
  async startRelay(): Promise<void> {
    const port = this.relay ? Number(new URL(this.relay.httpUrl).port) : 0
    this.relay = await createRelay({
      ...this.#options,
      port,
      database: join(this.#folder, 'relay.sqlite'),
      accessKeys: { SK1: SECRET },
      app: dist,
      demoTokens: tokenFor,
      logger: SILENT,
    })
  }

  get url(): string {
    return this.relay.httpUrl
  }

  /** Somebody with a browser that is new, or that has been closed before; with `flags` of its own. */
  async person(profile?: string, flags: string[] = []): Promise<Person> {
    const kept = profile ?? (await mkdtemp(join(this.#folder, 'profile-')))
    const context = await startChromium(kept, flags)
    this.#contexts.push(context)
    context.on('request', (request) => this.asked.push(request.url()))
    context.on('weberror', (error) => this.complaints.push(error.error().message))
    context.on('page', (page) => this.#watch(page))
    const page = context.pages()[0] ?? (await context.newPage())
    this.#watch(page)
    return { context, page, profile: kept }
  }

  #watch(page: Page): void {
    page.setDefaultTimeout(STEP)
    page.on('console', (message) => {
      const text = message.text()
      if (message.type() === 'error' && !/WebSocket|ERR_|Failed to load resource/.test(text))
        this.complaints.push(text)
    })
    void page.setViewportSize({ width: 1200, height: 800 })
  }

  async signedIn(name: string): Promise<Person> {
    const somebody = await this.person()
    await this.signIn(somebody.page, name)
    return somebody
  }

  async signIn(page: Page, name: string): Promise<void> {
    await page.goto(this.url)
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await isConnected(page)
  }

  /** Somebody with no browser: what others write. */
  async client(identity: string): Promise<Client> {
    const client = await Client.create(await tokenFor(identity), {
      url: this.relay.url,
      storage: memory(),
      logLevel: 'silent',
    })
    this.#clients.push(client)
    return client
  }

  /** Somebody without a browser, once they know of the conversation. */
  async member(identity: string, name: string): Promise<Conversation> {
    const client = await this.client(identity)
    const known = (await client.getSubscribedConversations()).items.find((one) => one.friendlyName === name)
    if (known) return known
    return new Promise((resolve) => {
      client.on('conversationJoined', (one) => {
        if (one.friendlyName === name) resolve(one)
      })
    })
  }

  /** Closes the browsers, and what stands in for people without one. */
  async everybodyLeaves(): Promise<void> {
    await Promise.all(this.#contexts.splice(0).map((context) => context.close()))
    await Promise.all(this.#clients.splice(0).map((client) => client.shutdown()))
  }

  async close(): Promise<void> {
    await this.everybodyLeaves()
    await this.relay?.close()
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true })
  }
}
