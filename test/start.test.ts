/** `start.long.test.ts` has the same with everything installed from the registry, which takes a minute. */
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freshClone, startAndChat, systemNode } from './support/clone.ts'

const MODULES = join(import.meta.dirname, '../node_modules')

let clone: Awaited<ReturnType<typeof freshClone>>
beforeAll(async () => {
  clone = await freshClone()
  // what is installed here; the links to the project's own packages are relative, and lead into the clone
  const target = join(clone.folder, 'node_modules')
  await mkdir(target)
  const entries = (await readdir(MODULES)).filter((name) => name !== '.cache' && name !== '.vite')
  const files = entries.map((name) => join(MODULES, name))
  try {
    execFileSync('cp', ['-al', ...files, target], { stdio: 'pipe' })
  } catch {
    // links don't reach from disk to disk
    execFileSync('cp', ['-a', ...files, target])
  }
})
afterAll(() => clone?.remove())

it('npm start in a clone, with the Node that the system has: two people chat, and SIGTERM ends it with 0', async () => {
  if (systemNode() !== 20) {
    console.warn(`The system has Node ${systemNode()}, not 20: npm start was tried with that one.`)
  }
  expect(systemNode()).toBeGreaterThanOrEqual(20)
  await startAndChat(clone.folder)
}, 60_000)

it('the shell that installs the dependencies starts nothing else: it goes on with the Node that it found first', async () => {
  const { scripts } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    scripts: { [name: string]: string }
  }
  const installing = Object.values(scripts).filter((script) => script.includes('bootstrap'))
  expect(installing.length).toBeGreaterThan(0)
  expect(new Set(installing)).toEqual(new Set(['node scripts/bootstrap.cjs']))
})
