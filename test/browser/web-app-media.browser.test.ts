/** Attachments in the web app, from the camera to the gallery: seen, heard, on their way, stopped, refused, kept. */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { violations } from './axe.ts'
import { browserAvailable } from './harness.ts'
import { attach, chosen, film, noise, picture, slowDown, tone, Uploads } from './web-media.ts'
import { isConnected, shots } from './web-people.ts'
import { begin, box, eventually, hasFocus, message, onWebStage, open, say, toggle } from './web-stage.ts'

const available = await browserAvailable()
const MEGABYTE = 1_000_000

const send = (page: Page) => page.getByRole('button', { name: 'Send', exact: true }).click()
const sent = (page: Page, name: string) => message(page, name).locator('.mark.check').waitFor()
const progress = (page: Page, name: string) =>
  message(page, name)
    .getByRole('progressbar')
    .evaluate((bar) => (bar as HTMLProgressElement).value)

async function sendPicture(page: Page, name: string, hue: number): Promise<void> {
  await attach(page, name, 'image/png', await picture(page, 320, 200, hue))
  await send(page)
  await sent(page, name)
}

describe.skipIf(!available)('attachments in the web app', () => {
  const stage = onWebStage({
    relay: { media: { types: ['image/*', 'audio/*', 'video/*', 'text/*'], maxBytes: 25 * MEGABYTE } },
  })

  test('a picture is taken with the camera, and sent', async () => {
    const { page } = await stage.signedIn('photographer')
    await begin(page, 'Camera')
    await page.getByRole('button', { name: 'Take a picture' }).click()
    await page.getByRole('button', { name: 'Take it' }).click()
    await chosen(page)
      .getByText(/^Picture .*\.jpg$/)
      .waitFor()
    await send(page)
    const drawn = message(page, 'Picture').getByRole('img')
    await eventually(() => drawn.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBeGreaterThan(0)
    await sent(page, 'Picture')
  })

  test('a browser that gives no camera says so, and what to do', async () => {
    const { page } = await stage.person(undefined, ['--use-fake-ui-for-media-stream=deny'])
    await stage.signIn(page, 'shy')
    await begin(page, 'No camera')
    await page.getByRole('button', { name: 'Take a picture' }).click()
    await page.getByText('Allow it for this site').waitFor()
  })

  test('pictures of a conversation are looked through with the keys, and the keys go back to where they were', async () => {
    const { page } = await stage.signedIn('curator')
    await begin(page, 'Gallery')
    for (const [i, name] of ['one.png', 'two.png', 'three.png'].entries())
      await sendPicture(page, name, i * 60)
    await attach(page, 'notes.txt', 'text/plain', Buffer.from('turn the valve'))
    await send(page)
    await sent(page, 'notes.txt')

    await page.getByRole('button', { name: 'Pictures and files' }).click()
    const gallery = page.getByRole('dialog', { name: 'Pictures and files' })
    await gallery.getByRole('list', { name: 'Files' }).getByText('notes.txt').waitFor()
    const tiles = gallery.getByRole('list', { name: 'Pictures' }).getByRole('button')
    await eventually(() => tiles.count()).toBe(3)
    const newest = gallery.getByRole('button', { name: 'Look at three.png' })
    await newest.press('Enter')
    const shown = (name: string) => page.getByRole('dialog', { name }).getByRole('img', { name })
    await shown('three.png').waitFor()
    await page.getByText('picture 3 of 3').waitFor()
    await page.keyboard.press('ArrowLeft')
    await shown('two.png').waitFor()
    await page.keyboard.press('Home')
    await shown('one.png').waitFor()
    expect(await page.getByRole('button', { name: 'Earlier picture' }).count()).toBe(0)
    await page.keyboard.press('End')
    await shown('three.png').waitFor()
    await page.screenshot({ path: join(shots, 'viewer.png') })
    await page.keyboard.press('Escape')
    await hasFocus(page, newest)

    // for when there is no network
    await gallery.getByRole('button', { name: /Keep all of it on this device/ }).click()
    await gallery.getByText('All of it is on this device.').waitFor()
  })

  test('what was kept is looked at with no network, in a page that was opened without one', async () => {
    const { page: ann } = await stage.signedIn('ann')
    await begin(ann, 'Trip', 'ben')
    for (const [i, name] of ['map.png', 'hut.png'].entries()) await sendPicture(ann, name, i * 90)
    await attach(ann, 'route.txt', 'text/plain', Buffer.from('left at the cairn'))
    await send(ann)
    await sent(ann, 'route.txt')
    const { page: ben, context } = await stage.signedIn('ben')
    await open(ben, /Trip/)
    await ben.getByRole('button', { name: 'Pictures and files' }).click()
    await ben.getByRole('button', { name: /Keep all of it on this device/ }).click()
    await ben.getByText('All of it is on this device.').waitFor()
    await ben.waitForFunction(() => navigator.serviceWorker?.controller)
    await context.setOffline(true)
    await ben.reload()
    await open(ben, /Trip/)
    const drawn = message(ben, 'hut.png').getByRole('img', { name: 'hut.png' })
    await eventually(() => drawn.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(320)
    const saved = ben.waitForEvent('download')
    await message(ben, 'route.txt').getByRole('button', { name: 'Save route.txt' }).click()
    expect((await saved).suggestedFilename()).toBe('route.txt')
  })

  test('sound and film are played where they stand, and nothing moves', async () => {
    const { page } = await stage.signedIn('player')
    await begin(page, 'Player')
    await attach(page, 'horn.wav', 'audio/wav', tone())
    await send(page)
    await sent(page, 'horn.wav')
    await attach(page, 'boat.webm', 'video/webm', await film(page))
    await send(page)
    await sent(page, 'boat.webm')
    for (const [name, kind] of [
      ['horn.wav', 'audio'],
      ['boat.webm', 'video'],
    ] as const) {
      const row = message(page, name)
      const before = await row.evaluate((one) => one.getBoundingClientRect().height)
      await row.getByRole('button', { name: `Play ${name}` }).click()
      const player = row.locator(kind)
      await eventually(() => player.evaluate((one) => (one as HTMLMediaElement).currentTime)).toBeGreaterThan(
        0,
      )
      expect(await row.evaluate((one) => one.getBoundingClientRect().height)).toBe(before)
    }
    await page.screenshot({ path: join(shots, 'players.png') })
  })

  test('a picture that is still coming has its place: what is below it stays where it is', async () => {
    const { page: ann } = await stage.signedIn('ann')
    await begin(ann, 'Still', 'ben')
    await sendPicture(ann, 'slow.png', 10)
    await say(ann, 'below it')
    await message(ann, 'below it').locator('.mark.check').waitFor()
    const { page: ben, context } = await stage.person()
    let letCome = () => {}
    const mayCome = new Promise<void>((resolve) => {
      letCome = resolve
    })
    await context.route(/\/media\/ME/, async (route) => {
      await mayCome
      await route.continue()
    })
    await stage.signIn(ben, 'ben')
    await open(ben, /Still/)
    const row = message(ben, 'slow.png')
    await row.locator('img.placeholder').waitFor()
    const place = () => message(ben, 'below it').evaluate((one) => one.getBoundingClientRect().top)
    const before = await place()
    letCome()
    const drawn = row.getByRole('img', { name: 'slow.png' })
    await eventually(() => drawn.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(320)
    expect(await place()).toBe(before)
  })

  test('what takes room below the messages leaves the newest of them in sight', async () => {
    const { page } = await stage.signedIn('reader')
    await begin(page, 'Room')
    for (let i = 0; i < 20; i++) await say(page, `line ${i}`)
    await say(page, 'the last line')
    const last = message(page, 'the last line')
    await last.locator('.mark.check').waitFor()
    await attach(page, 'below.png', 'image/png', await picture(page, 80, 80))
    await eventually(() =>
      last.evaluate((one) => {
        const view = one.closest('.messages')?.getBoundingClientRect().bottom ?? 0
        return one.getBoundingClientRect().bottom <= view + 1
      }),
    ).toBe(true)
  })

  test('a part of the app that can’t be fetched says so in its place, and everything else goes on', async () => {
    const { page, context } = await stage.signedIn('early')
    await begin(page, 'Landing')
    await context.route('**/assets/gallery-*.js', (route) => route.abort())
    // as on a first visit, before everything was kept
    await page.evaluate(async () => {
      for (const name of await caches.keys()) await caches.delete(name)
    })
    await page.getByRole('button', { name: 'Pictures and files' }).click()
    await page.getByRole('alert').getByText('Load the page again when there is a network').waitFor()
    await say(page, 'still here')
    await message(page, 'still here').waitFor()
    expect(stage.complaints.splice(0)).not.toEqual([])
  })

  test('what was chosen is still there after a look into another conversation', async () => {
    const { page } = await stage.signedIn('wanderer')
    await begin(page, 'Here')
    await begin(page, 'There')
    await attach(page, 'ticket.txt', 'text/plain', Buffer.from('platform 4'))
    await open(page, /Here/)
    await page.getByRole('heading', { name: 'Here', exact: true }).waitFor()
    expect(await chosen(page).count()).toBe(0)
    await open(page, /There/)
    await chosen(page).getByText('ticket.txt').waitFor()
    await send(page)
    await sent(page, 'ticket.txt')
  })

  test('written offline, seen at once, and after the page was closed; goes up in pieces, and on where a closed page left it', async () => {
    const { page, context } = await stage.signedIn('sender')
    await begin(page, 'Pieces')
    await say(page, 'first')
    await message(page, 'first').locator('.mark.check').waitFor()
    const uploads = new Uploads(context)
    await toggle(page)
    await attach(page, 'crossing.webm', 'video/webm', noise(20 * MEGABYTE, 7))
    await box(page).fill('the crossing')
    await send(page)
    const waits = message(page, 'the crossing').getByText('Waits for the network')
    await waits.waitFor()
    expect(await box(page).inputValue()).toBe('')
    await page.close()

    const again = await context.newPage()
    await slowDown(again, 2 * MEGABYTE)
    await again.goto(stage.url)
    await isConnected(again)
    await open(again, /Pieces/)
    await eventually(() => uploads.pieces.length).toBeGreaterThan(1)
    const before = await progress(again, 'the crossing')
    expect(before).toBeGreaterThan(0)
    await again.screenshot({ path: join(shots, 'upload.png') })
    await again.close()

    const last = await context.newPage()
    await last.goto(stage.url)
    await open(last, /Pieces/)
    await message(last, 'the crossing').locator('.mark.check').waitFor()
    expect(uploads.begun).toBe(1)
    const resumed = uploads.pieces.at(2) ?? 0
    expect(resumed).toBeGreaterThan(8 * MEGABYTE - 1)
    expect(await message(last, 'the crossing').getByRole('progressbar').count()).toBe(0)
  })

  test('an upload that is stopped is held with its text and file, and sent again from there', async () => {
    const { page } = await stage.signedIn('stopper')
    await begin(page, 'Stop')
    await slowDown(page, MEGABYTE)
    await attach(page, 'long.webm', 'video/webm', noise(12 * MEGABYTE, 9))
    await box(page).fill('too long')
    await send(page)
    await eventually(() => progress(page, 'too long')).toBeGreaterThan(0)
    await message(page, 'too long').getByRole('button', { name: 'Cancel the upload' }).click()
    await page.getByRole('button', { name: '1 held' }).filter({ visible: true }).click()
    const held = page.getByRole('dialog', { name: 'Held' })
    await held.getByText('too long').waitFor()
    await held.getByText('long.webm').waitFor()
    await held.getByText('The upload was cancelled').waitFor()
    expect(await message(page, 'too long').count()).toBe(0)
    await slowDown(page, -1)
    await held.getByRole('button', { name: 'Send again' }).click()
    await page.keyboard.press('Escape')
    await message(page, 'too long').locator('.mark.check').waitFor()
  })

  test('an upload that fails says why, and is tried again when somebody asks for it', async () => {
    const { page, context } = await stage.signedIn('unlucky')
    await begin(page, 'Retry')
    await context.route('**/media/uploads**', (route) => route.abort())
    await attach(page, 'again.txt', 'text/plain', Buffer.from('once more'))
    await send(page)
    const row = message(page, 'again.txt')
    await row.getByText('It is tried again by itself').waitFor()
    await page.screenshot({ path: join(shots, 'upload-failed.png') })
    await context.unroute('**/media/uploads**')
    await row.getByRole('button', { name: 'Try now' }).click()
    await sent(page, 'again.txt')
  })

  test.each([
    [
      'a type that the relay does not take',
      'tool.exe',
      'application/x-msdownload',
      100,
      'no file of this type',
    ],
    ['more than the relay takes', 'huge.webm', 'video/webm', 26 * MEGABYTE, 'larger than the relay takes'],
  ])(
    '%s is refused: text and file are held, and nobody sees half of it',
    async (_, name, type, size, words) => {
      const { page } = await stage.signedIn('refused')
      await begin(page, 'Refused', 'witness')
      const witness = await stage.member('witness', 'Refused')
      await attach(page, name, type, noise(size, 3))
      await box(page).fill('look at this')
      await send(page)
      await page.getByRole('button', { name: '1 held' }).filter({ visible: true }).click()
      const held = page.getByRole('dialog', { name: 'Held' })
      await held.getByText('look at this').waitFor()
      await held.getByText(name).waitFor()
      await held.getByText(words).waitFor()
      // once: it is not in its field, too
      expect(await box(page).inputValue()).toBe('')
      expect(await chosen(page).count()).toBe(0)
      expect((await witness.getMessages()).items).toHaveLength(0)
      await page.screenshot({ path: join(shots, `refused-${name}.png`) })
      await held.getByRole('button', { name: 'Discard' }).click()
      await held.getByText('Nothing is held').waitFor()
    },
  )

  test('a file that no message can have is not taken, and says how large one may be', async () => {
    const { page } = await stage.signedIn('giant')
    await begin(page, 'Giant')
    await box(page).fill('all of it')
    await page.evaluate(() => {
      const data = new DataTransfer()
      const piece = new Uint8Array(1_000_000)
      data.items.add(
        new File(
          Array.from({ length: 158 }, () => piece),
          'giant.webm',
          { type: 'video/webm' },
        ),
      )
      data.items.add(new File(['fits'], 'small.txt', { type: 'text/plain' }))
      document
        .querySelector('.composer textarea')
        ?.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }))
    })
    await page.getByText('Too large to attach: giant.webm. A file may have 157 MB at most.').waitFor()
    await chosen(page).getByText('small.txt').waitFor()
    expect(await chosen(page).getByText('giant.webm').count()).toBe(0)
    expect(await box(page).inputValue()).toBe('all of it')
  })

  test('three tabs bring it once; the one that does it dies, and another goes on where it was', async () => {
    const { page, context } = await stage.signedIn('three')
    await begin(page, 'Tabs')
    const tabs = [page]
    for (let i = 0; i < 2; i++) {
      const tab = await context.newPage()
      await tab.goto(stage.url)
      await isConnected(tab)
      await open(tab, /Tabs/)
      tabs.push(tab)
    }
    for (const tab of tabs) await slowDown(tab, 2 * MEGABYTE)
    const uploads = new Uploads(context)
    await attach(page, 'shared.webm', 'video/webm', noise(20 * MEGABYTE, 11))
    await box(page).fill('from one of three')
    await send(page)
    for (const tab of tabs) await message(tab, 'from one of three').waitFor()
    await eventually(() => uploads.pieces.length).toBeGreaterThan(1)
    for (const tab of tabs) await eventually(() => progress(tab, 'from one of three')).toBeGreaterThan(0)
    const dying = uploads.page
    const piecesBefore = uploads.pieces.length
    await dying?.close()
    const left = tabs.filter((tab) => tab !== dying)
    expect(left).toHaveLength(2)
    for (const tab of left) await message(tab, 'from one of three').locator('.mark.check').waitFor()
    expect(uploads.begun).toBe(1)
    expect(uploads.pieces[piecesBefore]).toBeGreaterThan(8 * MEGABYTE - 1)
    for (const tab of left) expect(await message(tab, 'from one of three').count()).toBe(1)
  })

  test('a device that has no room for a file says so, shows nothing of it, and keeps text and file where they are', async () => {
    const { page, context } = await stage.person()
    const devtools = await context.newCDPSession(page)
    // before the app opens its store: Chromium remembers for a while how much room there was
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: stage.url, quotaSize: 6 * MEGABYTE })
    await stage.signIn(page, 'full')
    await begin(page, 'Full', 'witness')
    await attach(page, 'film.webm', 'video/webm', noise(20 * MEGABYTE, 13))
    await box(page).fill('no room for this')
    await send(page)
    await page.getByRole('alert').getByText('the device has no room left').first().waitFor()
    expect(await box(page).inputValue()).toBe('no room for this')
    await chosen(page).getByText('film.webm').waitFor()
    expect(await message(page, 'no room for this').count()).toBe(0)
    await page.screenshot({ path: join(shots, 'full.png') })
    // the words go without the file
    await chosen(page).getByRole('button', { name: 'Remove film.webm' }).click()
    await page.getByRole('button', { name: 'Open it again' }).click()
    await isConnected(page)
    await eventually(() => box(page).inputValue()).toBe('no room for this')
    await box(page).press('Enter')
    await message(page, 'no room for this').locator('.mark.check').waitFor()
  })

  test.each([
    ['wide-light', { width: 1280, height: 820 }, 'light', 'ltr'],
    ['narrow-dark-rtl', { width: 390, height: 844 }, 'dark', 'rtl'],
  ] as const)(
    'what has to do with attachments has nothing that axe objects to: %s',
    async (variant, size, colorScheme, dir) => {
      const { page } = await stage.signedIn(variant)
      await begin(page, 'Look', 'bob')
      for (const [i, name] of ['pier.png', 'dawn.png'].entries()) await sendPicture(page, name, 20 + i * 90)
      await attach(page, 'horn.wav', 'audio/wav', tone())
      await send(page)
      await sent(page, 'horn.wav')
      await attach(page, 'boat.webm', 'video/webm', await film(page))
      await box(page).fill('from the ferry')
      await send(page)
      await sent(page, 'from the ferry')
      await attach(page, 'what the harbour master wrote about pier 4.txt', 'text/plain', noise(40_000, 5))
      await send(page)
      await sent(page, 'harbour master')
      await attach(page, 'tool.exe', 'application/x-msdownload', noise(100, 3))
      await send(page)
      await page.getByRole('button', { name: '1 held' }).filter({ visible: true }).waitFor()
      await page.setViewportSize(size)
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.evaluate((dir) => {
        document.documentElement.dir = dir
      }, dir)
      const found: string[] = []
      const look = async (name: string) => {
        const objections = await violations(page)
        await page.screenshot({ path: join(shots, `${variant}-${name}.png`) })
        found.push(...objections.map((text) => `${name}: ${text}`))
      }
      await message(page, 'horn.wav').getByRole('button', { name: 'Play horn.wav' }).click()
      await message(page, 'from the ferry').getByRole('button', { name: 'Play boat.webm' }).click()
      await message(page, 'from the ferry').locator('video').waitFor()
      await look('attachments')
      await message(page, 'dawn.png').getByRole('button', { name: 'Look at dawn.png' }).click()
      await page.getByText('picture 2 of 2').waitFor()
      await look('viewer')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Pictures and files' }).click()
      await page.getByRole('button', { name: /Keep all of it/ }).click()
      await page.getByText('All of it is on this device.').waitFor()
      await look('gallery')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Take a picture' }).click()
      await page.getByRole('button', { name: 'Take it' }).and(page.locator(':enabled')).waitFor()
      await look('camera')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: '1 held' }).filter({ visible: true }).click()
      await page.getByRole('dialog', { name: 'Held' }).getByText('tool.exe').waitFor()
      await look('held-file')
      await page.keyboard.press('Escape')
      await toggle(page)
      await attach(page, 'lamp.png', 'image/png', await picture(page, 300, 180, 200))
      await send(page)
      await message(page, 'lamp.png').getByText('Waits for the network').waitFor()
      await attach(page, 'list.txt', 'text/plain', noise(2_000, 6))
      await attach(page, 'crew.png', 'image/png', await picture(page, 200, 200, 300))
      await look('waiting-file')
      expect(found).toEqual([])
    },
  )
})
