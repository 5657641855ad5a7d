/**
 * Ends its own process with SIGKILL at an exact moment: before or after the last of a sequence of statements of SQLite's
 * or of writes to sockets. Loaded before the relay; the relay knows nothing of it.
 */
import { Socket } from 'node:net'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Moment } from './moments.ts'

let waitingFor: { through: RegExp[]; when: Moment['when'] } | null = null

export function dieAt({ through, when }: Moment): void {
  waitingFor = { through: through.map((pattern) => new RegExp(pattern)), when }
}

/** Nothing of this process runs after it. */
function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

function watched<Result>(event: string, work: () => Result): Result {
  const [next, ...rest] = waitingFor?.through ?? []
  if (!waitingFor || !next?.test(event)) return work()
  const { when } = waitingFor
  waitingFor = { through: rest, when }
  if (rest.length > 0) return work()
  waitingFor = null
  if (when === 'before') die()
  const result = work()
  die()
  return result
}

type Method = (this: unknown, ...values: unknown[]) => unknown

function watch(prototype: object, name: string, eventOf: (self: never, values: unknown[]) => string): void {
  const methods = prototype as { [name: string]: Method }
  const original = methods[name] as Method
  methods[name] = function (...values) {
    return watched(eventOf(this as never, values), () => original.apply(this, values))
  }
}

for (const name of ['run', 'get', 'all', 'iterate'])
  watch(StatementSync.prototype, name, (statement: StatementSync) => statement.sourceSQL.trim())
watch(Socket.prototype, 'write', () => 'socket write')

// one by one, so that one can die between them
const { exec } = DatabaseSync.prototype
DatabaseSync.prototype.exec = function (sql) {
  for (const statement of statementsOf(sql)) {
    const text = statement
      .replace(/^\s*--.*$/gm, '')
      .replace(/;\s*$/, '')
      .trim()
    if (text !== '') watched(text, () => exec.call(this, text))
  }
}

/** The schema has semicolons at the end of a statement, and of those within a trigger. */
function statementsOf(sql: string): string[] {
  const statements: string[] = []
  let open = ''
  for (const piece of sql.split(/(?<=;\s*\n)/)) {
    open += piece
    const count = (word: RegExp) => open.match(word)?.length ?? 0
    const isTrigger = /^\s*CREATE TRIGGER\b/m.test(open)
    const isWithin = isTrigger && count(/\b(?:BEGIN|CASE)\b/g) > count(/\bEND\b/g)
    if (isWithin) continue
    statements.push(open)
    open = ''
  }
  return open === '' ? statements : [...statements, open]
}
