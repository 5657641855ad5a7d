/** The web app as people meet it: in a real browser, served by a real relay. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { browserAvailable } from './harness.ts'
import { isConnected, shots } from './web-people.ts'
import {
  begin,
  box,
  choose,
  eventually,
  hasFocus,
  isOffline,
  message,
  onWebStage,
  open,
  say,
  toggle,
} from './web-stage.ts'

const available = await browserAvailable()

describe.skipIf(!available)('the web app', () => {
  const stage = onWebStage()

  test('two people talk, react, reply, edit, remove and see who has read', async () => {
    const [{ page: alice }, { page: bob }] = [await stage.signedIn('alice'), await stage.signedIn('bob')]
    await begin(alice, 'Harbour crew', 'bob')
    await say(alice, 'The crane on pier 4 is stuck')
    await open(bob, /Harbour crew/)
    await message(bob, 'The crane on pier 4').waitFor()
    const typing = alice.getByText('bob typing…').waitFor()
    await box(bob).pressSequentially('On m')
    await typing
    await say(bob, 'On my way')
    await message(alice, 'On my way').waitFor()

    await message(alice, 'On my way').hover()
    await message(alice, 'On my way').getByRole('button', { name: 'React' }).click()
    await alice.getByRole('menuitem', { name: '👍' }).click()
    await bob.getByRole('button', { name: '👍 1 by alice' }).click()
    await alice.getByRole('button', { name: /👍 2 by .*alice.*bob/ }).waitFor()

    await choose(bob, 'The crane', 'Reply')
    await say(bob, 'Which side?')
    await message(alice, 'Which side?').getByText('The crane on pier 4 is stuck').waitFor()

    await say(alice, 'North sied')
    await message(alice, 'North sied').waitFor()
    await box(alice).press('ArrowUp')
    await eventually(() => box(alice).inputValue()).toBe('North sied')
    await box(alice).fill('North side')
    await box(alice).press('Enter')
    await message(bob, 'North side').getByText('edited').waitFor()
    await message(alice, 'North side').getByText('Read by bob').waitFor()
    await choose(alice, 'North side', 'Details')
    await alice.getByRole('dialog').getByText('has read it').waitFor()
    await alice.keyboard.press('Escape')

    await say(alice, 'Never mind')
    await message(bob, 'Never mind').waitFor()
    await choose(alice, 'Never mind', 'Remove for everybody')
    await message(bob, 'Never mind').waitFor({ state: 'detached' })
    await alice.screenshot({ path: join(shots, 'talk.png') })
  })

  test('an admin renames, adds, makes another admin, removes and closes; each sees what it did', async () => {
    const { page: alice } = await stage.signedIn('alice')
    await begin(alice, 'Roles', 'bob')
    const { page: bob } = await stage.signedIn('bob')
    await open(bob, /Roles/)
    const drawer = alice.getByRole('dialog')
    await alice.getByRole('button', { name: 'People and settings' }).click()
    await drawer.getByLabel('Name', { exact: true }).fill('Who may what')
    await drawer.getByRole('button', { name: 'Rename' }).click()
    await bob.getByRole('heading', { name: 'Who may what' }).waitFor()
    await drawer.getByLabel('Add somebody').fill('carol')
    await drawer.getByRole('button', { name: 'Add', exact: true }).click()
    await drawer.getByText('People (3)').waitFor()

    await bob.getByRole('button', { name: 'People and settings' }).click()
    await bob.getByRole('dialog').getByText('People (3)').waitFor()
    expect(await bob.getByRole('button', { name: 'What to do about carol' }).count()).toBe(0)
    await drawer.getByRole('button', { name: 'What to do about bob' }).click()
    await alice.getByRole('menuitem', { name: 'Make an admin' }).click()
    await bob.getByRole('button', { name: 'What to do about carol' }).click()
    await bob.getByRole('menuitem', { name: 'Remove' }).click()
    await drawer.getByText('People (2)').waitFor()

    await drawer.getByRole('button', { name: 'Close', exact: true }).last().click()
    await alice.getByRole('alertdialog').getByRole('button', { name: 'Close' }).click()
    await bob.keyboard.press('Escape')
    await bob.getByText('takes no more messages').waitFor()
  })

  test('a conversation that is muted, and one that was left', async () => {
    const { page: alice } = await stage.signedIn('alice')
    await begin(alice, 'Too loud', 'bob')
    await alice.getByRole('button', { name: 'People and settings' }).click()
    await alice.getByRole('dialog').locator('label.switch').click()
    await alice
      .getByRole('option', { name: /Too loud/, includeHidden: true })
      .getByText('muted')
      .waitFor()
    await alice.getByRole('dialog').getByRole('button', { name: 'Leave' }).click()
    await alice.getByRole('alertdialog').getByRole('button', { name: 'Leave' }).click()
    await alice.getByRole('option', { name: /Too loud/ }).waitFor({ state: 'detached' })
  })

  test('what somebody began to write is there again, in its own conversation', async () => {
    const { page: alice } = await stage.signedIn('drafty')
    await begin(alice, 'First')
    await begin(alice, 'Second')
    await box(alice).fill('half a thought')
    await open(alice, /First/)
    await alice
      .getByRole('option', { name: /Second/ })
      .getByText('half a thought')
      .waitFor()
    await alice.reload()
    await open(alice, /Second/)
    await eventually(() => box(alice).inputValue()).toBe('half a thought')
  })

  test('somebody joins by a link, with the switch at offline, and is there when it is back', async () => {
    const { page: alice, context: ofAlice } = await stage.signedIn('alice')
    await begin(alice, 'By invitation')
    await say(alice, 'come in')
    await alice.getByRole('button', { name: 'People and settings' }).click()
    await alice.getByRole('button', { name: 'Invite by a link…' }).click()
    await alice.getByRole('img', { name: 'The link as a QR code' }).waitFor()
    const link = await alice.getByLabel('Link that invites').inputValue()
    expect(link).toContain('/#join=')
    await ofAlice.close()

    const { page: carol } = await stage.signedIn('carol')
    await carol.goto(link)
    await message(carol, 'come in').waitFor()
    await toggle(carol)
    await say(carol, 'hello from carol')
    await carol
      .getByText(/Offline, \d to send/)
      .filter({ visible: true })
      .waitFor()
    await toggle(carol)
    await isConnected(carol)

    await carol.goto(`${stage.url}/#join=nonsense`)
    await carol.getByRole('alert', { name: 'Invite' }).getByText('You could not join by that link.').waitFor()
  })

  test('what the relay refuses is held: copied, sent again or discarded', async () => {
    const { page: alice } = await stage.signedIn('alice')
    await begin(alice, 'Strict', 'bob')
    const { page: bob } = await stage.signedIn('bob')
    await open(bob, /Strict/)
    await toggle(bob)
    await isOffline(bob)
    await say(bob, 'did anybody see my keys?')
    await message(bob, 'my keys').waitFor()
    await alice.getByRole('button', { name: 'People and settings' }).click()
    await alice.getByRole('button', { name: 'What to do about bob' }).click()
    await alice.getByRole('menuitem', { name: 'Remove' }).click()
    await alice.getByText('People (1)').waitFor()
    await toggle(bob)
    await bob.getByRole('button', { name: '1 held' }).filter({ visible: true }).click()
    const held = bob.getByRole('dialog').getByRole('listitem')
    await held.getByText('did anybody see my keys?').waitFor()
    await alice.getByLabel('Add somebody').fill('bob')
    await alice.getByRole('button', { name: 'Add', exact: true }).click()
    await alice.getByText('People (2)').waitFor()
    await bob.getByRole('option', { name: /Strict/, includeHidden: true }).waitFor()
    await held.getByRole('button', { name: 'Send again' }).click()
    await bob.getByText('Nothing is held.').waitFor()
    await alice.keyboard.press('Escape')
    await message(alice, 'my keys').waitFor()
  })

  test('a search finds words in every conversation, and goes to where they were said', async () => {
    const bob = await stage.client('bob')
    const conversation = await bob.createConversation({ friendlyName: 'Long ago' })
    await conversation.join()
    await conversation.add('seeker')
    await conversation.sendMessage('the password of the boathouse is mackerel')
    for (let i = 0; i < 120; i++) void conversation.sendMessage(`and then ${i}`)
    const { page } = await stage.signedIn('seeker')
    await begin(page, 'Elsewhere')
    await page
      .getByRole('option', { name: /Long ago/ })
      .getByText('and then 119')
      .waitFor()
    await page.keyboard.press('Control+k')
    await hasFocus(page, page.getByRole('searchbox'))
    await page.keyboard.type('boathouse mack')
    await page.getByRole('option', { name: /mackerel/ }).click()
    await page.getByRole('heading', { name: 'Long ago' }).waitFor()
    await message(page, 'mackerel').waitFor()
    expect(await message(page, 'and then 119').count()).toBe(0)
    await page.getByRole('button', { name: 'To the newest message' }).click()
    await message(page, 'and then 119').waitFor()
  })

  test('what was written offline, and came days later, says both: written Tuesday, delivered Thursday', async () => {
    const DAY = 24 * 60 * 60 * 1000
    const weekday = (at: number) => new Intl.DateTimeFormat('en-US', { weekday: 'long' }).format(at)
    /** Somebody whose clock is the test's: before the app takes hold of it. */
    const withClock = async (name: string) => {
      const { page } = await stage.person()
      await page.clock.setFixedTime(Date.now())
      await stage.signIn(page, name)
      return page
    }
    const alice = await withClock('alice')
    await begin(alice, 'Down in the hold', 'bob')
    await say(alice, 'in time')
    await message(alice, 'in time').locator('.mark.check').waitFor()
    await toggle(alice)
    await isOffline(alice)
    const written = Date.now() - 2 * DAY
    await alice.clock.setFixedTime(written)
    await say(alice, 'no signal here')
    await message(alice, 'no signal').locator('.mark.clock').waitFor()
    await alice.clock.setFixedTime(written + 2 * DAY)
    await toggle(alice)
    await message(alice, 'no signal').locator('.mark.check').waitFor()
    await message(alice, 'no signal')
      .getByText(`written ${weekday(written)}, delivered today`)
      .waitFor()
    const delivered = Date.now()

    // two days after that, somebody looks
    const bob = await withClock('bob')
    await bob.clock.setFixedTime(delivered + 2 * DAY)
    await open(bob, /Down in the hold/)
    await message(bob, 'no signal')
      .getByText(`written ${weekday(written)}, delivered ${weekday(delivered)}`)
      .waitFor()
    expect(await message(bob, 'in time').getByText('delivered').count()).toBe(0)
    expect(await message(alice, 'in time').getByText('delivered').count()).toBe(0)
    await choose(bob, 'no signal', 'Details')
    const facts = bob.getByRole('dialog').getByRole('definition')
    await facts.filter({ hasText: weekday(written) }).waitFor()
    await facts.filter({ hasText: weekday(delivered) }).waitFor()
  })

  test('all of it goes by keys alone', async () => {
    const { page } = await stage.signedIn('keys')
    await page.getByRole('button', { name: 'New conversation' }).focus()
    await page.keyboard.press('Enter')
    await hasFocus(page, page.getByLabel('Name', { exact: true }))
    await page.keyboard.type('By keys')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'By keys' }).waitFor()
    await hasFocus(page, box(page))
    for (const text of ['one', 'two', 'three']) {
      await page.keyboard.type(text)
      await page.keyboard.press('Enter')
      await message(page, text).waitFor()
    }
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
    for (let i = 0; (await focused()) !== 'You: three'; i++) {
      expect(i).toBeLessThan(6)
      await page.keyboard.press('Shift+Tab')
    }
    await page.keyboard.press('ArrowUp')
    await eventually(focused).toBe('You: two')
    await page.keyboard.press('Tab')
    await eventually(focused).toBe('React')
    await page.keyboard.press('Enter')
    await hasFocus(page, page.getByRole('menuitem', { name: '👍' }))
    await page.keyboard.press('Enter')
    await message(page, 'two').getByRole('button', { name: '👍 1 by keys' }).waitFor()
    await page.getByRole('menu').waitFor({ state: 'detached' })
    await eventually(focused).toBe('React')
    await page.keyboard.press('Tab')
    await eventually(focused).toBe('More')
    await page.keyboard.press('Enter')
    await hasFocus(page, page.getByRole('menuitem', { name: 'Reply' }))
    await page.keyboard.press('End')
    await hasFocus(page, page.getByRole('menuitem').last())
    await page.keyboard.press('Enter')
    await message(page, 'two').waitFor({ state: 'detached' })
  })

  test('demo tokens are for pages of the relay alone', async () => {
    const ask = (headers: { [name: string]: string }) =>
      fetch(`${stage.url}/demo/token?identity=eve`, { headers }).then(({ status }) => status)
    expect(await ask({ 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await ask({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect((await fetch(`${stage.url}/demo/token?identity=`)).status).toBe(400)
  })
})

describe.skipIf(!available)('the demo', () => {
  // of its own: here nobody has said anything yet
  const stage = onWebStage()

  test('two people side by side merge within a minute of the start', async () => {
    const { page } = await stage.person()
    await page.goto(`${stage.url}/demo`)
    const [left, right] = ['alice', 'bob'].map((name) =>
      page.frameLocator(`iframe[title="Confab as ${name}"]`),
    )
    if (!left || !right) throw new Error('unreachable')
    await left.getByRole('button', { name: 'Begin one with bob' }).click()
    for (const half of [left, right]) await message(half, 'Hello!').waitFor()
    await toggle(left)
    await isOffline(left)
    await say(left, 'left, offline')
    await say(right, 'right, online')
    await toggle(left)
    for (const half of [left, right]) {
      await message(half, 'left, offline').waitFor()
      await message(half, 'right, online').waitFor()
    }
    await page.screenshot({ path: join(shots, 'merged.png') })
  })
})
