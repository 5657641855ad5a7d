/**
 * Twilio's own React demo runs on Confab, its import aliased and nothing else changed: two people, each in a real
 * browser, with the relay and without. One test goes on where the last one ended.
 *
 * Where a bug of the demo's hides the result, the SDK's objects are asked instead: it shows a message that somebody
 * else edited in both versions, until the page is loaded again.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAccessToken } from '@confab/relay'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { browserAvailable } from '../browser/harness.ts'
import { ACCOUNT, KEY, SECRET, startRelay, type TestRelay } from '../support/relay.ts'
import { DemoUser } from './demo-user.ts'
import { buildDemo, copyDemo, demoCheckout, type ServedDemo, serveDemo, typeErrors } from './react-demo.ts'

const checkout = demoCheckout()
const available = checkout !== null && (await browserAvailable())

const soon = { timeout: 30_000 }

let app: string

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'confab-demo-app-'))
  if (checkout !== null) await copyDemo(checkout, app)
})

afterAll(() => rm(app, { recursive: true, force: true }))

describe.skipIf(checkout === null)("the sources of Twilio's React demo", () => {
  test('type-check with their own TypeScript, without an error', async () => {
    expect(await typeErrors(app)).toEqual([])
  })

  test('build with their own tool chain', async () => {
    expect(await buildDemo(app)).toContain('The build folder is ready to be deployed.')
  })
})

describe.skipIf(!available)("Twilio's React demo", () => {
  let directory: string
  let relay: TestRelay
  let demo: ServedDemo
  let alice: DemoUser
  let bob: DemoUser

  // The port is below those that systems hand out, so that it is still free when the relay comes back to it.
  const start = (port: number) => startRelay({ port, database: join(directory, 'relay.sqlite') })
  const gone = { state: 'detached' } as const
  const bodies = async (user: DemoUser, conversation: string) =>
    (await user.seen(conversation))?.messages.map(({ body }) => body)

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'confab-demo-'))
    relay = await start(20_000 + (process.pid % 10_000))
    demo = await serveDemo(app, (identity) =>
      createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity, relayUrl: relay.url }),
    )
    alice = await DemoUser.signIn(demo, 'alice')
    bob = await DemoUser.signIn(demo, 'bob')
  })

  afterAll(async () => {
    await alice?.quit()
    await bob?.quit()
    await demo?.close()
    await relay?.close()
    await rm(directory, { recursive: true, force: true })
  })

  test('both are signed in and online', async () => {
    await alice.connection('Online').waitFor()
    await bob.connection('Online').waitFor()
  })

  test('a conversation is created, and whoever is added to it sees it', async () => {
    await alice.createConversation('Field trip')
    await alice.addParticipant('bob')
    await bob.listed('Field trip').waitFor()
    expect(await bob.told(/^conversation(Added|Joined)/)).toEqual([
      'conversationAdded Field trip',
      'conversationJoined Field trip',
    ])
    await bob.open('Field trip')
    // the demo adds to its list what it is told of: nothing is listed and told as well
    for (const user of [alice, bob]) expect(await user.listed('Field trip').count()).toBe(1)
    expect((await alice.seen('Field trip'))?.participants).toEqual(['alice', 'bob'])
    expect(await alice.told(/^participantJoined bob/)).toHaveLength(1)
  })

  test('a message arrives, and its author sees that it was read', async () => {
    await alice.post('Hello')
    await bob.message('Hello').waitFor()
    await alice.post('Who is coming?')
    await bob.message('Who is coming?').waitFor()
    await alice.readMark('Who is coming?').waitFor()
    for (const user of [alice, bob]) {
      expect(await user.told(/^messageAdded/)).toEqual(['messageAdded Hello', 'messageAdded Who is coming?'])
    }
  })

  test('typing shows, and ends with the message that it becomes', async () => {
    await bob.type('I am')
    const typing = alice.page.getByText('bob is typing...').first()
    await typing.waitFor()
    await bob.send()
    await alice.message('I am').waitFor()
    await typing.waitFor(gone)
    expect(await alice.told(/^(typing|messageAdded)/)).toEqual([
      'typingStarted bob',
      'typingEnded bob',
      'messageAdded I am',
    ])
  })

  test('an edit reaches the other', async () => {
    await alice.edit('Who is coming?', 'Who comes along?')
    await bob.message('Who comes along?').waitFor()
    await expect.poll(() => bodies(bob, 'Field trip'), soon).toEqual(await bodies(alice, 'Field trip'))
    expect(await bob.told(/^messageUpdated .*body/)).toHaveLength(1)
  })

  test('a reaction reaches the author', async () => {
    await bob.react('Who comes along?', '❤️')
    await alice.reaction('Who comes along?', '❤️').waitFor()
  })

  test('what arrives while one looks elsewhere is counted, until one looks', async () => {
    await bob.createConversation('Elsewhere')
    await alice.post('bob?')
    await bob.badge('Field trip', 1).waitFor()
    await bob.open('Field trip')
    await bob.badge('Field trip', 1).waitFor(gone)
    await alice.readMark('bob?').waitFor()
  })

  test('a removed message goes from both', async () => {
    await alice.remove('bob?')
    await bob.message('bob?').waitFor(gone)
    for (const user of [alice, bob]) {
      expect(await user.told(/^message(Added|Removed) bob/)).toEqual([
        'messageAdded bob?',
        'messageRemoved bob?',
      ])
    }
  })

  test('a new name reaches the other', async () => {
    await alice.rename('Outing')
    await bob.listed('Outing').waitFor()
  })

  test('a name that somebody gives themself shows at what they wrote', async () => {
    await alice.nameOneself('Alice of the hills')
    await bob.message('Hello').getByText('Alice of the hills').waitFor()
  })

  test('a conversation can be muted', async () => {
    await bob.mute('Outing')
  })

  test('with the relay stopped, both go on: posts, edits, reactions, a new conversation', async () => {
    await relay.close()
    for (const user of [alice, bob]) {
      await user.connection('Online').waitFor(gone)
      await user.listed('Outing').waitFor()
    }
    await alice.post('Rain is coming')
    await alice.post('Or snow')
    await bob.post('Take a coat')
    await bob.post('And a hat')
    await bob.edit('And a hat', 'And gloves')
    await alice.edit('Hello', 'Hello all')
    await alice.react('I am', '👍')
    await alice.createConversation('Plan B')
    await alice.addParticipant('bob')
    await alice.post('We meet indoors')
    const { messages = [] } = (await bob.seen('Outing')) ?? {}
    expect(messages.map(({ body, status }) => [body, status])).toEqual([
      ['Hello', 'accepted'],
      ['Who comes along?', 'accepted'],
      ['I am', 'accepted'],
      ['Take a coat', 'pending'],
      ['And gloves', 'pending'],
    ])
  })

  test('a page that is loaded again without the relay has everything', async () => {
    const before = await alice.seen('Outing')
    await alice.reload()
    await alice.listed('Outing').waitFor()
    await alice.listed('Plan B').waitFor()
    await alice.open('Outing')
    await alice.message('Or snow').waitFor()
    expect(await alice.shown()).toEqual([
      'Hello all',
      'Who comes along?',
      'I am',
      'Rain is coming',
      'Or snow',
    ])
    await alice.reaction('I am', '👍').waitFor()
    expect(await alice.seen('Outing')).toEqual(before)
    await alice.open('Plan B')
    await alice.message('We meet indoors').waitFor()
  })

  test('when the relay is back, everything is delivered and both are equal', async () => {
    await alice.open('Outing')
    relay = await start(Number(new URL(relay.url).port))
    for (const user of [alice, bob]) {
      await user.networkReturns()
      await user.connection('Online').waitFor()
    }
    await bob.message('Or snow').waitFor()
    expect(await bob.told(/^messageAdded (Rain|Or)/)).toEqual([
      'messageAdded Rain is coming',
      'messageAdded Or snow',
    ])
    await alice.message('And gloves').waitFor()
    await bob.listed('Plan B').waitFor()

    const settled = async (user: DemoUser, conversation: string) => {
      const seen = await user.seen(conversation)
      return seen?.unread === 0 && seen.messages.every(({ status }) => status === 'accepted') ? seen : null
    }
    await expect.poll(() => settled(alice, 'Outing'), soon).not.toBeNull()
    const outing = await alice.seen('Outing')
    await expect.poll(() => settled(bob, 'Outing'), soon).toEqual(outing)
    const texts = outing?.messages.map(({ body }) => body) ?? []
    expect(texts.slice(0, 3)).toEqual(['Hello all', 'Who comes along?', 'I am'])
    const byAuthor = (...ours: string[]) => texts.filter((text) => ours.includes(text ?? ''))
    expect(byAuthor('Rain is coming', 'Or snow')).toEqual(['Rain is coming', 'Or snow'])
    expect(byAuthor('Take a coat', 'And gloves')).toEqual(['Take a coat', 'And gloves'])
    expect(texts).toHaveLength(7)

    // what shifted when the others' messages came left nothing behind
    const once = texts.filter((text) => !['Hello all', 'Who comes along?', 'And gloves'].includes(text ?? ''))
    for (const user of [alice, bob]) {
      const shown = async () => (await user.shown()).filter((text) => once.includes(text))
      await expect.poll(shown, soon).toEqual(once)
    }

    await bob.open('Plan B')
    await bob.message('We meet indoors').waitFor()
    await alice.open('Plan B')
    await expect.poll(() => settled(alice, 'Plan B'), soon).not.toBeNull()
    await expect.poll(() => settled(bob, 'Plan B'), soon).toEqual(await alice.seen('Plan B'))
  })

  test('pages loaded again show just what there is', async () => {
    const texts = await bodies(alice, 'Outing')
    for (const user of [alice, bob]) {
      await user.reload()
      await user.listed('Outing').waitFor()
      await user.open('Outing')
      await expect.poll(() => user.shown(), soon).toEqual(texts)
    }
  })

  test('whoever is removed no longer has the conversation', async () => {
    await alice.removeParticipant('bob')
    await bob.listed('Outing').waitFor(gone)
    expect(await bob.seen('Outing')).toBeNull()
    expect(await bob.told(/^conversation(Left|Removed)/)).toEqual([
      'conversationLeft Outing',
      'conversationRemoved Outing',
    ])
  })

  test('whoever leaves is gone for the others', async () => {
    await bob.open('Plan B')
    await bob.leave()
    await bob.listed('Plan B').waitFor(gone)
    expect(await bob.told(/^conversation(Left|Removed)/)).toEqual([
      'conversationLeft Plan B',
      'conversationRemoved Plan B',
    ])
    const participants = async () => (await alice.seen('Plan B'))?.participants
    await expect.poll(participants, soon).toEqual(['alice'])
    expect(await alice.told(/^participantLeft/)).toContain('participantLeft bob')
  })

  test('no page had an error that nobody caught, and the relay none of its own', () => {
    expect([...alice.uncaught, ...bob.uncaught]).toEqual([])
    expect(relay.failures).toEqual([])
  })
})
