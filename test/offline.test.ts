/**
 * What a user can do with no network, and what becomes of it when the relay is met: the public surface, stores on
 * disk, a real relay on a real socket.
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
  type Message,
  yWebsocket,
} from '@confab/client'
import {
  CHANNEL_USER,
  DEFAULT_ROLES,
  decodeInvite,
  encodeInvite,
  type Operation,
  type Role,
} from '@confab/core'
import { createAccessToken, createRelay, type Relay, type RelayOptions } from '@confab/relay'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'

const ACCESS = { accountSid: 'AC1', key: 'SK1', secret: 'a secret of at least thirty-two bytes' }
const SERVICE = 'IS1'

const folder = mkdtempSync(join(tmpdir(), 'confab-offline-'))
const relays: Relay[] = []
const clients: Client[] = []
let devices = 0

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.shutdown()))
  await Promise.all(relays.splice(0).map((relay) => relay.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const database = () => join(folder, 'relay.sqlite')
const newDevice = () => join(folder, `device-${++devices}`)

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

const tokenOf = (identity: string) => createAccessToken({ ...ACCESS, identity, serviceSid: SERVICE })

function start(identity: string, url: string, device: string, options: ClientOptions = {}): Client {
  const client = new Client(() => tokenOf(identity), { url, storage: directory(device), ...options })
  clients.push(client)
  return client
}

/** A client that has met the relay. */
async function connected(identity: string, relay: Relay, device = newDevice()): Promise<Client> {
  const client = start(identity, relay.url, device)
  await when(() => client.connectionState === 'connected')
  return client
}

/**
 * Resolves when the condition holds. Being accepted changes nothing that was seen already and is no event, so it is
 * looked for, as an app's own screen would.
 */
async function when(condition: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 10_000, interval: 5 })
}

const joined = (client: Client, sid: string) =>
  when(async () => (await client.getSubscribedConversations()).items.some((one) => one.sid === sid))

const decided = (client: Client) => when(() => client.getPendingOperations().length === 0)

/** What a person sees: index, author, text, and whether it is still pending. */
const shown = async (conversation: Conversation) =>
  (await conversation.getMessages(100)).items.map(
    ({ index, author, body, status }) => `${index} ${author}: ${body}${status === 'pending' ? ' …' : ''}`,
  )

/** The conversation shows this to its client. */
const shows = (conversation: Conversation, expected: string[]) =>
  when(async () => JSON.stringify(await shown(conversation)) === JSON.stringify(expected))

const likesOf = (message: Message | undefined) =>
  message ? (message.attributes as { likes: string[] }).likes : []

const texts = (held: HeldOperation[]) => held.map(({ operation }) => operation.body)

/** A conversation of alice's, with bob in it, both connected. */
async function pair(relay: Relay) {
  const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
  const conversation = await (await alice.createConversation({ friendlyName: 'Trip' })).join()
  await conversation.add('bob')
  await joined(bob, conversation.sid)
  return { alice, bob, conversation, bobs: await bob.getConversationBySid(conversation.sid) }
}

type Pair = Awaited<ReturnType<typeof pair>>

const operation = (fields: { type: string; [key: string]: unknown }): Operation =>
  ({ id: crypto.randomUUID().replaceAll('-', ''), dateWritten: Date.now(), ...fields }) as Operation

