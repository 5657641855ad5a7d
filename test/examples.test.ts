/** The examples, as their readers run them: each as its own process, its page in a browser. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, directory } from '@confab/client'
import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startChromium } from './browser/chromium.ts'
import { browserAvailable } from './browser/harness.ts'
import { Program } from './support/program.ts'
import { startRelay, type TestRelay, tokenFor } from './support/relay.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const examples = join(import.meta.dirname, '../examples')
const chromium = await browserAvailable()

let folder: string
const programs: Program[] = []
const browsers: BrowserContext[] = []
const clients: Client[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'confab-example-'))
})
afterEach(async () => {
  await Promise.all(browsers.splice(0).map((browser) => browser.close()))
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await Promise.all(programs.splice(0).map((program) => program.stop('SIGKILL')))
  await rm(folder, { recursive: true, force: true })
})

function run(file: string, ...args: string[]): Program {
  const program = new Program(process.execPath, [join(examples, file), ...args], { cwd: folder })
  programs.push(program)
  return program
}

/** What was printed behind a word, once it is. */
const printed = async (program: Program, pattern: RegExp): Promise<string> =>
  pattern.exec(await program.line(pattern))?.[1] ?? ''

/** The lines that the element holds, once they are these. */
const shows = (page: Page, selector: string, ...lines: string[]): Promise<unknown> =>
  page.waitForFunction(([selector, text]) => document.querySelector(selector)?.textContent === text, [
    selector,
    lines.join('\n'),
  ] as const)

async function browser(name: string): Promise<Page> {
  const context = await startChromium(join(folder, name))
  browsers.push(context)
  context.setDefaultTimeout(20_000)
  return context.pages()[0] ?? (await context.newPage())
}

