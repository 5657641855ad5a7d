import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outboxName } from '@confab/core'
import { createRelay } from '@confab/relay'
import { afterEach, describe, expect, it } from 'vitest'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { createConversation } from '../../test/support/conversation.ts'
import { NativePeer, NOTHING } from '../../test/support/native-peer.ts'
import { nobodysSid, operation, post } from '../../test/support/operations.ts'
import { openDocument } from '../../test/support/reader.ts'
import { relayOptions, startRelay, type TestRelay, tokenFor } from '../../test/support/relay.ts'
import { step1, step2, YjsPeer } from '../../test/support/yjs-peer.ts'
import packageJson from '../package.json' with { type: 'json' }
import { VERSION } from '../src/version.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function relay(options: Parameters<typeof startRelay>[0] = {}): Promise<TestRelay> {
  const started = await startRelay(options)
  cleanUps.push(() => started.close())
  return started
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'confab-relay-'))
  cleanUps.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A stock provider on a stock document. */
async function stock(url: string, identity: string, sid: string, doc = new Y.Doc()) {
  const provider = new WebsocketProvider(`${url}/yjs`, sid, doc, {
    params: { token: await tokenFor(identity) },
    disableBc: true,
  })
  cleanUps.push(() => provider.destroy())
  const bodies = () =>
    (doc.getArray('messages').toJSON() as { index: number; body: string }[])
      .sort((a, b) => a.index - b.index)
      .map(({ body }) => body)
  const until = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => doc.once('update', resolve))
  }
  return { provider, doc, outbox: doc.getArray(outboxName(identity)), bodies, until }
}

describe('a relay', () => {
  it('says its addresses and that it lives', async () => {
    const { url, httpUrl } = await relay()
    expect(url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/)
    const response = await fetch(`${httpUrl}/health`)
    expect(await response.json()).toEqual({ status: 'ok', version: packageJson.version })
    expect(VERSION).toBe(packageJson.version)
  })

  it('says clearly what is wrong with its options', async () => {
    const wrong: [options: object, message: RegExp][] = [
      [{ port: -1 }, /port must be a whole number/],
      [{ host: '' }, /host must be/],
      [{ database: '' }, /database must be a file/],
      [{ accessKeys: {} }, /accessKeys must be at least one/],
      [{ accessKeys: { SK1: '' } }, /accessKeys.SK1 must be/],
      [{ accessKeys: { SK1: 's'.repeat(31) } }, /accessKeys.SK1 must be a secret of 32 bytes or more/],
      [{ limits: { bodyByte: 1 } }, /limits.bodyByte must be one of .*bodyBytes/],
      [{ limits: { bodyBytes: -1 } }, /limits.bodyBytes must be a number above 0/],
      [{ origins: ['example.org'] }, /origins must be/],
      [{ host: '192.0.2.1' }, /192.0.2.1 is no address of this machine/],
    ]
    for (const [options, message] of wrong) {
      await expect(createRelay({ ...relayOptions(), ...options })).rejects.toThrow(message)
    }
  })

  it('says that its port is in use, and lets go of its database then', async () => {
    const { url } = await relay()
    const options = relayOptions({ database: join(folder(), 'relay.sqlite') })
    await expect(createRelay({ ...options, port: Number(new URL(url).port) })).rejects.toThrow(/is in use/)
    cleanUps.push((await createRelay(options)).close)
  })

  it('survives an app that says that a token never ends', async () => {
    const principal = { accountSid: 'AC1', serviceSid: 'IS1', identity: 'alice', serviceRoleSid: '' }
    const { url, failures } = await relay({
      hooks: { authenticate: () => ({ principal, expiresAt: Number.MAX_VALUE }) },
    })
    const peer = await NativePeer.dial(url)
    peer.say({ type: 'hello', version: 1, token: 'abc', agent: 'test' })
    expect(await peer.frame('welcome')).toMatchObject({ identity: 'alice', expiresAt: 8.64e15 })
    expect(failures).toEqual([])
  })

  it('lets an app say who somebody is', async () => {
    const { url, failures } = await relay({
      accessKeys: {},
      hooks: {
        authenticate: async (token) => ({
          principal: {
            accountSid: 'AC1',
            serviceSid: 'IS1',
            identity: `${token.length} Ame\u0301lie`,
            serviceRoleSid: '',
          },
          expiresAt: Date.now() + 60_000.5,
        }),
      },
    })
    const peer = await NativePeer.dial(url)
    peer.say({ type: 'hello', version: 1, token: 'abc', agent: 'test' })
    expect(await peer.frame('welcome')).toMatchObject({ identity: '3 Am\u00e9lie', serviceSid: 'IS1' })
    expect(failures).toEqual([])
  })
})