describe('with the relay unreachable from the very first start', () => {
  test('everything can be done, is there after a restart, and is accepted in the order it was written', async () => {
    // a port that is known, and at which nothing answers yet
    const { url, close } = await createRelay({
      port: 0,
      database: ':memory:',
      accessKeys: { [ACCESS.key]: ACCESS.secret },
    })
    await close()
    const device = newDevice()
    const first = new Client(
      await createAccessToken({ ...ACCESS, identity: 'alice', serviceSid: SERVICE, ttl: 1 }),
      {
        url,
        storage: directory(device),
      },
    )
    const conversation = await first.createConversation({ friendlyName: 'Trip', uniqueName: 'trip' })
    await conversation.join()
    await conversation.add('bob')
    await conversation.addNonChatParticipant('+15550001111', '+15550002222', { name: 'Carol' })
    for (const body of ['one', 'two', 'three', 'four']) await conversation.sendMessage(body)
    const messages = (await conversation.getMessages()).items
    await messages[1]?.updateBody('two, edited')
    await messages[2]?.remove()
    await conversation.updateFriendlyName('The trip')
    await conversation.updateAttributes({ place: 'Oslo' })
    await conversation.advanceLastReadMessageIndex(3)
    const other = await (await first.createConversation({ friendlyName: 'Left' })).join()
    await other.leave()
    const written = ['0 alice: one …', '1 alice: two, edited …', '2 alice: four …']
    expect(await shown(conversation)).toEqual(written)
    const pending = first.getPendingOperations()
    await first.shutdown()

    // no token can be fetched, and the relay is still away
    const second = new Client(() => Promise.reject(new Error('no network')), {
      url,
      storage: directory(device),
    })
    const again = await second.getConversationByUniqueName('trip')
    expect(await shown(again)).toEqual(written)
    expect(again.friendlyName).toBe('The trip')
    expect(again.attributes).toEqual({ place: 'Oslo' })
    expect((await again.getParticipants()).map(({ identity, type }) => identity ?? type).sort()).toEqual([
      'alice',
      'bob',
      'sms',
    ])
    expect(second.getPendingOperations()).toEqual(pending)
    await second.shutdown()

    const relay = await startRelay({ port: Number(new URL(url).port), database: database() })
    const alice = await connected('alice', relay, device)
    await decided(alice)
    expect(alice.getHeldOperations()).toEqual([])
    const bob = await connected('bob', relay)
    await joined(bob, again.sid)
    const accepted = written.map((line) => line.replace(' …', ''))
    const bobs = await bob.getConversationBySid(again.sid)
    for (const one of [await alice.getConversationBySid(again.sid), bobs]) {
      expect(await shown(one)).toEqual(accepted)
      expect(one.friendlyName).toBe('The trip')
      expect((await one.getParticipants()).map(({ bindings }) => bindings.sms?.address)).toContain(
        '+15550002222',
      )
    }
  })
})

describe('meeting the relay', () => {
  test('members who posted apart keep all of it, each in its author’s order, at the same dense indices', async () => {
    const relay = await startRelay()
    const { alice, bob, conversation, bobs } = await pair(relay)
    await conversation.sendMessage('together')
    await shows(bobs, ['0 alice: together'])
    await Promise.all([alice.goOffline(), bob.goOffline()])
    for (const n of [1, 2, 3]) {
      await conversation.sendMessage(`a${n}`)
      await bobs.sendMessage(`b${n}`)
    }
    await bobs.add('carol')
    await conversation.updateFriendlyName('The trip')
    await alice.goOnline()
    await decided(alice)
    await bob.goOnline()
    await decided(bob)
    const all = ['together', 'a1', 'a2', 'a3', 'b1', 'b2', 'b3'].map(
      (body, index) => `${index} ${body.startsWith('b') ? 'bob' : 'alice'}: ${body}`,
    )
    await shows(conversation, all)
    await shows(bobs, all)
    const carol = await connected('carol', relay)
    await joined(carol, conversation.sid)
    expect(await shown(await carol.getConversationBySid(conversation.sid))).toEqual(all)
    for (const one of [conversation, bobs]) {
      expect(one.friendlyName).toBe('The trip')
      expect((await one.getParticipants()).map(({ identity }) => identity).sort()).toEqual([
        'alice',
        'bob',
        'carol',
      ])
    }
  })

  test('an app that only listens shows what reading shows, through shifts of pending indices too', async () => {
    const relay = await startRelay()
    const { bob, conversation, bobs } = await pair(relay)
    const rows = new Map<number, string | null>()
    bobs.on('messageAdded', ({ index, body }) => rows.set(index, body))
    bobs.on('messageRemoved', ({ index }) => rows.delete(index))
    await bob.goOffline()
    await bobs.sendMessage('b0')
    await bobs.sendMessage('b1')
    await conversation.sendMessage('a0')
    await bob.goOnline()
    await decided(bob)
    await shows(bobs, ['0 alice: a0', '1 bob: b0', '2 bob: b1'])
    await when(() => rows.size === 3)
    expect([...rows].sort()).toEqual([
      [0, 'a0'],
      [1, 'b0'],
      [2, 'b1'],
    ])
  })

  test('two people who react offline to one message both keep their reaction', async () => {
    const relay = await startRelay()
    const { alice, bob, conversation, bobs } = await pair(relay)
    await conversation.sendMessage('hello', { likes: ['carol'] })
    await shows(bobs, ['0 alice: hello'])
    await Promise.all([alice.goOffline(), bob.goOffline()])
    for (const [one, name] of [
      [conversation, 'alice'],
      [bobs, 'bob'],
    ] as const) {
      const [message] = (await one.getMessages()).items
      await message?.updateAttributes({ likes: [...likesOf(message), name] })
    }
    await Promise.all([alice.goOnline(), bob.goOnline()])
    for (const one of [conversation, bobs]) {
      await when(async () => {
        const [message] = (await one.getMessages()).items
        return likesOf(message).length === 3
      })
    }
    const [message] = (await bobs.getMessages()).items
    expect(likesOf(message).sort()).toEqual(['alice', 'bob', 'carol'])
  })

  test('a horizon counts unread messages exactly after a merge', async () => {
    const relay = await startRelay()
    const { bob, conversation, bobs } = await pair(relay)
    for (const n of [0, 1, 2]) await conversation.sendMessage(`a${n}`)
    await when(async () => (await bobs.getMessagesCount()) === 3)
    await bob.goOffline()
    expect(await bobs.setAllMessagesRead()).toBe(0)
    await conversation.sendMessage('a3')
    await bob.goOnline()
    await decided(bob)
    await when(async () => (await bobs.getUnreadMessagesCount()) === 1)
    expect(bobs.lastReadMessageIndex).toBe(2)
    await when(async () => (await conversation.getParticipantByIdentity('bob')).lastReadMessageIndex === 2)
  })
})

