/** Compares Twilio's declarations with ours, member by member, by asking the TypeScript compiler. */
import { join } from 'node:path'
import ts from '@typescript/typescript6'

export interface Row {
  /** `Client`, `Client events`, `Client (static)`, or `Types`. */
  group: string
  member: string
  /** `differs` says in TypeScript's words how. */
  state: 'same' | 'differs' | 'absent'
  detail: string
}

const root = join(import.meta.dirname, '../..')
const FILE = join(import.meta.dirname, 'generated-check.ts')

interface Check {
  group: string
  member: string
  /** Whether Confab's declarations have it at all. */
  present: boolean
  /** A statement that compiles if they are the same to an app. */
  statement: string
}

/** Every public member of every class, every event, and every type that `@twilio/conversations` exports. */
export function compareDeclarations(): Row[] {
  const head = `
import type * as Confab from '@confab/client'
import type * as Twilio from '@twilio/conversations'
import type { Classes, Translated } from './translate.ts'
declare function take<T>(value: T): void
declare const theirs: { [Name in keyof Classes]: Classes[Name]['theirs'] }
declare const ours: { [Name in keyof Classes]: Classes[Name]['ours'] }
`
  const probe = program(head)
  const checks = listChecks(probe)
  const lines = checks.map(({ present, statement }) => (present ? statement : ''))
  const text = `${head.trimEnd()}\n${lines.join('\n')}\n`
  const checked = program(text)
  const source = checked.getSourceFile(FILE)!
  const offset = head.trimEnd().split('\n').length
  const problems = new Map<number, string>()
  for (const diagnostic of checked.getSemanticDiagnostics(source)) {
    const line = source.getLineAndCharacterOfPosition(diagnostic.start!).line - offset
    if (line < 0) throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
    problems.set(line, problems.get(line) ?? ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
  }
  return checks.map(({ group, member, present }, line) => {
    const problem = problems.get(line)
    const state = !present ? 'absent' : problem === undefined ? 'same' : 'differs'
    return { group, member, state, detail: problem ?? '' }
  })
}

function listChecks(probe: ts.Program): Check[] {
  const checker = probe.getTypeChecker()
  const exportsOf = (name: string): Map<string, ts.Symbol> => {
    const source = probe.getSourceFile(FILE)!
    const found = source.statements.find(
      (statement): statement is ts.ImportDeclaration =>
        ts.isImportDeclaration(statement) && (statement.moduleSpecifier as ts.StringLiteral).text === name,
    )
    const module = checker.getSymbolAtLocation(found!.moduleSpecifier)!
    return new Map(checker.getExportsOfModule(module).map((symbol) => [symbol.name, resolve(symbol)]))
  }
  const resolve = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const isPublic = (symbol: ts.Symbol): boolean =>
    !/^[_#]|^__#|^prototype$|^constructor$/.test(symbol.name) &&
    !symbol.declarations?.some(
      (one) => ts.getCombinedModifierFlags(one) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected),
    )
  const membersOf = (symbol: ts.Symbol): ts.Symbol[] =>
    checker
      .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
      // not what every emitter has from Node
      .filter((member) => isPublic(member) && member.declarations?.some(isOfTheSurface))
  const staticsOf = (symbol: ts.Symbol): ts.Symbol[] =>
    checker
      .getPropertiesOfType(checker.getTypeOfSymbol(symbol))
      .filter((one) => isPublic(one) && one.declarations?.some(isOfTheSurface))
  const eventsOf = (symbol: ts.Symbol): string[] => {
    const on = checker.getDeclaredTypeOfSymbol(symbol).getProperty('on')
    const node = probe.getSourceFile(FILE)!
    const signature = on && checker.getTypeOfSymbolAtLocation(on, node).getCallSignatures()[0]
    const constraint = signature?.getTypeParameters()?.[0]?.getConstraint()
    if (!constraint) return []
    const names = constraint.isUnion() ? constraint.types : [constraint]
    return names.filter((one) => one.isStringLiteral()).map((one) => (one as ts.StringLiteralType).value)
  }

  const theirs = exportsOf('@twilio/conversations')
  const ours = exportsOf('@confab/client')
  const checks: Check[] = []
  for (const [name, symbol] of theirs) {
    const our = ours.get(name)
    const isClass = Boolean(symbol.flags & ts.SymbolFlags.Class)
    if (!isClass || !our || !(our.flags & ts.SymbolFlags.Class)) {
      checks.push({ group: 'Types', member: name, present: our !== undefined, statement: typeCheck(name) })
      continue
    }
    const generic = checker.getDeclaredTypeOfSymbol(symbol) as ts.InterfaceType
    const args = generic.typeParameters?.length ? '<string>' : ''
    const has = new Set(
      checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(our)).map((one) => one.name),
    )
    for (const { name: member } of membersOf(symbol)) {
      const [their, own] = [`Twilio.${name}${args}['${member}']`, `Confab.${name}${args}['${member}']`]
      const statement = `take<Translated<${their}>>(null! as ${own})`
      checks.push({ group: name, member, present: has.has(member), statement })
    }
    const ownStatics = new Set(staticsOf(our).map((one) => one.name))
    for (const { name: member } of staticsOf(symbol)) {
      const statement = `take<Translated<(typeof Twilio.${name})['${member}']>>(null! as (typeof Confab.${name})['${member}'])`
      checks.push({ group: `${name} (static)`, member, present: ownStatics.has(member), statement })
    }
    const ownEvents = new Set(eventsOf(our))
    for (const event of eventsOf(symbol)) {
      // a listener written for theirs is one for ours
      const listener = (whose: string) => `Parameters<typeof ${whose}.${name}.on<'${event}'>>[1]`
      const statement = `take<${listener('ours')}>(null! as Translated<${listener('theirs')}>)`
      checks.push({ group: `${name} (events)`, member: event, present: ownEvents.has(event), statement })
    }
  }
  return checks
}

/** Types that an app gives; of all others it is given objects. */
const GIVEN = new Set([
  'ClientOptions',
  'CreateConversationOptions',
  'SendMediaOptions',
  'SendEmailOptions',
  'ParticipantBindingOptions',
])

function typeCheck(name: string): string {
  const args = name === 'Paginator' ? '<string>' : ''
  const [their, own] = [`Translated<Twilio.${name}${args}>`, `Confab.${name}${args}`]
  return GIVEN.has(name) ? `take<${own}>(null! as ${their})` : `take<${their}>(null! as ${own})`
}

const isOfTheSurface = (declaration: ts.Declaration): boolean =>
  /@twilio[\\/](conversations|replay-event-emitter|mcs-client)|packages[\\/]client/.test(
    declaration.getSourceFile().fileName,
  )

function program(text: string): ts.Program {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  // one after the other, as an app has them: what is only narrower in its optional keys is no difference
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (path) => path === FILE || fileExists(path)
  host.readFile = (path) => (path === FILE ? text : readFile(path))
  host.getSourceFile = (path, ...rest) =>
    path === FILE ? ts.createSourceFile(path, text, rest[0]) : getSourceFile(path, ...rest)
  return ts.createProgram([FILE], options, host)
}
