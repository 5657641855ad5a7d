/** The shell around the session: real sockets, and a relay that says what the test wants. */
import { execFile } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { DEFAULT_LIMITS, type DownFrame, decodeUp, encodeFrames, type UpFrame, upBounds } from '@confab/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws'
import { native } from './native.ts'
import type { Disconnect, Transport, TransportEvents } from './transport.ts'

const welcome: DownFrame = {
  type: 'welcome',
  version: 1,
  identity: 'ada',
  accountSid: 'AC1',
  serviceSid: 'IS1',
  now: 0,
  expiresAt: 1,
  heartbeat: 30_000,
  limits: JSON.stringify({ ...DEFAULT_LIMITS, updateBytes: 100 }),
}
const point = { epoch: 1, commitsId: 1, clock: 1 }

/** What a side was told, and a way to wait for more of it. */
class Heard<T> {
  readonly all: T[] = []
  #waiting: (() => void)[] = []
  add(one: T): void {
    this.all.push(one)
    for (const wake of this.#waiting.splice(0)) wake()
  }
  async count(least: number): Promise<T[]> {
    while (this.all.length < least) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.all
  }
}

let server: WebSocketServer
let url: string
let sockets: Heard<ServerSocket>
/** Each WebSocket message, as its frames. */
let messages: Heard<UpFrame[]>
let transports: Transport[]
/** What a fresh connection is answered. */
let answer: (socket: ServerSocket) => void

beforeEach(async () => {
  sockets = new Heard()
  messages = new Heard()
  transports = []
  answer = (socket) => socket.send(encodeFrames([welcome]))
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const frames = decodeUp(new Uint8Array(data), upBounds(DEFAULT_LIMITS))
      if (frames[0]?.type === 'hello') answer(socket)
      messages.add(frames)
    })
    sockets.add(socket)
  })
  await new Promise((resolve) => server.on('listening', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  await Promise.all(transports.map((transport) => transport.stop()))
  for (const socket of server.clients) socket.terminate()
  await new Promise((resolve) => server.close(resolve))
})

type Called = [name: keyof TransportEvents, ...given: unknown[]]

function start(options: { random?: () => number; token?: () => Promise<string> } = {}) {
  const { random = () => 0, token = async () => 'a token' } = options
  const told = new Heard<Called>()
  const transport = native()({ url, token, agent: 'test/1', random })
  const events = new Proxy({} as TransportEvents, {
    get:
      (_, name: keyof TransportEvents) =>
      (...given: unknown[]) =>
        told.add([name, ...given]),
  })
  transports.push(transport)
  transport.start(events)
  const names = () => told.all.map(([name]) => name)
  return { transport, told, names }
}

test('nothing is told from within the call that starts it', async () => {
  const { told } = start()
  expect(told.all).toEqual([])
  await told.count(2)
  expect(told.all.map(([name]) => name)).toEqual(['connecting', 'connected'])
})

test('it dials the native path below the relay’s URL', async () => {
  const path = new Promise((resolve) => server.on('connection', (_, request) => resolve(request.url)))
  start()
  expect(await path).toBe('/v1/sync')
})

test('what is said in one turn arrives as one message', async () => {
  const { transport, told } = start()
  await told.count(2)
  transport.open([{ document: 'CH1', point, pending: false }])
  for (let i = 0; i < 20; i++) transport.update('CH1', new Uint8Array([0, 0]))
  transport.close(['CH1'])
  const [, said] = await messages.count(2)
  expect(said?.map(({ type }) => type)).toEqual(['open', ...Array(20).fill('update'), 'close'])
})

test('an update that is too large is answered in a later turn', async () => {
  const { transport, told, names } = start()
  await told.count(2)
  transport.open([{ document: 'CH1', point, pending: false }])
  transport.update('CH1', new Uint8Array(101))
  expect(names()).not.toContain('nack')
  await told.count(3)
  expect(told.all[2]).toMatchObject(['nack', 'CH1', { code: 70106 }])
})

