/** The web app with a conversation of 10,000 messages: only what is on the screen is in the page. */
import { randomBytes } from 'node:crypto'
import { conversationSid, defaultServiceSid, type Operation } from '@confab/core'
import { beforeAll, describe, expect, test } from 'vitest'
import { operation } from '../support/operations.ts'
import { browserAvailable } from './harness.ts'
import { eventually, message, onWebStage, open, say } from './web-stage.ts'

const available = await browserAvailable()
const MESSAGES = 10_000

describe.skipIf(!available)('a conversation of 10,000 messages', () => {
  const stage = onWebStage()
  beforeAll(async () => {
    const nonce = randomBytes(16).toString('hex')
    const sid = conversationSid('', nonce)
    const submit = (one: Operation) => stage.relay.system.submit(defaultServiceSid('AC1'), sid, one, 'scene')
    const done = [
      submit(operation('conversation.create', { nonce, friendlyName: 'Long' })),
      submit(operation('participant.add', { identity: 'reader' })),
      submit(operation('participant.add', { identity: 'writer' })),
    ]
    for (let n = 0; n < MESSAGES; n++) {
      done.push(submit(operation('message.post', { body: `line ${n} of many`, author: 'writer' })))
    }
    await Promise.all(done)
  })

  test('opens at its end, scrolls up, goes to any of them and back, with a bounded page', async () => {
    const { page } = await stage.signedIn('reader')
    await open(page, /Long/)
    await message(page, `line ${MESSAGES - 1} of`).waitFor()
    const rows = () => page.getByRole('article').count()
    expect(await rows()).toBeLessThan(60)

    const log = page.getByRole('log', { name: 'Messages' })
    const wanted = message(page, `line ${MESSAGES - 200} of`)
    await eventually(async () => {
      await log.evaluate((one) => one.scrollBy(0, -400))
      return wanted.isVisible()
    }).toBe(true)
    expect(await rows()).toBeLessThan(60)

    const { hash } = new URL(page.url())
    await page.goto(`${stage.url}/${hash}/17`)
    await message(page, 'line 17 of').waitFor()
    expect(await rows()).toBeLessThan(60)
    await page.getByRole('button', { name: 'To the newest message' }).click()
    await message(page, `line ${MESSAGES - 1} of`).waitFor()
    await say(page, 'and one more')
    await message(page, 'and one more').waitFor()
    expect(await rows()).toBeLessThan(60)
  })
})
