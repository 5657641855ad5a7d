/** The list of conversations, offline, from a cold start: in Node and in Chromium. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, directory } from '@confab/client'
import { browserAvailable, openPage } from '../../browser/harness.ts'
import { tokenFor } from '../../support/relay.ts'
import { mistakeIn, readList, takeIn } from './device.ts'
import { medianOf, print } from './figures.ts'
import { type Amount, READER, relayWith, UNREAD } from './stage.ts'

type Page = typeof import('./list-page.ts')

export async function benchList(amount: Amount, runs: number): Promise<void> {
  const relay = await relayWith(amount)
  const where = { url: relay.url, token: await tokenFor(READER) }
  const path = await mkdtemp(join(tmpdir(), 'confab-bench-'))
  const session = (await browserAvailable())
    ? await openPage<Page>(new URL('./list-page.ts', import.meta.url), { minify: true })
    : null
  try {
    await (await takeIn(where, directory(path), amount)).shutdown()
    if (session) {
      await session.call('fill', where, amount)
      await session.call('remember', where)
    }
    await relay.close()
    const times: number[] = []
    for (let i = 0; i < runs; i++) {
      const began = performance.now()
      const client = new Client(where.token, { url: where.url, storage: directory(path) })
      const rows = await readList(client)
      times.push(performance.now() - began)
      check(mistakeIn(rows, amount.conversations, UNREAD))
      await client.shutdown()
    }
    print(
      `list of ${amount.conversations} conversations × ${amount.messages} messages, Node, directory()`,
      times,
    )
    if (!session) return
    const shown: Record<'running' | 'initialized' | 'listed' | 'joined' | 'cpu', number[]> = {
      running: [],
      initialized: [],
      listed: [],
      joined: [],
      cpu: [],
    }
    for (let i = 0; i < runs; i++) {
      const { page, cpu } = await freshPage(session)
      const found = await page.evaluate(() => (globalThis as unknown as { entry: Page }).entry.listed())
      if (!found) throw new Error('The page had nothing to list')
      check(mistakeIn(found.rows, amount.conversations, UNREAD))
      if (found.databases.length > 5) throw new Error(`It opened ${found.databases.length} databases`)
      for (const key of ['running', 'initialized', 'listed', 'joined'] as const) shown[key].push(found[key])
      shown.cpu.push(await cpu())
      await page.close()
    }
    print('  the same in Chromium, indexedDB(): the script runs', shown.running)
    print('  … the list is read', shown.listed)
    print('  … initialised was told', shown.initialized)
    print('  … the last conversationJoined was told', shown.joined)
    print("  … CPU of the page's thread from the opening of the page to the client's shutdown", shown.cpu)
    console.log(`  median ${medianOf(shown.listed).toFixed(0)} ms of the 100 ms that are aimed at`)
  } finally {
    await session?.close()
    await relay.close()
    await rm(path, { recursive: true, force: true })
  }
}

/** A page that was just opened, and what its thread has used so far in milliseconds: other processes are at work, too. */
async function freshPage({ context, origin }: Awaited<ReturnType<typeof openPage<Page>>>) {
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
