/**
 * Tests in a real browser, driven from vitest: a module is bundled as an app's build would, served from this
 * machine, and its exports are called in the page.
 *
 *     const available = await browserAvailable()
 *     test.skipIf(!available)('…', () =>
 *       withPage<typeof import('./entry.ts')>(new URL('./entry.ts', import.meta.url), async ({ call }) => {
 *         expect(await call('greet', 'Ada')).toBe('Hello Ada')
 *       }))
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'
import type { BrowserContext, Page } from 'playwright-core'
import { bundleForBrowsers } from '../../scripts/build/javascript.ts'
import { startChromium } from './chromium.ts'

// biome-ignore lint/suspicious/noExplicitAny: a constraint for "any function", whose arguments are then inferred
type Exports = Record<string, any>

/** A page with the module loaded. Arguments and results cross as JSON, errors with their message. */
export interface Tab<Entry extends Exports> {
  readonly page: Page
  /** Calls an exported function in the page. */
  call<Name extends keyof Entry & string>(
    name: Name,
    ...args: Parameters<Entry[Name]>
  ): Promise<Awaited<ReturnType<Entry[Name]>>>
}

export interface Session<Entry extends Exports> extends Tab<Entry> {
  readonly context: BrowserContext
  /** `http://127.0.0.1:<port>`; `/` has the module, `/blank` hasn't. */
  readonly origin: string
  /** Another tab of the same browser and origin. */
  newTab(): Promise<Tab<Entry>>
  /** A tab of another browser, or of a private window. */
  tabIn(context: BrowserContext): Promise<Tab<Entry>>
  /** Errors that nobody caught in any page, promises included. The session's end fails when one is left here. */
  readonly uncaught: Error[]
  close(): Promise<void>
}

let tried: Promise<boolean> | null = null

/**
 * Whether a browser can be started here. Says so loudly when not, and throws instead where the environment sets
 * CONFAB_REQUIRE_SERVERS.
 */
export function browserAvailable(): Promise<boolean> {
  tried ??= (async () => {
    const profile = await mkdtemp(join(tmpdir(), 'confab-profile-'))
    try {
      await (await startChromium(profile)).close()
      return true
    } catch (cause) {
      if (process.env.CONFAB_REQUIRE_SERVERS === '1') throw cause
      console.warn(`SKIPPED: tests in a browser, because Chromium can't start here: ${cause}`)
      return false
    } finally {
      await rm(profile, { recursive: true, force: true })
    }
  })()
  return tried
}

/** Opens a page with the module at `entry`, hands it to `use`, and closes everything. */
export async function withPage<Entry extends Exports>(
  entry: URL,
  use: (session: Session<Entry>) => Promise<void>,
): Promise<void> {
  const session = await openPage<Entry>(entry)
  try {
    await use(session)
  } catch (cause) {
    await session.close().catch(() => {})
    throw cause
  }
  await session.close()
}

/**
 * Opens a page with the module at `entry`; the caller closes the session.
 * @param options `shipped`: as an app is, over the package that is published, minified and with no source map
 */
export async function openPage<Entry extends Exports>(
  entry: URL,
  options: { shipped?: boolean } = {},
): Promise<Session<Entry>> {
  const server = await serve(await (options.shipped ? bundleShipped(entry) : bundle(entry)))
  const profile = await mkdtemp(join(tmpdir(), 'confab-profile-'))
  const context = await startChromium(profile).catch(async (cause: unknown) => {
    await server.close()
    throw cause
  })
  const uncaught: Error[] = []

  async function tabIn(one: BrowserContext): Promise<Tab<Entry>> {
    const page = await one.newPage()
    page.on('pageerror', (error) => uncaught.push(error))
    await page.goto(server.origin)
    return { page, call: (name, ...args) => callIn(page, name, args) }
  }

  const newTab = () => tabIn(context)
  const first = await newTab()
  return {
    ...first,
    context,
    origin: server.origin,
    newTab,
    tabIn,
    uncaught,
    async close() {
      await context.close()
      await server.close()
      await rm(profile, { recursive: true, force: true })
      if (uncaught.length > 0)
        throw new AggregateError(uncaught, `Uncaught in a page: ${uncaught.join('; ')}`)
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what a page gives is typed by the caller's module
function callIn(page: Page, name: string, args: unknown[]): Promise<any> {
  return page.evaluate(([name, args]) => (globalThis as unknown as { entry: Exports }).entry[name](...args), [
    name,
    args,
  ] as const)
}

/** As an app's bundler builds it for browsers: a `node:` import anywhere fails here. */
async function bundle(entry: URL, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'entry',
    sourcemap: 'inline',
    logLevel: 'silent',
    ...options,
    write: false,
  })
  const [file] = outputFiles
  if (!file) throw new Error(`Nothing was built from ${entry}`)
  return file.text
}

async function bundleShipped(entry: URL): Promise<string> {
  const dist = await mkdtemp(join(tmpdir(), 'confab-shipped-'))
  try {
    const source = fileURLToPath(new URL('../../packages/client', import.meta.url))
    await bundleForBrowsers({ source, entry: 'src/index.ts', dist })
    await writeFile(join(dist, 'package.json'), '{ "sideEffects": false }')
    const alias = { '@confab/client': join(dist, 'browser.js') }
    return await bundle(entry, { alias, minify: true, sourcemap: false })
  } finally {
    await rm(dist, { recursive: true, force: true })
  }
}

async function serve(script: string): Promise<{ origin: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const [type, body] =
      request.url === '/'
        ? [
            'text/html',
            '<!doctype html><meta charset="utf-8"><title>Confab</title><script src="/entry.js"></script>',
          ]
        : request.url === '/entry.js'
          ? ['text/javascript', script]
          : ['text/html', '<!doctype html><meta charset="utf-8"><title>Blank</title>']
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
