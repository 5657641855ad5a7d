/** What the project says it stands on is there, and is stood on. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const SOURCES = ['packages', 'server', 'examples', 'test'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !/(^|\/)(node_modules|dist)\//.test(path))
    .map((path) => join(folder, path)),
)
const isTest = (path: string) => /(^|\/)test\/|\.test\.ts$/.test(path)

/** Files that import the package, or a module of it, not for its types alone. */
const usersOf = (name: string): string[] => {
  const imports = new RegExp(`^(import (?!type )[^;]*?from |import |.*\\bimport\\()'${name}(/[^']*)?'`, 'm')
  return SOURCES.filter((path) => imports.test(readFileSync(join(ROOT, path), 'utf8')))
}

describe('the stack', () => {
  it.each(['yjs', 'y-websocket', 'y-indexeddb', 'lib0', 'zod'])('%s is used by shipped code', (name) => {
    expect(usersOf(name).filter((path) => !isTest(path))).not.toEqual([])
  })

  it('vitest runs the tests', () => {
    expect(usersOf('vitest').filter(isTest)).not.toEqual([])
  })

  it('every package that a workspace asks for at run time is used by its shipped code', () => {
    for (const folder of ['packages/core', 'packages/client', 'server', 'examples/plain-yjs']) {
      const { dependencies = {} } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'))
      for (const name of Object.keys(dependencies)) {
        const users = usersOf(name).filter((path) => path.startsWith(`${folder}/`) && !isTest(path))
        expect(users, `${name} in ${folder}`).not.toEqual([])
      }
    }
  })

  it.each(['package.json', 'tsconfig.json', 'packages', 'server', 'examples', 'test', 'README.md'])(
    '%s is where it is looked for',
    (name) => expect(existsSync(join(ROOT, name))).toBe(true),
  )
})
