/**
 * People, end to end: the public surface, stores on disk, a real relay on a real socket. What somebody says of
 * themselves with no network, what becomes of it, and who sees it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Client,
  type ClientOptions,
  type Conversation,
  directory,
  type HeldOperation,
  memory,
  type User,
  type UserUpdatedEventArgs,
  yWebsocket,
} from '@confab/client'
import { defaultServiceSid, outboxName, SERVICE_ADMIN } from '@confab/core'
import {
  type CommittedOperation,
  createAccessToken,
  createRelay,
  type Relay,
  type RelayOptions,
} from '@confab/relay'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { NativePeer, NOTHING } from './support/native-peer.ts'
import { ACCOUNT, KEY, SECRET } from './support/relay.ts'
import { step1, updateMessage, YjsPeer } from './support/yjs-peer.ts'

const ACCESS = { accountSid: ACCOUNT, key: KEY, secret: SECRET }
// of whom names none, as the peers of `support/` do
const SERVICE = defaultServiceSid(ACCOUNT)

const folder = mkdtempSync(join(tmpdir(), 'confab-users-'))
const relays: Relay[] = []
const clients: Client[] = []
let stores = 0

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newStore = () => join(folder, `store-${++stores}`)

async function startRelay(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const relay = await createRelay({
    port: 0,
    database: ':memory:',
    accessKeys: { [ACCESS.key]: ACCESS.secret },
    ...options,
  })
  relays.push(relay)
  return relay
}

interface Who {
  serviceSid?: string
  roleSid?: string
}

function start(identity: string, url: string, store: string, options: ClientOptions & Who = {}): Client {
  const { serviceSid = SERVICE, roleSid, ...rest } = options
  const token = () =>
    createAccessToken({ ...ACCESS, identity, serviceSid, ...(roleSid === undefined ? {} : { roleSid }) })
  const client = new Client(token, { url, storage: directory(store), logLevel: 'silent', ...rest })
  clients.push(client)
  return client
}

async function connected(
  identity: string,
  relay: Relay,
  store = newStore(),
  options: ClientOptions & Who = {},
): Promise<Client> {
  const client = start(identity, relay.url, store, options)
  await when(() => client.connectionState === 'connected')
  return client
}

/** Being accepted changes nothing that was seen already and is no event, so it is looked for. */
async function when(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 })
}

const settled = (client: Client) => when(() => client.getPendingOperations().length === 0)

/** Resolves at the first change of the user for which it holds. */
const becomes = (user: User, condition: (user: User) => boolean): Promise<void> =>
  new Promise((resolve) => {
    if (condition(user)) resolve()
    else user.on('updated', () => condition(user) && resolve())
  })

const once = <Argument>(emitter: { once(event: never, listener: never): unknown }, event: string) =>
  new Promise<Argument>((resolve) => emitter.once(event as never, resolve as never))

async function joined(client: Client, ...others: string[]): Promise<Conversation> {
  const conversation = await (await client.createConversation({ friendlyName: 'Tea' })).join()
  for (const identity of others) await conversation.add(identity)
  return conversation
}

