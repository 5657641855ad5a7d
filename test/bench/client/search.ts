/** Searching 100,000 messages that are on the device. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, directory } from '@confab/client'
import { encodePage, type PageEntry, pageHash } from '@confab/core'
import { unreachable } from '../../../packages/client/test/engine/harness.ts'
import { seeded } from '../../simulation/random.ts'
import { rowsOf, type Scenario } from '../scenario.ts'
import { longDocument, recordOf, relayOf, sidOf, token } from './long-document.ts'

const MESSAGES = 100_000
const PAGE = 1000
const LIVE = 2000

export const name = 'search'
export const title = 'Searching 100,000 messages'
export const how = `A device in Node with directory() holds one conversation of ${MESSAGES.toLocaleString('en')} messages, all but ${LIVE.toLocaleString('en')} of them in pages, in words of a made-up language of 20,000 that are as unequally frequent as those of a real one. The first search makes the index; the disk is what the store's file grows by, beside the UTF-8 bytes of the texts. Warm: each query was asked once before. The next start searches with nothing in memory.`

export const run: Scenario['run'] = (runs) =>
  rowsOf(
    runs,
    {
      first: ['the first search, which makes the index', 'ms'],
      common: ['warm: a word in two of three messages, the newest 30', 'ms'],
      rare: ['warm: a word in one of 1,000 messages, the newest 30', 'ms'],
      none: ['warm: a word that nobody wrote', 'ms'],
      two: ['warm: the beginnings of two words', 'ms'],
      start: ['the first search of the next start', 'ms'],
      text: ['text', 'MB'],
      disk: ['index on disk', 'MB'],
      ratio: ['… ratio', ''],
    },
    measure,
  )

async function measure() {
  const { bodyOf, common, rare, bytes } = language()
  const sid = sidOf(0)
  const pages = new Map<string, Uint8Array>()
  const sealed: PageEntry[] = []
  for (let first = 0; first < MESSAGES - LIVE; first += PAGE) {
    const records = Array.from({ length: PAGE }, (_, i) => recordOf(sid, first + i, bodyOf(first + i)))
    const page = encodePage(records)
    pages.set(pageHash(page), page)
    sealed.push([first + PAGE - 1, PAGE, page.length, pageHash(page)])
  }
  const folder = mkdtempSync(join(tmpdir(), 'confab-bench-search-'))
  const clientWith = (transport: unknown) =>
    new Client(token, {
      url: 'ws://relay.test',
      storage: directory(folder),
      history: 'all',
      transport: transport as never,
    })
  try {
    const documents = new Map([[sid, longDocument(sid, MESSAGES, { bodyOf, sealed })]])
    await takeIn(clientWith(relayOf(documents, pages)))
    const before = sizeOf(folder)
    const client = clientWith(unreachable)
    await client.getSubscribedConversations()
    const timed = async (of: Client, query: string) => {
      globalThis.gc?.()
      const began = performance.now()
      const { messages, unseen } = await of.searchMessages(query)
      const took = performance.now() - began
      if (unseen.length > 0) throw new Error('Not all of it is on the device')
      if (messages.some(({ body }) => !query.split(' ').every((word) => ` ${body}`.includes(` ${word}`))))
        throw new Error('That was not looked for')
      return took
    }
    const first = await timed(client, common)
    const queries = { common, rare, none: 'zzzyzzz', two: `${common.slice(0, 3)} ${rare.slice(0, 4)}` }
    for (const query of Object.values(queries)) await client.searchMessages(query)
    const warm = { common: 0, rare: 0, none: 0, two: 0 }
    for (const [which, query] of Object.entries(queries))
      warm[which as keyof typeof warm] = await timed(client, query)
    await client.shutdown()
    const disk = sizeOf(folder) - before
    const again = clientWith(unreachable)
    await again.getSubscribedConversations()
    const start = await timed(again, rare)
    await again.shutdown()
    return { first, ...warm, start, text: bytes / 1e6, disk: disk / 1e6, ratio: disk / bytes }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Reads the whole history, so that all of it is in the store. */
async function takeIn(client: Client): Promise<void> {
  await new Promise((resolve) => client.on('conversationJoined', resolve))
  const [conversation] = (await client.getSubscribedConversations()).items
  for (let page = await conversation?.getMessages(100); page?.hasPrevPage; ) page = await page.prevPage()
  await client.shutdown()
}

const sizeOf = (folder: string): number =>
  readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)

/** What people write: a few words all the time, most of them hardly ever. */
function language() {
  const random = seeded(11)
  const letters = 'etaoinshrdlucmfwypvbgkjqxz'
  const words = Array.from({ length: 20_000 }, () =>
    Array.from({ length: random.int(2, 10) }, () => letters[Math.floor(random.real() ** 2 * 26)]).join(''),
  )
  const bodies = Array.from({ length: MESSAGES }, () =>
    Array.from({ length: random.int(4, 24) }, () => words[Math.floor(random.real() ** 4 * 20_000)]).join(' '),
  )
  const counts = new Map<string, number>()
  for (const body of bodies)
    for (const word of new Set(body.split(' '))) counts.set(word, (counts.get(word) ?? 0) + 1)
  const near = (count: number) =>
    [...counts].reduce((a, b) => (Math.abs(a[1] - count) <= Math.abs(b[1] - count) ? a : b))[0]
  return {
    bodyOf: (index: number) => bodies[index] as string,
    common: near(MESSAGES * 0.66),
    rare:
      [...counts].find(([word, count]) => word.length > 6 && count >= 90 && count <= 110)?.[0] ?? near(100),
    bytes: bodies.reduce((sum, body) => sum + Buffer.byteLength(body), 0),
  }
}
