/** What the web app weighs, and how soon a person who opens it sees their conversations. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { BrowserContext } from 'playwright-core'
import { startChromium } from '../../browser/chromium.ts'
import { browserAvailable } from '../../browser/harness.ts'
import { tokenFor } from '../../support/relay.ts'
import { type Row, rowsOf, type Scenario } from '../scenario.ts'
import { type Amount, READER, relayWith } from './stage.ts'

export const name = 'web-app'
export const title = 'The web app: its scripts, and a cold start with 1,000 conversations'
export const how =
  "The scripts that `examples/web` loads to show a list, and those it loads when they are needed. Then a browser whose device holds 1,000 conversations of 20 messages opens the app in a new page with the relay closed, as its service worker kept it: from the beginning of the navigation until eight conversations stand there with what was said last, and CPU of the page's thread until then. Every start is a new page of a browser that is running."

const amount: Amount = { conversations: 1000, messages: 20 }
const ROWS = 8

const app = join(import.meta.dirname, '../../../examples/web')
const dist = join(app, 'dist')

export const run: Scenario['run'] = async (runs) => {
  await promisify(execFile)(process.execPath, [join(app, 'build.ts')])
  const rows = await weights(runs)
  if (!(await browserAvailable())) return rows
  const relay = await relayWith(amount, { app: dist, demoTokens: tokenFor })
  const profile = await mkdtemp(join(tmpdir(), 'confab-bench-'))
  const url = relay.httpUrl
  const context = await startChromium(profile)
  try {
    await takeIn(context, url)
    await relay.close()
    const names = {
      listed: ['from the navigation to a list that can be used', 'ms'],
      cpu: ["… CPU of the page's thread", 'ms'],
    } satisfies Record<string, [string, string]>
    return [...rows, ...(await rowsOf(runs, names, () => start(context, url)))]
  } finally {
    await context.close()
    await relay.close()
    await rm(profile, { recursive: true, force: true })
  }
}

/** The scripts that the page names, and the others. */
async function weights(runs: number): Promise<Row[]> {
  const page = await readFile(join(dist, 'index.html'), 'utf8')
  const files = (await readdir(join(dist, 'assets'))).filter((file) => file.endsWith('.js'))
  const weigh = async (isNamed: boolean) => {
    const wanted = files.filter((file) => page.includes(file) === isNamed)
    const codes = await Promise.all(wanted.map((file) => readFile(join(dist, 'assets', file))))
    const sum = (bytes: (code: Buffer) => number) => codes.reduce((all, code) => all + bytes(code), 0) / 1000
    return { raw: sum(({ length }) => length), gzipped: sum((code) => gzipSync(code, { level: 9 }).length) }
  }
  const [first, later] = [await weigh(true), await weigh(false)]
  const row = (what: string, value: number): Row => ({ what, unit: 'kB', runs: Array(runs).fill(value) })
  return [
    row('Scripts that are loaded at once', first.raw),
    row('… gzipped', first.gzipped),
    row('Scripts that are loaded when they are needed', later.raw),
    row('… gzipped', later.gzipped),
  ]
}

/** Signs in, and stays until the device holds everything. */
async function takeIn(context: BrowserContext, url: string): Promise<void> {
  const page = await context.newPage()
  await page.goto(url)
  await page.getByLabel('Your name').fill(READER)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true))
  while (!(await page.evaluate(keeps, amount.conversations))) await sleep(200)
  await page.close()
}

/** In the page: whether that many documents are on this device, each in a database that is named with its epoch. */
async function keeps(conversations: number): Promise<boolean> {
  const done = <Result>(request: IDBRequest<Result>) =>
    new Promise<Result>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const names = (await indexedDB.databases())
    .map(({ name }) => name ?? '')
    .filter((name) => /-\d+$/.test(name))
  // one is the person's own
  if (names.length <= conversations) return false
  for (const name of names) {
    const database = await done(indexedDB.open(name))
    const rows = await done(database.transaction('updates').objectStore('updates').count())
    database.close()
    if (rows === 0) return false
  }
  return true
}

async function start(context: BrowserContext, url: string): Promise<{ listed: number; cpu: number }> {
  const page = await context.newPage()
  const devtools = await context.newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.goto(url, { waitUntil: 'commit' })
  const listed = await page.waitForFunction(
    (rows) => {
      const lines = [...document.querySelectorAll('[role=option] .row-line')]
      return lines.filter(({ textContent }) => /: Message number/.test(textContent ?? '')).length >= rows
        ? performance.now()
        : 0
    },
    ROWS,
    { polling: 'raf' },
  )
  const milliseconds = (await listed.jsonValue()) as number
  const { metrics } = await devtools.send('Performance.getMetrics')
  await page.close()
  return {
    listed: milliseconds,
    cpu: (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000,
  }
}
