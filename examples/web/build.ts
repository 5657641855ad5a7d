// Builds the app to `dist`, if anything that it is made of has changed since the last time.
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

const here = import.meta.dirname
const root = join(here, '../..')
const stamp = join(here, 'dist/.built-from')

const sources = globSync(
  [
    'examples/web/{src,public}/**/*',
    'examples/web/*.{ts,html,json}',
    'packages/*/src/**/*.ts',
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
  await build({ root: here, logLevel: 'warn' })
  writeFileSync(stamp, madeOf)
  console.error(`confab: web app built in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
}