describe('resuming', () => {
  it('brings what was missed and nothing else, in one round trip', async () => {
    const { url } = await relay()
    const { sid, creator } = await createConversation(url, ['alice', 'bob'])
    const quiet = await createConversation(url, ['alice', 'bob'])
    const bob = await NativePeer.connect(url, 'bob')
    const open = (channel: number, document: string, point = NOTHING) => ({
      channel,
      document,
      pending: false,
      ...point,
    })
    bob.say({ type: 'open', entries: [open(1, sid), open(2, quiet.sid)] })
    const loud = await bob.frame('snapshot', ({ channel }) => channel === 1)
    const other = await bob.frame('snapshot', ({ channel }) => channel === 2)
    await bob.close()

    await creator.accepted(post('while bob was away'))
    const again = await NativePeer.connect(url, 'bob')
    again.say({ type: 'open', entries: [open(1, sid, loud.point), open(2, quiet.sid, other.point)] })
    const opened = await again.frame('opened')
    expect(opened.entries).toEqual([
      { channel: 1, status: 'changes' },
      { channel: 2, status: 'current' },
    ])
    const missed = await again.frame('changes')
    const doc = new Y.Doc()
    for (const update of [...loud.updates, ...missed.updates]) Y.applyUpdate(doc, update)
    expect(doc.getArray('messages').toJSON()).toMatchObject([{ body: 'while bob was away', index: 0 }])
    expect(again.frames.map(({ type }) => type)).toEqual(['welcome', 'opened', 'changes'])
  })
})

describe('a token', () => {
  it('is cut off at its end, unless another came: told ahead', async () => {
    const { url } = await relay()
    const token = await tokenFor('alice', 2)
    const [careless, careful] = await Promise.all([NativePeer.dial(url), NativePeer.dial(url)])
    for (const peer of [careless, careful]) {
      peer.say({ type: 'hello', version: 1, token, agent: 'test' })
      await peer.frame('tokenExpiring')
    }
    careful.say({ type: 'token', token: await tokenFor('alice') })
    expect((await careless.ended()).code).toBe(4402)
    const asked = careful.frames.length
    careful.say({ type: 'ping', nonce: 1 })
    await careful.frame('pong', () => true, asked)
    expect(careful.closed).toBeNull()
  })
})

describe('to somebody who takes no part, a conversation and one that doesn’t exist look the same', () => {
  it('over the native protocol: opening, and writing', async () => {
    const { url } = await relay()
    const { sid } = await createConversation(url, ['alice', 'bob'])
    const seen: unknown[][] = []
    for (const document of [sid, nobodysSid()]) {
      const eve = await openDocument('native', url, 'eve', document)
      const guess = operation('conversation.join', { invite: Buffer.alloc(32, 7).toString('base64url') })
      eve.doc.clientID = 77
      const outcomes = await eve.submit(
        { ...guess, id: '0'.repeat(32) },
        { ...post('hello'), id: '1'.repeat(32) },
      )
      const { frames } = eve.peer as NativePeer
      seen.push([outcomes, frames.filter(({ type }) => type !== 'welcome')])
    }
    expect(seen[0]).toEqual(seen[1])
    expect(JSON.stringify(seen[0])).toContain('"absent"')
    expect(JSON.stringify(seen[0])).toContain('70201')
  })

  it('at the stock endpoint: byte for byte', async () => {
    const { url } = await relay()
    const { sid } = await createConversation(url, ['alice', 'bob'])
    const seen: unknown[] = []
    for (const document of [sid, nobodysSid(), 'user/alice', 'nonsense', '']) {
      const eve = await YjsPeer.connect(url, 'eve', document)
      eve.send(step1(Uint8Array.of(0)))
      await eve.message('step1')
      eve.send(step2(Uint8Array.of(0, 0)))
      seen.push([await eve.ended(), eve.received])
    }
    expect(seen[0]).toEqual([{ code: 4404, reason: 'Not found' }, [step1(Uint8Array.of(0))]])
    for (const other of seen.slice(1)) expect(other).toEqual(seen[0])
  })

  it('at the stock endpoint, also to somebody who took part once and remembers what they saw', async () => {
    const { url } = await relay()
    const { sid, creator } = await createConversation(url, ['alice', 'bob'])
    const bob = await openDocument('yjs', url, 'bob', sid)
    const me = [...bob.doc.getMap<{ sid: string; identity?: string }>('participants').values()].find(
      ({ identity }) => identity === 'bob',
    )
    await creator.accepted(operation('participant.remove', { sid: me?.sid ?? '' }))
    expect((await bob.peer.ended()).code).toBe(4404)
    // a state vector that is ahead of the relay's, as after a restore from a backup
    const ahead = Y.decodeStateVector(Y.encodeStateVector(bob.doc))
    for (const [client, clock] of ahead) ahead.set(client, clock + 100)
    for (const document of [sid, nobodysSid()]) {
      const again = await YjsPeer.connect(url, 'bob', document)
      again.send(step1(encodeStateVector(ahead)))
      await again.message('step1')
      again.send(step2(Uint8Array.of(0, 0)))
      expect(await again.ended()).toEqual({ code: 4404, reason: 'Not found' })
    }
  })
})