describe('what somebody says of themselves', () => {
  test('with no relay from the very first start survives a restart, merges, and is seen by the other members', async () => {
    const database = join(folder, 'offline.sqlite')
    const before = await startRelay({ database })
    const { url } = before
    const port = Number(new URL(url).port)
    await before.close()

    const store = newStore()
    const first = start('ada', url, store)
    const { sid } = await joined(first, 'bob')
    await first.user.updateFriendlyName('Ada')
    await first.user.updateAttributes({ mood: 'fine', tags: ['a'] })
    await (await first.getConversationBySid(sid)).setUserNotificationLevel('muted')
    await first.setPushRegistrationId('fcm', 'a-token')
    expect(first.user).toMatchObject({ friendlyName: 'Ada', isNotifiable: true, isOnline: null })
    await first.shutdown()

    const second = start('ada', url, store)
    const conversation = await second.getConversationBySid(sid)
    expect(second.user.friendlyName).toBe('Ada')
    expect(second.user.attributes).toEqual({ mood: 'fine', tags: ['a'] })
    expect(conversation.notificationLevel).toBe('muted')
    const own = second.getPendingOperations().filter(({ conversationSid }) => conversationSid === null)
    expect(own.map(({ operation }) => operation.type)).toEqual([
      'user.update',
      'user.update',
      'setting.set',
      'push.set',
    ])

    const bobs = newStore()
    const bob = start('bob', url, bobs)
    expect((await bob.getUser('ada')).friendlyName).toBeNull()
    const relay = await startRelay({ database, port })
    const seen = await bob.getUser('ada')
    await becomes(seen, ({ friendlyName, isNotifiable }) => friendlyName === 'Ada' && isNotifiable === true)
    await settled(second)
    expect(seen.attributes).toEqual({ mood: 'fine', tags: ['a'] })
    await when(() => seen.isOnline === true)
    await vi.waitFor(async () => {
      const [tea] = (await bob.getSubscribedConversations()).items as [Conversation]
      expect(await (await tea.getParticipantByIdentity('ada')).getUser()).toBe(seen)
    })
    expect(second.getHeldOperations()).toEqual([])

    // another device of the same person has it all, and what is readable once is readable offline
    const laptop = await connected('ada', relay)
    await when(() => laptop.user.friendlyName === 'Ada')
    await vi.waitFor(async () => {
      expect((await laptop.getConversationBySid(sid)).notificationLevel).toBe('muted')
    })
    await bob.shutdown()
    const offline = start('bob', 'ws://127.0.0.1:1', newStore())
    expect((await offline.getUser('ada')).friendlyName).toBeNull()
    await relay.close()
    const again = start('bob', url, bobs)
    const known = await again.getUser('ada')
    expect(known).toMatchObject({ friendlyName: 'Ada', isNotifiable: true, isOnline: null })
    expect(known.attributes).toEqual({ mood: 'fine', tags: ['a'] })
  })

  test('on two devices apart merges: both keep what they added, of a name the last one counts', async () => {
    const relay = await startRelay()
    const phone = await connected('ada', relay)
    const laptop = await connected('ada', relay)
    await phone.user.updateAttributes({ tags: ['first'] })
    await when(() => JSON.stringify(laptop.user.attributes) === '{"tags":["first"]}')
    await Promise.all([phone.goOffline(), laptop.goOffline()])
    await phone.user.updateAttributes({ tags: ['first', 'phone'], phone: 1 })
    await laptop.user.updateAttributes({ tags: ['first', 'laptop'], laptop: 1 })
    await phone.user.updateFriendlyName('by phone')
    await laptop.user.updateFriendlyName('by laptop')
    await phone.goOnline()
    await settled(phone)
    await laptop.goOnline()
    await settled(laptop)
    const both = { tags: ['first', 'phone', 'laptop'], phone: 1, laptop: 1 }
    for (const { user } of [phone, laptop]) {
      await vi.waitFor(() => expect(user.attributes).toEqual(both))
      expect(user.friendlyName).toBe('by laptop')
    }
  })

  test('by one tab is seen in the other, which sends it when it is the one with a connection', async () => {
    const relay = await startRelay()
    const storage = memory()
    const one = await connected('ada', relay, '', { storage })
    const two = await connected('ada', relay, '', { storage })
    const bob = await connected('bob', relay)
    const seen = await bob.getUser('ada')
    await one.goOffline()
    await one.user.updateFriendlyName('Ada')
    await becomes(two.user, ({ friendlyName }) => friendlyName === 'Ada')
    await becomes(seen, ({ friendlyName }) => friendlyName === 'Ada')
    await settled(two)
    await settled(one)
  })

  test('is seen by nobody in another service, where their profile is like that of somebody who never was', async () => {
    const relay = await startRelay()
    const ada = await connected('ada', relay)
    await ada.user.updateFriendlyName('Ada')
    await ada.setPushRegistrationId('apn', 'x')
    await settled(ada)
    const stranger = await connected('eve', relay, newStore(), { serviceSid: 'IS2' })
    const [theirs, nobody] = [await stranger.getUser('ada'), await stranger.getUser('nobody at all')]
    const shown = ({ friendlyName, attributes, isOnline, isNotifiable }: User) => ({
      friendlyName,
      attributes,
      isOnline,
      isNotifiable,
    })
    const empty = { friendlyName: null, attributes: {}, isOnline: false, isNotifiable: false }
    expect(shown(theirs)).toEqual(empty)
    expect(shown(nobody)).toEqual(empty)
    // and within the service, somebody who has said nothing yet is like one who never was
    const bob = await connected('bob', relay)
    expect(shown(await bob.getUser('nobody at all'))).toEqual(empty)
    expect((await bob.getUser('ada')).friendlyName).toBe('Ada')
  })

  test('that the app refuses is held, and can be sent again', async () => {
    let strict = true
    const relay = await startRelay({
      hooks: {
        beforeCommit: ({ operation }) =>
          strict && operation.type === 'user.update' && operation.friendlyName === 'Rude'
            ? { refuse: 'Please stay kind' }
            : undefined,
      },
    })
    const ada = await connected('ada', relay)
    await expect(ada.user.updateFriendlyName('Rude')).rejects.toMatchObject({ code: 70301 })
    expect(ada.user.friendlyName).toBeNull()
    await ada.getHeldOperations()[0]?.discard()

    await ada.goOffline()
    await ada.user.updateFriendlyName('Rude')
    expect(ada.user.friendlyName).toBe('Rude')
    const refused = once<HeldOperation>(ada, 'operationRefused')
    await ada.goOnline()
    const held = await refused
    expect(held).toMatchObject({
      conversationSid: null,
      operation: { type: 'user.update', friendlyName: 'Rude' },
      error: { code: 70301 },
    })
    expect(ada.user.friendlyName).toBeNull()
    strict = false
    await held.resend()
    expect(ada.getHeldOperations()).toEqual([])
    await settled(ada)
    expect(ada.user.friendlyName).toBe('Rude')
  })

  test('meets its limits before the network does', async () => {
    const ada = start('ada', 'ws://127.0.0.1:1', newStore())
    await expect(ada.user.updateFriendlyName('x'.repeat(257))).rejects.toMatchObject({ code: 70103 })
    await expect(ada.user.updateAttributes({ a: 'x'.repeat(5000) })).rejects.toMatchObject({ code: 70102 })
    await expect(ada.setPushRegistrationId('fcm', 'x'.repeat(5000))).rejects.toMatchObject({ code: 20001 })
    expect(ada.getPendingOperations()).toEqual([])
  })

  test('may be changed by others only with the permission, which the relay decides', async () => {
    const relay = await startRelay()
    const ada = await connected('ada', relay)
    const bob = await connected('bob', relay)
    const admin = await connected('root', relay, newStore(), { roleSid: SERVICE_ADMIN })
    await expect((await bob.getUser('ada')).updateFriendlyName('Mine')).rejects.toMatchObject({ code: 20403 })
    await (await admin.getUser('ada')).updateFriendlyName('Ada L.')
    await becomes(ada.user, ({ friendlyName }) => friendlyName === 'Ada L.')
    expect((await bob.getUser('ada')).friendlyName).toBe('Ada L.')
  })
})

