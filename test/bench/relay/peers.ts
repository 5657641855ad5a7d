/** The servers that Confab is compared with, in a folder of their own: they are no dependencies of anything here. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const VERSIONS = {
  '@hocuspocus/server': '4.7.0',
  '@hocuspocus/extension-database': '4.7.0',
  'y-websocket': '2.1.0',
  yjs: '13.6.33',
}
const FOLDER = join(import.meta.dirname, '../../../node_modules/.cache/confab-bench-peers')
const MANIFEST = join(FOLDER, 'package.json')

const manifest = `${JSON.stringify({ private: true, dependencies: VERSIONS }, null, 2)}\n`

export const isInstalled = (): boolean =>
  existsSync(join(FOLDER, 'node_modules/yjs')) && readFileSync(MANIFEST, 'utf8') === manifest

/** Installs them with npm, unless these versions are there already. */
export function installPeers(): void {
  if (isInstalled()) return
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(MANIFEST, manifest)
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock']
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'inherit' })
  if (status !== 0) throw new Error('the peers could not be installed')
}

export const peerVersions = (): string =>
  Object.entries(VERSIONS)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')

/** A module of theirs. What it is like is only known to who asks for it: they are here only when wanted. */
// biome-ignore lint/suspicious/noExplicitAny: it isn't installed when types are checked
export async function peer(specifier: string): Promise<any> {
  const path = createRequire(MANIFEST).resolve(specifier)
  const loaded = await import(pathToFileURL(path).href)
  return loaded.default && Object.keys(loaded).length === 1 ? loaded.default : loaded
}
