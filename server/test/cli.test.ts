import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { NativePeer } from '../../test/support/native-peer.ts'

const main = join(import.meta.dirname, '../src/cli/main.ts')
// each of them starts processes, on machines that have other things to do
vi.setConfig({ testTimeout: 60_000 })

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'confab-cli-'))
  cleanUps.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** The command, with what it prints. */
class Command {
  readonly child: ChildProcess
  out = ''
  err = ''
  readonly exited: Promise<number | null>

  constructor(...args: string[]) {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' }
    this.child = spawn(process.execPath, [main, ...args], { env, cwd: folder() })
    this.child.stdout?.on('data', (data) => {
      this.out += data
    })
    this.child.stderr?.on('data', (data) => {
      this.err += data
    })
    this.exited = once(this.child, 'close').then(([code]) => code)
    cleanUps.push(async () => {
      this.child.kill('SIGKILL')
      await this.exited
    })
  }

  /** What the pattern finds in what is printed, as soon as it does. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.out)
      if (found) return found
      await Promise.race([
        once(this.child.stdout as NodeJS.ReadableStream, 'data'),
        this.exited.then((code) => Promise.reject(new Error(`exited ${code}: ${this.err}`))),
      ])
    }
  }
}

const KEY = 'SKtest=a secret that signs nothing but tests'

describe('confab relay --demo', () => {
  it('prints two commands to try, whose tokens work, also after a restart; SIGTERM ends it with 0', async () => {
    const database = join(folder(), 'deeper/demo.sqlite')
    const first = new Command('relay', '--demo', '--port', '0', '--database', database)
    const line = /npm run chat -- (alice|bob).* --url (\S+) --token (\S+)/g
    await first.printed(/\^C ends the relay/)
    const printed = [...first.out.matchAll(line)].map(([, who, url, token]) => ({ who, url, token }))
    expect(printed.map(({ who }) => who).sort()).toEqual(['alice', 'bob'])
    for (const { who, url, token } of printed) {
      const peer = await NativePeer.dial(url ?? '')
      peer.say({ type: 'hello', version: 1, token: token ?? '', agent: 'test' })
      expect(await peer.frame('welcome')).toMatchObject({ identity: who })
    }
    expect(statSync(`${database}.keys.json`).mode & 0o777).toBe(0o600)
    first.child.kill('SIGTERM')
    expect(await first.exited).toBe(0)

    const second = new Command('relay', '--demo', '--port', '0', '--database', database)
    const [, url = ''] = await second.printed(/confab relay at (\S+),/)
    const minted = new Command('token', 'carol', '--demo', '--database', database)
    await minted.exited
    for (const token of [printed[0]?.token ?? '', minted.out.trim()]) {
      const peer = await NativePeer.dial(url)
      peer.say({ type: 'hello', version: 1, token, agent: 'test' })
      await peer.frame('welcome')
    }
    second.child.kill('SIGINT')
    expect(await second.exited).toBe(0)
    expect(first.err + second.err).toBe('')
  })
})

describe('confab relay', () => {
  it('tells every client to come back before it ends', async () => {
    const relay = new Command('relay', '--port', '0', '--database', ':memory:', '--key', KEY)
    const [, url = ''] = await relay.printed(/confab relay at (\S+),/)
    const token = new Command('token', 'alice', '--key', KEY)
    await token.exited
    const peer = await NativePeer.dial(url)
    peer.say({ type: 'hello', version: 1, token: token.out.trim(), agent: 'test' })
    await peer.frame('welcome')
    relay.child.kill('SIGTERM')
    expect((await peer.ended()).code).toBe(4500)
    expect(await relay.exited).toBe(0)
    expect(relay.err).not.toContain(token.out.trim())
  })

  it('says in one line what is wrong, and ends with 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    cleanUps.push(() => taken.close())
    const { port } = taken.address() as { port: number }
    const file = join(folder(), 'file')
    writeFileSync(file, 'not a database, however long one reads in it')
    const wrong: [args: string[], message: RegExp][] = [
      [['--port', 'x', '--key', KEY], /^confab: port must be a whole number from 0 to 65535$/],
      [
        ['--port', String(port), '--database', ':memory:', '--key', KEY],
        /^confab: port \d+ on 127.0.0.1 is in use$/,
      ],
      [['--port', '0', '--database', file, '--key', KEY], /^confab: the database .* can't be opened: .*$/],
      [
        ['--port', '0', '--database', join(file, 'x'), '--key', KEY],
        /^confab: the folder of .* can't be made: .*$/,
      ],
      [['--port', '0'], /^confab: an API key is needed: --key sid=secret, CONFAB_KEYS, or --demo$/],
      [['--port', '0', '--key', 'nosecret'], /^confab: an API key is written as sid=secret/],
      [['--port', '0', '--key', 'SK1=short'], /^confab: accessKeys.SK1 must be a secret of 32 bytes or more/],
    ]
    await Promise.all(
      wrong.map(async ([args, message]) => {
        const command = new Command('relay', ...args)
        expect(await command.exited).toBe(1)
        expect(command.err.trim()).toMatch(message)
        expect(command.out).toBe('')
      }),
    )
  })
})

describe('confab', () => {
  it('has help for itself and for every command', async () => {
    await Promise.all(
      [[], ['relay'], ['token'], ['chat']].map(async (args) => {
        const command = new Command(...args, '--help')
        expect(await command.exited).toBe(0)
        expect(command.out).toContain(`Usage: confab ${args.join('')}`.trim())
      }),
    )
  })

  it('prints a token and nothing else', async () => {
    const command = new Command('token', 'alice', '--key', KEY, '--ttl', '60', '--service', 'IS1')
    expect(await command.exited).toBe(0)
    const [, payload = ''] = command.out.split('.')
    const { iss, exp, grants } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    expect(iss).toBe('SKtest')
    expect(exp).toBeGreaterThan(Date.now() / 1000)
    expect(grants).toEqual({ identity: 'alice', chat: { service_sid: 'IS1' } })
  })
})

describe('createRelay', () => {
  it('keeps no process alive once it is closed', async () => {
    const script = join(folder(), 'script.mjs')
    const entry = JSON.stringify(join(import.meta.dirname, '../src/index.ts'))
    writeFileSync(
      script,
      `const { createRelay } = await import(${entry})
       const relay = await createRelay({ port: 0, database: ':memory:', accessKeys: { a: 'b'.repeat(32) } })
       const socket = new WebSocket(relay.url + '/v1/sync')
       await new Promise((resolve) => { socket.onopen = resolve })
       await relay.close()
       console.log('closed')`,
    )
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    cleanUps.push(() => child.kill('SIGKILL'))
    const [code] = await once(child, 'close')
    expect(code).toBe(0)
  })
})