describe('events', () => {
  test('of one’s own change come after its promise, once; others hear with the reasons', async () => {
    const relay = await startRelay()
    const ada = await connected('ada', relay)
    const bob = await connected('bob', relay)
    await when(() => ada.user.isOnline === true)
    const seen = await bob.getUser('ada')
    expect(seen.isOnline).toBe(true)
    const order: string[] = []
    ada.on('userUpdated', ({ user, updateReasons }) => order.push(`${user.identity} ${updateReasons}`))
    const heard = new Promise<UserUpdatedEventArgs>((resolve) =>
      bob.on('userUpdated', (data) => data.user === seen && resolve(data)),
    )
    const own = once(ada, 'userUpdated')
    await ada.user.updateFriendlyName('Ada')
    order.push(`resolved ${ada.user.friendlyName}`)
    await own
    expect(await heard).toEqual({ user: seen, updateReasons: ['friendlyName'] })
    await settled(ada)
    await bob.goOffline()
    await bob.goOnline()
    await when(() => seen.isOnline === true)
    expect(order).toEqual(['resolved Ada', 'ada friendlyName'])
  })

  test('of a notification level reach every device, after the promise on the one that set it', async () => {
    const relay = await startRelay()
    const phone = await connected('ada', relay)
    const laptop = await connected('ada', relay)
    const conversation = await joined(phone)
    await settled(phone)
    await vi.waitFor(() => laptop.getConversationBySid(conversation.sid))
    const order: unknown[] = []
    phone.on('conversationUpdated', ({ updateReasons }) => order.push(...updateReasons))
    const there = new Promise<void>((resolve) =>
      laptop.on('conversationUpdated', ({ updateReasons }) => {
        if (updateReasons.includes('notificationLevel')) resolve()
      }),
    )
    const here = once(phone, 'conversationUpdated')
    await conversation.setUserNotificationLevel('muted')
    order.push('resolved')
    await here
    await there
    expect(order).toEqual(['resolved', 'notificationLevel'])
    const other = await laptop.getConversationBySid(conversation.sid)
    expect(other.notificationLevel).toBe('muted')
    await other.setUserNotificationLevel('default')
    await vi.waitFor(() => expect(conversation.notificationLevel).toBe('default'))
  })

  test('tell who comes and goes, and end when a user is let go', async () => {
    const relay = await startRelay()
    const bob = await connected('bob', relay)
    const ada = await bob.getUser('ada')
    expect(ada.isOnline).toBe(false)
    const phone = await connected('ada', relay)
    await becomes(ada, ({ isOnline }) => isOnline === true)
    const laptop = await connected('ada', relay)
    await phone.shutdown()
    await laptop.user.updateFriendlyName('still here')
    await becomes(ada, ({ friendlyName }) => friendlyName === 'still here')
    expect(ada.isOnline).toBe(true)
    await laptop.goOffline()
    await becomes(ada, ({ isOnline }) => isOnline === false)
    await bob.goOffline()
    await becomes(ada, ({ isOnline }) => isOnline === null)
    await bob.goOnline()
    await becomes(ada, ({ isOnline }) => isOnline === false)
    await ada.unsubscribe()
    await laptop.goOnline()
    await laptop.user.updateFriendlyName('unheard')
    await settled(laptop)
    expect((await bob.getUser('eve')).isOnline).toBe(false)
    expect(ada).toMatchObject({ friendlyName: 'still here', isOnline: false, isSubscribed: false })
    // asked for again: what is known is shown at once, and what the relay adds is news
    const again = await bob.getUser('ada')
    expect(again).not.toBe(ada)
    await becomes(again, ({ friendlyName, isOnline }) => friendlyName === 'unheard' && isOnline === true)
  })
})

