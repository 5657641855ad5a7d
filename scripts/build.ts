// `npm run build`: writes the packages that are published, complete and with manifests of their own, to
// `packages/*/dist` and `server/dist`. The repository itself runs from its TypeScript sources.
//
//   core    ESM and CommonJS
//   client  ESM and CommonJS for Node; files for browsers, which hold everything, their own Yjs included, and the
//           same for bundlers that know no newer JavaScript than webpack 4
//   react   ESM and CommonJS, over the client and the React that the app has
//   relay   ESM, with the `confab` command
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { bundleDeclarations, emitDeclarations } from './build/declarations.ts'
import { bundleForBrowsers, bundleForJest, bundleForNode } from './build/javascript.ts'
import { type Exports, readManifest, writeManifest } from './build/manifest.ts'

const root = join(import.meta.dirname, '..')

type Layout = {
  folder: string
  /** Source files by the name that they get. */
  entries: Record<string, string>
  commonJs: boolean
  browser: boolean
}

const packages: Layout[] = [
  { folder: 'packages/core', entries: { index: 'src/index.ts' }, commonJs: true, browser: false },
  { folder: 'packages/client', entries: { index: 'src/index.ts' }, commonJs: true, browser: true },
  { folder: 'packages/react', entries: { index: 'src/index.ts' }, commonJs: true, browser: false },
  {
    folder: 'server',
    entries: { index: 'src/index.ts', confab: 'src/cli/main.ts' },
    commonJs: false,
    browser: false,
  },
]

async function build({ folder, entries, commonJs, browser }: Layout): Promise<void> {
  const started = performance.now()
  const source = join(root, folder)
  const dist = join(source, 'dist')
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  const manifest = readManifest(source)

  const externals = await bundleForNode({ source, entries, dist, format: 'esm' })
  if (commonJs) await bundleForNode({ source, entries, dist, format: 'cjs' })
  if (browser) {
    await bundleForBrowsers({ source, entry: entries.index!, dist })
    await bundleForJest({ source, entry: entries.index!, dist })
  }
  await bundleDeclarations({
    emitted,
    folder,
    dist,
    commonJs,
    peers: Object.keys(manifest.peerDependencies ?? {}),
  })

  const node: Exports = {
    import: { types: './index.d.ts', default: './index.js' },
    ...(commonJs && { require: { types: './index.d.cts', default: './index.cjs' } }),
    default: './index.js',
  }
  const forBrowsers = { types: './index.d.ts', default: './browser.js' }
  writeManifest(dist, manifest, externals, {
    main: browser ? './main.cjs' : commonJs ? './index.cjs' : './index.js',
    module: './index.js',
    // who reads this and not `exports` is of webpack 4's age
    ...(browser && { browser: './browser.legacy.js' }),
    types: './index.d.ts',
    // What is neither Node nor known gets the build that needs nothing of Node.
    exports: {
      '.': browser ? { node, browser: forBrowsers, default: forBrowsers } : node,
      './package.json': './package.json',
    },
    ...(entries.confab && { bin: { confab: './confab.js' } }),
  })
  for (const file of ['LICENSE', 'README.md']) {
    const own = join(source, file)
    cpSync(existsSync(own) ? own : join(root, file), join(dist, file))
  }
  const time = Math.round(performance.now() - started)
  console.log(`${manifest.name} ${manifest.version} → ${relative(root, dist)} (${time} ms)`)
}

const emitted = emitDeclarations(packages.map(({ folder }) => folder))
for (const layout of packages) await build(layout)
