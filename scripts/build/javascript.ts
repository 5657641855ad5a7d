/** JavaScript of published packages. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'

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

interface BrowserBundle {
  source: string
  entry: string
  dist: string
}

/**
 * One file with everything in it, in the JavaScript that webpack 4 can parse (no `?.`, no class fields). It fails if
 * anything is left to be imported: a Node module above all. Beside it stand the licences of what it holds.
 */
export async function bundleForBrowsers({ source, entry, dist }: BrowserBundle): Promise<void> {
  const { metafile } = await build({
    ...common,
    absWorkingDir: source,
    entryPoints: [entry],
    outfile: join(dist, 'browser.js'),
    format: 'esm',
    platform: 'browser',
    conditions: ['browser'],
    mainFields: ['browser', 'module', 'main'],
    target: 'es2018',
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [ownYjs],
  })
  writeFileSync(join(dist, 'browser.licenses.txt'), licencesOf(source, metafile))
  const left = importsLeft(metafile)
  if (left.length > 0) throw new Error(`the browser build still imports ${left.join(', ')}`)
}

/** Our own copy doesn't count as a second import of an app's Yjs, which Yjs would report as an error. */
const ownYjs: Plugin = {
  name: 'own-yjs',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]yjs[\\/]dist[\\/]yjs\.mjs$/ }, ({ path }) => {
      const code = readFileSync(path, 'utf8')
      const marker = "'__ $YJS$ __'"
      if (code.split(marker).length !== 2) throw new Error(`${path} marks its import in another way`)
      return { contents: code.replace(marker, "'__ $YJS$ of Confab $ __'"), loader: 'js' }
    })
  },
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