describe('push registrations', () => {
  test('are told to the relay’s hooks; a device replaces and takes back its own, after a restart too', async () => {
    const told: CommittedOperation[] = []
    const relay = await startRelay({ hooks: { afterCommit: (committed) => void told.push(committed) } })
    const tokens = () =>
      told
        .flatMap(({ changes }) => changes)
        .flatMap((change) =>
          change.type === 'push.put' ? [change.registrations.map(({ token }) => token)] : [],
        )
        .at(-1)
    const store = newStore()
    const phone = await connected('ada', relay, store)
    const tablet = await connected('ada', relay)
    await phone.setPushRegistrationId('fcm', 'phone 1')
    await tablet.setPushRegistrationId('fcm', 'tablet')
    await phone.setPushRegistrationId('fcm', 'phone 2')
    await settled(phone)
    await vi.waitFor(() => expect(tokens()).toEqual(['tablet', 'phone 2']))
    expect(told[0]).toMatchObject({ serviceSid: SERVICE, conversationSid: 'user/ada' })
    await phone.shutdown()
    const again = await connected('ada', relay, store)
    await again.unsetPushRegistrationId('fcm')
    await again.unsetPushRegistrationId('apn')
    await settled(again)
    await vi.waitFor(() => expect(tokens()).toEqual(['tablet']))
    await again.removePushRegistrations('fcm', 'tablet')
    await settled(again)
    await vi.waitFor(() => expect(tokens()).toEqual([]))
    const bob = await connected('bob', relay)
    expect((await bob.getUser('ada')).isNotifiable).toBe(false)
  })
})