/** Yjs's encoding of a state vector: clients and clocks, highest client first. */
function encodeStateVector(clocks: Map<number, number>): Uint8Array {
  const bytes: number[] = []
  const uint = (value: number) => {
    let left = value
    while (left > 127) {
      bytes.push((left % 128) + 128)
      left = Math.floor(left / 128)
    }
    bytes.push(left)
  }
  uint(clocks.size)
  for (const [client, clock] of [...clocks].sort(([a], [b]) => b - a)) {
    uint(client)
    uint(clock)
  }
  return Uint8Array.from(bytes)
}

describe('stock y-websocket', () => {
  it('shows a conversation live, and posts to it through its outbox', async () => {
    const { url, failures } = await relay()
    const { sid, creator } = await createConversation(url, ['alice', 'bob'])
    await creator.accepted(post('from alice'))
    const bob = await stock(url, 'bob', sid)
    await bob.until(() => bob.bodies().length === 1)
    bob.outbox.push([post('from bob')])
    await bob.until(() => bob.bodies().length === 2)
    await creator.accepted(post('and on'))
    await bob.until(() => bob.bodies().length === 3)
    expect(bob.bodies()).toEqual(['from alice', 'from bob', 'and on'])
    expect(creator.bodies).toEqual(bob.bodies())
    expect(bob.outbox.length).toBe(0)
    expect(failures).toEqual([])
  })

  it('merges what was written with no network', async () => {
    const { url } = await relay()
    const { sid, creator } = await createConversation(url, ['alice', 'bob'])
    const bob = await stock(url, 'bob', sid)
    await bob.until(() => bob.doc.getMap('participants').size === 2)
    bob.provider.disconnect()
    bob.outbox.push([post('one'), post('two')])
    bob.outbox.push([post('three')])
    await creator.accepted(post('meanwhile'))
    // the document goes on in another process
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(bob.doc))
    const again = await stock(url, 'bob', sid, copy)
    await again.until(() => again.bodies().length === 4)
    expect(again.bodies()).toEqual(['meanwhile', 'one', 'two', 'three'])
    expect(again.outbox.length).toBe(0)
  })

  it('stops for good when its person is removed', async () => {
    const { url } = await relay()
    const { sid, creator } = await createConversation(url, ['alice', 'bob'])
    const bob = await stock(url, 'bob', sid)
    await bob.until(() => bob.doc.getMap('participants').size === 2)
    const closed = new Promise<{ code: number }>((resolve) => bob.provider.on('closed', resolve))
    const me = [...bob.doc.getMap<{ sid: string; identity: string }>('participants').values()].find(
      ({ identity }) => identity === 'bob',
    )
    await creator.accepted(operation('participant.remove', { sid: me?.sid ?? '' }))
    expect((await closed).code).toBe(4404)
    await creator.accepted(post('not for bob'))
    expect(bob.bodies()).toEqual([])
    expect(bob.provider.shouldConnect).toBe(false)
  })

  it('stays connected while nothing happens', async () => {
    const { url } = await relay({ timing: { heartbeat: 100 } })
    const { sid } = await createConversation(url, ['alice', 'bob'])
    const bob = await stock(url, 'bob', sid)
    await bob.until(() => bob.doc.getMap('participants').size === 2)
    const before = bob.provider.wsLastMessageReceived
    await expect.poll(() => bob.provider.wsLastMessageReceived).toBeGreaterThan(before + 200)
    expect(bob.provider.wsconnected).toBe(true)
  })
})

describe('closing', () => {
  it('commits what it has taken, tells it, sends everybody away to come back, and keeps it', async () => {
    const database = join(folder(), 'relay.sqlite')
    const first = await relay({ database })
    const { sid, creator } = await createConversation(first.url, ['alice', 'bob'])
    const last = post('just in time')
    creator.upload(creator.write(last))
    // it is at the relay once something sent behind it was answered
    const peer = creator.peer as NativePeer
    peer.say({ type: 'ping', nonce: 1 })
    await peer.frame('pong')
    await first.close()
    expect(await peer.ended()).toMatchObject({ code: 4500 })
    expect(await creator.outcomeOf(last.id)).toMatchObject({ verdict: 'accepted' })

    const second = await relay({ database })
    const bob = await openDocument('native', second.url, 'bob', sid)
    expect(bob.bodies).toEqual(['just in time'])
    expect([...first.failures, ...second.failures]).toEqual([])
  })

  it('is the same whenever it is asked for again', async () => {
    const { close } = await relay()
    const [one, two] = [close(), close()]
    expect(one).toBe(two)
    await one
  })
})
