/** Tokens that are swapped on a live connection, and what another token of the same person may and may not do. */
import { Client, memory } from '@confab/client'
import { CLOSE_CODES, SERVICE_ADMIN, userDocument } from '@confab/core'
import { createAccessToken } from '@confab/relay'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NativePeer } from '../support/native-peer.ts'
import { memberSid, operation, post } from '../support/operations.ts'
import { openDocument } from '../support/reader.ts'
import { ACCOUNT, KEY, SECRET, startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { Onlookers } from './onlookers.ts'

const mint = (options: Partial<Parameters<typeof createAccessToken>[0]>) =>
  createAccessToken({ accountSid: ACCOUNT, key: KEY, secret: SECRET, identity: 'mallory', ...options })

/** Each is brought on a connection of mallory's that was welcomed. */
const SWAPS: { [name: string]: [code: number, token: () => Promise<string>] } = {
  'of somebody else': [CLOSE_CODES.forbidden, () => tokenFor('alice')],
  'of the same name in another service': [
    CLOSE_CODES.forbidden,
    () => mint({ serviceSid: `IS${'9'.repeat(32)}` }),
  ],
  'of the same name in another account': [
    CLOSE_CODES.forbidden,
    () => mint({ accountSid: `AC${'9'.repeat(32)}` }),
  ],
  'of a name that looks the same': [CLOSE_CODES.forbidden, () => mint({ identity: 'm\u0430llory' })],
  'of a name in other letters': [CLOSE_CODES.forbidden, () => mint({ identity: 'Mallory' })],
  'that has expired': [CLOSE_CODES.tokenExpired, () => mint({ ttl: 60, now: Date.now() - 120_000 })],
  'that nobody signed': [CLOSE_CODES.unauthenticated, () => mint({ secret: `${SECRET}?` })],
  'that an unknown key signed': [CLOSE_CODES.unauthenticated, () => mint({ key: 'SKunknown' })],
  'that is none': [CLOSE_CODES.unauthenticated, async () => 'nonsense'],
  'that is empty': [CLOSE_CODES.unauthenticated, async () => ''],
}

let relay: TestRelay
let honest: Onlookers
beforeAll(async () => {
  relay = await startRelay()
  honest = await Onlookers.of(relay.url, ['mallory'])
})
afterAll(() => relay?.close())

describe('another token on a live connection', () => {
  it.each(Object.entries(SWAPS))('%s ends it before anything behind it is done', async (_, [code, token]) => {
    const mallory = await openDocument('native', relay.url, 'mallory', honest.sid)
    const peer = mallory.peer as NativePeer
    const before = await honest.bytes()
    const from = peer.frames.length
    const fresh = await token()
    const { channel } = { channel: 9 }
    peer.say(
      { type: 'token', token: fresh },
      {
        type: 'open',
        entries: [
          { channel, document: userDocument('alice'), pending: false, epoch: 0, commitsId: 0, clock: 0 },
        ],
      },
    )
    expect((await peer.ended()).code).toBe(code)
    const opened = peer.frames.slice(from).flatMap((frame) => (frame.type === 'opened' ? frame.entries : []))
    // alice's list is as absent to mallory as before, whichever of the two was looked at first
    expect(opened.filter(({ status }) => status !== 'absent')).toEqual([])
    expect(peer.frames.slice(from).filter(({ type }) => type !== 'opened')).toEqual([])
    expect(await honest.bytes()).toEqual(before)
  })

  it('of the same person goes on; with less rights, what it no longer allows is refused at once', async () => {
    const admin = await NativePeer.dial(relay.url)
    const hello = { type: 'hello', version: 1, agent: 'test' } as const
    admin.say({ ...hello, token: await mint({ roleSid: SERVICE_ADMIN }) })
    await admin.frame('welcome')
    const remove = operation('participant.remove', { sid: memberSid(honest.sid, 'bob') })
    admin.say({ type: 'token', token: await mint({}) }, { type: 'ping', nonce: 1 })
    await admin.frame('pong')
    const mallory = await openDocument('native', relay.url, 'mallory', honest.sid)
    admin.say({
      type: 'open',
      entries: [{ channel: 1, document: honest.sid, pending: true, epoch: 0, commitsId: 0, clock: 0 }],
    })
    await admin.frame('request')
    const before = await honest.records()
    admin.say({ type: 'update', channel: 1, update: mallory.write(remove) })
    const { outcomes } = await admin.frame('changes', ({ outcomes }) => outcomes.length > 0)
    expect(outcomes).toMatchObject([{ id: remove.id, verdict: 'refused', code: 20403 }])
    expect(await honest.records()).toEqual(before)
    await admin.close()
    await mallory.peer.close()
  })

  it('after another, each is looked at: a good one in front doesn’t cover for one of somebody else', async () => {
    const peer = await NativePeer.connect(relay.url, 'mallory')
    const good = await mint({})
    for (let i = 0; i < 5; i++) peer.say({ type: 'token', token: good })
    peer.say({ type: 'token', token: await tokenFor('alice') }, { type: 'token', token: good })
    expect(await peer.ended()).toEqual({
      code: CLOSE_CODES.forbidden,
      reason: 'The token is for somebody else',
    })
  })
})

describe('a client of the SDK that is given a token', () => {
  const connected = (client: Client) =>
    new Promise<void>((resolve) =>
      client.on('connectionStateChanged', (state) => {
        if (state === 'connected') resolve()
      }),
    )

  it.each([
    ['of somebody else', () => tokenFor('alice')],
    ['of the same name in another service', () => mint({ serviceSid: `IS${'9'.repeat(32)}` })],
    ['of the same name in another account', () => mint({ accountSid: `AC${'9'.repeat(32)}` })],
  ])('%s doesn’t take it, and goes on as who it is', async (_, token) => {
    const mallory = new Client(await tokenFor('mallory'), { url: relay.url, storage: memory() })
    try {
      await connected(mallory)
      await expect(mallory.updateToken(await token())).rejects.toMatchObject({ code: 20003 })
      const conversation = await mallory.getConversationBySid(honest.sid)
      await conversation.sendMessage('as ever')
      await honest.bob.peer.when(() => honest.bob.bodies.includes('as ever'))
      const { bob } = await honest.records()
      expect(bob.messages.at(-1)).toMatchObject({ author: 'mallory' })
    } finally {
      await mallory.shutdown()
    }
  })

  it('for another service when it comes back from offline uploads nothing there', async () => {
    const other = { serviceSid: `IS${'8'.repeat(32)}` }
    let token = await tokenFor('mallory')
    const mallory = new Client(() => Promise.resolve(token), { url: relay.url, storage: memory() })
    try {
      await connected(mallory)
      await mallory.goOffline()
      const { sid } = await mallory.createConversation({ friendlyName: 'for one service only' })
      token = await mint(other)
      const failed = new Promise((resolve) => mallory.once('connectionError', resolve))
      await mallory.goOnline()
      expect(await failed).toMatchObject({ message: expect.stringMatching(/another service/) })
      const there = await NativePeer.dial(relay.url)
      there.say({ type: 'hello', version: 1, agent: 'test', token: await mint(other) })
      there.say({
        type: 'open',
        entries: [{ channel: 1, document: sid, pending: false, epoch: 0, commitsId: 0, clock: 0 }],
      })
      expect((await there.frame('opened')).entries).toEqual([{ channel: 1, status: 'absent' }])
      expect(mallory.getPendingOperations().length).toBe(1)
      await there.close()
    } finally {
      await mallory.shutdown()
    }
  })
})

describe('a role that a token names', () => {
  it.each(['RLunknown', 'constructor', '', memberSid('CH', 'x')])(
    'and there is not (%j) gives no right',
    async (roleSid) => {
      const peer = await NativePeer.dial(relay.url)
      peer.say({ type: 'hello', version: 1, agent: 'test', token: await mint({ roleSid }) })
      await peer.frame('welcome')
      const mallory = await openDocument('native', relay.url, 'mallory', userDocument('mallory'))
      const forged = operation('user.update', { identity: 'alice', friendlyName: 'taken over' })
      const update = mallory.write(forged)
      await mallory.peer.close()
      peer.say({
        type: 'open',
        entries: [
          { channel: 1, document: userDocument('mallory'), pending: true, epoch: 0, commitsId: 0, clock: 0 },
        ],
      })
      await peer.frame('request')
      peer.say({ type: 'update', channel: 1, update })
      const { outcomes } = await peer.frame('changes', ({ outcomes }) => outcomes.length > 0)
      expect(outcomes).toMatchObject([{ id: forged.id, verdict: 'refused', code: 20403 }])
      const profile = await openDocument('native', relay.url, 'bob', 'profile/alice')
      expect(profile.doc.getMap('profile').size).toBe(0)
      await profile.peer.close()
      await peer.close()
    },
  )
})

it('a token in a URL is looked at as any other: at the stock endpoint only a new connection brings one', async () => {
  for (const [code, token] of [
    [CLOSE_CODES.tokenExpired, await mint({ ttl: 60, now: Date.now() - 120_000 })],
    [CLOSE_CODES.unauthenticated, await mint({ secret: `${SECRET}?` })],
  ] as const) {
    const peer = await NativePeer.dialPath(relay.url, `/yjs/${honest.sid}?token=${token}`)
    expect((await peer.ended()).code).toBe(code)
    expect(peer.received).toEqual([])
  }
  await honest.alice.accepted(post('served'))
  expect(relay.failures).toEqual([])
})