describe('on the wire', () => {
  /** What the relay itself says by awareness, without the client id that it drew for it. */
  function presence(update: Uint8Array): unknown {
    const awareness = new Awareness(new Y.Doc())
    awareness.setLocalState(null)
    applyAwarenessUpdate(awareness, update, null)
    const states = [...awareness.getStates().values()]
    awareness.destroy()
    return states
  }

  function uploadOf(identity: string): Uint8Array {
    const doc = new Y.Doc()
    doc.clientID = 77
    const said = { id: 'f'.repeat(32), type: 'user.update', dateWritten: 1, friendlyName: 'x' }
    doc.getArray(outboxName(identity)).push([said])
    return Y.encodeStateAsUpdate(doc)
  }

  async function natively(url: string, document: string): Promise<unknown> {
    const peer = await NativePeer.connect(url, 'eve')
    const open = (channel: number, clock: number, pending: boolean) =>
      peer.say({
        type: 'open',
        entries: [{ channel, document, pending, epoch: clock, commitsId: 99 * clock, clock }],
      })
    open(1, 0, false)
    await peer.frame('awareness')
    peer.say({ type: 'update', channel: 1, update: uploadOf('eve') })
    await peer.frame('outcomes')
    peer.say({ type: 'close', channels: [1] })
    open(2, 1, true)
    await peer.frame('awareness', ({ channel }) => channel === 2)
    await peer.close()
    const [welcome, ...frames] = peer.frames
    expect(welcome?.type).toBe('welcome')
    return frames.map((frame) => (frame.type === 'awareness' ? presence(frame.update) : frame))
  }

  async function stock(url: string, document: string): Promise<unknown> {
    const peer = await YjsPeer.connect(url, 'eve', document)
    peer.send(step1(Uint8Array.of(0)))
    await peer.message('awareness')
    peer.send(updateMessage(uploadOf('eve')))
    await peer.message('outcomes')
    await peer.close()
    return peer.messages.map((message) => (message.type === 'awareness' ? presence(message.bytes) : message))
  }

  test.each([
    ['the native protocol', natively],
    ['the stock endpoint', stock],
  ])('by %s, an unknown identity is answered as one that has said nothing, byte for byte', async (_, ask) => {
    const relay = await startRelay()
    const foreign = await connected('ada', relay, newStore(), { serviceSid: 'IS2' })
    await foreign.user.updateFriendlyName('Ada, elsewhere')
    const silent = await connected('bob', relay)
    await silent.goOffline()
    const unknown = await ask(relay.url, 'profile/nob')
    expect(await ask(relay.url, 'profile/bob')).toEqual(unknown)
    expect(await ask(relay.url, 'profile/ada')).toEqual(unknown)
    await settled(foreign)
  })

  test('a private document is nobody else’s: it is answered as a conversation that isn’t one’s own', async () => {
    const relay = await startRelay()
    const ada = await connected('ada', relay)
    await ada.user.updateFriendlyName('Ada')
    await settled(ada)
    const eve = await NativePeer.connect(relay.url, 'eve')
    for (const [i, document] of ['user/ada', `CH${'0'.repeat(32)}`].entries()) {
      eve.say({ type: 'open', entries: [{ channel: i, document, pending: true, ...NOTHING }] })
      await eve.frame('request', ({ channel }) => channel === i)
      eve.say({ type: 'update', channel: i, update: uploadOf('eve') })
      await eve.frame('outcomes', ({ channel }) => channel === i)
    }
    await eve.close()
    const told = (channel: number) =>
      JSON.stringify(
        eve.frames.filter(
          (frame) =>
            ('channel' in frame && frame.channel === channel) ||
            (frame.type === 'opened' && frame.entries[0]?.channel === channel),
        ),
      ).replaceAll(`"channel":${channel}`, '"channel":0')
    expect(told(0)).toBe(told(1))
    expect(told(0)).toContain('absent')
  })
})

test('all of it works over the stock y-websocket transport, too', async () => {
  const relay = await startRelay()
  const options = { transport: yWebsocket() }
  const ada = await connected('ada', relay, newStore(), options)
  const bob = await connected('bob', relay, newStore(), options)
  const seen = await bob.getUser('ada')
  expect(seen).toMatchObject({ friendlyName: null, isOnline: true })
  await ada.goOffline()
  await ada.user.updateFriendlyName('Ada')
  await ada.user.updateAttributes({ mood: 'fine' })
  await ada.goOnline()
  await becomes(seen, ({ friendlyName }) => friendlyName === 'Ada')
  await vi.waitFor(() => expect(seen.attributes).toEqual({ mood: 'fine' }))
  await settled(ada)
  await bob.shutdown()
})