test('close codes arrive as the relay gave them, permanent ones end it', async () => {
  answer = (socket) => socket.close(4403, 'not here')
  const { told } = start()
  const [, end] = await told.count(2)
  expect(end).toEqual([
    'disconnected',
    { code: 4403, reason: 'not here', permanent: true } satisfies Disconnect,
  ])
})

test('a waiting retry is made at once when it is woken, and a token brings it back as well', async () => {
  answer = (socket) => socket.close(4513, 'not well')
  // the longest waits: nothing of this test happens by waiting
  const { transport, told } = start({ random: () => 120 })
  await told.count(2)
  transport.wake()
  await told.count(4)
  answer = (socket) => socket.send(encodeFrames([welcome]))
  transport.setToken('another token')
  await told.count(6)
  expect(told.all.map(([name]) => name)).toEqual([
    ...['connecting', 'disconnected'],
    ...['connecting', 'disconnected'],
    ...['connecting', 'connected'],
  ])
  const hellos = messages.all.flat().filter((frame) => frame.type === 'hello')
  expect(hellos.map(({ token }) => token)).toEqual(['a token', 'a token', 'another token'])
})

test('when it is woken while connected it asks for a sign of life', async () => {
  const { transport, told } = start()
  await told.count(2)
  transport.wake()
  const [, ping] = await messages.count(2)
  expect(ping).toMatchObject([{ type: 'ping' }])
})

test('a token brought while connected is handed to the relay', async () => {
  const { transport, told } = start()
  await told.count(2)
  transport.setToken('fresh')
  const [, said] = await messages.count(2)
  expect(said).toEqual([{ type: 'token', token: 'fresh' }])
})

test.each([
  ['frames that are none', new Uint8Array([3, 99, 1, 1])],
  ['a text message', 'hello'],
])('a relay that sends %s is left, and tried again', async (_, junk) => {
  const { told } = start()
  await told.count(2)
  sockets.all[0]?.send(junk)
  await told.count(5)
  expect(told.all.slice(2).map(([name]) => name)).toEqual(['disconnected', 'connecting', 'connected'])
  expect(told.all[2]?.[1]).toMatchObject({ code: 4513, permanent: false })
})

test('stopping sends what was still to be said, then closes, and nothing is told any more', async () => {
  const { transport, told } = start()
  await told.count(2)
  transport.open([{ document: 'CH1', point, pending: false }])
  transport.update('CH1', new Uint8Array([0, 0]))
  const closed = new Promise((resolve) => sockets.all[0]?.on('close', resolve))
  await transport.stop()
  expect(await closed).toBe(1000)
  expect(messages.all[1]?.map(({ type }) => type)).toEqual(['open', 'update'])
  expect(told.all).toHaveLength(2)
})

test('an engine that stops on one event is not told the next', async () => {
  const told: string[] = []
  const transport = native()({ url, token: async () => 'a token', agent: 'test/1' })
  const stopped = new Promise<void>((resolve) => {
    const events = new Proxy({} as TransportEvents, {
      get: (_, name: string) => () => {
        told.push(name)
        if (name === 'tokenExpiring') transport.stop().then(resolve)
      },
    })
    const expiring: DownFrame = { type: 'tokenExpiring', expiresAt: 1 }
    answer = (socket) => socket.send(encodeFrames([welcome, expiring, expiring, expiring]))
    transport.start(events)
  })
  await stopped
  expect(told).toEqual(['connecting', 'connected', 'tokenExpiring'])
})

test('a process ends when its transport was stopped, whatever was still waiting', async () => {
  const script = `
    import { native } from ${JSON.stringify(new URL('./native.ts', import.meta.url).href)}
    const [url] = process.argv.slice(1)
    const transport = native()({ url, token: async () => 'a token', agent: 'test/1' })
    const ignore = () => {}
    transport.start(new Proxy({}, { get: (_, name) => name === 'connected' ? () => transport.stop() : ignore }))
  `
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, url])
  expect(stderr).toBe('')
})
