/** The packages that are published, as somebody meets them who has nothing else of Confab. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { parse } from 'acorn'
import { build } from 'esbuild'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { browserAvailable, withPage } from './browser/harness.ts'
import { startRelay, tokenFor } from './support/relay.ts'

const root = join(import.meta.dirname, '..')
const folders = {
  core: 'packages/core/dist',
  client: 'packages/client/dist',
  react: 'packages/react/dist',
  relay: 'server/dist',
}
const project = mkdtempSync(join(tmpdir(), 'confab-packaging-'))
// Compilers and package managers on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const chromium = await browserAvailable()

/** Runs a program in the project; its PATH begins with this Node, and without this repository's commands. */
async function run(program: string, args: string[], cwd = project): Promise<string> {
  const elsewhere = (process.env.PATH ?? '').split(delimiter).filter((path) => !path.startsWith(root))
  const node = join(process.execPath, '..')
  const env = { ...process.env, PATH: [node, ...elsewhere].join(delimiter), NODE_OPTIONS: '' }
  const { stdout } = await promisify(execFile)(program, args, { cwd, env })
  return stdout
}

const node = (file: string): Promise<string> => run(process.execPath, [file])
const write = (file: string, text: string): void => writeFileSync(join(project, file), text)
const installed = (name: string, file: string): string =>
  readFileSync(join(project, 'node_modules/@confab', name, file), 'utf8')

beforeAll(async () => {
  await run(process.execPath, [join(root, 'scripts/build.ts')], root)
  for (const folder of Object.values(folders)) {
    await run('npm', ['pack', '--silent', '--pack-destination', project], join(root, folder))
  }
  const tarballs = readdirSync(project).map((file) => `./${file}`)
  expect(tarballs).toHaveLength(4)
  write('package.json', '{ "private": true }')
  // React itself comes as what @confab/react asks of the app
  reachable = await install([...tarballs, '@types/react@19'])
}, 180_000)

/** Whether the registry could be asked for the libraries that Confab stands on. */
async function install(tarballs: string[]): Promise<boolean> {
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  try {
    await run('npm', ['install', ...options, ...tarballs])
    return true
  } catch (cause) {
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(String(cause))
    if (!offline || process.env.CONFAB_REQUIRE_SERVERS === '1') throw cause
    console.warn('SKIPPED: the packages installed in an empty project, because there is no network here')
    return false
  }
}

let reachable = false
beforeEach((context) => context.skip(!reachable, 'no network'))

afterAll(() => rmSync(project, { recursive: true, force: true }))

describe('what npm pack made, installed in an empty project', () => {
  test("runs the README's example, which prints what the README says", async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const [, example, printed] = /```js\n(.*?)```\n\nprints\n\n```\n(.*?)```/s.exec(readme) ?? []
    write('example.mjs', example ?? '')
    expect(await node('example.mjs')).toBe(printed)
  })

  test('has the confab command', async () => {
    const confab = join(project, 'node_modules/.bin/confab')
    const { version } = JSON.parse(installed('relay', 'package.json'))
    expect((await run(confab, ['--version'])).trim()).toBe(version)
    for (const command of ['relay', 'token', 'chat']) expect(await run(confab, ['--help'])).toContain(command)
  })

  test.each(['core', 'client', 'react'])('%s gives require the same names as import', async (name) => {
    const print = `console.log(Object.keys(names).filter((name) => name !== 'default').sort().join())`
    write('names.cjs', `const names = require('@confab/${name}'); ${print}`)
    write('names.mjs', `import * as names from '@confab/${name}'; ${print}`)
    const names = await node('names.cjs')
    expect(names).toContain(name === 'react' ? 'useMessages' : 'ConfabError')
    expect(names).toBe(await node('names.mjs'))
  })

  test.each(Object.keys(folders))('%s holds nothing but what it names, and no TypeScript source', (name) => {
    const manifest = JSON.parse(installed(name, 'package.json'))
    const files = readdirSync(join(project, 'node_modules/@confab', name))
    const { main, module, browser = main, types } = manifest
    for (const path of [main, module, browser, types]) expect(files).toContain(path.slice(2))
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md']))
    expect(files.filter((file) => /(?<!\.d)\.[cm]?ts$/.test(file))).toEqual([])
    for (const file of files) expect(installed(name, file)).not.toContain(root)
  })
})

