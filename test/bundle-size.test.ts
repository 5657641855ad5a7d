/** What the SDK weighs in an app's bundle, its Yjs included, minified and gzipped. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleForBrowsers } from '../scripts/build/javascript.ts'

const source = join(import.meta.dirname, '../packages/client')
const dist = mkdtempSync(join(tmpdir(), 'confab-size-'))

beforeAll(() => bundleForBrowsers({ source, entry: 'src/index.ts', dist }))
afterAll(() => rmSync(dist, { recursive: true, force: true }))

/** kB (1000 bytes) of what a bundler makes of this. */
async function weight(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: dist },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  })
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length / 1000
}

// Snapshots: a kB more must be meant, and a kB less is written down.
test.each([
  ['an app that imports Client', "import { Client } from './browser.js'; globalThis.app = Client", 67],
  ['everything', "export * from './browser.js'", 73],
  ['an app of webpack 4', "import { Client } from './browser.legacy.js'; globalThis.app = Client", 69],
])('%s', async (_, contents, kilobytes) => {
  const weighed = await weight(contents)
  expect(weighed, `${weighed} kB`).toBeLessThanOrEqual(kilobytes)
  expect(weighed, `${weighed} kB`).toBeGreaterThan(kilobytes - 2)
})
