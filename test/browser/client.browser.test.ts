/** Whole clients in a real browser, of the package as it is published: several tabs, tabs that die, and what can happen to the storage under them. */
import { Client } from '@confab/client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { startPrivateChromium } from './chromium.ts'
import { browserAvailable, openPage, type Session, type Tab } from './harness.ts'

type Entry = typeof import('./client-page.ts')

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const entry = new URL('./client-page.ts', import.meta.url)
const available = await browserAvailable()

describe.skipIf(!available)('a client in Chromium', () => {
  let relay: TestRelay
  let session: Session<Entry>
  const others: Client[] = []

  beforeEach(async () => {
    relay = await startRelay()
    session = await openPage<Entry>(entry, { shipped: true })
  })
  afterEach(async () => {
    await session.close()
    await Promise.all(others.splice(0).map((client) => client.shutdown()))
    await relay.close()
    expect(relay.failures).toEqual([])
  })

  const open = async (tab: Tab<Entry>, identity = 'ann') =>
    tab.call('open', await tokenFor(identity), relay.url)

  /** Somebody else, elsewhere: what they see of the one conversation, once it is so many messages. */
  async function ben(): Promise<{ once(count: number): Promise<string[]> }> {
    const client = new Client(await tokenFor('ben'), { url: relay.url, logLevel: 'silent' })
    others.push(client)
    const read = async (): Promise<string[]> => {
      const [conversation] = (await client.getSubscribedConversations()).items
      const bodies: string[] = []
      for (let page = await conversation?.getMessages(100); page; page = await page.prevPage()) {
        bodies.unshift(...page.items.map(({ body }) => body ?? ''))
        if (!page.hasPrevPage) break
      }
      return bodies
    }
    return {
      async once(count) {
        await expect
          .poll(async () => (await read()).length, { timeout: 60_000 })
          .toBeGreaterThanOrEqual(count)
        return read()
      },
    }
  }

  test('whoever is removed is told, and no longer has the conversation', async () => {
    expect(await open(session)).toBe('ready')
    const owner = new Client(await tokenFor('ben'), { url: relay.url, logLevel: 'silent' })
    others.push(owner)
    const conversation = await (await owner.createConversation({ friendlyName: 'Shared' })).join()
    await conversation.sendMessage('before')
    await conversation.add('ann')
    await session.call('rowsOnce', 1, 0)
    expect(await session.call('isListed')).toBe(true)
    await conversation.removeParticipant('ann')
    await session.call('untilOut')
    expect(await session.call('isListed')).toBe(false)
  })

  describe('three tabs of one person', () => {
    async function three() {
      const [one, two, three] = [session, await session.newTab(), await session.newTab()] as const
      for (const tab of [one, two, three]) expect(await open(tab)).toBe('ready')
      return [one, two, three] as const
    }

    test('show once what one of them writes, connected and not, and any of them sends it', async () => {
      const tabs = await three()
      const [one, two, third] = tabs
      const reader = await ben()
      await one.call('create', 'Shared', 'ben')
      for (const body of ['a', 'b', 'c']) await one.call('post', body)
      for (const tab of tabs) expect(await tab.call('rowsOnce', 3, 0)).toEqual(['0 a', '1 b', '2 c'])

      for (const tab of tabs) await tab.call('goOffline')
      expect(await one.call('post', 'from the first')).toBe('3')
      for (const tab of tabs) await tab.call('rowsOnce', 4, 1)
      expect(await two.call('post', 'from the second')).toBe('4')
      const rows = ['0 a', '1 b', '2 c', '3 from the first …', '4 from the second …']
      for (const tab of tabs) expect(await tab.call('rowsOnce', 5, 2)).toEqual(rows)

      // the one that wrote nothing has the network
      await third.call('goOnline')
      for (const tab of tabs) {
        const accepted = await tab.call('rowsOnce', 5, 0)
        expect(accepted).toEqual(rows.map((row) => row.replace(' …', '')))
        expect(await tab.call('read')).toEqual(accepted)
      }
      for (const tab of [one, two]) await tab.call('goOnline')
      for (const tab of tabs) await tab.call('untilNothingWaits')
      expect(await reader.once(5)).toEqual(['a', 'b', 'c', 'from the first', 'from the second'])
      expect(await one.call('read')).toHaveLength(5)
    })

    test('open offline what they have, each for itself', async () => {
      const tabs = await three()
      await tabs[0].call('create', 'Shared')
      for (let at = 0; at < 30; at++) await tabs[0].call('post', `message ${at}`)
      for (const tab of tabs) await tab.call('rowsOnce', 30, 0)
      await relay.close()
      for (const tab of tabs) {
        await tab.page.reload()
        expect(await open(tab)).toBe('ready')
        expect(await tab.call('rowsOnce', 30, 0)).toHaveLength(30)
      }
    })
  })

  describe('a tab that dies in the middle of writing', () => {
    test.each([
      ['with no network', true],
      ['connected', false],
    ])('%s: what it acknowledged goes up from another tab, once and in order', async (_, offline) => {
      const [stays, dies] = [session, await session.newTab()]
      for (const tab of [stays, dies]) expect(await open(tab)).toBe('ready')
      const reader = await ben()
      await stays.call('create', 'Shared', 'ben')
      await stays.call('post', 'first')
      await dies.call('rowsOnce', 1, 0)
      if (offline) for (const tab of [stays, dies]) await tab.call('goOffline')

      const acknowledged: string[] = []
      const { promise: some, resolve } = Promise.withResolvers<void>()
      await dies.page.exposeFunction('acknowledge', (body: string) => {
        acknowledged.push(body)
        if (acknowledged.length === 30) resolve()
      })
      const writing = dies.call('postAndTell', 'text')
      await some
      await Promise.allSettled([crash(dies), writing])

      if (offline) await stays.call('goOnline')
      await stays.call('untilNothingWaits')
      await reader.once(1 + acknowledged.length)
      const late = await session.newTab()
      expect(await open(late)).toBe('ready')
      await late.call('untilNothingWaits')
      const read = (await late.call('read')).map((row) => row.replace(/^\d+ /, ''))
      expect(await stays.call('read')).toEqual(await late.call('read'))
      expect(read.slice(1, 1 + acknowledged.length)).toEqual(acknowledged)
      // more than that may have been durable, and nothing is there twice
      expect(read).toEqual(['first', ...read.slice(1).map((__, at) => `text ${at}`)])
      expect(await reader.once(read.length)).toEqual(read)
    })

    async function crash(tab: Tab<Entry>): Promise<void> {
      const crashed = tab.page.waitForEvent('crash')
      const devtools = await session.context.newCDPSession(tab.page)
      void devtools.send('Page.crash').catch(() => {})
      await crashed
    }
  })

  describe('where there is no room left', () => {
    // again where Chromium still believes its memory of how much room there was
    test('a post says so and is not shown; what was there stays, and it goes on when there is room', {
      retry: 2,
      timeout: 40_000,
    }, async () => {
      const devtools = await session.context.newCDPSession(session.page)
      const { origin } = session
      // before the page has stored anything: Chromium remembers for seconds how much room there was
      await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 3_000_000 })
      const reader = await ben()
      expect(await open(session)).toBe('ready')
      await session.call('create', 'Shared', 'ben')
      await session.call('post', 'before')
      await session.call('goOffline')
      const { taken, error } = await session.call('postUntilRefused', 30_000)
      expect(error).toBe('70501 Could not write to the local database: the device has no room left')
      expect(taken).toBeGreaterThan(10)
      expect(await session.call('rowsOnce', 1 + taken, taken)).toHaveLength(1 + taken)
      expect(await session.call('read')).toHaveLength(1 + taken)

      await devtools.send('Storage.overrideQuotaForOrigin', { origin })
      // the app still has the text: the promise that was given it was rejected
      expect(await session.call('post', 'what had no room')).toBe(String(1 + taken))
      await session.call('goOnline')
      await session.call('untilNothingWaits')
      const bodies = await reader.once(2 + taken)
      expect(bodies).toHaveLength(2 + taken)
      expect([bodies[0], bodies.at(-1)]).toEqual(['before', 'what had no room'])
      expect(await session.call('held')).toBe(0)
    })
  })

  describe('in a private window', () => {
    test('everything works over a reload, and nothing is left when it is closed', async () => {
      const browser = await startPrivateChromium()
      try {
        const window = async () => {
          const context = await browser.newContext()
          return { context, tab: await session.tabIn(context) }
        }
        const first = await window()
        expect(await open(first.tab)).toBe('ready')
        await first.tab.call('create', 'Private')
        await first.tab.call('goOffline')
        expect(await first.tab.call('post', 'nobody knows')).toBe('0')
        await first.tab.page.reload()
        expect(await open(first.tab)).toBe('ready')
        await first.tab.call('untilNothingWaits')
        expect(await first.tab.call('read')).toEqual(['0 nobody knows'])
        await first.context.close()

        const second = await window()
        const left = await second.tab.page.evaluate(() => indexedDB.databases())
        expect(left).toEqual([])
        await second.context.close()
      } finally {
        await browser.close()
      }
    })

    test('where IndexedDB is forbidden a client says so, and memory works', async () => {
      // a frame without an origin of its own
      await session.page.evaluate(async () => {
        const frame = document.createElement('iframe')
        frame.setAttribute('sandbox', 'allow-scripts')
        frame.src = '/'
        await new Promise((resolve) => {
          frame.onload = resolve
          document.body.append(frame)
        })
      })
      const frame = session.page.frames()[1]!
      const open = (token: string, options: { memory?: boolean }) =>
        frame.evaluate(
          ([token, url, options]) =>
            (globalThis as unknown as { entry: Entry }).entry.open(token, url, options),
          [token, relay.url, options] as const,
        )
      expect(await open(await tokenFor('ann'), {})).toMatch(/^70501 /)
      expect(await open(await tokenFor('ann'), { memory: true })).toBe('ready')
    })
  })

  test('a store that is deleted under it: writing says so, and a new client has everything again from the relay', async () => {
    expect(await open(session)).toBe('ready')
    await session.call('create', 'Shared')
    await session.call('post', 'on the relay')
    await session.call('untilNothingWaits')
    const other = await session.newTab()
    expect(await other.call('deleteDatabases')).toBeGreaterThan(1)
    expect(await session.call('post', 'where to')).toBe(
      '70501 The local database was deleted: start a new client',
    )
    expect(await session.call('read')).toEqual(['0 on the relay'])
    await session.call('close')
    expect(await open(session)).toBe('ready')
    expect(await session.call('rowsOnce', 1, 0)).toEqual(['0 on the relay'])
    expect(await session.call('post', 'here')).toBe('1')
  })

  describe('a store of an older version', () => {
    async function old() {
      expect(await open(session)).toBe('ready')
      await session.call('create', 'Shared', 'ben')
      await session.call('post', 'accepted')
      await session.call('untilNothingWaits')
      await session.call('goOffline')
      await session.call('post', 'written before the update')
      await session.call('close')
      const tab = await session.newTab()
      expect(await tab.call('makeOld')).toMatchObject({ version: 2 })
      return tab
    }

    test('is brought to the newest when it is opened: what waited in it goes up', async () => {
      const reader = await ben()
      const tab = await old()
      await tab.call('letGo')
      await session.page.reload()
      expect(await open(session)).toBe('ready')
      await session.call('untilNothingWaits')
      expect(await session.call('rowsOnce', 2, 0)).toEqual(['0 accepted', '1 written before the update'])
      expect(await reader.once(2)).toEqual(['accepted', 'written before the update'])
      const versions = await session.page.evaluate(async () =>
        (await indexedDB.databases()).flatMap(({ name, version }) =>
          /^confab-[0-9a-f]{32}$/.test(name ?? '') ? version : [],
        ),
      )
      expect(versions).toEqual([2])
    })

    test('that a tab of before the update keeps open: the new one says what to do, and works when that is done', async () => {
      const tab = await old()
      await session.page.reload()
      expect(await open(session)).toBe(
        '70501 Another tab keeps an older version of the local database open: close it',
      )
      await tab.page.close()
      expect(await open(session)).toBe('ready')
      await session.call('untilNothingWaits')
      expect(await session.call('read')).toEqual(['0 accepted', '1 written before the update'])
    })
  })
})
