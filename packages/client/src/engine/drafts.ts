/** From what a caller asks to an operation that may be stored: well-formed, within limits, and worth storing. */
import {
  ConfabError,
  isPlainJson,
  type JsonObject,
  type Limits,
  type Operation,
  parseOperation,
  uuidV7,
  wellFormed,
} from '@confab/core'
import type { OperationDraft } from './engine.ts'
import type { Part } from './ledger.ts'
import type { Platform } from './platform.ts'

/**
 * @throws ConfabError with the code of the limit or the rule that the draft breaks
 */
export function operationOf(draft: OperationDraft, limits: Limits, platform: Platform): Operation {
  const now = platform.now()
  const id = uuidV7(now, (bytes) => platform.random(bytes))
  const parsed = parseOperation(
    { dateWritten: now, ...(mend(draft, limits.jsonDepth) as JsonObject), id },
    limits,
  )
  if ('error' in parsed) throw new ConfabError(parsed.error.code, parsed.error.message)
  return parsed.ok
}

/** Text with its lone surrogates replaced, wherever it stands: what is stored must survive UTF-8. */
function mend(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return wellFormed(value)
  if (typeof value !== 'object' || value === null || isPlainJson(value, depth)) return value
  // too deep or not plain: `parseOperation` says so
  if (depth <= 0) return value
  if (Array.isArray(value)) return value.map((entry) => mend(entry, depth - 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [wellFormed(key), mend(entry, depth - 1)]),
  )
}

/**
 * The parts whose event waits until the caller's promise has settled, because apps change their own copy behind
 * `await message.updateBody(…)`. Posts, and coming and going, are told at once.
 */
export function withheldParts(operation: Operation): Part[] {
  switch (operation.type) {
    case 'conversation.update':
    case 'conversation.close':
    case 'read.advance':
    case 'read.set':
      return ['conversation']
    case 'message.edit':
      return [`message ${operation.sid}`]
    case 'participant.update':
      return [`participant ${operation.sid}`]
    default:
      return []
  }
}
