/** What a conversation's age costs, from a hundred messages to ten thousand. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { browserAvailable, openPage } from '../../browser/harness.ts'
import { post } from '../../support/operations.ts'
import { openDocument } from '../../support/reader.ts'
import { tokenFor } from '../../support/relay.ts'
import { runRelay } from '../../support/relay-process.ts'
import type { Where } from '../client/device.ts'
import { withFolder } from '../relay/process.ts'
import { plot } from '../report.ts'
import { medianOf, type Row, type Scenario } from '../scenario.ts'
import { grown, READER } from './grown.ts'
import { SHOWN } from './showing.ts'
import { countedWire } from './wire.ts'

export const name = 'age'
export const title = 'A conversation of a hundred messages, and of ten thousand'
export const how = `One conversation of a relay (in a process of its own), grown through its engine in messages of 4 to 24 words; from 1,000 messages on as many are live as ever may be, which is the worst. A device shows the newest ${SHOWN}: from \`new Client\` until \`getMessages(${SHOWN})\` has them, in a new process (or page) each time, so that no code has been compiled, from one bundle; cold, with an empty store, or warm, with what the one before left in directory() or indexedDB(). CPU is that of the device's process until its shutdown; in Chromium that of the page's thread. Bytes are those of the socket, both ways, HTTP and WebSocket heads and the list included. A post is sent once the one before is acknowledged, which is once it is on disk. Memory is what the relay's heap grows by as somebody opens the conversation.`

const SIZES = [100, 1000, 2000, 10_000]
const POSTS = 200

const FIGURES = {
  coldTime: ['cold, Node: the messages show after', 'ms'],
  coldCpu: ['… CPU of the device', 'ms'],
  coldBytes: ['… on the wire', 'kB'],
  warmTime: ['warm, Node: the messages show after', 'ms'],
  warmCpu: ['… CPU of the device', 'ms'],
  warmBytes: ['… on the wire', 'kB'],
  pageTime: ['cold, Chromium: the messages show after', 'ms'],
  pageCpu: ["… CPU of the page's thread", 'ms'],
  warmPageTime: ['warm, Chromium: the messages show after', 'ms'],
  warmPageCpu: ["… CPU of the page's thread", 'ms'],
  postCpu: ['post to acknowledgement, CPU of the relay', 'ms'],
  memory: ['memory of the relay for the open conversation', 'kB'],
  disk: ["the relay's disk, for each message", 'bytes'],
} satisfies Record<string, [what: string, unit: string]>
type Figure = keyof typeof FIGURES
type Found = Partial<Record<Figure, number>>

const said = (messages: number) => `${messages.toLocaleString('en')} messages`

export const run: Scenario['run'] = async (runs) => {
  const rows: Row[] = []
  const inBrowser = await browserAvailable()
  for (const messages of SIZES) {
    const found: Found[] = []
    for (let i = 0; i < runs; i++)
      found.push(await withFolder((folder) => measure(messages, folder, inBrowser)))
    for (const [figure, [what, unit]] of Object.entries(FIGURES) as [Figure, [string, string]][]) {
      const values = found.flatMap((one) => one[figure] ?? [])
      if (values.length > 0) rows.push({ what: `${said(messages)}: ${what}`, unit, runs: values })
    }
  }
  return rows
}

export const after: Scenario['after'] = (rows) => {
  const curve = (figure: Figure, label: string) => {
    const [what, unit] = FIGURES[figure]
    const labels: string[] = []
    const values: number[] = []
    for (const messages of SIZES) {
      const row = rows.find((one) => one.what === `${said(messages)}: ${what}` && one.unit === unit)
      if (!row) continue
      labels.push(messages.toLocaleString('en'))
      values.push(medianOf(row.runs))
    }
    return values.length > 0 ? plot(label, { title: 'messages', labels }, { title: unit, values }) : ''
  }
  return [
    curve('coldCpu', 'Opening on a cold device: its CPU'),
    curve('coldBytes', 'Opening on a cold device: bytes on the wire'),
    curve('postCpu', "A post: the relay's CPU"),
  ].join('\n\n')
}

async function measure(messages: number, folder: string, inBrowser: boolean): Promise<Found> {
  const { database, sid } = await grown(messages)
  const copy = join(folder, 'relay.db')
  copyFileSync(database, copy)
  const disk = statSync(copy).size / messages
  const program = await bundled(folder)
  const relay = await runRelay({ database: copy })
  try {
    const token = await tokenFor(READER)
    const at = { url: relay.url, token }
    const newest = messages - 1
    const device = join(folder, 'device')
    // through the same wire: a store belongs to a relay's address
    const wire = await countedWire(at.url)
    const through = { url: wire.url, token }
    const showing = async (where?: string) => {
      const before = wire.bytes
      const shown = await inNode(program, through, newest, where)
      return { ...shown, kilobytes: (wire.bytes - before) / 1000 }
    }
    const cold = await showing()
    await showing(device)
    const warm = await showing(device)
    await wire.close()
    const pages = inBrowser ? await inChromium(at, newest) : {}
    // the last: from here on there is more, and some of it is sealed while the relay warms up
    const { grew, postCpu } = await posting(relay, sid)
    return {
      coldTime: cold.time,
      coldCpu: cold.cpu,
      coldBytes: cold.kilobytes,
      warmTime: warm.time,
      warmCpu: warm.cpu,
      warmBytes: warm.kilobytes,
      ...pages,
      postCpu,
      memory: grew,
      disk,
    }
  } finally {
    await relay.kill()
  }
}

interface Shown {
  /** Milliseconds. */
  time: number
  cpu: number
}

