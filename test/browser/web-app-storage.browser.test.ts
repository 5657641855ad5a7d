/** What the web app says when this device's storage fails it. It always says so, and keeps the words in their field. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { startPrivateChromium } from './chromium.ts'
import { browserAvailable } from './harness.ts'
import { isConnected } from './web-people.ts'
import { begin, box, eventually, message, onWebStage, open, say } from './web-stage.ts'

const available = await browserAvailable()

const notice = (page: Page) => page.getByRole('alert', { name: 'Storage' })

describe.skipIf(!available)('the web app', () => {
  const stage = onWebStage()

  // again where Chromium still believes its memory of a full device half a minute after there was room
  test('says when the device has no room left, keeps the words, and goes on when there is some', {
    retry: 2,
  }, async () => {
    const { page, context } = await stage.person()
    const devtools = await context.newCDPSession(page)
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: stage.url, quotaSize: 3_000_000 })
    // before the app opens its store
    await page.goto(`${stage.url}/manifest.webmanifest`)
    await page.evaluate(fill)
    await stage.signIn(page, 'alice')
    await begin(page, 'Full', '')
    const full = notice(page).getByText('the device has no room left')
    const long = 'x'.repeat(30_000)
    for (let i = 0; i < 30 && !(await full.isVisible()); i++) await say(page, `#${i} ${long}`)
    await full.waitFor()
    await eventually(() => box(page).inputValue()).toContain(long)
    const kept = await box(page).inputValue()
    await page.evaluate(() => caches.delete('fill'))
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: stage.url })
    const again = notice(page).getByRole('button', { name: 'Open it again' })
    // Chromium remembers for seconds how much room there was
    await eventually(async () => {
      if (await again.isVisible()) await again.click()
      else if ((await box(page).inputValue()) === kept) await box(page).press('Enter')
      return page
        .locator('.bubble > p')
        .filter({ hasText: kept.slice(0, 10) })
        .count()
    }).toBe(1)
    await eventually(() => box(page).inputValue()).toBe('')
  })

  test('says when its databases were deleted under it, and gets everything again from the relay', async () => {
    const { page } = await stage.signedIn('alice')
    await begin(page, 'Deleted', '')
    await say(page, 'at the relay')
    await message(page, 'at the relay').locator('.mark.check').waitFor()
    await page.evaluate(async () => {
      for (const { name } of await indexedDB.databases()) if (name) indexedDB.deleteDatabase(name)
    })
    await say(page, 'not lost')
    await notice(page).getByText('The local database was deleted').waitFor()
    await eventually(() => box(page).inputValue()).toBe('not lost')
    await notice(page).getByRole('button', { name: 'Open it again' }).click()
    await message(page, 'at the relay').waitFor()
    await eventually(() => box(page).inputValue()).toBe('not lost')
    await box(page).press('Enter')
    await message(page, 'not lost').locator('.mark.check').waitFor()
  })

  test('says when a newer version in another tab took the store over', async () => {
    const { page, context } = await stage.signedIn('alice')
    await begin(page, 'Newer', '')
    const newer = await context.newPage()
    await newer.goto(`${stage.url}/manifest.webmanifest`)
    await newer.evaluate(async () => {
      for (const { name, version = 1 } of await indexedDB.databases()) {
        if (name) await new Promise((done) => (indexedDB.open(name, version + 1).onsuccess = done))
      }
    })
    await say(page, 'by the older one')
    await notice(page).waitFor()
    await eventually(() => box(page).inputValue()).toBe('by the older one')
  })

  test('takes over the store of an older version with all that is in it', async () => {
    const { page, context } = await stage.signedIn('older')
    await begin(page, 'From before', '')
    await say(page, 'of the older version')
    await message(page, 'of the older version').locator('.mark.check').waitFor()
    await context.setOffline(true)
    await say(page, 'and not sent yet')
    await message(page, 'and not sent yet').waitFor()
    await context.setOffline(false)
    await page.goto(`${stage.url}/manifest.webmanifest`)
    await page.evaluate(rewriteAsVersion1)
    await page.goto(stage.url)
    await open(page, /From before/)
    await message(page, 'of the older version').waitFor()
    await message(page, 'and not sent yet').locator('.mark.check').waitFor()
  })

  test('says what a private window means, once', async () => {
    const browser = await startPrivateChromium()
    try {
      const page = await browser.newPage({ viewport: { width: 1200, height: 800 } })
      await stage.signIn(page, 'private')
      await page.getByText('when a private window closes').waitFor()
      await page.getByRole('button', { name: 'I see' }).click()
      await begin(page, 'Nobody sees', '')
      await page.reload()
      await isConnected(page)
      await open(page, /Nobody sees/)
      expect(await page.getByText('when a private window closes').count()).toBe(0)
    } finally {
      await browser.close()
    }
  })

  test('says when there is no storage at all, and goes on without if one wants', async () => {
    const { page } = await stage.person()
    await page.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }))
    await page.goto(stage.url)
    await page.getByLabel('Your name').fill('nowhere')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await notice(page).getByText('offers no IndexedDB').waitFor()
    await notice(page).getByRole('button', { name: 'Go on without' }).click()
    await page.getByText('Nothing is kept on this device.').waitFor()
    await begin(page, 'On air', '')
    await say(page, 'straight to the relay')
    await message(page, 'straight to the relay').locator('.mark.check').waitFor()
  })

  test('signs out and erases: nothing of it is left in the browser', async () => {
    const { page } = await stage.signedIn('leaving')
    await begin(page, 'Secret', '')
    await say(page, 'burn after reading')
    await message(page, 'burn after').locator('.mark.check').waitFor()
    await page.getByRole('button', { name: /your profile/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out…' }).click()
    await page.getByRole('button', { name: 'Sign out and erase this device' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Sign out and erase' }).click()
    await page.getByLabel('Your name').waitFor()
    const left = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))
    expect(left).toEqual([])
    expect(await page.evaluate(() => Object.keys(localStorage))).not.toContain('confab.session')
  })
})

/** In the page: takes all the room that there is, but for what a few messages need. */
async function fill(): Promise<void> {
  const cache = await caches.open('fill')
  let n = 0
  try {
    for (;;) await cache.put(`/fill/${n++}`, new Response(crypto.getRandomValues(new Uint8Array(65_536))))
  } catch {
    for (let i = 2; i < 8; i++) await cache.delete(`/fill/${n - i}`)
  }
}