describe('examples/bot', () => {
  let relay: TestRelay
  let url: string
  const relayAt = (port = 0) =>
    startRelay({ port, database: join(folder, 'relay.sqlite'), demoTokens: (identity) => tokenFor(identity) })
  beforeEach(async () => {
    relay = await relayAt()
    url = relay.httpUrl
  })
  afterEach(() => relay.close())

  const bot = (...options: string[]) => run('bot/main.ts', '--url', url, ...options)

  /** Ann, in a conversation with the bot. */
  async function ann() {
    const client = new Client(await tokenFor('ann'), { url, logLevel: 'silent' })
    clients.push(client)
    const conversation = await (await client.createConversation({ friendlyName: 'Storms' })).join()
    await conversation.add('bot')
    const said: string[] = []
    const waiting = new Set<() => void>()
    conversation.on('messageAdded', ({ author, body }) => {
      if (author === 'bot') said.push(body ?? '')
      for (const look of waiting) look()
    })
    /** What the bot has said, once it is so many things. */
    const heard = (count: number) =>
      new Promise<string[]>((resolve) => {
        const look = () => {
          if (said.length >= count) resolve(said)
        }
        waiting.add(look)
        look()
      })
    return { client, conversation, heard }
  }

  test('answers whoever mentions it, and nobody else', async () => {
    const { conversation, heard } = await ann()
    const running = bot()
    await running.line('bot is connected')
    await conversation.sendMessage('The storm took the bridge')
    await conversation.sendMessage('Hello @bot, who is here?')
    await conversation.sendMessage('@bot: find STORM')
    await conversation.sendMessage('@bot what now')
    const [who, found, help] = await heard(3)
    expect(who).toBe('Here are ann, bot.')
    expect(found).toBe('ann said: The storm took the bridge')
    expect(help).toMatch(/^I know: who/)
    expect(await running.stop('SIGTERM')).toBe(0)
  })

  test('answers once what was asked while it was away, killed in between or not', async () => {
    const { conversation, heard } = await ann()
    const first = bot()
    await first.line('bot is connected')
    await conversation.sendMessage('@bot count')
    expect(await heard(1)).toEqual(['This is message 0, of 1 that are here.'])
    await first.stop('SIGKILL')
    await conversation.sendMessage('@bot count')
    const second = bot()
    expect(await heard(2)).toEqual([
      'This is message 0, of 1 that are here.',
      'This is message 2, of 3 that are here.',
    ])
    await conversation.sendMessage('@bot count')
    await second.line('This is message 4')
    expect(second.lines.filter((line) => line.includes('@bot count'))).toHaveLength(2)
    expect(await second.stop('SIGINT')).toBe(0)
  })

  test('answers with no network what its store has, and is heard when it connects', async () => {
    const { conversation, heard } = await ann()
    await conversation.sendMessage('The storm took the bridge')
    await conversation.sendMessage('@bot find bridge')
    // the same person's other client, which only reads: it leaves both on the bot's disk
    const reader = new Client(await tokenFor('bot'), {
      url,
      identity: 'bot',
      storage: directory(join(folder, '.confab/bot')),
    })
    const joined = await new Promise<{ sid: string }>((resolve) => reader.once('conversationJoined', resolve))
    expect(joined.sid).toBe(conversation.sid)
    await (await reader.getConversationBySid(joined.sid)).getMessages()
    await reader.shutdown()

    const port = Number(new URL(url).port)
    await relay.close()
    const offline = bot('--offline')
    await offline.line('→ ann said: The storm took the bridge')
    expect(await offline.stop('SIGTERM')).toBe(0)
    expect(await offline.line('operations wait for the relay')).toMatch(/^2 operations wait/)

    relay = await relayAt(port)
    const again = bot()
    expect(await heard(1)).toEqual(['ann said: The storm took the bridge'])
    expect(await again.stop('SIGTERM')).toBe(0)
    expect(again.lines.join()).not.toContain('→')
  })

  test('says what it needs when it has never met the relay, and what it takes', async () => {
    const lost = run('bot/main.ts', '--url', 'http://127.0.0.1:1')
    expect(await lost.ended()).toBe(1)
    expect(lost.errors).toMatch(/^The bot can't begin: There is no token/)
    const help = run('bot/main.ts', '--help')
    expect(await help.ended()).toBe(0)
    expect(help.lines[0]).toBe('Options:')
    const wrong = run('bot/main.ts', '--nonsense')
    expect(await wrong.ended()).toBe(1)
    expect(wrong.errors).toMatch(/^Unknown option '--nonsense'/)
  })
})

describe.skipIf(!chromium)('examples/field-report', () => {
  const start = (port = 0) =>
    run('field-report/start.ts', '--port', String(port), '--data', join(folder, 'report'))

  async function person(name: string, url: string): Promise<Page> {
    const page = await browser(name)
    await page.goto(url)
    await page.getByLabel('Your name').fill(name)
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByText('connected, 0 to be sent').waitFor()
    return page
  }
  const fill = async (page: Page, fields: { [label: string]: string }) => {
    for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value)
  }
  const report = async (page: Page, fields: { [label: string]: string }) => {
    await fill(page, fields)
    await page.getByRole('button', { name: 'Report', exact: true }).click()
  }
  const row = (page: Page, ...cells: string[]) =>
    page.locator('#entries tr').filter({ hasText: new RegExp(cells.join('\\s*')) })

  test('several people report and correct with no signal, and it becomes one report', async () => {
    const program = start()
    const url = await printed(program, /^(http.*#.+)$/)
    const [ann, ben] = [await person('ann', url), await person('ben', url)]
    await report(ann, { Where: 'Ridge', What: 'ibex', 'How many': '2' })
    await row(ben, 'ann', 'Ridge', 'ibex', '2').waitFor()

    for (const page of [ann, ben]) await page.getByLabel('No signal').check()
    await report(ann, { Where: 'Lake', What: 'heron', 'How many': '1', Note: 'asleep' })
    await row(ann, 'ann', 'Lake', 'heron', '1', 'asleep', 'waits').waitFor()
    await report(ben, { Where: 'Lake', What: 'heron', 'How many': '4' })
    // both correct the same observation, each something else of it
    await row(ann, 'ann', 'Ridge').getByRole('button').click()
    await fill(ann, { 'How many': '3' })
    await ann.getByRole('button', { name: 'Correct' }).first().click()
    await row(ben, 'ann', 'Ridge').getByRole('button').click()
    await fill(ben, { Note: 'two young' })
    await ben.getByRole('button', { name: 'Correct' }).first().click()
    await row(ben, 'ann', 'Ridge', 'ibex', '2', 'two young').waitFor()

    for (const page of [ann, ben]) await page.getByLabel('No signal').uncheck()
    for (const page of [ann, ben]) {
      await row(page, 'ann', 'Ridge', 'ibex', '3', 'two young').waitFor()
      await page.getByText('heron: 5').waitFor()
      await page.getByText('ibex: 3').waitFor()
      await page.getByText('connected, 0 to be sent').waitFor()
    }
    expect(await program.stop('SIGTERM')).toBe(0)
  })

  test('the form opens with no network at all, and what was written then arrives', async () => {
    const program = start()
    const url = await printed(program, /^(http.*#.+)$/)
    const [ann, ben] = [await person('ann', url), await person('ben', url)]
    await report(ann, { Where: 'Ridge', What: 'ibex', 'How many': '2' })
    await ann.evaluate(() => navigator.serviceWorker.ready.then(() => true))
    expect(await program.stop('SIGTERM')).toBe(0)

    await ann.reload()
    await row(ann, 'ann', 'Ridge', 'ibex', '2').waitFor()
    await report(ann, { Where: 'Pass', What: 'fox', 'How many': '1' })
    await row(ann, 'ann', 'Pass', 'fox', '1', 'waits').waitFor()
    await ann.reload()
    await row(ann, 'ann', 'Pass', 'fox', '1', 'waits').waitFor()

    await printed(start(Number(new URL(url).port)), /^(http.*#.+)$/)
    await row(ben, 'ann', 'Pass', 'fox', '1').waitFor()
  })

  test('a port that is taken, and options that there are not, are said', async () => {
    const first = start()
    const { port } = new URL(await printed(first, /^(http.*#.+)$/))
    const second = run('field-report/start.ts', '--port', port, '--data', join(folder, 'other'))
    expect(await second.ended()).toBe(1)
    expect(second.errors).toMatch(/^port \d+ on 127.0.0.1 is in use\n\nOptions:/)
    const help = run('field-report/start.ts', '--help')
    expect(await help.ended()).toBe(0)
    expect(help.lines[0]).toBe('Options:')
  })

  test('what is no observation is said, and nothing of it is reported', async () => {
    const page = await person('ann', await printed(start(), /^(http.*#.+)$/))
    await report(page, { Where: '  ', What: 'ibex', 'How many': '1' })
    await page.getByText('Where, and what, is needed').waitFor()
    expect(await page.locator('#entries tr').count()).toBe(0)
  })
})

describe.skipIf(!chromium)('examples/plain-yjs', () => {
  const start = (port = 0) =>
    run('plain-yjs/start.ts', '--port', String(port), '--data', join(folder, 'plain'))

  async function open(name: string, address: string): Promise<Page> {
    const page = await browser(name)
    await page.goto(address)
    return page
  }
  const post = async (page: Page, text: string) => {
    await page.getByLabel('Message').fill(text)
    await page.getByRole('button', { name: 'Post' }).click()
  }

  /** Whether a text stands in what the page has in IndexedDB. */
  const keeps = (page: Page, text: string): Promise<boolean> =>
    page.evaluate(async (text) => {
      const result = <Value>(request: IDBRequest<Value>) =>
        new Promise<Value>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error)
        })
      const [{ name } = { name: '' }] = await indexedDB.databases()
      const database = await result(indexedDB.open(name ?? ''))
      const updates: Uint8Array[] = await result(
        database.transaction('updates').objectStore('updates').getAll(),
      )
      database.close()
      return updates.some((update) => new TextDecoder('latin1').decode(update).includes(text))
    }, text)

  test('a conversation is read live and written, with no network too, over a closed page and a relay that is away', async () => {
    const program = start()
    const [anns, bens] = [await printed(program, /^ann: (.*)/), await printed(program, /^ben: (.*)/)]
    const [ann, ben] = [await open('ann', anns), await open('ben', bens)]
    await post(ann, 'hello, ben')
    for (const page of [ann, ben]) await shows(page, 'pre', 'ann: hello, ben')
    await post(ben, 'hello, ann')
    for (const page of [ann, ben]) await shows(page, 'pre', 'ann: hello, ben', 'ben: hello, ann')

    expect(await program.stop('SIGTERM')).toBe(0)
    await post(ben, 'written with no relay')
    await shows(ben, 'pre', 'ann: hello, ben', 'ben: hello, ann', 'written with no relay (waits)')
    // y-indexeddb doesn't say when it has written
    await expect.poll(() => keeps(ben, 'written with no relay'), { timeout: 20_000 }).toBe(true)
    await browsers[1]!.close()

    await printed(start(Number(new URL(anns).port)), /^ben: (.*)/)
    await open('ben', bens)
    await shows(ann, 'pre', 'ann: hello, ben', 'ben: hello, ann', 'ben: written with no relay')
  })

  test('what the SDK would be refused reaches nobody, and whoever is no member sees nothing', async () => {
    const program = start()
    const [anns, bens] = [await printed(program, /^ann: (.*)/), await printed(program, /^ben: (.*)/)]
    const [ann, ben] = [await open('ann', anns), await open('ben', bens)]
    // ben's token, in what is ann's outbox
    const forged = await open('mallory', bens.replace('identity=ben', 'identity=ann'))
    await post(forged, 'I am ann')
    const stranger = await open('stranger', bens.replace(/sid=CH.{32}/, `sid=CH${'0'.repeat(32)}`))
    await post(stranger, 'is anybody here')
    await post(ben, 'x'.repeat(40_000))
    await post(ben, 'short enough')
    for (const page of [ann, ben]) await shows(page, 'pre', 'ben: short enough')
    await shows(stranger, 'pre', 'is anybody here (waits)')
  })
})
