/** Pages of sealed history over both ways on which a relay gives them: to participants, and to nobody else a trace. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { inflateSync } from 'node:zlib'
import { type DownFrame, encodeFrames, type MessageRecord, pageHash } from '@confab/core'
import { createAccessToken } from '@confab/relay'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { everyMessage } from '../../server/test/support/history.ts'
import { type Down, NativePeer, NOTHING } from '../support/native-peer.ts'
import { memberSid, nobodysSid, operation, post } from '../support/operations.ts'
import { ACCOUNT, KEY, SECRET, startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { ask, bearer, hashesOf, pathTo, type SealedConversation, sealedConversation, tiny } from './stage.ts'

const BODIES = Array.from({ length: 60 }, (_, i) => `message ${i} of a long conversation`)
const GUESS = pageHash(new TextEncoder().encode('[]'))

let relay: TestRelay
let held: SealedConversation
/** Participants, and one who was. */
beforeAll(async () => {
  relay = await startRelay({ sealing: tiny })
  held = await sealedConversation(relay.url, ['ada', 'bob', 'cem'], BODIES)
  await held.creator.accepted(operation('participant.remove', { sid: memberSid(held.sid, 'cem') }))
})
afterAll(async () => {
  expect(relay.failures).toEqual([])
  await relay.close()
})

const elsewhere = (identity: string) =>
  createAccessToken({
    accountSid: ACCOUNT,
    key: KEY,
    secret: SECRET,
    identity,
    serviceSid: `IS${'9'.repeat(32)}`,
  })

describe('over the native transport', () => {
  /** Opens the conversation, and gives the frame that answers as it was sent. */
  async function pageFor(
    identity: string,
    hash: string,
    { token = '', deflate = true, sid = held.sid } = {},
  ) {
    const peer = await NativePeer.connect(relay.url, identity, token === '' ? undefined : token)
    peer.say({ type: 'open', entries: [{ channel: 1, document: sid, pending: false, ...NOTHING }] })
    await peer.frame('opened')
    peer.say({ type: 'getPage', channel: 1, hash, deflate })
    const frame = await peer.frame('page')
    await peer.close()
    return frame
  }

  it.each([true, false])(
    'a participant gets the bytes that the name stands for (deflated: %s)',
    async (deflate) => {
      for (const identity of ['ada', 'bob']) {
        for (const hash of hashesOf(held.creator)) {
          const frame = await pageFor(identity, hash, { deflate })
          expect(frame).toMatchObject({ channel: 1, hash, deflated: deflate })
          const bytes = deflate ? inflateSync(frame.bytes) : frame.bytes
          expect(pageHash(bytes)).toBe(hash)
        }
      }
    },
  )

  it('who was one, a stranger, another service’s and who asks elsewhere get the frame of a page that never was', async () => {
    const [hash] = hashesOf(held.creator) as [string]
    const own = await sealedConversation(relay.url, ['eve'], ['mine'])
    const nothing = encodeFrames([
      { type: 'page', channel: 1, hash, deflated: false, bytes: new Uint8Array() } satisfies DownFrame,
    ])
    const token = await elsewhere('bob')
    const frames: Down<'page'>[] = [
      await pageFor('cem', hash),
      await pageFor('eve', hash),
      await pageFor('eve', hash, { deflate: false }),
      await pageFor('eve', hash, { sid: own.sid }),
      await pageFor('bob', hash, { sid: nobodysSid() }),
      await pageFor('bob', hash, { token }),
    ]
    for (const frame of frames) expect(encodeFrames([frame])).toEqual(nothing)
    const [guessed, ...others] = [
      await pageFor('bob', GUESS),
      await pageFor('cem', GUESS),
      await pageFor('eve', GUESS),
    ]
    for (const other of others) expect(other).toEqual(guessed)
    expect({ ...guessed, hash }).toEqual(frames[0])
    await own.creator.peer.close()
  })

  it('who is removed while it asks is answered everything or nothing', async () => {
    const own = await sealedConversation(relay.url, ['dan', 'fay'], BODIES)
    const [hash] = hashesOf(own.creator) as [string]
    const peer = await NativePeer.connect(relay.url, 'fay')
    peer.say({ type: 'open', entries: [{ channel: 1, document: own.sid, pending: false, ...NOTHING }] })
    await peer.frame('snapshot')
    const removal = own.creator.accepted(operation('participant.remove', { sid: memberSid(own.sid, 'fay') }))
    for (let i = 0; i < 20; i++) peer.say({ type: 'getPage', channel: 1, hash, deflate: true })
    await removal
    const answers = () => peer.frames.filter(({ type }) => type === 'page') as Down<'page'>[]
    await peer.when(() => answers().length === 20)
    const sizes = answers().map(({ bytes }) => bytes.length)
    const from = sizes.indexOf(0)
    if (from >= 0) expect(new Set(sizes.slice(from))).toEqual(new Set([0]))
    peer.say({ type: 'getPage', channel: 1, hash, deflate: true })
    await peer.when(() => answers().length === 21)
    expect(answers().at(-1)?.bytes).toHaveLength(0)
    await peer.close()
    await own.creator.peer.close()
  })
})

