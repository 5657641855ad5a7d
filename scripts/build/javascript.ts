/** JavaScript of published packages. */
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, build, type Metafile } from 'esbuild'

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
    target: 'node22',
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
 * anything is left to be imported: a Node module above all.
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
  })
  const left = importsLeft(metafile)
  if (left.length > 0) throw new Error(`the browser build still imports ${left.join(', ')}`)
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
