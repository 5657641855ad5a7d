/**
 * What the bundle for browsers takes instead of the sources as they are: our private members made plain, and of Yjs
 * and lib0 what Confab's documents can hold. They are maps and lists of plain JSON: no text, no XML, no values of
 * other kinds, which only the relay could write and never does. Each change fails the build if its source has changed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Node, parse } from 'acorn'
import { type Plugin, transformSync } from 'esbuild'
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

/** Classes that no value in a document of Confab's is of. */
const UNUSED = [
  ...['YText', 'YTextEvent', 'ItemTextListPosition', 'YXmlText'],
  ...['YXmlFragment', 'YXmlElement', 'YXmlHook', 'YXmlEvent', 'YXmlTreeWalker'],
  ...['ContentBinary', 'ContentDoc', 'ContentEmbed', 'ContentFormat', 'ContentJSON', 'ContentString'],
  // what observers of a type are told; we observe documents
  'YEvent',
]

/** Yjs as a bundle of ours holds it. */
export const ownYjs: Plugin = {
  name: 'own-yjs',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]yjs[\\/]dist[\\/]yjs\.mjs$/ }, ({ path }) => ({
      contents: withoutUnused(readFileSync(path, 'utf8')),
      loader: 'js',
    }))
  },
}

/**
 * Yjs with empty bodies for what is unused, so that the functions which only these call go as well. Our own copy
 * doesn't count as a second import of an app's Yjs, which Yjs would report as an error.
 */
function withoutUnused(code: string): string {
  const marker = "'__ $YJS$ __'"
  if (code.split(marker).length !== 2) throw new Error('Yjs marks its import in another way')
  const { body } = parse(code, { ecmaVersion: 'latest', sourceType: 'module' }) as unknown as {
    body: (Node & { id?: { name: string }; body?: Node })[]
  }
  const unused = body.filter((node) => node.type === 'ClassDeclaration' && UNUSED.includes(node.id!.name))
  if (unused.length !== UNUSED.length) throw new Error('Yjs has no longer all the classes that are left out')
  let own = code
  for (const { body: members } of unused.sort((a, b) => b.start - a.start)) {
    own = `${own.slice(0, members!.start)}{}${own.slice(members!.end)}`
  }
  return own.replace(marker, "'__ $YJS$ of Confab $ __'")
}