describe('what isn’t yours', () => {
  test('looks exactly like what doesn’t exist', async () => {
    const relay = await startRelay()
    const { conversation } = await pair(relay)
    const eve = await connected('eve', relay)
    expect((await eve.getSubscribedConversations()).items).toEqual([])
    const missing = `CH${'0'.repeat(32)}`
    const answer = async (sid: string) =>
      eve.getConversationBySid(sid).catch(({ code, status, message }) => ({
        code,
        status,
        message: message.replace(sid, ''),
      }))
    expect(await answer(conversation.sid)).toEqual(await answer(missing))
    expect(await answer(missing)).toMatchObject({ code: 20404, status: 404 })
  })

  test('is gone at once for somebody who is removed while connected', async () => {
    const relay = await startRelay()
    const { bob, conversation, bobs } = await pair(relay)
    await conversation.sendMessage('before')
    await shows(bobs, ['0 alice: before'])
    const heard: string[] = []
    bob.on('conversationLeft', () => heard.push('left'))
    bob.on('conversationRemoved', () => heard.push('removed'))
    bobs.on('removed', () => heard.push('removed, says the conversation'))
    bob.on('messageAdded', ({ body }) => heard.push(`${body}`))
    await conversation.removeParticipant('bob')
    await conversation.sendMessage('after')
    await when(() => heard.includes('removed'))
    expect(heard).toEqual(['left', 'removed', 'removed, says the conversation'])
    expect((await bob.getSubscribedConversations()).items).toEqual([])
    await expect(bobs.sendMessage('me again')).rejects.toMatchObject({ status: expect.any(Number) })
  })
})

