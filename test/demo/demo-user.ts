/** Somebody who uses Twilio's React demo, step by step. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import type { Client, Conversation, Message, Participant } from '../../packages/client/src/index.ts'
import { startChromium } from '../browser/chromium.ts'
import type { ServedDemo } from './react-demo.ts'

/** For an element to appear, milliseconds: generous, because two browsers may share one busy core. */
const PATIENCE = 30_000

/** What the SDK's objects in a page say of a conversation. */
export interface ConversationSeen {
  friendlyName: string | null
  status: string
  unread: number | null
  /** Identities, in alphabetical order. */
  participants: (string | null)[]
  /** Ascending by index. */
  messages: MessageSeen[]
}

export interface MessageSeen {
  index: number
  sid: string
  author: string | null
  body: string | null
  attributes: unknown
  status: string
}

/** Somebody at the demo, in a browser of their own. Every step waits until the page lets it be done. */
export class DemoUser {
  readonly page: Page
  /** Errors that nobody caught in the page. */
  readonly uncaught: Error[] = []
  readonly #quit: () => Promise<void>

  private constructor(page: Page, quit: () => Promise<void>) {
    this.page = page
    this.#quit = quit
    page.setDefaultTimeout(PATIENCE)
    page.on('pageerror', (error) => this.uncaught.push(error))
  }

  /** Starts a browser and signs in. */
  static async signIn(demo: ServedDemo, identity: string): Promise<DemoUser> {
    const profile = await mkdtemp(join(tmpdir(), 'confab-profile-'))
    const context = await startChromium(profile)
    const user = new DemoUser(context.pages()[0] ?? (await context.newPage()), async () => {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    })
    const { page } = user
    // its fonts are elsewhere
    await page.route(
      (url) => url.origin !== demo.origin,
      (route) => route.abort(),
    )
    await page.addInitScript(findSdk)
    await page.goto(demo.origin)
    await page.locator('#username').fill(identity)
    await page.locator('#password').fill('any')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await user.#listen()
    return user
  }

  /** Loads the page again. */
  async reload(): Promise<void> {
    await this.page.reload()
    await this.#listen()
  }

