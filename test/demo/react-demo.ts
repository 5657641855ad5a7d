/**
 * Twilio's React demo for Conversations (twilio/twilio-conversations-demo-react) as it stands, with one import
 * aliased to our SDK: bundled from a checkout, served together with a token server, and used by people in browsers.
 * Nothing is fetched: the checkout, with its dependencies installed, is the caller's.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { bundleDeclarations, emitDeclarations } from '../../scripts/build/declarations.ts'

const SDK = fileURLToPath(new URL('../../packages/client/src/index.ts', import.meta.url))

/**
 * The checkout to use: `CONFAB_TWILIO_DEMO`. Says so loudly when there is none, and throws where the environment
 * sets CONFAB_REQUIRE_SERVERS.
 */
export function demoCheckout(): string | null {
  const path = process.env.CONFAB_TWILIO_DEMO
  const problem =
    path === undefined || path === ''
      ? 'CONFAB_TWILIO_DEMO names no checkout of twilio/twilio-conversations-demo-react'
      : existsSync(join(path, 'node_modules/react'))
        ? null
        : `${path} is no checkout with its dependencies installed`
  if (problem === null) return resolve(path as string)
  if (process.env.CONFAB_REQUIRE_SERVERS === '1' && path) throw new Error(problem)
  console.warn(`SKIPPED: Twilio's React demo, because ${problem}`)
  return null
}

export interface ServedDemo {
  readonly origin: string
  close(): Promise<void>
}

/**
 * Bundles and serves the demo.
 * @param checkout the demo's folder, with its dependencies installed
 * @param tokenFor mints the token of whoever signs in; any password will do
 */
export async function serveDemo(
  checkout: string,
  tokenFor: (identity: string) => Promise<string>,
): Promise<ServedDemo> {
  const script = await bundle(checkout)
  const page =
    '<!doctype html><meta charset="utf-8"><title>Demo</title><div id="root"></div><script src="/demo.js"></script>'
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const [type, body] =
      pathname === '/token'
        ? ['text/plain', await tokenFor(searchParams.get('identity') ?? '')]
        : pathname === '/demo.js'
          ? ['text/javascript', script]
          : ['text/html', page]
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      return new Promise((closed) => server.close(() => closed()))
    },
  }
}

/** The alias is all that differs from the demo's own build; the entry besides lets the test see the SDK's objects. */
async function bundle(checkout: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import './src/index.tsx'
        import { conversationsMap } from './src/conversations-objects.ts'
        globalThis.conversationsMap = conversationsMap`,
      resolveDir: checkout,
      loader: 'js',
    },
    alias: { '@twilio/conversations': SDK },
    absWorkingDir: checkout,
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    loader: { '.svg': 'dataurl', '.png': 'dataurl', '.js': 'jsx' },
    define: {
      'process.env.REACT_APP_ACCESS_TOKEN_SERVICE_URL': '"/token"',
      'process.env.NODE_ENV': '"production"',
      'process.env': '{}',
      global: 'globalThis',
    },
    logLevel: 'error',
  })
  const [file] = outputFiles
  if (!file) throw new Error(`Nothing was built from ${checkout}`)
  return file.text
}

/**
 * Checks the demo's sources with its own TypeScript against the declarations that we publish.
 * @returns what the compiler says, line by line; nothing of it is about the demo itself, which has no errors
 */
export async function typeErrors(checkout: string): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'confab-demo-types-'))
  try {
    const folder = 'packages/client'
    await bundleDeclarations({
      emitted: emitDeclarations(['packages/core', folder]),
      folder,
      dist: directory,
      commonJs: false,
    })
    const config = join(directory, 'tsconfig.json')
    await writeFile(
      config,
      JSON.stringify({
        extends: join(checkout, 'tsconfig.json'),
        compilerOptions: {
          baseUrl: checkout,
          paths: { '@twilio/conversations': [join(directory, 'index.d.ts')] },
          typeRoots: [join(checkout, 'node_modules/@types')],
        },
        include: [join(checkout, 'src')],
      }),
    )
    const compiler = join(checkout, 'node_modules/typescript/bin/tsc')
    const check = promisify(execFile)(process.execPath, [compiler, '--project', config], { cwd: checkout })
    const { stdout } = await check.catch((failed: { stdout?: string }) => {
      // it exits with an error for every error that it prints; anything else is ours
      if (!failed.stdout) throw failed
      return { stdout: failed.stdout }
    })
    return stdout.split('\n').filter((line) => line !== '')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
