/** JavaScript of published packages. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import { minifySync } from 'oxc-minify'
import { forBrowsers } from './browser-sources.ts'
import { ownYjs } from './own-yjs.ts'

const common = {
  bundle: true,
  metafile: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  legalComments: 'inline',
} satisfies BuildOptions

interface NodeBundle {
  source: string
  entries: Record<string, string>
  dist: string
  format: 'esm' | 'cjs'
}

/** Every package stays outside, so that an app has one Yjs. Returns the names of those packages. */
export async function bundleForNode({ source, entries, dist, format }: NodeBundle): Promise<Set<string>> {
  const { metafile } = await build({
    ...common,
    absWorkingDir: source,
    entryPoints: entries,
    outdir: dist,
    outExtension: { '.js': format === 'cjs' ? '.cjs' : '.js' },
    format,
    platform: 'node',
    target: 'node20',
    packages: 'external',
    splitting: format === 'esm',
    chunkNames: 'chunk-[hash]',
  })
  const names = new Set<string>()
  for (const path of importsLeft(metafile)) if (!isBuiltin(path)) names.add(packageName(path))
  return names
}

/**
 * `main.cjs`, for what reads neither `exports` nor ES modules, Jest 27 above all: it would find no file of lib0's that
 * it can run. So this holds everything too, and takes from Node what Jest's browser environment lacks.
 */
export async function bundleForJest({ source, entry, dist }: BrowserBundle): Promise<void> {
  const { metafile } = await build({
    ...common,
    absWorkingDir: source,
    entryPoints: [entry],
    outfile: join(dist, 'main.cjs'),
    format: 'cjs',
    platform: 'node',
    mainFields: ['module', 'main'],
    target: 'es2020',
    sourcemap: false,
    minifySyntax: true,
    banner: { js: FROM_NODE },
    plugins: [ownYjs],
  })
  const left = importsLeft(metafile).filter((path) => !isBuiltin(path))
  if (left.length > 0) throw new Error(`main.cjs still imports ${left.join(', ')}`)
}

const FROM_NODE = `var TextEncoder = globalThis.TextEncoder || require('util').TextEncoder
var TextDecoder = globalThis.TextDecoder || require('util').TextDecoder
var crypto = globalThis.crypto || require('crypto').webcrypto
// Jest's own gives objects of another realm, which Yjs takes for no plain JSON
var structuredClone = (value) => {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(structuredClone)
  if (ArrayBuffer.isView(value)) return Uint8Array.from(value)
  if (typeof value.getTime === 'function') return new Date(value.getTime())
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, structuredClone(one)]))
}`

interface BrowserBundle {
  source: string
  entry: string
  dist: string
}

/**
 * One file with everything in it, minified, for bundlers of today (`browser.js`) and for those that can't parse `?.`
 * or class fields, webpack 4 above all (`browser.legacy.js`). It fails if anything is left to be imported: a Node
 * module above all. Beside them stand the licences of what they hold.
 */
export async function bundleForBrowsers(bundle: BrowserBundle): Promise<void> {
  await bundleForBrowser(bundle, 'browser.js', 'es2020')
  await bundleForBrowser(bundle, 'browser.legacy.js', 'es2018')
}

async function bundleForBrowser(
  { source, entry, dist }: BrowserBundle,
  file: string,
  target: string,
): Promise<void> {
  const { metafile, outputFiles } = await build({
    ...common,
    // what minifies can't carry it on, and the sources are not in the package
    sourcemap: false,
    write: false,
    absWorkingDir: source,
    entryPoints: [entry],
    outfile: join(dist, file),
    format: 'esm',
    platform: 'browser',
    conditions: ['browser'],
    mainFields: ['browser', 'module', 'main'],
    target,
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    minifySyntax: true,
    plugins: [forBrowsers([join(source, 'src'), join(source, '../core/src')])],
  })
  const left = importsLeft(metafile)
  if (left.length > 0) throw new Error(`the browser build still imports ${left.join(', ')}`)
  // a twentieth less, gzipped, than esbuild makes of it
  const { code, errors } = minifySync(file, outputFiles[0]!.text, {
    module: true,
    compress: { target },
    mangle: { toplevel: true },
  })
  if (errors.length > 0) throw new Error(`the browser build can't be minified: ${errors[0]!.message}`)
  writeFileSync(join(dist, file), code)
  writeFileSync(join(dist, 'browser.licenses.txt'), licencesOf(source, metafile))
}

function licencesOf(source: string, { inputs }: Metafile): string {
  const folders = new Map<string, string>()
  for (const path of Object.keys(inputs)) {
    const [, folder, name] = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path) ?? []
    if (folder && name) folders.set(name, resolve(source, folder))
  }
  const texts = [...folders].sort().map(([name, folder]) => {
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one))
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const text = file ? readFileSync(join(folder, file), 'utf8').trim() : `Licence: ${manifest.license}`
    return `${name} ${manifest.version}\n\n${text}\n`
  })
  return ['browser.js holds code of these packages.\n', ...texts].join('\n----\n\n')
}

function importsLeft(metafile: Metafile): string[] {
  const outputs = Object.values(metafile.outputs)
  return outputs.flatMap((output) => output.imports.filter((one) => one.external).map((one) => one.path))
}

const packageName = (path: string): string =>
  path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
