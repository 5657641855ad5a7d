/** The web app on a stage: a relay that serves it, and people with browsers of their own. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BrowserContext, FrameLocator, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import { Client, type Conversation, memory } from '../../packages/client/src/index.ts'
import { createAccessToken, createRelay, type Log, type Relay } from '../../server/src/index.ts'
import { startChromium } from './chromium.ts'

const root = join(import.meta.dirname, '../..')
const dist = join(root, 'examples/web/dist')
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }
const SECRET = 'a secret of the browser tests, long enough'

/** Where screenshots of the last run are. */
export const shots = join(root, 'node_modules/.cache/confab/screenshots')

export const tokenFor = (identity: string): Promise<string> =>
  createAccessToken({ accountSid: 'AC1', key: 'SK1', secret: SECRET, identity })

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
  readonly #folder: string
  readonly #port: number
  readonly #contexts: BrowserContext[] = []
  readonly #clients: Client[] = []

  private constructor(folder: string, port: number) {
    this.#folder = folder
    this.#port = port
  }

  /** Builds the app, if it has changed, and starts the relay. */
  static async start(): Promise<WebStage> {
    mkdirSync(shots, { recursive: true })
    await promisify(execFile)(process.execPath, [join(root, 'examples/web/build.ts')], { cwd: root })
    const stage = new WebStage(await mkdtemp(join(tmpdir(), 'confab-web-')), 0)
    await stage.startRelay()
    return stage
  }

  /** Starts the relay, again at the address where it was. */
  async startRelay(): Promise<void> {
    const port = this.relay ? Number(new URL(this.relay.httpUrl).port) : this.#port
    this.relay = await createRelay({
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

  /** Somebody with a browser that is new, or that has been closed before. */
  async person(profile?: string): Promise<Person> {
    const kept = profile ?? (await mkdtemp(join(this.#folder, 'profile-')))
    const context = await startChromium(kept)
    this.#contexts.push(context)
    context.on('request', (request) => this.asked.push(request.url()))
    context.on('weberror', (error) => this.complaints.push(error.error().message))
    context.on('page', (page) => this.#watch(page))
    const page = context.pages()[0] ?? (await context.newPage())
    this.#watch(page)
    return { context, page, profile: kept }
  }

  #watch(page: Page): void {
    page.setDefaultTimeout(15_000)
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
    await this.relay.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** As long as a step in a browser may take. */
export const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 15_000 })

type Where = Page | FrameLocator

export const box = (page: Where): Locator => page.getByRole('textbox', { name: 'Message' })

export async function say(page: Where, text: string): Promise<void> {
  await box(page).fill(text)
  await box(page).press('Enter')
}

/** By what it says itself, not by what it answers. */
export const message = (page: Where, text: string): Locator => page.getByRole('article', { name: text })

export const isConnected = (page: Where): Promise<void> => page.locator('.pill.on:visible').waitFor()
export const isOffline = (page: Where): Promise<void> => page.locator('.pill.off:visible').waitFor()

/** Turns the network off, or on, by the app's own switch. */
export const toggle = (page: Where): Promise<void> => page.locator('.pill .switch-track:visible').click()

/** Opens a conversation of the list. */
export const open = (page: Where, name: RegExp): Promise<void> => page.getByRole('option', { name }).click()

export async function begin(page: Where, name: string, people = ''): Promise<void> {
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByRole('textbox', { name: 'People' }).fill(people)
  await page.getByRole('button', { name: 'Create' }).click()
  await page.getByRole('heading', { name, exact: true }).waitFor()
  // the dialog has closed, and one may write
  await page.locator('textarea:focus').waitFor()
}

/** Something that a message's menu offers. */
export async function choose(page: Where, text: string, action: string): Promise<void> {
  await message(page, text).hover()
  await message(page, text).getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: action }).click()
}