describe('what is refused is not lost', () => {
  test('a member removed while offline learns why, keeps the texts, and can resend or discard them', async () => {
    const relay = await startRelay()
    const { bob, conversation, bobs } = await pair(relay)
    await bob.goOffline()
    for (const body of ['x', 'y', 'z']) await bobs.sendMessage(body)
    await conversation.removeParticipant('bob')
    const refused: HeldOperation[] = []
    bob.on('operationRefused', (held) => refused.push(held))
    await bob.goOnline()
    await when(() => refused.length === 3)
    expect(texts(bob.getHeldOperations())).toEqual(['x', 'y', 'z'])
    expect(refused.map(({ error }) => error.code)).toEqual([70401, 70401, 70401])
    expect(await shown(conversation)).toEqual([])

    await conversation.add('bob')
    await joined(bob, conversation.sid)
    expect(await shown(conversation)).toEqual([])
    const [x, y, z] = bob.getHeldOperations()
    await y?.discard()
    await x?.resend()
    expect(texts(bob.getHeldOperations())).toEqual([z?.operation.body])
    expect(await shown(await bob.getConversationBySid(conversation.sid))).toEqual(['0 bob: x'])
  })

  /** What bob wrote offline is refused with this code when he comes back, and held. */
  async function refusedOnReturn(
    relay: Relay,
    meanwhile: (both: Pair) => Promise<unknown>,
    body = 'my words',
  ) {
    const both = await pair(relay)
    const { bob, bobs } = both
    await bob.goOffline()
    await bobs.sendMessage(body)
    await meanwhile(both)
    const refusal = new Promise<HeldOperation>((resolve) => bob.once('operationRefused', resolve))
    const removed = new Promise<number>((resolve) =>
      bobs.once('messageRemoved', ({ index }) => resolve(index)),
    )
    await bob.goOnline()
    const held = await refusal
    expect(await removed).toBe(0)
    expect(held.operation.body).toBe(body)
    expect(texts(bob.getHeldOperations())).toEqual([body])
    expect(await shown(bobs)).toEqual([])
    expect(await shown(both.conversation)).toEqual([])
    return held.error
  }

  const outcome = async (relay: Relay, sid: string, fields: { type: string; [key: string]: unknown }) =>
    expect((await relay.system.submit(SERVICE, sid, operation(fields))).verdict).toBe('accepted')

  test('a role that was lost', async () => {
    const mute: Role = {
      sid: `RL${'f'.repeat(32)}`,
      friendlyName: 'mute',
      type: 'conversation',
      permissions: new Set(),
    }
    const relay = await startRelay({ roles: new Map([...DEFAULT_ROLES, [mute.sid, mute]]) })
    const error = await refusedOnReturn(relay, async ({ conversation }) => {
      const { sid, roleSid } = await conversation.getParticipantByIdentity('bob')
      expect(roleSid).toBe(CHANNEL_USER)
      await outcome(relay, conversation.sid, { type: 'participant.update', sid, roleSid: mute.sid })
    })
    expect(error.code).toBe(20403)
  })

  test('a conversation that was closed', async () => {
    const relay = await startRelay()
    const error = await refusedOnReturn(relay, ({ conversation }) =>
      outcome(relay, conversation.sid, { type: 'conversation.close' }),
    )
    expect(error.code).toBe(50382)
  })

  test('a hook', async () => {
    const relay = await startRelay({
      hooks: {
        beforeCommit: ({ operation }) =>
          operation.type === 'message.post' ? { refuse: 'not in this house' } : undefined,
      },
    })
    const error = await refusedOnReturn(relay, async () => {})
    expect(error).toMatchObject({ code: 70301, message: 'not in this house', body: { code: 70301 } })
  })

  test('a limit that the device did not know', async () => {
    const bounded = await startRelay({ database: database() })
    const { bob, bobs } = await pair(bounded)
    await bob.goOffline()
    await bobs.sendMessage('x'.repeat(200))
    await bounded.close()
    await startRelay({
      database: database(),
      port: Number(new URL(bounded.url).port),
      limits: { bodyBytes: 100 },
    })
    const refusal = new Promise<HeldOperation>((resolve) => bob.once('operationRefused', resolve))
    await bob.goOnline()
    expect((await refusal).error.code).toBe(70101)
    expect(texts(bob.getHeldOperations())).toEqual(['x'.repeat(200)])
  })

  test('a refusal while connected rejects the promise, and holds the text all the same', async () => {
    const relay = await startRelay({
      hooks: {
        beforeCommit: ({ operation }) => (operation.type === 'message.post' ? { refuse: 'no' } : undefined),
      },
    })
    const { bob, bobs } = await pair(relay)
    await expect(bobs.sendMessage('hello')).rejects.toMatchObject({ code: 70301, status: 403, message: 'no' })
    expect(texts(bob.getHeldOperations())).toEqual(['hello'])
  })
})

describe('a unique name', () => {
  test('that somebody else had first is refused alone: the conversation stands, and its creator is told', async () => {
    const relay = await startRelay()
    const { bob, conversation } = await pair(relay)
    await conversation.updateUniqueName('trip')
    await bob.goOffline()
    const bobs = await (await bob.createConversation({ uniqueName: 'trip', friendlyName: 'Mine' })).join()
    await bobs.sendMessage('hello')
    expect(bobs.uniqueName).toBe('trip')
    const refusal = new Promise<HeldOperation>((resolve) => bob.once('operationRefused', resolve))
    await bob.goOnline()
    expect(await refusal).toMatchObject({
      error: { code: 50353, status: 409 },
      operation: { uniqueName: 'trip' },
    })
    await shows(bobs, ['0 bob: hello'])
    expect(bobs.uniqueName).toBeNull()
    expect(bobs.friendlyName).toBe('Mine')
  })
})

