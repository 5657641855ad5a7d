/** The list of conversations, offline, from a cold start: in Node and in Chromium. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, directory } from '@confab/client'
import { browserAvailable, openPage, type Session } from '../../browser/harness.ts'
import { tokenFor } from '../../support/relay.ts'
import { rowsOf, type Scenario } from '../scenario.ts'
import { mistakeIn, readList, takeIn, type Where } from './device.ts'
import { type Amount, READER, relayWith, UNREAD } from './stage.ts'

type Page = typeof import('./list-page.ts')

export const name = 'list'
export const title = 'The list of 1,000 conversations, offline, from a cold start'
export const how =
  "A device that holds 1,000 conversations of 100 messages starts with no relay, reads all pages of `getSubscribedConversations()`, and of each row its name, the time of its last message and its unread count (each row is checked). In Node from `new Client` with directory(), in a process that has been at work before; in Chromium with indexedDB() on a page just opened, from the arrival of the script of an app over the published package. The aim is 100 ms in Chromium. The last row is CPU of the page's thread, from the opening of the page to the client's shutdown: what other processes do is not in it."

const amount: Amount = { conversations: 1000, messages: 100 }

export const run: Scenario['run'] = async (runs) => {
  const relay = await relayWith(amount)
  const where = { url: relay.url, token: await tokenFor(READER) }
  const path = await mkdtemp(join(tmpdir(), 'confab-bench-'))
  const session = (await browserAvailable())
    ? await openPage<Page>(new URL('./list-page.ts', import.meta.url), { shipped: true })
    : null
  try {
    await (await takeIn(where, directory(path), amount)).shutdown()
    if (session) {
      await session.call('fill', where, amount)
      await session.call('remember', where)
    }
    await relay.close()
    const rows = await rowsOf(runs, { listed: ['Node: the list is read', 'ms'] }, () => inNode(where, path))
    if (!session) return rows
    const names = {
      running: ['Chromium: the script runs', 'ms'],
      listed: ['… the list is read', 'ms'],
      initialized: ['… initialised was told', 'ms'],
      joined: ['… the last conversationJoined was told', 'ms'],
      cpu: ["… CPU of the page's thread", 'ms'],
    } satisfies Record<string, [string, string]>
    return [...rows, ...(await rowsOf<keyof typeof names>(runs, names as never, () => inChromium(session)))]
  } finally {
    await session?.close()
    await relay.close()
    await rm(path, { recursive: true, force: true })
  }
}

async function inNode({ url, token }: Where, path: string): Promise<{ listed: number }> {
  const began = performance.now()
  const client = new Client(token, { url, storage: directory(path) })
  const rows = await readList(client)
  const listed = performance.now() - began
  check(mistakeIn(rows, amount.conversations, UNREAD))
  await client.shutdown()
  return { listed }
}

async function inChromium(session: Session<Page>) {
  const { page, cpu } = await freshPage(session)
  const found = await page.evaluate(() => (globalThis as unknown as { entry: Page }).entry.listed())
  if (!found) throw new Error('The page had nothing to list')
  check(mistakeIn(found.rows, amount.conversations, UNREAD))
  if (found.databases.length > 5) throw new Error(`It opened ${found.databases.length} databases`)
  const { running, initialized, listed, joined } = found
  const spent = await cpu()
  await page.close()
  return { running, initialized, listed, joined, cpu: spent }
}

/** A page that was just opened, and what its thread has used so far in milliseconds: other processes are at work, too. */
async function freshPage({ context, origin }: Session<Page>) {
  const page = await context.newPage()
  const devtools = await context.newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.goto(origin)
  const cpu = async (): Promise<number> => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000
  }
  return { page, cpu }
}

function check(mistake: string | null): void {
  if (mistake) throw new Error(`The list is wrong: ${mistake}`)
}
