/** What the SDK weighs in an app's bundle, its Yjs included, minified and gzipped. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'
import { build as buildByVite, type Rolldown } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleForBrowsers } from '../scripts/build/javascript.ts'

const source = join(import.meta.dirname, '../packages/client')
const dist = mkdtempSync(join(tmpdir(), 'confab-size-'))

beforeAll(() => bundleForBrowsers({ source, entry: 'src/index.ts', dist }))
afterAll(() => rmSync(dist, { recursive: true, force: true }))

const CLIENT = "import { Client } from './browser.js'; globalThis.app = Client"
const EVERYTHING = "import * as all from './browser.js'; globalThis.app = Object.entries(all)"
const LEGACY = CLIENT.replace('browser', 'browser.legacy')

// Snapshots, in kB (1000 bytes): one more must be meant, and one less is written down.
test.each([
  ['an app that imports Client', CLIENT, 72],
  ['everything', EVERYTHING, 77],
])('%s, built by Vite', async (_, contents, kilobytes) => {
  const entry = join(dist, 'entry.js')
  writeFileSync(entry, contents)
  const built = await buildByVite({
    root: dist,
    configFile: false,
    logLevel: 'error',
    build: { write: false, rolldownOptions: { input: entry } },
  })
  const { output } = built as Rolldown.RolldownOutput
  const chunks = output.filter((file) => file.type === 'chunk')
  // the app, and what it loads at once
  const loaded = new Set([chunks[0]!.fileName, ...chunks[0]!.imports])
  const [app, parts] = [true, false].map((is) => chunks.filter(({ fileName }) => loaded.has(fileName) === is))
  expectWeight(Buffer.concat(app!.map(({ code }) => Buffer.from(code))), kilobytes)
  // tus; attachments; what is loaded when somebody searches, the worker's code included; diagnostics and export; memory;
  // what they share
  const weights = parts!.map(({ code }) => weightOf(code)).sort((a, b) => b - a)
  expect(weights.map(Math.ceil)).toEqual([16, 13, 12, 4, 2, 1, 1, 1])
})

// esbuild gives other short names to what has short names, which compress worse
test.each([
  ['an app that imports Client', CLIENT, 73],
  ['an app of webpack 4', LEGACY, 76],
])('%s, built by esbuild', async (_, contents, kilobytes) => {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: dist },
    absWorkingDir: dist,
    bundle: true,
    minify: true,
    format: 'esm',
    splitting: true,
    metafile: true,
    outdir: dist,
    write: false,
  })
  const names = loadedWith('stdin.js', metafile)
  const files = outputFiles.filter(({ path }) => names.has(basename(path)))
  expectWeight(Buffer.concat(files.map(({ contents }) => contents)), kilobytes)
})

/** A file and what it imports, not by `import()`. */
function loadedWith(file: string, { outputs }: Metafile): Set<string> {
  const names = new Set([file])
  for (const name of names)
    for (const { path, kind } of outputs[name]!.imports) if (kind === 'import-statement') names.add(path)
  return names
}

function expectWeight(code: string | Uint8Array, kilobytes: number): void {
  const weighed = weightOf(code)
  expect(weighed, `${weighed} kB`).toBeLessThanOrEqual(kilobytes)
  expect(weighed, `${weighed} kB`).toBeGreaterThan(kilobytes - 2)
}

const weightOf = (code: string | Uint8Array): number => gzipSync(code, { level: 9 }).length / 1000