describe('declarations', () => {
  const program = `
    import { Client, type Conversation, directory, type Message, type Paginator } from '@confab/client'
    import { ConfabError, conversationRecordSchema } from '@confab/core'
    import { createAccessToken, createRelay } from '@confab/relay'

    export async function titles(): Promise<(string | null)[]> {
      const relay = await createRelay({ database: ':memory:', accessKeys: { key: 'secret' } })
      const token = createAccessToken({ accountSid: 'a', key: 'key', secret: 'secret', identity: 'alice' })
      const client = new Client(await token, { url: relay.url, storage: directory('data') })
      client.on('messageAdded', (message: Message) => message.body)
      // @ts-expect-error there is no such event
      client.on('nonsense', () => {})
      const page: Paginator<Conversation> = await client.getSubscribedConversations()
      const record = conversationRecordSchema.safeParse({})
      if (record.success) return [record.data.sid]
      if (new Error() instanceof ConfabError) return []
      return page.items.map((conversation) => conversation.friendlyName)
    }`

  test.each([
    ['TypeScript 4.9 and moduleResolution node', 'typescript-4.9', 'esnext', 'node'],
    ['TypeScript 4.9 and moduleResolution node16', 'typescript-4.9', 'node16', 'node16'],
    ['the newest TypeScript and moduleResolution bundler', 'typescript', 'esnext', 'bundler'],
    ['the newest TypeScript and moduleResolution nodenext', 'typescript', 'nodenext', 'nodenext'],
  ])(
    'parse and mean something to %s, with no types of a library',
    async (_, compiler, module, resolution) => {
      write('program.mts', program)
      const settings = { strict: true, noEmit: true, skipLibCheck: false, types: [], target: 'es2019' }
      const compilerOptions = { ...settings, lib: ['es2019', 'dom'], module, moduleResolution: resolution }
      write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['program.mts'] }))
      await expect(node(join(root, 'node_modules', compiler, 'bin/tsc'))).resolves.toBe('')
    },
  )

  test('are CommonJS to whom requires them', async () => {
    write('required.cts', `import confab = require('@confab/client'); export const { Client } = confab`)
    const compilerOptions = {
      strict: true,
      noEmit: true,
      types: [],
      module: 'node16',
      lib: ['es2019', 'dom'],
    }
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['required.cts'] }))
    await expect(node(join(root, 'node_modules/typescript-4.9/bin/tsc'))).resolves.toBe('')
  })
})

describe('React hooks', () => {
  const [, example = ''] =
    /```tsx\n(.*?)```/s.exec(readFileSync(join(root, 'packages/react/README.md'), 'utf8')) ?? []

  test.each(['bundler', 'nodenext'])(
    'as their README shows them, are known to TypeScript with moduleResolution %s',
    async (resolution) => {
      write('chat.tsx', example)
      const module = resolution === 'nodenext' ? 'nodenext' : 'esnext'
      const settings = { strict: true, noEmit: true, skipLibCheck: true, types: [], jsx: 'react-jsx' }
      const compilerOptions = { ...settings, lib: ['es2022', 'dom'], module, moduleResolution: resolution }
      write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['chat.tsx'] }))
      await expect(node(join(root, 'node_modules/typescript/bin/tsc'))).resolves.toBe('')
    },
  )

  test.each([
    ['19', join(root, 'node_modules')],
    ['18', join(root, 'test/support/react-18/node_modules')],
  ])('are rendered on a server by React %s', async (version, modules) => {
    write(
      'rendered.tsx',
      `${example}
       import { version } from 'react'
       import { renderToString } from 'react-dom/server'
       console.log(version.split('.')[0], renderToString(<App token="none" />))`,
    )
    await build({
      absWorkingDir: project,
      entryPoints: ['rendered.tsx'],
      outfile: join(project, 'rendered.cjs'),
      bundle: true,
      platform: 'node',
      jsx: 'automatic',
      logLevel: 'error',
      external: ['@confab/client'],
      alias: { react: join(modules, 'react'), 'react-dom': join(modules, 'react-dom') },
    })
    expect(await node('rendered.cjs')).toBe(`${version} <p>Loading…</p>\n`)
  })
})

