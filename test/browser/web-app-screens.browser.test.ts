/** Every screen of the web app, light and dark, wide and narrow, both ways of reading: looked over by axe, and kept. */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { violations } from './axe.ts'
import { browserAvailable } from './harness.ts'
import { shots } from './web-people.ts'
import { play } from './web-scene.ts'
import { box, choose, eventually, isOffline, message, onWebStage, open, say, toggle } from './web-stage.ts'

const available = await browserAvailable()

const WIDE = { width: 1280, height: 820 }
const NARROW = { width: 390, height: 844 }

/** How to come to each screen, from the conversation at the left, and back. */
const SCREENS: { [name: string]: (page: Page) => Promise<unknown> } = {
  conversation: async () => {},
  'message-menu': async (page) => {
    await message(page, 'Coffee').hover()
    await message(page, 'Coffee').getByRole('button', { name: 'More' }).click()
    await page.getByRole('menuitem', { name: 'Reply' }).waitFor()
  },
  'emoji-menu': async (page) => {
    await message(page, 'Coffee').hover()
    await message(page, 'Coffee').getByRole('button', { name: 'React' }).click()
    await page.getByRole('menuitem', { name: '👍' }).waitFor()
  },
  'message-details': (page) => choose(page, 'hydraulic', 'Details'),
  people: (page) => page.getByRole('button', { name: 'People and settings' }).click(),
  invite: async (page) => {
    await page.getByRole('button', { name: 'People and settings' }).click()
    await page.getByRole('button', { name: 'Invite by a link…' }).click()
    await page.getByRole('img', { name: 'The link as a QR code' }).waitFor()
  },
  'close-asked': async (page) => {
    await page.getByRole('button', { name: 'People and settings' }).click()
    await page.getByRole('button', { name: 'Delete for everybody' }).click()
    await page.getByRole('alertdialog').waitFor()
  },
  connection: async (page) => {
    await page.locator('.pill-state:visible').click()
    await page.getByText('On this device').waitFor()
  },
  reply: async (page) => {
    await choose(page, 'Coffee', 'Reply')
    await box(page).fill('Coming!')
  },
}

/** Those that begin at the list, which on a phone is a screen of its own. */
const OF_THE_LIST: typeof SCREENS = {
  list: async () => {},
  create: (page) => page.getByRole('button', { name: 'New conversation' }).click(),
  search: async (page) => {
    await page.getByRole('searchbox').fill('the')
    await page.getByRole('option', { name: /crane on pier/ }).waitFor()
  },
  'profile-menu': (page) => page.getByRole('button', { name: /your profile/ }).click(),
  appearance: async (page) => {
    await page.getByRole('button', { name: /your profile/ }).click()
    await page.getByRole('menuitem', { name: 'Appearance…' }).click()
  },
  'sign-out': async (page) => {
    await page.getByRole('button', { name: /your profile/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out…' }).click()
  },
}

/** The screen again as it was before a dialog, a menu or a search. */
async function goBack(page: Page): Promise<void> {
  // one that was still opening has not heard it
  await eventually(async () => {
    await page.keyboard.press('Escape')
    return page.locator('[role=dialog], [role=alertdialog], [role=menu]').count()
  }).toBe(0)
  const search = page.getByRole('searchbox')
  if (await search.isVisible()) await search.fill('')
}

describe.skipIf(!available)('every screen of the web app', () => {
  const stage = onWebStage({ stay: true })
  let page: Page
  beforeAll(async () => {
    await play(stage, (at) => {
      vi.useRealTimers()
      if (at) vi.useFakeTimers({ toFake: ['Date'], now: at })
    })
    ;({ page } = await stage.signedIn('alice'))
    await page.getByRole('button', { name: 'I see' }).click()
    await open(page, /Harbour crew/)
    await message(page, 'Coffee').waitFor()
  })

  /** Lets axe look over it, and keeps a picture. */
  async function look(name: string, variant: string, of: Page = page): Promise<string[]> {
    const found = await violations(of)
    await of.screenshot({ path: join(shots, `${variant}-${name}.png`) })
    return found.map((text) => `${variant} ${name}: ${text}`)
  }

  test.each([
    ['wide-light', WIDE, 'light', 'ltr'],
    ['narrow-dark-rtl', NARROW, 'dark', 'rtl'],
  ] as const)('%s has nothing that axe objects to', async (variant, size, colorScheme, dir) => {
    const isNarrow = size === NARROW
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.evaluate((dir) => {
      document.documentElement.dir = dir
    }, dir)
    const found: string[] = []
    for (const [name, come] of Object.entries(SCREENS)) {
      await come(page)
      found.push(...(await look(name, variant)))
      await goBack(page)
      if (name === 'reply') await box(page).fill('')
    }
    if (isNarrow) await page.getByRole('button', { name: 'Back to the list' }).click()
    for (const [name, come] of Object.entries(OF_THE_LIST)) {
      await come(page)
      found.push(...(await look(name, variant)))
      await goBack(page)
    }
    await open(page, /Harbour crew/)
    await message(page, 'Coffee').waitFor()
    expect(found).toEqual([])
  })

  test('nor has what is seen offline, with something held, in a closed conversation, or before anything', async () => {
    await page.setViewportSize(WIDE)
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
    await page.evaluate(() => {
      document.documentElement.dir = 'ltr'
    })
    const found: string[] = []
    await page.getByRole('searchbox').fill('')
    await open(page, /Night shift/)
    await toggle(page)
    await isOffline(page)
    await say(page, 'I take Friday, from the boat')
    await message(page, 'from the boat').waitFor()
    found.push(...(await look('offline', 'wide-light')))
    await page.locator('.pill-state:visible').click()
    // a read position may wait there, too
    await page.locator('.waiting').getByText('from the boat').waitFor()
    found.push(...(await look('waiting', 'wide-light')))
    await page.keyboard.press('Escape')

    const rota = await stage.member('carol', 'Night shift')
    await rota.removeParticipant('alice')
    await toggle(page)
    await page.getByRole('button', { name: '1 held' }).filter({ visible: true }).click()
    await page.getByRole('dialog').getByText('from the boat').waitFor()
    found.push(...(await look('held', 'wide-light')))
    await page.keyboard.press('Escape')

    const lighthouse = await stage.member('carol', 'Lighthouse')
    await open(page, /Lighthouse/)
    await lighthouse.close()
    await page.getByText('takes no more messages').waitFor()
    found.push(...(await look('closed', 'wide-light')))

    await open(page, /Harbour crew/)
    await message(page, 'Coffee').waitFor()
    await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' })
    found.push(...(await look('conversation', 'wide-dark')))
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
    await page.setViewportSize(NARROW)
    found.push(...(await look('conversation', 'narrow-light')))

    const { page: fresh } = await stage.person()
    await fresh.goto(stage.url)
    await fresh.getByLabel('Your name').waitFor()
    found.push(...(await look('sign-in', 'wide-light', fresh)))
    await fresh.emulateMedia({ colorScheme: 'dark' })
    found.push(...(await look('sign-in', 'wide-dark', fresh)))
    await stage.signIn(fresh, 'newcomer')
    found.push(...(await look('nothing-yet', 'wide-dark', fresh)))
    await fresh.emulateMedia({ colorScheme: 'light' })
    await fresh.goto(`${stage.url}/demo`)
    await fresh.frameLocator('iframe >> nth=1').locator('.pill.on:visible').waitFor()
    found.push(...(await look('demo', 'wide-light', fresh)))
    expect(found).toEqual([])
  })
})