  /** Once the demo shows itself to somebody who is signed in. */
  async #listen(): Promise<void> {
    await this.page.getByRole('button', { name: 'Create New Conversation' }).waitFor()
    await this.page.evaluate(listen)
  }

  quit(): Promise<void> {
    return this.#quit()
  }

  /** What the header says: Online, Connecting... or Offline. */
  connection(label: 'Online' | 'Connecting...' | 'Offline'): Locator {
    return this.page.getByText(label, { exact: true })
  }

  /** The browser says that it is online again, at which the SDK tries at once. */
  async networkReturns(): Promise<void> {
    const context = this.page.context()
    await context.setOffline(true)
    await context.setOffline(false)
  }

  /** A row of the list. */
  listed(friendlyName: string): Locator {
    return this.page.locator('#conversation-list > *').filter({ has: this.#text(friendlyName) })
  }

  /** The number of unread messages in a row of the list. */
  badge(friendlyName: string, count: number): Locator {
    return this.listed(friendlyName).getByText(`${count}`, { exact: true })
  }

  async open(friendlyName: string): Promise<void> {
    await this.listed(friendlyName).click()
    await this.#heading().filter({ hasText: friendlyName }).waitFor()
  }

  async createConversation(friendlyName: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Create New Conversation' }).click()
    await this.page.getByPlaceholder('Enter conversation name').fill(friendlyName)
    await this.#save('Conversation created.')
    await this.#heading().filter({ hasText: friendlyName }).waitFor()
  }

  /** Adds a chat participant to the open conversation. */
  async addParticipant(identity: string): Promise<void> {
    await this.#settings('Manage Participants')
    await this.page.getByRole('button', { name: 'Add Participant', exact: true }).click()
    await this.page.getByRole('menuitem', { name: 'Chat participant' }).click()
    await this.page.getByPlaceholder('exampleusername').fill(identity)
    await this.#save('Participant added.')
  }

  /** Removes a participant from the open conversation. */
  async removeParticipant(identity: string): Promise<void> {
    await this.#settings('Manage Participants')
    const dialog = this.page.getByRole('dialog')
    const row = dialog.getByRole('row').filter({ has: this.#text(identity) })
    await row.getByText('Remove').click()
    await row.waitFor({ state: 'detached' })
    await this.page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await this.#dismissNotices()
  }

  /** Leaves the open conversation. */
  async leave(): Promise<void> {
    await this.#settings('Leave Conversation')
    await this.#notice('You left the conversation.')
  }

  /** Renames the open conversation. */
  async rename(friendlyName: string): Promise<void> {
    await this.#heading().getByRole('img').click()
    const input = this.#heading().getByRole('textbox')
    await input.fill(friendlyName)
    await input.press('Enter')
    await this.#notice('Conversation name changed.')
    await this.listed(friendlyName).waitFor()
  }

  /** Mutes the open conversation. */
  async mute(friendlyName: string): Promise<void> {
    await this.#settings('Mute Conversation')
    await this.listed(friendlyName).locator('svg[viewBox="0 0 17 18"]').waitFor()
    await this.page.keyboard.press('Escape')
  }

  /** Gives oneself a name that others see. */
  async nameOneself(friendlyName: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Settings' }).first().click()
    await this.page.getByRole('menuitem', { name: 'User Profile' }).click()
    const dialog = this.page.getByRole('dialog')
    await dialog.getByRole('textbox').nth(1).fill(friendlyName)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
  }

  /** Types without sending. */
  async type(text: string): Promise<void> {
    await this.page.getByRole('textbox', { name: 'A basic chat composer' }).pressSequentially(text)
  }

  /** Sends what was typed. */
  async send(): Promise<void> {
    await this.page.getByRole('button', { name: 'Send' }).click()
  }

  async post(body: string): Promise<void> {
    await this.type(body)
    await this.send()
    await this.message(body).waitFor()
  }

  /** A message in the open conversation. */
  message(body: string): Locator {
    return this.page.getByRole('listitem').filter({ has: this.#text(body) })
  }

  /** The bodies that the open conversation shows, from top to bottom. */
  async shown(): Promise<string[]> {
    const texts = await this.page.getByRole('listitem').allInnerTexts()
    return texts.map((text) => text.split('\n')[0] ?? '')
  }

  /** That somebody else's view of a message reached the one who wrote it. */
  readMark(body: string): Locator {
    return this.message(body).locator('svg[viewBox="0 0 20 20"][fill="#fff"]')
  }

  async edit(body: string, edited: string): Promise<void> {
    await this.#menuOf(body, 'Edit')
    const items = this.page.getByRole('listitem')
    await items.getByRole('textbox').fill(edited)
    await items.getByRole('button', { name: 'Edit message', exact: true }).click()
    await this.#notice('Message edited.')
    await this.message(edited).waitFor()
  }

  async remove(body: string): Promise<void> {
    await this.#menuOf(body, 'Delete')
    await this.#notice('Message Deleted.')
    await this.message(body).waitFor({ state: 'detached' })
  }

  /** Reacts to somebody else's message. */
  async react(body: string, emoji: string): Promise<void> {
    await this.message(body).getByRole('button').last().click()
    await this.page.getByRole('menu', { name: 'MessageReactions' }).getByText(emoji).click()
    await this.reaction(body, emoji).waitFor()
  }

  reaction(body: string, emoji: string): Locator {
    return this.message(body).getByRole('button', { name: emoji })
  }

  /** The events that the SDK told the page since this was last asked or the page loaded, in their order. */
  async told(which: RegExp): Promise<string[]> {
    const told = await this.page.evaluate(() => (globalThis as unknown as Sdk).told.splice(0))
    return told.filter((event) => which.test(event))
  }

  /** What the SDK's objects say; null when there is no such conversation. */
  seen(friendlyName: string): Promise<ConversationSeen | null> {
    return this.page.evaluate(async (friendlyName) => {
      const { items: conversations } = await (globalThis as unknown as Sdk)
        .sdkClient()
        .getSubscribedConversations()
      const conversation = conversations.find((one) => one.friendlyName === friendlyName)
      if (!conversation) return null
      const participants = await conversation.getParticipants()
      const { items } = await conversation.getMessages(100)
      return {
        friendlyName: conversation.friendlyName,
        status: conversation.status,
        unread: await conversation.getUnreadMessagesCount(),
        participants: participants.map(({ identity }) => identity).sort(),
        messages: items.map(({ index, sid, author, body, attributes, status }) => ({
          index,
          sid,
          author,
          // the demo's editor may leave empty lines behind what was typed
          body: body?.trim() ?? null,
          attributes,
          status,
        })),
      }
    }, friendlyName)
  }

  #text(text: string): Locator {
    return this.page.getByText(text, { exact: true })
  }

  /** Name of the open conversation, and the field that edits it. */
  #heading(): Locator {
    return this.page.getByRole('img', { name: 'Edit conversation name' }).locator('xpath=../..')
  }

  /** Waits for a notice of the demo's and takes it away. */
  async #notice(text: string): Promise<void> {
    await this.page.getByRole('status').filter({ hasText: text }).first().waitFor()
    await this.#dismissNotices()
  }

  /** Notices take the focus, which closes menus. */
  async #dismissNotices(): Promise<void> {
    const buttons = this.page.getByRole('button', { name: 'Dismiss toast' })
    while ((await buttons.count()) > 0) {
      // each also goes by itself, so a click may come too late
      await buttons
        .first()
        .click({ timeout: 1000 })
        .catch(() => {})
    }
  }

  /** Saves the open dialog. */
  async #save(notice: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Save' }).click()
    await this.#notice(notice)
    await this.page.getByRole('dialog').waitFor({ state: 'detached' })
  }

  #settingsButton(): Locator {
    // the first such button is in the header
    return this.page.getByRole('button', { name: 'Settings' }).nth(1)
  }

  /** An item of the open conversation's menu. */
  async #settings(item: string): Promise<void> {
    await this.#settingsButton().click()
    // an expression, so that "Mute" isn't "Unmute"; names begin with those of their icons
    await this.page.getByRole('menuitem', { name: new RegExp(item) }).click()
  }

  /** An item of the menu of one's own message. */
  async #menuOf(body: string, item: string): Promise<void> {
    await this.message(body).getByRole('button').last().click()
    await this.page.getByRole('menuitem', { name: item }).click()
  }
}