describe('over HTTP', () => {
  it('a participant gets the page as JSON, deflated where that is taken', async () => {
    const token = await tokenFor('bob')
    for (const hash of hashesOf(held.creator)) {
      const plain = await ask(relay.url, pathTo(held.sid, hash), bearer(token))
      expect(plain.status).toBe(200)
      expect(plain.headers['content-type']).toMatch(/^application\/json/)
      expect(plain.headers['content-encoding']).toBeUndefined()
      expect(pageHash(plain.body)).toBe(hash)
      const small = await ask(relay.url, pathTo(held.sid, hash), {
        ...bearer(token),
        'accept-encoding': 'gzip, deflate, br',
      })
      expect(small.headers['content-encoding']).toBe('deflate')
      expect(small.headers['cache-control']).toContain('private')
      expect(inflateSync(small.body).equals(plain.body)).toBe(true)
      const head = await ask(relay.url, pathTo(held.sid, hash), bearer(token), 'HEAD')
      expect([head.status, head.body.length]).toEqual([200, 0])
      expect(head.headers['content-length']).toBe(plain.headers['content-length'])
    }
  })

  it('everybody else gets the 404 of a path that is none', async () => {
    const [hash] = hashesOf(held.creator) as [string]
    const own = await sealedConversation(relay.url, ['gil'], ['mine'])
    const tokens = {
      bob: await tokenFor('bob'),
      cem: await tokenFor('cem'),
      gil: await tokenFor('gil'),
      elsewhere: await elsewhere('bob'),
    }
    const asked: [string, string][] = [
      [tokens.cem, pathTo(held.sid, hash)],
      [tokens.gil, pathTo(held.sid, hash)],
      [tokens.elsewhere, pathTo(held.sid, hash)],
      [tokens.gil, pathTo(own.sid, hash)],
      [tokens.bob, pathTo(held.sid, GUESS)],
      [tokens.bob, pathTo(nobodysSid(), hash)],
      [tokens.bob, pathTo('user%2Fbob', hash)],
      [tokens.bob, pathTo('..', hash)],
      [tokens.bob, pathTo(held.sid, `${hash}A`)],
      [tokens.bob, pathTo(held.sid, 'x'.repeat(1000))],
      [tokens.bob, '/nothing'],
    ]
    const answers = new Set<string>()
    for (const [token, path] of asked) {
      const { status, headers, body } = await ask(relay.url, path, bearer(token))
      expect(status, path).toBe(404)
      answers.add(JSON.stringify([{ ...headers, date: '' }, body.toString()]))
    }
    expect([...answers]).toHaveLength(1)
    await own.creator.peer.close()
  })

  it('a token that is none, is over, or is missing gets 401', async () => {
    const path = pathTo(held.sid, hashesOf(held.creator)[0] as string)
    const foreign = await createAccessToken({
      accountSid: ACCOUNT,
      key: KEY,
      secret: SECRET.split('').reverse().join(''),
      identity: 'ada',
    })
    const over = await createAccessToken({
      accountSid: ACCOUNT,
      key: KEY,
      secret: SECRET,
      identity: 'ada',
      ttl: 60,
      now: Date.now() - 3_600_000,
    })
    const cases: [{ [name: string]: string }, number][] = [
      [{}, 20003],
      [{ authorization: 'Basic YWRhOmFkYQ==' }, 20003],
      [bearer('nonsense'), 20003],
      [bearer(foreign), 20003],
      [bearer(over), 20104],
    ]
    for (const [headers, code] of cases) {
      const answer = await ask(relay.url, path, headers)
      expect(answer.status).toBe(401)
      expect(answer.headers['www-authenticate']).toBe('Bearer')
      expect(JSON.parse(answer.body.toString())).toMatchObject({ code })
    }
    const token = await tokenFor('ada')
    expect((await ask(relay.url, `${path}?token=${token}`)).status).toBe(401)
  })

  it('a browser’s page may ask with its token, and one of a foreign origin is told nothing of it', async () => {
    const path = pathTo(held.sid, hashesOf(held.creator)[0] as string)
    const preflight = {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    }
    const allowed = await ask(relay.url, path, preflight, 'OPTIONS')
    expect(allowed.status).toBe(204)
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'authorization',
    })
    expect(allowed.headers['access-control-allow-methods']).toContain('GET')
    const particular = await startRelay({ origins: ['https://app.example'] })
    expect(
      (await ask(particular.url, path, preflight, 'OPTIONS')).headers['access-control-allow-origin'],
    ).toBe('https://app.example')
    const foreign = await ask(
      particular.url,
      path,
      { ...preflight, origin: 'https://evil.example' },
      'OPTIONS',
    )
    expect(foreign.headers['access-control-allow-origin']).toBeUndefined()
    await particular.close()
  })

  it('more requests than it answers at a time are told to come back, and nobody else notices', async () => {
    const token = await tokenFor('bob')
    const { hostname, port } = new URL(relay.url)
    const path = pathTo(held.sid, hashesOf(held.creator)[0] as string)
    const socket = connect(Number(port), hostname)
    const parts: Buffer[] = []
    socket.on('data', (part) => parts.push(part))
    await once(socket, 'connect')
    const one = `GET ${path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer ${token}\r\n`
    socket.write([...Array(600).fill(one), `${one}Connection: close\r\n`, ''].join('\r\n'))
    await once(socket, 'close')
    const statuses = Buffer.concat(parts)
      .toString('latin1')
      .match(/HTTP\/1\.1 \d+/g)
      ?.map((line) => Number(line.slice(9)))
    expect(statuses).toHaveLength(601)
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    await held.creator.accepted(post('served'))
    expect((await ask(relay.url, path, bearer(token))).status).toBe(200)
  })
})

it('a stock client reads the live messages and the manifest, and the whole conversation with its pages', async () => {
  const token = await tokenFor('bob')
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`${relay.url}/yjs`, held.sid, doc, {
    disableBc: true,
    params: { token },
    WebSocketPolyfill: WebSocket as never,
  })
  await new Promise<void>((resolve) => provider.once('sync', () => resolve()))
  const live = doc.getArray<MessageRecord>('messages').length
  expect(live).toBeLessThanOrEqual(tiny.messages + 1)
  const all = await everyMessage(doc, async (hash) => {
    const { status, body } = await ask(relay.url, pathTo(held.sid, hash), {
      ...bearer(token),
      'accept-encoding': 'deflate',
    })
    return status === 200 ? body : null
  })
  expect(all.slice(0, BODIES.length).map(({ body }) => body)).toEqual(BODIES)
  expect(all.map(({ index }) => index)).toEqual(all.map((_, i) => i))
  provider.destroy()
  doc.destroy()
})
