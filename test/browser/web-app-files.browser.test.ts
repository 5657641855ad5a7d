/** Pictures and files in the web app: chosen, pasted, dropped, sent with no network, seen by others. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { browserAvailable } from './harness.ts'
import { attach, picture } from './web-media.ts'
import { shots } from './web-people.ts'
import { begin, box, eventually, message, onWebStage, open, say, toggle } from './web-stage.ts'

const available = await browserAvailable()

describe.skipIf(!available)('attachments in the web app', () => {
  const stage = onWebStage()

  test('a picture and a file are chosen, sent, drawn, looked at and saved', async () => {
    const { page: alice } = await stage.signedIn('alice')
    await begin(alice, 'Pictures', 'bob')
    const { page: bob } = await stage.signedIn('bob')
    await open(bob, /Pictures/)
    await attach(alice, 'pier.png', 'image/png', await picture(alice, 640, 360))
    await box(alice).fill('the pier this morning')
    await box(alice).press('Enter')
    const drawn = message(bob, 'the pier this morning').getByRole('img', { name: 'pier.png' })
    await drawn.waitFor()
    await eventually(() => drawn.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(640)
    await message(bob, 'the pier').getByRole('button', { name: 'Look at pier.png' }).click()
    await bob.getByRole('dialog', { name: 'pier.png' }).waitFor()
    await bob.keyboard.press('Escape')

    await attach(alice, 'manual.txt', 'text/plain', Buffer.from('turn the valve'))
    await alice.getByRole('button', { name: 'Send' }).click()
    const saved = bob.waitForEvent('download')
    await message(bob, 'manual.txt').getByRole('button', { name: 'Save manual.txt' }).click()
    expect(await readFile(await (await saved).path(), 'utf8')).toBe('turn the valve')
    await alice.screenshot({ path: join(shots, 'attachments.png') })
  })

  test('what is pasted or dropped is attached; what was chosen can be taken back', async () => {
    const { page } = await stage.signedIn('paster')
    await begin(page, 'Paste', '')
    const list = page.getByRole('list', { name: 'Attachments' })
    const give = (event: 'paste' | 'drop', name: string) =>
      page.evaluate(
        ({ event, name }) => {
          const data = new DataTransfer()
          data.items.add(new File(['hello'], name, { type: 'text/plain' }))
          const field = document.querySelector('.composer textarea') as HTMLElement
          const options = { bubbles: true, cancelable: true }
          field.dispatchEvent(
            event === 'paste'
              ? new ClipboardEvent('paste', { ...options, clipboardData: data })
              : new DragEvent('drop', { ...options, dataTransfer: data }),
          )
        },
        { event, name },
      )
    await give('paste', 'pasted.txt')
    await list.getByText('pasted.txt').waitFor()
    await give('drop', 'dropped.txt')
    await list.getByText('dropped.txt').waitFor()
    await list.getByRole('button', { name: 'Remove pasted.txt' }).click()
    await page.getByRole('button', { name: 'Send' }).click()
    await message(page, 'dropped.txt').waitFor()
    expect(await message(page, 'pasted.txt').count()).toBe(0)
  })

  test('a picture sent with no network is seen at once, says that it waits, and goes when there is one', async () => {
    const { page: alice } = await stage.signedIn('alice')
    await begin(alice, 'Later', 'bob')
    await say(alice, 'first')
    await toggle(alice)
    await attach(alice, 'boat.png', 'image/png', await picture(alice, 200, 200))
    await alice.getByRole('button', { name: 'Send' }).click()
    const own = message(alice, 'boat.png')
    await own.getByRole('img', { name: 'boat.png' }).waitFor()
    await own.getByText('Waits for the network').waitFor()
    await toggle(alice)
    await own.locator('.mark.check').waitFor()
    const { page: bob } = await stage.signedIn('bob')
    await open(bob, /Later/)
    await message(bob, 'boat.png').getByRole('img', { name: 'boat.png' }).waitFor()
  })
})
