/**
 * Private members (`#x`) as plain properties with short names, in the bundle for browsers. In JavaScript that webpack 4
 * can parse they would become WeakMaps, which made the bundle a tenth larger; and an object whose class has private
 * members breaks in the proxies that Vue and MobX put around what they are given.
 */
import { type Node, parse } from 'acorn'

type AnyNode = Node & { [key: string]: unknown }

/** Private names of one class and what they become. */
type Names = ReadonlyMap<string, string>

/**
 * @param code JavaScript of one module
 * @param extended the classes that others extend: no class and its parent may give two members one name
 */
export function plainPrivates(code: string, extended: ReadonlySet<string>): string {
  const edits: { start: number; end: number; text: string }[] = []
  const walk = (node: AnyNode, scopes: Names[]): void => {
    if (node.type === 'PrivateIdentifier') {
      const name = scopes.find((names) => names.has(String(node.name)))?.get(String(node.name))
      if (name === undefined) throw new Error(`no class has the private member #${node.name}`)
      edits.push({ start: node.start, end: node.end, text: name })
      return
    }
    // `#x in value` asks whose object it is, which a plain property doesn't tell
    if (node.type === 'BinaryExpression' && (node.left as AnyNode).type === 'PrivateIdentifier') {
      throw new Error('`#x in value` has no plain form')
    }
    const within = isClass(node) ? [namesOf(node, extended), ...scopes] : scopes
    for (const child of children(node)) walk(child, within)
  }
  walk(parseModule(code), [])
  edits.sort((a, b) => b.start - a.start)
  let plain = code
  for (const { start, end, text } of edits) plain = plain.slice(0, start) + text + plain.slice(end)
  return plain
}

/** The names of the classes that this module's classes extend. */
export function parentsIn(code: string): string[] {
  const parents: string[] = []
  const walk = (node: AnyNode): void => {
    const parent = node.superClass as AnyNode | null | undefined
    if (parent?.type === 'Identifier') parents.push(String(parent.name))
    for (const child of children(node)) walk(child)
  }
  walk(parseModule(code))
  return parents
}

/** The same few names in every class, the more used the shorter: that is what compresses well. */
function namesOf(node: AnyNode, extended: ReadonlySet<string>): Names {
  const members = (node.body as AnyNode).body as AnyNode[]
  const keys = members.map(({ key }) => key as AnyNode | undefined)
  const own = new Set(keys.filter((key) => key?.type === 'PrivateIdentifier').map((key) => String(key?.name)))
  const uses = new Map([...own].map((name) => [name, 0]))
  const count = (inside: AnyNode): void => {
    const name = String(inside.name)
    if (inside.type === 'PrivateIdentifier' && uses.has(name)) uses.set(name, uses.get(name)! + 1)
    for (const child of children(inside)) count(child)
  }
  count(node)
  const isParent = extended.has(String((node.id as AnyNode | null)?.name))
  const sorted = [...uses].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return new Map(sorted.map(([name], at) => [name, `${isParent ? '_$' : '_'}${letters(at)}`]))
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
const letters = (at: number): string =>
  (at >= LETTERS.length ? letters(Math.floor(at / LETTERS.length) - 1) : '') + LETTERS[at % LETTERS.length]

const isClass = ({ type }: AnyNode): boolean => type === 'ClassDeclaration' || type === 'ClassExpression'

const parseModule = (code: string): AnyNode =>
  parse(code, { ecmaVersion: 'latest', sourceType: 'module' }) as Node as AnyNode

const children = (node: AnyNode): AnyNode[] =>
  Object.values(node)
    .flat()
    .filter(
      (value): value is AnyNode =>
        typeof value === 'object' && value !== null && typeof (value as AnyNode).type === 'string',
    )