/** What the scripts below put into the page. */
interface Sdk {
  sdkClient(): Client
  told: string[]
}

/** Runs in the page before the demo does: its build keeps the SDK's client to itself, in a property of components. */
function findSdk(): void {
  interface Fiber {
    memoizedProps: { client?: Client } | null
    child: Fiber | null
    sibling: Fiber | null
  }
  const find = (fiber: Fiber | null): Client | undefined =>
    fiber ? (fiber.memoizedProps?.client ?? find(fiber.child) ?? find(fiber.sibling)) : undefined
  Object.assign(globalThis, {
    sdkClient() {
      const root = document.getElementById('root') as unknown as {
        _reactRootContainer: { _internalRoot: { current: Fiber } }
      }
      const client = find(root._reactRootContainer._internalRoot.current)
      if (!client) throw new Error('No component of the demo has a client')
      return client
    },
  })
}

/** Runs in the page once somebody is signed in. */
function listen(): void {
  const sdk = globalThis as unknown as Sdk
  sdk.told = []
  const client = sdk.sdkClient()
  const tell = (event: string, detail: string | null): void => {
    sdk.told.push(`${event} ${detail?.trim()}`)
  }
  for (const event of [
    'conversationAdded',
    'conversationJoined',
    'conversationLeft',
    'conversationRemoved',
  ]) {
    client.on(event as 'conversationAdded', ({ friendlyName }: Conversation) => tell(event, friendlyName))
  }
  for (const event of ['messageAdded', 'messageRemoved']) {
    client.on(event as 'messageAdded', ({ body }: Message) => tell(event, body))
  }
  for (const event of ['participantJoined', 'participantLeft', 'typingStarted', 'typingEnded']) {
    client.on(event as 'participantJoined', ({ identity }: Participant) => tell(event, identity))
  }
  client.on('messageUpdated', ({ message, updateReasons }) =>
    tell('messageUpdated', `${message.body?.trim()} (${updateReasons})`),
  )
  client.on('conversationUpdated', ({ conversation, updateReasons }) =>
    tell('conversationUpdated', `${conversation.friendlyName} (${updateReasons})`),
  )
}
