import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Asking } from './asking.ts'
import { isPublic, publicLookup, TargetRefused, targetOf } from './target.ts'

test.each([
  ['93.184.216.34', true],
  ['2606:2800:220:1:248:1893:25c8:1946', true],
  ['127.0.0.1', false],
  ['127.8.9.10', false],
  ['0.0.0.0', false],
  ['10.1.2.3', false],
  ['172.31.255.255', false],
  ['172.32.0.1', true],
  ['192.168.1.1', false],
  ['100.100.100.200', false],
  ['169.254.169.254', false],
  ['168.63.129.16', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:a00:1', false],
  ['::ffff:93.184.216.34', true],
  ['64:ff9b::7f00:1', false],
  ['2002:7f00:1::', false],
  ['fe80::1', false],
  ['fd00:ec2::254', false],
  ['ff02::1', false],
  ['not an address', false],
])('%s is the internet’s: %s', (address, expected) => {
  expect(isPublic(address)).toBe(expected)
})

test.each([
  'ftp://example.org/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'example.org',
  '/path',
  '',
  'http://localhost/',
  'http://LOCALHOST:8080/',
  'http://app.localhost./',
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://127.1/',
  'http://[::1]/',
  'http://[::ffff:7f00:1]/',
  'http://169.254.169.254/latest/meta-data/',
  `https://example.org/${'x'.repeat(2048)}`,
])('%s is no target', (url) => {
  expect(() => targetOf(url, false)).toThrow(TargetRefused)
})

test('private targets are taken where the relay’s owner allows them, other schemes never', () => {
  expect(targetOf('http://127.0.0.1:80/', true).hostname).toBe('127.0.0.1')
  expect(targetOf('https://hooks.example.org/a?b=c', false).pathname).toBe('/a')
  expect(() => targetOf('file:///etc/passwd', true)).toThrow(TargetRefused)
})

describe('asking', () => {
  let server: Server
  let requests = 0
  let respond: (response: import('node:http').ServerResponse) => void
  beforeEach(async () => {
    requests = 0
    respond = (response) => void response.end('ok')
    server = createServer((_, response) => {
      requests++
      respond(response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const port = () => (server.address() as AddressInfo).port
  const question = (host: string, timeout = 5000) => ({
    url: `http://${host}:${port()}/`,
    method: 'POST' as const,
    fields: {},
    token: 'token',
    signingToken: 'secret',
    timeout,
  })
  const withAnswers = (...answers: string[][]) => {
    const asked: string[] = []
    const resolve = ((name: string, _: object, callback: (error: null, found: object[]) => void) => {
      asked.push(name)
      const addresses = answers.length > 1 ? (answers.shift() as string[]) : (answers[0] as string[])
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
    }) as unknown as typeof import('node:dns').lookup
    return { asked, asking: new Asking({ allowPrivateTargets: false, perTarget: 2, resolve }) }
  }

  test('a name whose address is private is refused before a byte is sent', async () => {
    const { asking, asked } = withAnswers(['127.0.0.1'])
    await expect(asking.ask(question('innocent.example'))).rejects.toThrow(TargetRefused)
    expect(asked).toEqual(['innocent.example'])
    expect(requests).toBe(0)
  })

  test('so is one that has a public address as well: any of them may be connected to', async () => {
    const { asking } = withAnswers(['93.184.216.34', '127.0.0.1'])
    await expect(asking.ask(question('two.example'))).rejects.toThrow(TargetRefused)
    expect(requests).toBe(0)
  })

  test('what a name meant when it was configured counts for nothing: each connection resolves it', async () => {
    const answers = ['93.184.216.34', '127.0.0.1']
    const lookup = publicLookup(((
      _name: string,
      _options: object,
      callback: (error: null, found: object[]) => void,
    ) => callback(null, [{ address: answers.shift(), family: 4 }])) as never)
    const looked = () =>
      new Promise((resolve, reject) =>
        lookup('rebound.example', {}, (error, address) => (error ? reject(error) : resolve(address))),
      )
    expect(await looked()).toBe('93.184.216.34')
    await expect(looked()).rejects.toThrow(TargetRefused)
  })

  test('redirects are handed back, not followed', async () => {
    respond = (response) => void response.writeHead(302, { location: `http://127.0.0.1:${port()}/` }).end()
    const asking = new Asking({ allowPrivateTargets: true, perTarget: 2 })
    expect(await asking.ask(question('127.0.0.1'))).toMatchObject({ status: 302 })
    expect(requests).toBe(1)
    asking.stop()
  })

  test('an answer without end is cut off', async () => {
    respond = (response) => {
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
      }
      response.on('drain', more)
      more()
    }
    const asking = new Asking({ allowPrivateTargets: true, perTarget: 2 })
    await expect(asking.ask(question('127.0.0.1'))).rejects.toThrow(/more than 65536 bytes/)
    asking.stop()
  })

  test('an answer that comes byte by byte has the whole time, and no more', async () => {
    respond = (response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('x'), 10)
      response.on('close', () => clearInterval(drip))
    }
    const asking = new Asking({ allowPrivateTargets: true, perTarget: 2 })
    await expect(asking.ask(question('127.0.0.1', 200))).rejects.toThrow()
    asking.stop()
  })
})
