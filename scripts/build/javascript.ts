/** JavaScript of published packages. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
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

/** What is loaded when it is needed, by `import()`: a file of its own beside the bundle. An app's bundler makes a chunk of it. */
const PARTS: { [name: string]: string } = {
  search: 'src/search/search.ts',
  tools: 'src/tools/tools.ts',
  media: 'src/media/media.ts',
  tus: 'src/media/tus.ts',
  memory: 'src/storage/memory.ts',
}

/**
 * One entry with everything that any app needs, its parts, and files of what they share, minified: for bundlers of today
 * (`browser.js`) and for those that can't parse `?.` or class fields, webpack 4 above all (`browser.legacy.js`). It
 * fails if anything is left to be imported: a Node module above all. Beside them stand the licences of what they hold.
 */
export async function bundleForBrowsers({ source, entry, dist }: BrowserBundle): Promise<void> {
  for (const [name, target] of [
    ['browser', 'es2020'],
    ['browser.legacy', 'es2018'],
  ] as const) {
    const parts = Object.entries(PARTS).map(([part, path]) => [`${name}.${part}`, path])
    const entries = { [name]: entry, ...Object.fromEntries(parts) }
    const { files, metafile } = await minified(source, entries, name, target)
    for (const { path, code } of files) writeFileSync(join(dist, path), code)
    writeFileSync(join(dist, 'browser.licenses.txt'), licencesOf(source, metafile.inputs))
  }
}

async function minified(
  source: string,
  entries: Record<string, string>,
  name: string,
  target: string,
  format: 'esm' | 'iife' = 'esm',
): Promise<{ files: { path: string; code: string }[]; metafile: Metafile }> {
  const { metafile, outputFiles } = await build({
    ...common,
    // what minifies can't carry it on, and the sources are not in the package
    sourcemap: false,
    write: false,
    absWorkingDir: source,
    entryPoints: entries,
    outdir: source,
    chunkNames: `${name}.[hash]`,
    splitting: format === 'esm',
    format,
    platform: 'browser',
    conditions: ['browser'],
    mainFields: ['browser', 'module', 'main'],
    target,
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    minifySyntax: true,
    plugins: [
      knownParts,
      withWorker(async (path) => {
        const worker = await minified(source, { worker: path }, name, target, 'iife')
        return worker.files[0]!.code
      }),
      forBrowsers([join(source, 'src'), join(source, '../core/src')]),
    ],
  })
  const left = importsLeft(metafile)
  if (left.length > 0) throw new Error(`the browser build still imports ${left.join(', ')}`)
  const files = outputFiles.map(({ path, text }) => {
    // a twentieth less, gzipped, than esbuild makes of it
    const { code, errors } = minifySync(path, text, {
      module: format === 'esm',
      compress: { target },
      mangle: { toplevel: true },
    })
    if (errors.length > 0) throw new Error(`the browser build can't be minified: ${errors[0]!.message}`)
    return { path: basename(path), code }
  })
  return { files, metafile }
}

/** `import()` of anything else would make a file that nobody decided on. */
const knownParts: Plugin = {
  name: 'known-parts',
  setup({ onResolve, initialOptions: { absWorkingDir } }) {
    onResolve({ filter: /\.ts$/ }, ({ kind, path, resolveDir }) => {
      if (kind !== 'dynamic-import') return undefined
      const file = join(resolveDir, path)
      if (Object.values(PARTS).some((one) => join(absWorkingDir!, one) === file)) return undefined
      throw new Error(`${file} is none of the parts that are loaded when they are needed`)
    })
  },
}

/** A worker's code stands as text in what starts it: no bundler has to know of a file of its own. */
const withWorker = (bundled: (path: string) => Promise<string>): Plugin => ({
  name: 'with-worker',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]worker-source\.ts$/ }, async ({ path }) => {
      const code = await bundled(join(path, '../worker.ts'))
      return { contents: `export const WORKER = ${JSON.stringify(code)}`, loader: 'js' }
    })
  },
})

function licencesOf(source: string, inputs: Metafile['inputs']): string {
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
