/** The packed SDK under the tools that apps are built and tested with, its name aliased as docs/switching.md says. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { tokenFor } from './support/relay.ts'

const root = join(import.meta.dirname, '..')
const project = mkdtempSync(join(tmpdir(), 'confab-tools-'))
const TOOLS = ['webpack@5', 'webpack4@npm:webpack@4', 'vite@8', 'jest@27']
let reachable = false

async function run(program: string, args: string[], cwd = project): Promise<string> {
  const elsewhere = (process.env.PATH ?? '').split(delimiter).filter((path) => !path.startsWith(root))
  const env = {
    ...process.env,
    PATH: [join(process.execPath, '..'), ...elsewhere].join(delimiter),
    NODE_OPTIONS: '',
    // what vitest sets is not for them
    NODE_ENV: 'production',
  }
  const { stdout } = await promisify(execFile)(program, args, { cwd, env, timeout: 120_000 })
  return stdout
}

const node = (...args: string[]): Promise<string> => run(process.execPath, args)
const write = (file: string, text: string): void => writeFileSync(join(project, file), text)

beforeAll(async () => {
  await run(process.execPath, [join(root, 'scripts/build.ts')], root)
  for (const folder of ['packages/core/dist', 'packages/client/dist']) {
    await run('npm', ['pack', '--silent', '--pack-destination', project], join(root, folder))
  }
  const tarballs = readdirSync(project).map((file) => `./${file}`)
  write('package.json', '{ "private": true }')
  try {
    const options = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
    await run('npm', ['install', ...options, ...tarballs, ...TOOLS])
    reachable = true
  } catch (cause) {
    const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH/.test(String(cause))
    if (!offline || process.env.CONFAB_REQUIRE_SERVERS === '1') throw cause
    console.warn('SKIPPED: the packed SDK under webpack, Vite and Jest, because there is no network here')
    return
  }
  const token = JSON.stringify(await tokenFor('alice'))
  const talk = `async (Client, Message) => {
    const client = new Client(${token}, { url: 'ws://127.0.0.1:9', logLevel: 'silent' })
    const conversation = await client.createConversation({ friendlyName: 'Tools' })
    await conversation.join()
    await conversation.sendMessage('hello')
    const { items } = await conversation.getMessages()
    await client.shutdown()
    return items[0].body + ' ' + (items[0] instanceof Message)
  }`
  const print = `(${talk})(Client, Message).then((said) => console.log(said))`
  write('app.js', `import { Client, Message } from '@twilio/conversations'\n${print}`)
  write('required.cjs', `const { Client, Message } = require('@confab/client');\n${print}`)
  write('imported.mjs', `import { Client, Message } from '@confab/client'\n${print}`)
  write(
    'app.test.js',
    `const { Client, Message } = require('@twilio/conversations')
     test('talks', async () => expect(await (${talk})(Client, Message)).toBe('hello true'))`,
  )
}, 300_000)

beforeEach((context) => context.skip(!reachable, 'no network'))
afterAll(() => rmSync(project, { recursive: true, force: true }))

test.each(['imported.mjs', 'required.cjs'])('Node runs %s', async (file) => {
  expect(await node(file)).toBe('hello true\n')
})

/** What a page has, as far as webpack asks: a window, and script elements, by which it loads chunks. */
const PAGE = `globalThis.window = globalThis.self = globalThis
  const load = (script) => {
    require('./' + script.src)
    script.onload({ type: 'load' })
  }
  globalThis.document = {
    getElementsByTagName: () => [],
    createElement: () => ({ setAttribute() {}, getAttribute: () => null }),
    head: { appendChild: load },
  }
  require(process.argv[2])`

test.each(['webpack', 'webpack4'])('%s bundles it, with no polyfill of Node', async (webpack) => {
  const config = `{
    mode: 'production', target: 'web', entry: './app.js',
    // webpack 4 would put a process in by itself
    ...('${webpack}' === 'webpack4' && { node: false }),
    output: { path: __dirname, filename: '${webpack}.bundle.js', chunkFilename: '${webpack}.[id].js', publicPath: '' },
    resolve: { alias: { '@twilio/conversations': '@confab/client' } },
    performance: { hints: false },
  }`
  write(
    'build.cjs',
    `require('${webpack}')(${config}, (error, stats) => {
       console.log(error ? error.stack : stats.toString({ all: false, errors: true, warnings: true }) || 'ok')
       process.exit()
     })`,
  )
  expect(await node('--openssl-legacy-provider', 'build.cjs')).toBe('ok\n')
  write('page.cjs', PAGE)
  expect(await node('page.cjs', `./${webpack}.bundle.js`)).toBe('hello true\n')
})

test('Vite bundles it', async () => {
  const library = `{ entry: 'app.js', formats: ['es'], fileName: () => 'vite.bundle.mjs' }`
  write(
    'vite.config.mjs',
    `export default {
       logLevel: 'error',
       resolve: { alias: { '@twilio/conversations': '@confab/client' } },
       build: { outDir: 'vite', lib: ${library} },
     }`,
  )
  await node('node_modules/vite/bin/vite.js', 'build')
  expect(existsSync(join(project, 'vite/vite.bundle.mjs'))).toBe(true)
  expect(await node('vite/vite.bundle.mjs')).toBe('hello true\n')
})

// it ignores `exports`
test.each(['node', 'jsdom'])('Jest 27 runs it in its environment %s', async (environment) => {
  write('jest.config.json', '{ "moduleNameMapper": { "^@twilio/conversations$": "@confab/client" } }')
  const jest = ['node_modules/jest/bin/jest.js', '--config', 'jest.config.json', '--json']
  const result = JSON.parse(await node(...jest, '--env', environment))
  expect(result).toMatchObject({ success: true, numPassedTests: 1 })
})
