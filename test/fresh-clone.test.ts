/** What the README promises to somebody who has just cloned the repository, with whatever Node is installed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'confab-fresh-'))
const clone = join(folder, 'confab')
const children: ChildProcess[] = []

afterAll(() => {
  // npm's children with it
  for (const { pid, exitCode } of children) if (pid && exitCode === null) process.kill(-pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** The environment of a person's terminal: without what npm and vitest added to this one. */
function terminal(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|vitest|node_)/i.test(name))
  const path = (process.env.PATH ?? '').split(delimiter).filter((one) => !one.includes('node_modules'))
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter), CONFAB_PORT: '0' }
}

/** A command line typed in the clone, and what it prints. */
function type(line: string) {
  const child = spawn('/bin/sh', ['-c', `exec ${line}`], { cwd: clone, env: terminal(), detached: true })
  children.push(child)
  let out = ''
  let err = ''
  const closed = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  return {
    child,
    closed,
    async printed(pattern: RegExp): Promise<string> {
      for (;;) {
        if (pattern.test(out)) return out
        const ended = closed.then((code) =>
          Promise.reject(new Error(`${line} ended (${code}): ${err}${out}`)),
        )
        await Promise.race([once(child.stdout, 'data'), ended])
      }
    },
  }
}

test('npm start sets itself up; the two chats it prints talk to each other; SIGTERM ends it with 0', async (context) => {
  const left = new Set(['node_modules', 'dist', '.git', '.confab', 'coverage'])
  cpSync(root, clone, { recursive: true, filter: (source) => !left.has(basename(source)) })

  const relay = type('npm start')
  const printed = await relay.printed(/\^C ends the relay/).catch((cause: unknown) => {
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(String(cause))
    if (!offline || process.env.CONFAB_REQUIRE_SERVERS === '1') throw cause
    console.warn('SKIPPED: npm start in a fresh clone, because there is no network here')
    return context.skip('no network')
  })
  const chats = [...printed.matchAll(/npm run chat -- (\w+) .*/g)]
  expect(chats.map(([, who]) => who)).toEqual(['bob', 'alice'])
  const [bob, alice] = chats.map(([line, who]) => type(`${line} --store ${join(folder, who ?? '')}`))

  alice?.child.stdin.write('hello from alice\n')
  await bob?.printed(/hello from alice/)

  for (const chat of [bob, alice]) chat?.child.stdin.end()
  expect(await Promise.all([bob?.closed, alice?.closed])).toEqual([0, 0])
  relay.child.kill('SIGTERM')
  expect(await relay.closed).toBe(0)
}, 300_000)
