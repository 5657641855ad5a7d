// Builds the app to `dist`, if anything that it is made of has changed since the last time: over the SDK's bundle as
// it is published, so that what is seen here is what an app's users get.
import { createHash } from 'node:crypto'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'
import { bundleForBrowsers } from '../../scripts/build/javascript.ts'

const here = import.meta.dirname
const root = join(here, '../..')
const cache = join(root, 'node_modules/.cache/confab')
const dist = join(here, 'dist')
const STAMP = '.built-from'

const sources = globSync(
  [
    'examples/web/{src,public}/**/*',
    'examples/web/*.{ts,html,json}',
    'packages/*/src/**/*.ts',
    'scripts/build/*.ts',
    'package-lock.json',
  ],
  { cwd: root, withFileTypes: true },
)
  .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort()
const hash = createHash('sha256')
for (const file of sources) hash.update(file.slice(root.length)).update(readFileSync(file))
const madeOf = hash.digest('hex')

const isBuilt = () => existsSync(join(dist, STAMP)) && readFileSync(join(dist, STAMP), 'utf8') === madeOf

if (!isBuilt()) {
  const started = performance.now()
  console.error('confab: building the web app …')
  mkdirSync(cache, { recursive: true })
  // in a place of its own: several may build at once, and none finds half of another's
  const work = mkdtempSync(join(cache, 'web-'))
  const [sdk, outDir] = [join(work, 'sdk'), join(work, 'dist')]
  try {
    mkdirSync(sdk)
    await bundleForBrowsers({ source: join(root, 'packages/client'), entry: 'src/index.ts', dist: sdk })
    writeFileSync(join(sdk, 'package.json'), '{ "type": "module", "sideEffects": false }')
    // whatever the environment says: tests run under another, in which React is slow and nothing is kept for offline
    process.env.NODE_ENV = 'production'
    const alias = { '@confab/client': join(sdk, 'browser.js') }
    await build({ root: here, mode: 'production', logLevel: 'warn', resolve: { alias }, build: { outDir } })
    writeFileSync(join(outDir, STAMP), madeOf)
    if (!isBuilt()) put(outDir, join(work, 'old'))
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  console.error(`confab: web app built in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
}

/** Puts what was built in the place of what is there. */
function put(outDir: string, old: string): void {
  try {
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(outDir, dist)
  } catch (cause) {
    // another was first
    if (!isBuilt()) throw cause
  }
}
