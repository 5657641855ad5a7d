/** A server as its package has it: JavaScript. What Node spends on TypeScript, 40 MB of memory, is nobody's who installs it. */
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const folder = join(import.meta.dirname, '../../../node_modules/.cache/confab/bench')
const known = new Map<string, Promise<URL>>()

export function compiled(server: URL): Promise<URL> {
  const found = known.get(server.href) ?? compile(server)
  known.set(server.href, found)
  return found
}

async function compile(server: URL): Promise<URL> {
  mkdirSync(folder, { recursive: true })
  const source = fileURLToPath(server)
  const outfile = join(folder, `${basename(source, '.ts')}.js`)
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    plugins: [oursOnly],
  })
  return pathToFileURL(outfile)
}

/** Packages stay outside, and each source remembers where it was. */
const oursOnly: Plugin = {
  name: 'ours-only',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || path.startsWith('@confab/') ? undefined : { external: true },
    )
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
      loader: 'ts',
    }))
  },
}
