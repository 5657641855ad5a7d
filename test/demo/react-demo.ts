/**
 * Twilio's React demo for Conversations (twilio/twilio-conversations-demo-react) as it stands, with our package under
 * the name of Twilio's: built by its own tool chain, served together with a token server, and used by people in
 * browsers. Nothing is fetched: the checkout, with its dependencies installed, is the caller's.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../', import.meta.url))
const TOKEN_PATH = '/token'
const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
}

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

/**
 * Copies the demo, with its dependencies linked and our package, as it would be published, installed as
 * `@twilio/conversations`: what `"@twilio/conversations": "npm:@confab/client"` in its manifest does.
 * @param checkout the demo's folder, with its dependencies installed
 * @param app the folder to make
 */
export async function copyDemo(checkout: string, app: string): Promise<void> {
  await run(root, 'scripts/build.ts')
  const own = ['node_modules', '.git', 'build', 'AutomationTests']
  await cp(checkout, app, { recursive: true, filter: (path) => !own.includes(basename(path)) })
  const scope = '@twilio'
  await mkdir(join(app, 'node_modules', scope), { recursive: true })
  const link = async (folder: string, but: string[]): Promise<void> => {
    for (const name of await readdir(join(checkout, folder))) {
      if (!but.includes(name)) await symlink(join(checkout, folder, name), join(app, folder, name))
    }
  }
  await link('node_modules', [scope, '.cache'])
  await link(`node_modules/${scope}`, ['conversations'])
  await cp(join(root, 'packages/client/dist'), join(app, `node_modules/${scope}/conversations`), {
    recursive: true,
  })
}

/**
 * Checks the demo's sources with its own TypeScript against the declarations that we publish.
 * @param app what `copyDemo` made
 * @returns what the compiler says, line by line; nothing of it is about the demo itself, which has no errors
 */
export async function typeErrors(app: string): Promise<string[]> {
  const stdout = await run(app, 'node_modules/typescript/bin/tsc', ['--project', app]).catch(
    (failed: { stdout?: string }) => {
      // it exits with an error for every error that it prints; anything else is ours
      if (!failed.stdout) throw failed
      return failed.stdout
    },
  )
  return stdout.split('\n').filter((line) => line !== '')
}

/**
 * Builds the demo as its authors do, for production; where its tokens come from is all that is set.
 * @param app what `copyDemo` made
 * @returns what the build says
 */
export async function buildDemo(app: string): Promise<string> {
  return run(app, 'node_modules/react-scripts/bin/react-scripts.js', ['build'], {
    REACT_APP_ACCESS_TOKEN_SERVICE_URL: TOKEN_PATH,
    GENERATE_SOURCEMAP: 'false',
    // where this is set, warnings are errors, and the demo has some of its own
    CI: '',
    NODE_ENV: 'production',
  })
}

export interface ServedDemo {
  readonly origin: string
  close(): Promise<void>
}

/**
 * Serves what `buildDemo` built.
 * @param app the folder that it was built in
 * @param tokenFor mints the token of whoever signs in; any password will do
 */
export async function serveDemo(
  app: string,
  tokenFor: (identity: string) => Promise<string>,
): Promise<ServedDemo> {
  const files = await builtFiles(join(app, 'build'))
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    // an address of the app's own gets its page
    const path = extname(pathname) === '' ? '/index.html' : pathname
    const [type, body] =
      pathname === TOKEN_PATH
        ? ['text/plain', await tokenFor(searchParams.get('identity') ?? '')]
        : [TYPES[extname(path)] ?? 'application/octet-stream', files.get(path)]
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': `${type}; charset=utf-8` }).end(body)
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

/** The files of a folder by the path that they are asked for with. */
async function builtFiles(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path.slice(folder.length), await readFile(path)] as [string, Buffer]),
    ),
  )
}

/** Runs a script with this Node, and returns what it prints. */
async function run(folder: string, script: string, args: string[] = [], env = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, script), ...args], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  })
  return stdout
}
