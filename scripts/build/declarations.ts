/**
 * Declarations of published packages: one file each, which needs no other package of Confab's and no library's types
 * but Node's and those of its peers. TypeScript writes one declaration per source file; rollup-plugin-dts makes one of them, on the compiler
 * API of TypeScript 6 (TypeScript 7 has none).
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'

const root = join(import.meta.dirname, '../..')
const cache = join(root, 'node_modules/.cache/confab/declarations')

/** Writes the declarations of all sources, one for each, and says where. */
export function emitDeclarations(folders: string[]): string {
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const config = join(cache, 'tsconfig.json')
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      rootDir: root,
      outDir: cache,
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      // Constructors that only the package calls would bring in all that its objects are made of.
      stripInternal: true,
      // `npm run types` checks them.
      noCheck: true,
    },
    include: folders.map((folder) => join(root, folder, 'src')),
    exclude: [join(root, '**/*.test.ts')],
  }
  writeFileSync(config, JSON.stringify(settings))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const result = spawnSync(process.execPath, [compiler, '--project', config], { stdio: 'inherit' })
  if (result.status !== 0) throw new Error('TypeScript could not write the declarations')
  return cache
}

interface Bundle {
  /** Where `emitDeclarations` wrote. */
  emitted: string
  folder: string
  dist: string
  commonJs: boolean
  /** Packages that an app brings itself, whose types are its own. */
  peers: string[]
}

export async function bundleDeclarations({ emitted, folder, dist, commonJs, peers }: Bundle): Promise<void> {
  const file = join(dist, 'index.d.ts')
  const core = join(emitted, 'packages/core/src/index.d.ts')
  // zod's own declarations don't parse under TypeScript 4.9; what ours need of them is little.
  const zod = join(import.meta.dirname, 'zod-mini.d.ts')
  const paths: Record<string, string[]> = { '@confab/core': [core], 'zod/mini': [zod] }
  // Declarations go on importing `./x.ts`, as their sources do.
  const resolveId = (id: string, importer?: string) =>
    paths[id]?.[0] ??
    (importer && /^\..*(?<!\.d)\.ts$/.test(id) ? join(dirname(importer), id.replace(/ts$/, 'd.ts')) : null)
  const bundle = await rollup({
    input: join(emitted, folder, 'src/index.d.ts'),
    plugins: [
      { name: 'resolve-declarations', resolveId },
      dts({ tsconfig: join(emitted, 'tsconfig.json'), compilerOptions: { paths } }),
    ],
    external: (id) => isBuiltin(id) || peers.includes(id),
    onwarn(warning) {
      throw new Error(`declarations of ${folder}: ${warning.message}`)
    },
  })
  await bundle.write({ file, format: 'es' })
  await bundle.close()
  for (const [, from, call] of readFileSync(file, 'utf8').matchAll(
    /\bfrom '([^']+)'|\bimport\('([^']+)'\)/g,
  )) {
    const path = from ?? call ?? ''
    if (!isBuiltin(path) && !peers.includes(path))
      throw new Error(`the declarations of ${folder} import ${path}`)
  }
  // The same declarations for `require`, under the name that TypeScript expects for CommonJS.
  if (commonJs) copyFileSync(file, join(dist, 'index.d.cts'))
}
