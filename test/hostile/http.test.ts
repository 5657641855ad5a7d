/** The plain side: requests that are none, too large, too slow, or at paths that somebody guesses. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { NATIVE_PATH } from '@confab/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nobodysSid, post } from '../support/operations.ts'
import { startRelay, type TestRelay, tokenFor } from '../support/relay.ts'
import { Onlookers } from './onlookers.ts'

let relay: TestRelay
let honest: Onlookers
beforeAll(async () => {
  relay = await startRelay()
  honest = await Onlookers.of(relay.url)
})
afterAll(() => relay?.close())

/** What comes back for these bytes until the relay ends it, or has said as much as one answer. */
async function raw(text: string, until: 'end' | 'answer' = 'end'): Promise<string> {
  const { hostname, port } = new URL(relay.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  const said: Buffer[] = []
  socket.on('data', (bytes) => said.push(bytes))
  await once(socket, 'connect')
  socket.write(text)
  await (until === 'end' ? once(socket, 'close') : once(socket, 'data'))
  socket.destroy()
  return Buffer.concat(said).toString()
}

const statusOf = (answer: string): number => Number(answer.split(' ', 2)[1])

describe('a request', () => {
  const PATHS = [
    '/yjs/CH',
    '/v1/sync',
    '/',
    '/v2/Services',
    '//',
    '/health/../yjs/CH',
    '/%2e%2e/',
    '/yjs/%00',
    '/yjs/%ff',
  ]
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'])(
    'by %s is answered in the same words at every path that is none, whatever it names',
    async (method) => {
      const answers = new Set<string>()
      for (const path of PATHS) {
        for (const sid of [honest.sid, nobodysSid()]) {
          const answer = await raw(
            `${method} ${path.replace('CH', sid)} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n`,
          )
          expect(statusOf(answer)).toBe(404)
          answers.add(answer.replace(/\r\nDate: [^\r]+/i, ''))
        }
      }
      expect(answers.size).toBe(1)
    },
  )

  it.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400],
    ['a header that never ends', `GET / HTTP/1.1\r\nHost: relay\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['a path that never ends', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: relay\r\n\r\n`, 431],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: relay\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n', 400],
    ['a line that is folded into another', 'GET / HTTP/1.1\r\nHost: relay\r\nX: 1\r\n Y: 2\r\n\r\n', 400],
  ])('that is %s is refused, and its connection ended', async (_, text, status) => {
    expect(statusOf(await raw(text))).toBe(status)
  })

  it('to be a tunnel is not taken', async () => {
    expect(await raw('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n')).toBe('')
  })

  it('that carries a body gets its answer without the body being kept', async () => {
    const answer = await raw(
      `POST /health HTTP/1.1\r\nHost: relay\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
    )
    expect(statusOf(answer)).toBe(404)
  })
})

describe('an upgrade', () => {
  const upgrade = (path: string, headers = '', protocol = 'websocket') =>
    `GET ${path} HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${headers}\r\n`
  const KEY = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

  it.each([
    ['at another path', upgrade('/health', KEY), 404],
    ['at a path that begins like the right one', upgrade(`${NATIVE_PATH}x`, KEY), 404],
    ['at a document that is none', upgrade('/yjs', KEY), 404],
    ['without a key', upgrade(NATIVE_PATH), 400],
    ['of a version that is none', upgrade(NATIVE_PATH, KEY.replace('13', '99')), 400],
    ['to another protocol', upgrade(NATIVE_PATH, '', 'h2c'), 400],
    ['by another method', upgrade(NATIVE_PATH, KEY).replace('GET', 'POST'), 405],
  ])('%s is refused', async (_, text, status) => {
    expect(statusOf(await raw(text))).toBe(status)
  })

  it('is answered alike for a conversation and for none, to who brings no token', async () => {
    const answers = []
    for (const sid of [honest.sid, nobodysSid()]) {
      answers.push(await raw(upgrade(`/yjs/${sid}`, KEY), 'end'))
    }
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]).toContain('101')
  })

  it('from any page needs a token, which no browser adds by itself: cookies and credentials are nothing here', async () => {
    const token = await tokenFor('alice')
    const { hostname, port } = new URL(relay.url)
    const response = await fetch(`http://${hostname}:${port}/yjs/${honest.sid}`, {
      headers: { cookie: `token=${token}`, authorization: `Bearer ${token}` },
    })
    expect(response.status).toBe(404)
    expect(response.headers.get('access-control-allow-credentials')).toBeNull()
    expect(response.headers.get('set-cookie')).toBeNull()
    const answer = await raw(upgrade(`/yjs/${honest.sid}`, `${KEY}Cookie: token=${token}\r\n`), 'end')
    expect(answer).toContain('Authentication failed')
  })
})

it('none of it disturbed anybody', async () => {
  await honest.alice.accepted(post('served'))
  await honest.reached(honest.alice)
  expect(honest.bob.bodies).toEqual(['served'])
  expect(relay.failures).toEqual([])
})
