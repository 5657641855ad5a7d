/**
 * What the bundle for browsers takes instead of the sources as they are: our private members made plain, and of Yjs
 * and lib0 what Confab's documents need. Each change fails the build if its source has changed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Plugin, transformSync } from 'esbuild'
import { ownYjs } from './own-yjs.ts'
import { parentsIn, plainPrivates } from './plain-privates.ts'

/** @param folders of our own sources */
export function forBrowsers(folders: string[]): Plugin {
  return {
    name: 'for-browsers',
    setup(build) {
      const { onLoad } = build
      const sources = new Map(folders.flatMap(sourcesIn).map((path) => [path, javascriptOf(path)]))
      const extended = new Set([...sources.values()].flatMap(parentsIn))
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const code = sources.get(path)
        if (code === undefined) throw new Error(`${path} is none of the sources of a browser build`)
        return { contents: plainPrivates(code, extended), loader: 'js' }
      })
      ownYjs.setup(build)
      for (const [name, contents] of Object.entries(STAND_INS)) {
        onLoad({ filter: new RegExp(`[\\\\/]lib0[\\\\/]${name}\\.js$`) }, () => ({ contents, loader: 'js' }))
      }
    },
  }
}

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test|\.d)\.ts$/.test(file))
    .map((file) => join(folder, file))

function javascriptOf(path: string): string {
  const settings = { verbatimModuleSyntax: true, useDefineForClassFields: false, target: 'esnext' }
  return transformSync(readFileSync(path, 'utf8'), {
    loader: 'ts',
    target: 'esnext',
    tsconfigRaw: { compilerOptions: settings },
  }).code
}

/** What Yjs uses of lib0's logging, which styles text for consoles, and of its environment, which looks for Node. */
const STAND_INS = {
  logging: `
    export const print = (...all) => console.log(...all.filter((one) => typeof one === 'string' && one))
    export const warn = (...all) => console.warn(...all)
    export const ORANGE = '', BOLD = '', UNBOLD = '', RED = ''`,
  environment: 'export const isBrowser = true; export const getVariable = () => null',
}
