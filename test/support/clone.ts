/** A fresh clone of this repository, and `npm start` in it as a user has it: with the Node that the system has. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect } from 'vitest'
import { Program } from './program.ts'

const ROOT = join(import.meta.dirname, '../..')

/** The repository's HEAD in a folder of its own. */
export async function freshClone(): Promise<{ folder: string; remove(): Promise<void> }> {
  const base = await mkdtemp(join(tmpdir(), 'confab-clone-'))
  const folder = join(base, 'confab')
  execFileSync('git', ['clone', '--quiet', ROOT, folder])
  return { folder, remove: () => rm(base, { recursive: true, force: true }) }
}

/** The environment of a terminal outside of this project: no node_modules on the PATH, nothing of npm's or of a test runner's. */
export function terminal(home?: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (/^(npm_|INIT_CWD$|NODE|VITEST|CONFAB_|TEST$|VITE)/.test(name)) continue
    env[name] = value
  }
  env.PATH = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules') && !folder.includes('node-gyp-bin'))
    .join(delimiter)
  // a port that nobody else has
  env.CONFAB_PORT = '0'
  if (home !== undefined) env.HOME = home
  return env
}

/** The major version of the Node that a terminal has; 0 when there is none. */
export function systemNode(): number {
  try {
    return Number(
      /^v(\d+)/.exec(execFileSync('node', ['--version'], { env: terminal(), encoding: 'utf8' }))?.[1],
    )
  } catch {
    return 0
  }
}

/** Runs `npm start`, then both commands that it prints, has the two people exchange a message, and ends it all. */
export async function startAndChat(folder: string): Promise<void> {
  const home = join(folder, '..', 'home')
  await mkdir(home, { recursive: true })
  const programs: Program[] = []
  const run = (command: string, env: NodeJS.ProcessEnv) => {
    const program = new Program('sh', ['-c', `exec ${command}`], { cwd: folder, env })
    programs.push(program)
    return program
  }
  try {
    const start = run('npm start', terminal())
    const [first, second] = [
      await start.line(/^\s*npm run chat -- /),
      await start.line(/^\s*npm run chat -- \S+ --with/),
    ].map((line) => line.trim()) as [string, string]
    await start.line('Then write something')
    expect(existsSync(join(folder, 'node_modules/node/bin/node'))).toBe(true)

    const bob = run(first, terminal(home))
    await bob.line('· connected')
    const alice = run(second, terminal(home))
    alice.say('hello, bob')
    await bob.line('alice: hello, bob')
    bob.say('hello, alice')
    await alice.line('bob: hello, alice')
    alice.say('/quit')
    bob.say('/quit')
    expect(await Promise.all([alice.ended(), bob.ended()])).toEqual([0, 0])

    expect(await start.stop('SIGTERM')).toBe(0)
  } finally {
    await Promise.all(programs.map((program) => program.stop('SIGTERM')))
  }
}
