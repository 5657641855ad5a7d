import { once } from 'node:events'
import { connect } from 'node:net'
import { decodeDown, encodeFrames, limitsWith, type UpFrame } from '@confab/core'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { readBody } from '../src/gateway/body.ts'
import { type Gateway, openGateway } from '../src/gateway/gateway.ts'
import { answer, type HttpHandler, type Origins } from '../src/gateway/http.ts'
import { routeOf } from '../src/gateway/routes.ts'
import { systemClock } from '../src/session/clock.ts'
import { NativeSession } from '../src/session/native-session.ts'
import { DEFAULT_TIMING, type Log } from '../src/session/session.ts'
import { YjsSession } from '../src/session/yjs-session.ts'
import { HandClock } from './support/hand-clock.ts'
import { news, ScriptedEngine } from './support/scripted-engine.ts'
import { tokensBy } from './support/wire.ts'

const open: Gateway[] = []
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close(4500, 'Test over')
})

interface Over {
  host?: string
  origins?: Origins
  maxConnections?: number
  limits?: Parameters<typeof limitsWith>[0]
  heartbeat?: number
  handlers?: HttpHandler[]
}

/** A gateway on a free port, over sessions that are real and an engine that is scripted. */
async function gateway(over: Over = {}) {
  const engine = new ScriptedEngine()
  const limits = limitsWith(over.limits)
  const logged: string[] = []
  const write = (details: object, message: string) => logged.push(`${message} ${JSON.stringify(details)}`)
  const log: Log = { debug: write, info: write, warn: write, error: write }
  const base = {
    clock: systemClock,
    engine,
    authenticate: tokensBy(Object.assign(new HandClock(), { now: systemClock.now })),
    limits,
    timing: { ...DEFAULT_TIMING, heartbeat: over.heartbeat ?? DEFAULT_TIMING.heartbeat },
    log,
  }
  const opened = await openGateway({
    host: over.host ?? '127.0.0.1',
    port: 0,
    limits,
    origins: over.origins ?? 'any',
    maxConnections: over.maxConnections ?? 100,
    version: '1.2.3',
    log,
    handlers: over.handlers ?? [],
    pageReader: async (token) => {
      const { principal } = await base.authenticate(token)
      return { name: principal.identity, page: (sid, hash) => engine.page(principal, sid, hash) }
    },
    session: (route, outlet) =>
      route.kind === 'native'
        ? new NativeSession({ ...base, outlet })
        : new YjsSession({ ...base, ...route, outlet }),
  })
  open.push(opened)
  const host = over.host === '::1' ? '[::1]' : '127.0.0.1'
  return { engine, logged, gateway: opened, at: `${host}:${opened.port}` }
}

const closing = (ws: WebSocket) => once(ws, 'close').then(([code]) => code as number)
const hello: UpFrame = { type: 'hello', version: 1, token: 'alice', agent: 'test' }
const openOne: UpFrame = {
  type: 'open',
  entries: [
    { channel: 1, document: `CH${'0'.repeat(32)}`, epoch: 0, commitsId: 0, clock: 0, pending: false },
  ],
}

async function native(at: string, ...first: UpFrame[]) {
  const ws = new WebSocket(`ws://${at}/v1/sync`)
  await once(ws, 'open')
  const messages: Buffer[] = []
  ws.on('message', (data) => messages.push(data as Buffer))
  if (first.length > 0) ws.send(encodeFrames(first))
  const next = async () => {
    while (messages.length === 0) await once(ws, 'message')
    return decodeDown(messages.shift() as Buffer)
  }
  return { ws, next }
}

