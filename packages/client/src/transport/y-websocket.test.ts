/** What only the stock transport has to cope with; `test/transport/` has the sentences that it shares. */
import type { AddressInfo } from 'node:net'
import { type Outcome, outboxName, type ResumePoint } from '@confab/core'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws'
import {
  messageYjsSyncStep1,
  readSyncMessage,
  writeSyncStep1,
  writeSyncStep2,
  writeUpdate,
} from 'y-protocols/sync'
import * as Y from 'yjs'
import type { Transport, TransportEvents } from './transport.ts'
import { yWebsocket } from './y-websocket.ts'

const SYNC = 0
const POINT: ResumePoint = { epoch: 1, commitsId: 7, clock: 2 }
const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }

/** A token that nobody signed: this relay doesn't look, and the client can't. */
const tokenOf = (identity: string, serial = 0): string => {
  const claims = {
    sub: 'AC1',
    exp: 4_000_000_000 + serial,
    grants: { identity, chat: { service_sid: 'IS1' } },
  }
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`
}

/** A relay's document: commits of one client, and a message. */
function documentWith(body: string, commitsId = POINT.commitsId): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = commitsId
  doc.getArray('messages').push([{ sid: 'IM1', index: 0, body }])
  doc.getArray('commits').push([1])
  return doc
}

const sync = (write: (encoder: encoding.Encoder) => void): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, SYNC)
    write(encoder)
  })
const json = (type: number, value: unknown): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, type)
    encoding.writeVarString(encoder, JSON.stringify(value))
  })

interface Visit {
  socket: ServerSocket
  document: string
  params: URLSearchParams
  /** What the client uploaded here. */
  uploads: Y.Doc
}

let server: WebSocketServer
let url: string
let visits: Visit[]
let transports: Transport[]
/** What a client that says what it has is answered. */
let answer: (visit: Visit) => void
let changed: (() => void)[]

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => changed.push(resolve))
}
const wake = () => {
  for (const one of changed.splice(0)) one()
}
const visitsTo = (document: string) => visits.filter((visit) => visit.document === document)

/** As the relay welcomes a member. */
function welcome({ socket }: Visit, doc: Y.Doc, point = POINT, outcomes: Outcome[] = []): void {
  socket.send(sync((encoder) => writeSyncStep2(encoder, doc)))
  if (outcomes.length > 0) socket.send(json(100, outcomes))
  socket.send(json(101, point))
  socket.send(sync((encoder) => writeSyncStep1(encoder, new Y.Doc())))
}

beforeEach(async () => {
  visits = []
  transports = []
  changed = []
  answer = (visit) => welcome(visit, new Y.Doc(), NOTHING)
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket, request) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://relay')
    const document = decodeURIComponent(pathname.replace('/yjs/', ''))
    const visit: Visit = { socket, document, params: searchParams, uploads: new Y.Doc() }
    visits.push(visit)
    socket.on('message', (data: Buffer) => {
      const decoder = decoding.createDecoder(new Uint8Array(data))
      if (decoding.readVarUint(decoder) === SYNC) {
        const kind = readSyncMessage(decoder, encoding.createEncoder(), visit.uploads, null)
        if (kind === messageYjsSyncStep1) answer(visit)
      }
      wake()
    })
    wake()
  })
  await new Promise((resolve) => server.on('listening', resolve))
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  await Promise.all(transports.map((transport) => transport.stop()))
  for (const socket of server.clients) socket.terminate()
  await new Promise((resolve) => server.close(resolve))
})

type Received = Parameters<TransportEvents['received']>[1]

async function connect(options: { identity?: string; token?: () => Promise<string> } = {}) {
  const { identity = 'ada', token = async () => tokenOf(identity) } = options
  const told: [name: string, ...given: unknown[]][] = []
  const transport = yWebsocket()({ url, token, agent: 'test/1', random: () => 0 })
  transports.push(transport)
  transport.start(
    new Proxy({} as TransportEvents, {
      get:
        (_, name: string) =>
        (...given: unknown[]) => {
          told.push([name, ...given])
          wake()
        },
    }),
  )
  const has = (name: string, document?: string) =>
    told.some((one) => one[0] === name && (document === undefined || one[1] === document))
  const received = (document: string) =>
    told.filter((one) => one[0] === 'received' && one[1] === document).map((one) => one[2] as Received)
  await until(() => has('connected') || told.some(([name]) => name === 'disconnected'))
  return { transport, told, has, received }
}

const bodiesIn = ({ updates }: Received): unknown[] => {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
    .getArray<{ body: string }>('messages')
    .toArray()
    .map(({ body }) => body)
}

const request = (document: string, point = NOTHING) => ({ document, point, pending: false })

/** One operation of ada's, as her engine would upload it. */
function upload(id: string): { doc: Y.Doc; update: Uint8Array } {
  const doc = new Y.Doc()
  doc.getArray(outboxName('ada')).push([{ id }])
  return { doc, update: Y.encodeStateAsUpdate(doc) }
}
const idsIn = (doc: Y.Doc) =>
  doc
    .getArray<{ id: string }>(outboxName('ada'))
    .toArray()
    .map(({ id }) => id)

test('each document is a room below /yjs, its name encoded, with the token and the wish for outcomes', async () => {
  const { transport } = await connect({ identity: 'ada@example.com/x?' })
  transport.open([request('CH1')])
  await until(() => visits.length === 2)
  expect(visits.map(({ document }) => document)).toEqual(['user/ada@example.com/x?', 'CH1'])
  for (const { params } of visits) {
    expect(Object.fromEntries(params)).toEqual({ token: tokenOf('ada@example.com/x?'), outcomes: '1' })
  }
})

test('a document arrives whole with its point and outcomes, later changes as they come', async () => {
  const outcomes: Outcome[] = [{ id: 'a', verdict: 'accepted' }]
  answer = (visit) =>
    visit.document === 'CH1'
      ? welcome(visit, documentWith('hello'), POINT, outcomes)
      : welcome(visit, new Y.Doc(), NOTHING)
  const { transport, received } = await connect()
  transport.open([request('CH1')])
  await until(() => received('CH1').length === 1)
  expect(received('CH1')[0]).toMatchObject({ replace: false, point: POINT, outcomes })
  expect(received('CH1').flatMap(bodiesIn)).toEqual(['hello'])
  const change = documentWith('more', 9)
  visitsTo('CH1')[0]?.socket.send(sync((encoder) => writeUpdate(encoder, Y.encodeStateAsUpdate(change))))
  await until(() => received('CH1').length === 2)
  expect(received('CH1')[1]).toMatchObject({ replace: false, point: null, outcomes: [] })
})

test('who has it all is told so, and who has what the relay doesn’t hold gets another document', async () => {
  answer = (visit) => welcome(visit, documentWith('hello'))
  const { transport, has, received } = await connect()
  transport.open([
    request('CH1', POINT),
    request('CH2', { ...POINT, epoch: 2 }),
    request('CH3', { ...POINT, clock: 99 }),
    request('CH4', { ...POINT, clock: 1 }),
  ])
  await until(() => has('current', 'CH1') && ['CH2', 'CH3', 'CH4'].every((one) => has('received', one)))
  expect(['CH2', 'CH3', 'CH4'].map((one) => received(one)[0]?.replace)).toEqual([true, true, false])
})

test('a document that is replaced while open comes again as another', async () => {
  answer = (visit) => {
    if (visit.document !== 'CH1') welcome(visit, new Y.Doc(), NOTHING)
    else if (visitsTo('CH1').length === 1) welcome(visit, documentWith('old'))
    else welcome(visit, documentWith('new', 8), { epoch: 2, commitsId: 8, clock: 2 })
  }
  const { transport, received } = await connect()
  transport.open([request('CH1')])
  await until(() => received('CH1').length === 1)
  visitsTo('CH1')[0]?.socket.close(4410, 'replaced')
  await until(() => received('CH1').length === 2)
  expect(received('CH1')[1]).toMatchObject({ replace: true, point: { epoch: 2 } })
  expect(bodiesIn(received('CH1')[1] as Received)).toEqual(['new'])
})

test('an upload goes out as it is, though the mirror misses what it depends on', async () => {
  answer = (visit) => welcome(visit, new Y.Doc(), visit.document === 'CH1' ? POINT : NOTHING)
  const { transport, received } = await connect()
  transport.open([request('CH1')])
  await until(() => received('CH1').length === 1)
  const { doc, update } = upload('first')
  const before = Y.encodeStateVector(doc)
  doc.getArray(outboxName('ada')).push([{ id: 'second' }])
  transport.update('CH1', Y.encodeStateAsUpdate(doc, before))
  const [visit] = visitsTo('CH1')
  await until(() => visit?.uploads.store.pendingStructs != null)
  transport.update('CH1', update)
  await until(() => idsIn(visit?.uploads as Y.Doc).length === 2)
})

test('what is uploaded to a document that is absent dials it again, and is in the answer', async () => {
  answer = (visit) => {
    if (visit.document !== 'CH1') return welcome(visit, new Y.Doc(), NOTHING)
    // a stranger is asked what they have, and turned away
    visit.socket.send(sync((encoder) => writeSyncStep1(encoder, new Y.Doc())))
    visit.socket.close(4404, 'Not found')
  }
  const { transport, has, told } = await connect()
  transport.open([request('CH1')])
  await until(() => has('absent', 'CH1'))
  expect(visitsTo('CH1')).toHaveLength(1)
  transport.update('CH1', upload('create').update)
  await until(() => visitsTo('CH1').some(({ uploads }) => idsIn(uploads).includes('create')))
  await until(() => told.filter(([name]) => name === 'absent').length === 2)
  expect(visitsTo('CH1')).toHaveLength(2)
})

test('when the relay asks, the engine’s answer given at once is part of the provider’s', async () => {
  const { transport, told } = await connect()
  const answered = upload('pending')
  const original = told.push.bind(told)
  told.push = (...one) => {
    if (one[0]?.[0] === 'requested') transport.update('CH1', answered.update)
    return original(...one)
  }
  transport.open([request('CH1')])
  await until(() => visitsTo('CH1').some(({ uploads }) => idsIn(uploads).includes('pending')))
})

test('a nack reaches the engine with its code', async () => {
  const { transport, has, told } = await connect()
  transport.open([request('CH1')])
  await until(() => visitsTo('CH1').length === 1 && has('current', 'CH1'))
  visitsTo('CH1')[0]?.socket.send(json(102, { code: 70602, message: 'Taken', retryAfter: 5 }))
  await until(() => has('nack'))
  expect(told.at(-1)).toEqual(['nack', 'CH1', { code: 70602, message: 'Taken', retryAfter: 5 }])
})

test('when one room ends, all end together, and the next attempt has a fresh token', async () => {
  let serial = 0
  const { transport, told, has } = await connect({ token: async () => tokenOf('ada', serial++) })
  transport.open([request('CH1')])
  await until(() => has('current', 'CH1'))
  visitsTo('CH1')[0]?.socket.close(4500, 'restarting')
  await until(() => told.filter(([name]) => name === 'connected').length === 2)
  expect(told.filter(([name]) => name === 'disconnected')).toEqual([
    ['disconnected', { code: 4500, reason: 'restarting', permanent: false, delay: expect.any(Number) }],
  ])
  expect(visitsTo('user/ada').map(({ params }) => params.get('token'))).toEqual([
    tokenOf('ada', 0),
    tokenOf('ada', 1),
  ])
})

test('a message that can’t be read ends the connection, and throws nothing into the app', async () => {
  const { told } = await connect()
  visits[0]?.socket.send(json(101, POINT).subarray(0, 5))
  await until(() => told.filter(([name]) => name === 'connected').length === 2)
  expect(told.find(([name]) => name === 'disconnected')?.[1]).toMatchObject({ code: 4513, permanent: false })
})

test('a token that doesn’t say who it is for is refused here', async () => {
  const { told } = await connect({ token: async () => 'opaque' })
  expect(told.at(-1)).toMatchObject(['disconnected', { code: 4401, permanent: true }])
})

test('many rooms are no leak in Node’s eyes, and leave nothing behind', async () => {
  const warned = vi.fn()
  process.on('warning', warned)
  const listeners = process.listenerCount('exit')
  const { transport, has } = await connect()
  const documents = Array.from({ length: 20 }, (_, i) => `CH${i}`)
  transport.open(documents.map((document) => request(document)))
  await until(() => documents.every((document) => has('current', document)))
  await transport.stop()
  expect(process.listenerCount('exit')).toBe(listeners)
  expect(warned).not.toHaveBeenCalled()
  process.off('warning', warned)
})
