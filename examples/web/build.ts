// Builds the app to `dist`, if anything that it is made of has changed since the last time: over the SDK's bundle as
// it is published, so that what is seen here is what an app's users get.
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'
import { bundleForBrowsers } from '../../scripts/build/javascript.ts'

const here = import.meta.dirname
const root = join(here, '../..')
const stamp = join(here, 'dist/.built-from')
const sdk = join(root, 'node_modules/.cache/confab/sdk')

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

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== madeOf) {
  const started = performance.now()
  console.error('confab: building the web app …')
  mkdirSync(sdk, { recursive: true })
  await bundleForBrowsers({ source: join(root, 'packages/client'), entry: 'src/index.ts', dist: sdk })
  writeFileSync(join(sdk, 'package.json'), '{ "type": "module", "sideEffects": false }')
  // whatever the environment says: tests run under another, in which React is slow and nothing is kept for offline
  process.env.NODE_ENV = 'production'
  const alias = { '@confab/client': join(sdk, 'browser.js') }
  await build({ root: here, mode: 'production', logLevel: 'warn', resolve: { alias } })
  writeFileSync(stamp, madeOf)
  console.error(`confab: web app built in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
}
