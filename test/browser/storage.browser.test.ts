/** `indexedDB()` in a real browser: the whole suite, and what only a browser can do to it. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { indexedDBSentences } from '../../packages/client/src/storage/indexed-db-sentences.ts'
import { freshOwner, storageSentences } from '../../packages/client/src/storage/storage-suite.ts'
import { browserAvailable, openPage, type Session, withPage } from './harness.ts'

type Entry = typeof import('./storage-page.ts')

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const entry = new URL('./storage-page.ts', import.meta.url)
const available = await browserAvailable()

describe.skipIf(!available)('indexedDB() in Chromium', () => {
  let session: Session<Entry>
  beforeAll(async () => {
    session = await openPage<Entry>(entry)
  })
  afterAll(() => session?.close())

  for (const { sentence } of [...storageSentences, ...indexedDBSentences]) {
    test(sentence, () => session.call('prove', sentence))
  }

  test('two tabs share one journal, with positions that ascend across both', async () => {
    const owner = freshOwner()
    const other = await session.newTab()
    const positions = [
      await session.call('append', owner, 'a', 'one'),
      await other.call('append', owner, 'b', 'two'),
      await session.call('append', owner, 'c', 'three'),
    ]
    expect(positions).toEqual([...positions].sort())
    expect(new Set(positions).size).toBe(3)
    expect(await other.call('ids', owner)).toEqual(['a', 'b', 'c'])
  })

  test('a tab hears what another tab posts', async () => {
    const owner = freshOwner()
    const other = await session.newTab()
    await other.call('listen', owner)
    await session.call('post', owner, { hello: 'there' })
    expect(await other.call('whatWasHeard')).toEqual({ hello: 'there' })
  })

  test('what was written is there after the page was reloaded', async () => {
    const owner = freshOwner()
    const tab = await session.newTab()
    await tab.call('append', owner, 'a', 'one')
    await tab.page.reload()
    expect(await tab.call('ids', owner)).toEqual(['a'])
  })

  test('a journal that another tab deletes lets go at once, and its client is told 70501', async () => {
    const owner = freshOwner()
    const other = await session.newTab()
    await session.call('keepOpen', owner)
    expect(await session.call('writeToKept')).toBe('written')
    await other.call('deleteJournal', owner)
    expect(await session.call('writeToKept')).toBe(70501)
  })

  test('where the browser forbids IndexedDB, opening is 70501 and memory works', async () => {
    const tab = await session.newTab()
    await tab.page.goto(`${session.origin}/blank`)
    await tab.page.evaluate((origin) => {
      const frame = document.createElement('iframe')
      frame.sandbox.add('allow-scripts')
      frame.src = origin
      document.body.append(frame)
      return new Promise((resolve) => frame.addEventListener('load', resolve))
    }, session.origin)
    const frame = tab.page.frames()[1]
    const result = await frame?.evaluate(
      (owner) => (globalThis as unknown as { entry: Entry }).entry.openBoth(owner),
      freshOwner(),
    )
    expect(result).toEqual({ indexedDB: 70501, memory: 1 })
  })

  test('a full disk is 70501 with its cause, nothing of it is there, and the next smaller write is taken', () =>
    // a browser of its own: Chromium remembers for a while how much room an origin had
    withPage<Entry>(entry, async ({ call, context, page, origin }) => {
      const owner = freshOwner()
      const protocol = await context.newCDPSession(page)
      await protocol.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 4 * 1024 * 1024 })
      await call('append', owner, 'before', 'small')
      expect(await call('appendBytes', owner, 'too large', 8 * 1024 * 1024)).toBe('70501 QuotaExceededError')
      expect(await call('overfill', owner, 8 * 1024 * 1024)).toEqual({ compacted: 70501, stored: [] })
      await call('append', owner, 'after', 'small')
      expect(await call('ids', owner)).toEqual(['before', 'after'])
    }))
})
