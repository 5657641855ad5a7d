/** The web app with no network at all, in several tabs, and in tabs that die. */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { browserAvailable } from './harness.ts'
import { isConnected, type Person, shots } from './web-people.ts'
import { begin, box, eventually, message, onWebStage, open, say } from './web-stage.ts'

const available = await browserAvailable()

/** The app's files are kept by the browser: it opens with no network from now on. */
const isInstalled = (page: Page) => page.evaluate(() => navigator.serviceWorker.ready.then(() => true))

const textsIn = (page: Page): Promise<string[]> =>
  page.getByRole('article').locator('.bubble > p').allTextContents()

describe.skipIf(!available)('the web app', () => {
  const stage = onWebStage()

  /** Nothing goes in or out: the relay is stopped, and the browser is offline. */
  async function cut(...people: Person[]): Promise<void> {
    await Promise.all(people.map(({ context }) => context.setOffline(true)))
    await stage.relay.close()
  }
  async function mend(...people: Person[]): Promise<void> {
    await stage.startRelay()
    await Promise.all(people.map(({ context }) => context.setOffline(false)))
  }

  test('opens anew with relay and network gone, lists everything, takes what is written, and merges', async () => {
    const alice = await stage.signedIn('alice')
    await begin(alice.page, 'Harbour crew', 'bob')
    await say(alice.page, 'before the storm')
    const bob = await stage.signedIn('bob')
    await open(bob.page, /Harbour crew/)
    await message(bob.page, 'before the storm').waitFor()
    await isInstalled(alice.page)
    await isInstalled(bob.page)
    const { url } = stage
    await cut(alice, bob)

    await alice.page.close()
    const again = await alice.context.newPage()
    await again.goto(url)
    await open(again, /Harbour crew/)
    await message(again, 'before the storm').waitFor()
    await say(again, 'alice, in the dark')
    await begin(again, 'Made in the dark', 'bob')
    await say(again, 'nobody knows of this yet')
    await message(again, 'nobody knows').waitFor()

    await bob.context.close()
    const back = await stage.person(bob.profile)
    await back.context.setOffline(true)
    await back.page.goto(url)
    await open(back.page, /Harbour crew/)
    await message(back.page, 'before the storm').waitFor()
    await say(back.page, 'bob, in the dark')
    await back.page
      .getByText(/(No connection|Connecting).*\d to send/)
      .filter({ visible: true })
      .waitFor()
    await back.page.screenshot({ path: join(shots, 'in-the-dark.png') })
    await back.page.reload()
    await message(back.page, 'bob, in the dark').waitFor()

    await mend(alice, back)
    await open(again, /Harbour crew/)
    for (const page of [again, back.page]) {
      await isConnected(page)
      await message(page, 'alice, in the dark').waitFor()
      await message(page, 'bob, in the dark').waitFor()
    }
    const everywhere = async () => [await textsIn(back.page), await textsIn(again)]
    await eventually(async () => new Set((await everywhere()).map(String)).size).toBe(1)
    await open(back.page, /Made in the dark/)
    await message(back.page, 'nobody knows').waitFor()
  })

  test('closed before its first documents are on disk, it lists all that was shown, and the rest comes with the network', async () => {
    const writer = await stage.client('writer')
    const names = Array.from({ length: 6 }, (_, i) => `Pier ${i}`)
    for (const name of names) {
      const one = await (await writer.createConversation({ friendlyName: name })).join()
      await one.add('newcomer')
      await one.sendMessage(`first of ${name}`)
      await one.sendMessage(`last of ${name}`)
    }
    const { context, page } = await stage.person()
    // one that takes so long to make databases for documents that nobody waits for it
    await page.addInitScript(() => {
      const { open } = IDBFactory.prototype
      IDBFactory.prototype.open = function (name, ...rest) {
        const isDocument = /^confab-[0-9a-f]+-[0-9a-f]+-[1-9]/.test(name)
        return isDocument ? ({} as IDBOpenDBRequest) : open.call(this, name, ...rest)
      }
    })
    await stage.signIn(page, 'newcomer')
    await isInstalled(page)
    const row = (of: Page, name: string) =>
      of.getByRole('option').filter({ has: of.getByText(name, { exact: true }) })
    for (const name of names) await row(page, name).getByText(`last of ${name}`).waitFor()
    const summaries = () => page.evaluate(countSummaries)
    await eventually(summaries).toBeGreaterThanOrEqual(names.length)
    await page.close()

    await context.setOffline(true)
    const again = await context.newPage()
    await again.goto(stage.url)
    for (const name of names) await row(again, name).getByText('Not on this device yet').waitFor()
    await context.setOffline(false)
    for (const name of names) await row(again, name).getByText(`last of ${name}`).waitFor()
  })

  test('three tabs of one person are one: no duplicates, with a network and without', async () => {
    const alice = await stage.signedIn('alice')
    await begin(alice.page, 'Tabs', 'bob')
    await isInstalled(alice.page)
    const address = alice.page.url()
    const tabs = [alice.page, await alice.context.newPage(), await alice.context.newPage()]
    for (const tab of tabs.slice(1)) {
      await tab.goto(address)
      await isConnected(tab)
    }
    for (const [i, tab] of tabs.entries()) await say(tab, `from tab ${i}, connected`)
    await cut(alice)
    for (const [i, tab] of tabs.entries()) await say(tab, `from tab ${i}, offline`)
    const all = tabs.flatMap((_, i) => [`from tab ${i}, connected`, `from tab ${i}, offline`]).sort()
    for (const tab of tabs) await eventually(async () => (await textsIn(tab)).sort()).toEqual(all)
    await tabs[2]?.reload()
    await eventually(async () => (await textsIn(tabs[2] as Page)).sort()).toEqual(all)
    await mend(alice)
    for (const tab of tabs) {
      await isConnected(tab)
      await eventually(() => tab.locator('.message.pending').count()).toBe(0)
      expect((await textsIn(tab)).sort()).toEqual(all)
    }
    const { items } = await (await stage.member('bob', 'Tabs')).getMessages(50)
    expect(items.map(({ body }) => body).sort()).toEqual(all)
  })

  test('a tab killed in the middle of a write loses nothing that another tab has seen', async () => {
    const alice = await stage.signedIn('alice')
    await begin(alice.page, 'Killed', 'bob')
    const other = await alice.context.newPage()
    await other.goto(alice.page.url())
    await isConnected(other)
    // a browser with a dead tab is told no more that it is offline
    await stage.relay.close()
    for (let i = 0; i < 5; i++) await say(alice.page, `written ${i}`)
    const devtools = await alice.context.newCDPSession(alice.page)
    const dead = alice.page.waitForEvent('crash')
    // one more, and dead before anything can have come of it
    await box(alice.page).fill('written last')
    void box(alice.page)
      .press('Enter')
      .catch(() => {})
    void devtools.send('Page.crash').catch(() => {})
    await dead
    // what was told to this tab is on disk; what was not may be or not, but never in part or twice
    const isWhole = (texts: string[]) => {
      const known = [0, 1, 2, 3, 4].map((i) => `written ${i}`)
      const seen = texts.filter((text) => text !== 'written last')
      expect(seen).toEqual(known.slice(0, seen.length))
      expect(texts.length - seen.length).toBeLessThanOrEqual(1)
      return seen.length
    }
    const seen = isWhole(await textsIn(other))
    await other.reload()
    await eventually(async () => (await textsIn(other)).length).toBeGreaterThanOrEqual(seen)
    await say(other, 'and the other tab goes on')
    await stage.startRelay()
    await isConnected(other)
    await eventually(() => other.locator('.message.pending').count()).toBe(0)
    const { items } = await (await stage.member('bob', 'Killed')).getMessages(50)
    const sent = items.map(({ body }) => body ?? '')
    expect(await textsIn(other)).toEqual(sent)
    expect(sent.pop()).toBe('and the other tab goes on')
    expect(isWhole(sent)).toBeGreaterThanOrEqual(seen)
  })
})

/** In the page: how many conversations its store has on disk by their summaries. */
async function countSummaries(): Promise<number> {
  let count = 0
  for (const { name } of await indexedDB.databases()) {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name ?? '')
      request.onsuccess = () => resolve(request.result)
    })
    if (db.objectStoreNames.contains('summaries')) {
      const keys = await new Promise<IDBValidKey[]>((resolve) => {
        const request = db.transaction('summaries').objectStore('summaries').getAllKeys()
        request.onsuccess = () => resolve(request.result)
      })
      count += keys.filter((key) => String(key).startsWith('CH')).length
    }
    db.close()
  }
  return count
}