/** In the page: makes of each journal the one that version 1 wrote, which had no pages of history. */
async function rewriteAsVersion1(): Promise<number> {
  const settled = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  let rewritten = 0
  for (const { name } of await indexedDB.databases()) {
    if (!name) continue
    const db = await settled(indexedDB.open(name))
    if (!db.objectStoreNames.contains('pageUse')) {
      db.close()
      continue
    }
    const tx = db.transaction(['entries', 'summaries', 'values'])
    const rows = {
      entries: await settled(tx.objectStore('entries').getAll()),
      summaries: await settled(tx.objectStore('summaries').getAll()),
      values: await settled(tx.objectStore('values').getAll()),
      keys: await settled(tx.objectStore('values').getAllKeys()),
    }
    db.close()
    await settled(indexedDB.deleteDatabase(name))
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => {
      const old = request.result
      const entries = old.createObjectStore('entries', { keyPath: 'position', autoIncrement: true })
      entries.createIndex('id', 'id', { unique: true })
      const summaries = old.createObjectStore('summaries', { keyPath: 'document' })
      const values = old.createObjectStore('values')
      for (const row of rows.entries) entries.put(row)
      for (const row of rows.summaries) summaries.put(row)
      for (const [i, row] of rows.values.entries()) values.put(row, rows.keys[i])
    }
    ;(await settled(request)).close()
    rewritten++
  }
  return rewritten
}
