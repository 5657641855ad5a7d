/**
 * A Chromium for tests. The browser comes with the `@sparticuz/chromium` package as an archive; it is unpacked once
 * into the cache of this checkout, under a name that other test processes see only when it is complete.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const root = fileURLToPath(new URL('../../', import.meta.url))
const cache = join(root, 'node_modules/.cache/confab')
const manifest = readFileSync(join(root, 'node_modules/@sparticuz/chromium/package.json'), 'utf8')
const { version } = JSON.parse(manifest) as { version: string }

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // a camera that films a test picture, and somebody who says yes when a page asks for it
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
]

/** Path of the executable, unpacked when it isn't yet. */
async function executable(): Promise<string> {
  const unpacked = join(cache, `chromium-${version}`)
  const path = join(unpacked, 'chromium')
  if (existsSync(path)) return path
  await mkdir(cache, { recursive: true })
  const temporary = await mkdtemp(join(cache, 'unpacking-'))
  try {
    // The package unpacks into the temporary directory of its process.
    const script = "import c from '@sparticuz/chromium'; console.log(await c.executablePath())"
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: root,
      env: { ...process.env, TMPDIR: temporary },
    })
    if (basename(stdout.trim()) !== 'chromium') throw new Error(`unexpected executable ${stdout.trim()}`)
    await rename(temporary, unpacked)
  } catch (cause) {
    // another process was first
    if (!existsSync(path)) throw cause
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return path
}

/** Starts a browser that keeps its data in `profile`, as a person's does; `more`: flags beside those of all. */
export async function startChromium(profile: string, more: string[] = []): Promise<BrowserContext> {
  const args = [...FLAGS, ...more]
  return chromium.launchPersistentContext(profile, { executablePath: await executable(), args })
}

/** Starts a browser whose contexts are private windows. */
export async function startPrivateChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: await executable(), args: FLAGS })
}