describe('HTTP', () => {
  it('says at /health that the relay lives, to any page', async () => {
    const { at } = await gateway()
    const response = await fetch(`http://${at}/health`, { headers: { origin: 'https://app.example' } })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(await response.json()).toEqual({ status: 'ok', version: '1.2.3' })
  })

  it('lets a part of it take what is for it, its body bounded, and nothing else', async () => {
    const { at } = await gateway({
      handlers: [
        (request, response) => {
          if (request.url !== '/part') return false
          void readBody(request, 5).then((body) => answer(response, body ? 200 : 413, { got: String(body) }))
          return true
        },
      ],
    })
    const post = async (path: string, body: string) => {
      const response = await fetch(`http://${at}${path}`, { method: 'POST', body })
      return [response.status, ((await response.json()) as { got?: string }).got]
    }
    expect(await post('/part', '12345')).toEqual([200, '12345'])
    expect(await post('/part', '123456')).toEqual([413, 'null'])
    expect(await post('/other', '1')).toEqual([404, undefined])
  })

  it('says everywhere else, in JSON, that nothing is there', async () => {
    const { at } = await gateway({ origins: ['https://app.example'] })
    const response = await fetch(`http://${at}/yjs/CH1?token=secret`, {
      headers: { origin: 'https://app.example' },
    })
    expect(response.status).toBe(404)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(await response.json()).toEqual({ code: 20404, message: 'Not found', status: 404 })
    const other = await fetch(`http://${at}/health`, { headers: { origin: 'https://evil.example' } })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('is served over IPv6', async () => {
    const { at } = await gateway({ host: '::1' })
    expect((await fetch(`http://${at}/health`)).status).toBe(200)
  })
})

describe('a WebSocket', () => {
  it('carries the native protocol at /v1/sync', async () => {
    const { at } = await gateway()
    const { next } = await native(at, hello, { type: 'ping', nonce: 5 })
    expect((await next()).map(({ type }) => type)).toEqual(['welcome', 'pong'])
  })

  it('elsewhere is turned away with 404', async () => {
    const { at } = await gateway()
    for (const path of ['/', '/v1', '/yjs', '/v1/sync/x']) {
      const ws = new WebSocket(`ws://${at}${path}`)
      const [error] = await once(ws, 'error')
      expect(String(error)).toContain('404')
    }
  })

  it('from a page of another origin is closed with 4403; one from no page is not', async () => {
    const { at } = await gateway({ origins: ['https://app.example'] })
    const evil = new WebSocket(`ws://${at}/v1/sync`, { origin: 'https://evil.example' })
    expect(await closing(evil)).toBe(4403)
    const app = new WebSocket(`ws://${at}/v1/sync`, { origin: 'https://app.example' })
    await once(app, 'open')
    app.send(encodeFrames([hello]))
    await once(app, 'message')
    await native(at, hello)
  })

  it('beyond the maximum is turned away with 503, and let in when another has left', async () => {
    const { at } = await gateway({ maxConnections: 1 })
    const first = await native(at)
    const [error] = await once(new WebSocket(`ws://${at}/v1/sync`), 'error')
    expect(String(error)).toContain('503')
    first.ws.terminate()
    await expect
      .poll(() =>
        native(at).then(
          () => 'in',
          () => 'out',
        ),
      )
      .toBe('in')
  })

  it('is closed with 4400 over text, half a frame, or noise', async () => {
    const { at } = await gateway()
    const frame = encodeFrames([hello])
    for (const bad of ['hello', frame.subarray(0, 5), Uint8Array.of(3, 1, 2, 3)]) {
      const { ws } = await native(at)
      ws.send(bad)
      expect(await closing(ws)).toBe(4400)
    }
  })

  it('is closed over one huge message before it is held in memory, and the next client is served', async () => {
    const { at } = await gateway({ limits: { updateBytes: 1000 } })
    const { ws } = await native(at, hello)
    ws.on('error', () => {})
    ws.send(new Uint8Array(300 * 1024))
    expect(await closing(ws)).toBe(1009)
    await (await native(at, hello)).next()
  })

  it('may come in tiny pieces', async () => {
    const { at } = await gateway()
    const { ws, next } = await native(at)
    for (const [index, byte] of encodeFrames([hello]).entries()) {
      ws.send(Uint8Array.of(byte), { fin: index === encodeFrames([hello]).length - 1 })
    }
    expect(await next()).toMatchObject([{ type: 'welcome' }])
  })

  it('in endlessly many pieces is closed', async () => {
    const { at } = await gateway()
    const { ws } = await native(at)
    ws.on('error', () => {})
    const closed = closing(ws)
    for (let i = 0; i < 2000; i++) ws.send(new Uint8Array(1), { fin: false })
    expect(await closed).toBe(1008)
  })

  it('that is silent is closed: pings are answered by live peers only', async () => {
    const { at, engine } = await gateway({ heartbeat: 250 })
    const live = await native(at, hello)
    const dead = await native(at, hello)
    await Promise.all([live.next(), dead.next()])
    dead.ws.pause()
    await expect.poll(() => engine.calls, { timeout: 5000 }).toEqual(['leave'])
    expect(live.ws.readyState).toBe(WebSocket.OPEN)
    dead.ws.terminate()
  })

  it('whose reader reads nothing is cut off, whatever it goes on to send', async () => {
    const { at, engine } = await gateway({ limits: { sendBufferBytes: 64 * 1024 } })
    const { ws, next } = await native(at, hello, openOne)
    await next()
    ws.pause()
    await expect.poll(() => engine.subscriber).not.toBeNull()
    const big = { ...news(), updates: [new Uint8Array(32 * 1024)] }
    const document = `CH${'0'.repeat(32)}`
    const fill = setInterval(() => engine.subscriber?.changes(document, big), 1)
    await expect.poll(() => engine.calls, { timeout: 10_000 }).toContain('leave')
    clearInterval(fill)
    ws.resume()
    // its end may come as the close frame or, when that can't get through, without
    expect([4508, 1006]).toContain(await closing(ws))
  })

  it('that never says what it wants is cut off with its half request', async () => {
    const { gateway: opened } = await gateway()
    const socket = connect(opened.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`GET /v1/sync HTTP/1.1\r\nhost: x\r\nx-large: ${'x'.repeat(20_000)}`)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 431 /)
  })

  it('has its path logged, and its token never', async () => {
    const { at, logged } = await gateway()
    const ws = new WebSocket(`ws://${at}/yjs/CH1?token=mallory`)
    expect(await closing(ws)).toBe(4401)
    const { next } = await native(at, { ...hello, token: 'carolsecret' } as UpFrame)
    await next()
    const log = logged.join('\n')
    expect(log).toContain('/yjs/CH1')
    expect(log).not.toMatch(/mallory|token=/)
    expect(log).not.toContain('"token"')
  })
})

describe('closing', () => {
  it('tells every client to come back later, and leaves nothing behind', async () => {
    const { at, gateway: opened } = await gateway()
    const clients = await Promise.all([native(at, hello), native(at, hello), native(at)])
    const codes = Promise.all(clients.map(({ ws }) => closing(ws)))
    opened.stopAccepting()
    const [error] = await once(new WebSocket(`ws://${at}/v1/sync`), 'error')
    expect(String(error)).toContain('ECONNREFUSED')
    await opened.close(4500, 'Restarting')
    expect(await codes).toEqual([4500, 4500, 4500])
  })

  it('doesn’t wait for ever for a client that doesn’t answer', async () => {
    const { at, gateway: opened } = await gateway()
    const { ws } = await native(at, hello)
    ws.pause()
    await opened.close(4500, 'Restarting')
    ws.terminate()
  })
})

describe('a path', () => {
  it('names the document, however its identity is spelt', () => {
    const yjs = { kind: 'yjs', token: 't', outcomes: false }
    const cases: [string, object][] = [
      ['/yjs/CH1?token=t', { ...yjs, document: 'CH1' }],
      ['/yjs/user/alice?token=t', { ...yjs, document: 'user/alice' }],
      ['/yjs/user%2Fa%2Fb%20%C3%A9?token=t', { ...yjs, document: 'user/a/b é' }],
      ['/yjs/%zz?token=t&outcomes=1', { ...yjs, document: '%zz', outcomes: true }],
      ['/yjs/?token=t', { ...yjs, document: '' }],
      ['/yjs/CH1', { ...yjs, document: 'CH1', token: '' }],
      ['/v1/sync?token=t', { kind: 'native' }],
      ['/health', { kind: 'none' }],
    ]
    for (const [url, route] of cases) expect(routeOf(url)).toEqual(route)
  })
})