/** The device's program in one piece, as in a page: what stripping its types takes is no matter of the conversation's. */
async function bundled(folder: string): Promise<string> {
  await build({
    entryPoints: [join(import.meta.dirname, 'showing-child.ts')],
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    outdir: folder,
  })
  return join(folder, 'showing-child.mjs')
}

async function inNode(program: string, where: Where, newest: number, folder?: string): Promise<Shown> {
  const child = fork(program, [JSON.stringify({ where, newest, folder })])
  const shown = await Promise.race([
    once(child, 'message').then(([found]) => found as Shown),
    once(child, 'exit').then(([code]) => {
      throw new Error(`The device ended with ${code}`)
    }),
  ])
  if (child.exitCode === null) await once(child, 'exit')
  return shown
}

async function inChromium(where: Where, newest: number): Promise<Found> {
  type Page = typeof import('./showing-page.ts')
  const session = await openPage<Page>(new URL('./showing-page.ts', import.meta.url), { shipped: true })
  const once = async () => {
    const page = await session.context.newPage()
    const devtools = await session.context.newCDPSession(page)
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
    await page.goto(session.origin)
    const time = await page.evaluate(
      ([where, newest]) => (globalThis as unknown as { entry: Page }).entry.showIn(where, newest),
      [where, newest] as const,
    )
    const { metrics } = await devtools.send('Performance.getMetrics')
    await page.close()
    return { time, cpu: (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0) * 1000 }
  }
  try {
    const cold = await once()
    const warm = await once()
    return { pageTime: cold.time, pageCpu: cold.cpu, warmPageTime: warm.time, warmPageCpu: warm.cpu }
  } finally {
    await session.close()
  }
}

async function posting(relay: Awaited<ReturnType<typeof runRelay>>, sid: string) {
  const own = await openDocument('native', relay.url, READER, `user/${READER}`)
  const before = (await relay.usage()).memory
  const reader = await openDocument('native', relay.url, READER, sid)
  const grew = ((await relay.usage()).memory - before) / 1000
  // the relay's code is compiled by then
  for (let i = 0; i < POSTS / 2; i++) await reader.accepted(post(`Warming up ${i}`))
  const { cpu: began } = await relay.usage()
  for (let i = 0; i < POSTS / 2; i++) await reader.accepted(post(`And another post ${i}`))
  const { cpu: ended } = await relay.usage()
  for (const one of [own, reader]) await one.peer.close()
  return { grew, postCpu: (ended.asked - began.answered) / 1000 / (POSTS / 2) }
}