describe('the stock y-websocket transport', () => {
  test('carries the same: offline, merged, removed, held', async () => {
    const relay = await startRelay()
    const stock = async (identity: string) => {
      const client = start(identity, relay.url, newDevice(), { transport: yWebsocket() })
      await when(() => client.connectionState === 'connected')
      return client
    }
    const [alice, bob] = [await stock('alice'), await stock('bob')]
    const conversation = await (await alice.createConversation({ friendlyName: 'Trip' })).join()
    await conversation.add('bob')
    await joined(bob, conversation.sid)
    const bobs = await bob.getConversationBySid(conversation.sid)
    await bob.goOffline()
    await bobs.sendMessage('b0')
    await conversation.sendMessage('a0')
    await bob.goOnline()
    await shows(bobs, ['0 alice: a0', '1 bob: b0'])
    await shows(conversation, ['0 alice: a0', '1 bob: b0'])
    await bob.goOffline()
    await bobs.sendMessage('too late')
    await conversation.removeParticipant('bob')
    const refusal = new Promise<HeldOperation>((resolve) => bob.once('operationRefused', resolve))
    await bob.goOnline()
    expect((await refusal).operation.body).toBe('too late')
    expect(await shown(conversation)).toEqual(['0 alice: a0', '1 bob: b0'])
  })
})

describe('joining offline', () => {
  async function apart(relay: Relay) {
    const [alice, bob] = [await connected('alice', relay), await connected('bob', relay)]
    await Promise.all([alice.goOffline(), bob.goOffline()])
    const conversation = await (await alice.createConversation({ friendlyName: 'Trip' })).join()
    await conversation.sendMessage('from alice')
    return { alice, bob, conversation }
  }

  for (const order of ['inviter', 'invited'] as const) {
    test(`by an invite, the ${order} meeting the relay first, makes one conversation`, async () => {
      const relay = await startRelay()
      const { alice, bob, conversation } = await apart(relay)
      const invite = await conversation.createInvite({ expiresIn: 3600 })
      expect(invite).toMatch(/^[\w-]+$/)
      const bobs = await bob.joinByInvite(invite)
      expect(bobs.sid).toBe(conversation.sid)
      expect(bobs.status).toBe('joined')
      await bobs.sendMessage('from bob')
      expect(await shown(bobs)).toEqual(['0 bob: from bob …'])
      const [first, second] = order === 'inviter' ? [alice, bob] : [bob, alice]
      await first.goOnline()
      await when(() => first.connectionState === 'connected')
      await second.goOnline()
      const both = ['0 alice: from alice', '1 bob: from bob']
      await shows(conversation, both)
      await shows(bobs, both)
      for (const one of [conversation, bobs]) {
        expect((await one.getParticipants()).map(({ identity }) => identity).sort()).toEqual(['alice', 'bob'])
      }
      expect([...alice.getPendingOperations(), ...bob.getPendingOperations()]).toEqual([])
    })
  }

  test('by an invite that was used up is refused, the text held', async () => {
    const relay = await startRelay()
    const { alice, bob, conversation } = await apart(relay)
    const invite = await conversation.createInvite({ maxUses: 1, expiresIn: 2 })
    await alice.goOnline()
    await decided(alice)
    const carol = await connected('carol', relay)
    await carol.joinByInvite(invite)
    const bobs = await bob.joinByInvite(invite)
    await bobs.sendMessage('let me in')
    const refused: HeldOperation[] = []
    bob.on('operationRefused', (held) => refused.push(held))
    await bob.goOnline()
    // "not now" until the invite expires: whoever asks learns nothing else
    await when(() => refused.length === 2)
    expect(texts(bob.getHeldOperations())).toContain('let me in')
    expect(await shown(conversation)).toEqual(['0 alice: from alice'])
  })

  test('by an invite that has expired, or is none, is refused at once', async () => {
    const relay = await startRelay()
    const { bob, conversation } = await apart(relay)
    const invite = await conversation.createInvite()
    await expect(bob.joinByInvite(`${invite.slice(0, -3)}AAA`)).rejects.toMatchObject({ code: 70203 })
    // one of an hour ago, whatever the clocks of relay and devices make of a millisecond
    const old = encodeInvite({ ...decodeInvite(invite), expiresAt: Date.now() - 3_600_000 })
    await expect(bob.joinByInvite(old)).rejects.toMatchObject({ code: 70202, status: 410 })
    expect((await bob.getSubscribedConversations()).items).toEqual([])
  })
})
