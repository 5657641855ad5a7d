/** The manifests of published packages, made from the repository's. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Manifest {
  name: string
  version: string
  description: string
  license: string
  author: string
  engines?: Record<string, string>
  sideEffects?: boolean
  dependencies: Record<string, string>
  /** What an app brings itself. */
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
}

export type Exports = { [condition: string]: string | Exports }

export interface EntryPoints {
  main: string
  module: string
  browser?: string
  types: string
  exports: Exports
  bin?: Record<string, string>
}

export const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/**
 * Names as dependencies exactly the packages that the written code imports. Only what runs in nothing but Node asks
 * for a version of it: the others are also bundled for browsers, by tools that run on an older one.
 * @param externals what the bundler left to be imported
 */
export function writeManifest(
  dist: string,
  manifest: Manifest,
  externals: ReadonlySet<string>,
  entryPoints: EntryPoints,
): void {
  const dependencies: Record<string, string> = {}
  const peers: Record<string, string> = {}
  for (const name of [...externals].sort()) {
    const peer = manifest.peerDependencies?.[name]
    if (peer) {
      peers[name] = peer
      continue
    }
    const range = manifest.dependencies[name]
    if (!range) throw new Error(`${manifest.name} imports ${name}, which its package.json doesn't name`)
    dependencies[name] = range
  }
  const { name, version, description, license, author, sideEffects, engines } = manifest
  const optional = Object.entries(manifest.peerDependenciesMeta ?? {}).filter(([peer]) => peers[peer])
  const published = {
    name,
    version,
    description,
    license,
    author,
    type: 'module',
    ...(sideEffects !== undefined && { sideEffects }),
    ...entryPoints,
    ...(entryPoints.bin && { engines }),
    dependencies,
    ...(Object.keys(peers).length > 0 && { peerDependencies: peers }),
    ...(optional.length > 0 && { peerDependenciesMeta: Object.fromEntries(optional) }),
    publishConfig: { access: 'public' },
  }
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
}
