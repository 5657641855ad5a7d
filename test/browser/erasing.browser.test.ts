/**
 * What a removed message said is in nothing that a client keeps in Chromium's IndexedDB. The files below it are
 * Chromium's: LevelDB only appends, and drops what was deleted when it compacts, on which a page has no say
 * (docs/security.md). So this reads what can be read by whoever has the page, and not the files.
 */
import { expect, test, vi } from 'vitest'
import { tiny } from '../../server/test/support/history.ts'
import { startRelay, tokenFor } from '../support/relay.ts'
import { browserAvailable, openPage } from './harness.ts'

type Entry = typeof import('./client-page.ts')

vi.setConfig({ testTimeout: 120_000 })

const entry = new URL('./client-page.ts', import.meta.url)
const available = await browserAvailable()

const COUNT = 24
/** Words that are nowhere but in this message. */
const secret = (index: number): string => `secret-${index}-${(index * 7919).toString(36).padStart(8, 'q')}`
// sealed and live
const REMOVED = [2, COUNT - 2]

test.skipIf(!available)('once it has heard of it, while what its neighbours said stays', async () => {
  const relay = await startRelay({ sealing: tiny })
  const session = await openPage<Entry>(entry, { shipped: true })
  try {
    expect(await session.call('open', await tokenFor('ann'), relay.url)).toBe('ready')
    await session.call('create', 'talk')
    const texts = Array.from({ length: COUNT }, (_, i) => secret(i))
    for (const text of texts) await session.call('post', text)
    await session.call('untilNothingWaits')
    // what is posted is in the document, or in a page that was made of it
    await expect.poll(() => session.call('storedOf', texts), { timeout: 30_000 }).toHaveLength(COUNT)
    const removed = REMOVED.map(secret)
    for (const text of removed) await session.call('remove', text)
    await session.call('untilNothingWaits')
    await expect.poll(() => session.call('storedOf', removed), { timeout: 30_000 }).toEqual([])
    const left = texts.filter((text) => !removed.includes(text))
    expect((await session.call('read')).map((row) => row.slice(row.indexOf(' ') + 1))).toEqual(left)
    await expect.poll(async () => (await session.call('storedOf', left)).length).toBe(left.length)
  } finally {
    await session.close()
    await relay.close()
  }
  expect(relay.failures).toEqual([])
})
