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
        // read as TypeScript, fields are assigned: defining them costs a call each in older JavaScript
        return { contents: plainPrivates(code, extended), loader: 'ts' }
      })
      ownYjs.setup(build)
      for (const [name, contents] of Object.entries(STAND_INS)) {
        onLoad({ filter: new RegExp(`[\\\\/]lib0[\\\\/]${name}\\.js$`) }, () => ({ contents, loader: 'js' }))
      }
      onLoad({ filter: /[\\/]lib0[\\/](decoding|encoding|string)\.js$/ }, ({ path }) => ({
        contents: withTextOfPlatform(readFileSync(path, 'utf8')),
        loader: 'js',
      }))
      onLoad({ filter: /[\\/]lib0[\\/]hash[\\/]sha256\.js$/ }, ({ path }) => ({
        contents: constantsComputed(readFileSync(path, 'utf8')),
        loader: 'js',
      }))
      onLoad({ filter: /[\\/]y-websocket[\\/]src[\\/]y-websocket\.js$/ }, ({ path }) => ({
        contents: withoutEffects(readFileSync(path, 'utf8')),
        loader: 'js',
      }))
    },
  }
}

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /(?<!\.test|\.d)\.ts$/.test(file))
    .map((file) => join(folder, file))

/** Each source is read once, however many bundles it goes into. */
const javascript = new Map<string, string>()

function javascriptOf(path: string): string {
  const known = javascript.get(path)
  if (known !== undefined) return known
  const settings = { verbatimModuleSyntax: true, useDefineForClassFields: false, target: 'esnext' }
  const { code } = transformSync(readFileSync(path, 'utf8'), {
    loader: 'ts',
    target: 'esnext',
    tsconfigRaw: { compilerOptions: settings },
  })
  javascript.set(path, code)
  return code
}

/** What is used of some of lib0's modules. */
const STAND_INS = {
  // Yjs prints one line; lib0 styles text for consoles
  logging: `
    export const print = (...all) => console.log(...all.filter((one) => typeof one === 'string' && one))
    export const warn = (...all) => console.warn(...all)
    export const ORANGE = '', BOLD = '', UNBOLD = '', RED = ''`,
  environment: 'export const isBrowser = true; export const getVariable = () => null',
  // looked for when it is needed: where there is none, importing the package must not throw
  webcrypto: 'export const getRandomValues = (array) => crypto.getRandomValues(array)',
  // y-websocket's way between tabs, which we don't use; lib0's looks for localStorage when it is loaded
  broadcastchannel: 'export const publish = () => {}, subscribe = publish, unsubscribe = publish',
}

/** Text by TextEncoder and TextDecoder, which the rest of the package needs, too: not by what stands in for them. */
function withTextOfPlatform(code: string): string {
  const chosen = /= [^=\n]*\? (_\w+Native) : _\w+Polyfill$/gm
  if (!chosen.test(code)) throw new Error('lib0 reads and writes text in another way')
  return code.replace(chosen, '= $1')
}

/** SHA-256's constants are the first 32 bits behind the point of roots of primes: 72 numbers that compress badly. */
function constantsComputed(code: string): string {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  for (const [name, count, root] of [
    ['K', 64, 3],
    ['HINIT', 8, 2],
  ] as const) {
    const table = new RegExp(`const ${name} = new Uint32Array\\(\\[([^\\]]*)\\]\\)`)
    const numbers = table.exec(code)?.[1]?.split(',').map(Number)
    const computed = primes.slice(0, count).map((prime) => Math.floor((prime ** (1 / root) % 1) * 2 ** 32))
    if (String(numbers) !== String(computed)) throw new Error(`lib0 has another table ${name} of SHA-256`)
    code = code.replace(table, `const ${name} = /*#__PURE__*/ rootsOfPrimes(${count}, ${root})`)
  }
  return `${code}
    function rootsOfPrimes(count, root) {
      const primes = []
      for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime)) primes.push(n)
      return Uint32Array.from(primes, (prime) => (prime ** (1 / root) % 1) * 2 ** 32)
    }`
}

/** y-websocket fills a list when it is loaded: apps that don't use it could not leave it out. */
function withoutEffects(code: string): string {
  const [head, first, ...others] = code.split(/^messageHandlers\[(\w+)\] = /m)
  const names = [first, ...others].filter((_, i) => i % 2 === 0)
  const list = 'const messageHandlers = []\n'
  const use = 'messageHandlers.slice()'
  if (!head?.includes(list) || names.length !== 4 || code.split(use).length !== 2)
    throw new Error('y-websocket keeps its handlers in another way')
  return code
    .replace(list, '')
    .replaceAll(/^messageHandlers\[(\w+)\] = /gm, 'const handle_$1 = ')
    .replace(use, `{ ${names.map((name) => `[${name}]: handle_${name}`).join(', ')} }`)
}