describe('the build for browsers', () => {
  test.each([
    ['browser.js', 2020],
    // webpack 4 can parse no more, and knows no `exports`
    ['browser.legacy.js', 2018],
  ] as const)(
    'is %s and the files that it begins the names of, in the JavaScript of %i, and imports nothing else',
    (file, ecmaVersion) => {
      const folder = join(project, 'node_modules/@confab/client')
      const name = file.slice(0, -'js'.length)
      const parts = readdirSync(folder).filter((one) => one.startsWith(name) && one.endsWith('.js'))
      const files = parts.filter((one) => name.includes('legacy') || !one.includes('legacy'))
      expect(files).toContain(file)
      for (const one of files) {
        // webpack 4 knows `import()`, though it is younger than the rest that it knows
        const code = installed('client', one).replace(/\bimport\((?=["'`]\.\/)/g, 'load(')
        parse(code, { ecmaVersion, sourceType: 'module' })
        const imported = [...code.matchAll(/(?:\bfrom ?|\bload\()["'`]\.\/([\w.]+)["'`]/g)].map(
          ([, path]) => path,
        )
        expect(files).toEqual(expect.arrayContaining(imported))
        expect(code).not.toMatch(/\bimport\(|(?:\bfrom|\bimport) ?["'`](?!\.\/)/)
      }
      expect(JSON.parse(installed('client', 'package.json')).browser).toBe('./browser.legacy.js')
      expect(installed('client', 'browser.licenses.txt')).toContain('yjs 13.')
    },
  )

  test('exposes the same names as the build for Node, and none of Yjs', async () => {
    const exposed = await import(pathToFileURL(join(project, 'node_modules/@confab/client/browser.js')).href)
    write(
      'names.mjs',
      `import * as names from '@confab/client'; console.log(Object.keys(names).sort().join())`,
    )
    expect(`${Object.keys(exposed).sort().join()}\n`).toBe(await node('names.mjs'))
    expect(Object.keys(exposed)).not.toContain('Doc')
  })

  test.skipIf(!chromium)(
    'works in an app that has a Yjs of its own, without a word on the console',
    async () => {
      mkdirSync(join(project, 'app'))
      write(
        'app/complaints.ts',
        'export const complaints = []; console.error = (...all) => complaints.push(all)',
      )
      write(
        'app/entry.ts',
        `import { complaints } from './complaints.ts'
       import * as Y from 'yjs'
       import { Client } from '@confab/client'

       export async function post(token: string, url: string) {
         const doc = new Y.Doc()
         const client = new Client(token, { url })
         const conversation = await client.createConversation({ friendlyName: 'From a bundle' })
         await conversation.join()
         const index = await conversation.sendMessage('hello')
         const { items } = await conversation.getMessages()
         await client.shutdown()
         doc.destroy()
         return { index, bodies: items.map((message) => message.body), complaints }
       }`,
      )
      type Entry = { post(token: string, url: string): Promise<unknown> }
      const relay = await startRelay()
      try {
        await withPage<Entry>(pathToFileURL(join(project, 'app/entry.ts')), async ({ call }) => {
          const told = await call('post', await tokenFor('alice'), relay.url)
          expect(told).toEqual({ index: 0, bodies: ['hello'], complaints: [] })
        })
      } finally {
        await relay.close()
      }
    },
  )
})
