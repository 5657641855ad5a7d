import { ConfabError } from '@confab/core'

/** The name that browsers give to "no room left", and SQLite's code for it. */
const FULL = new Set(['QuotaExceededError', 'SQLITE_FULL'])

/** The 70501 that a failure of the platform's storage becomes; an error that is ours already is kept. */
export function storageError(doing: string, cause: unknown): ConfabError {
  if (cause instanceof ConfabError) return cause
  const { name, message } = describe(cause)
  const why = FULL.has(name) ? 'the device has no room left' : message
  return new ConfabError(70501, `Could not ${doing}: ${why}`, { cause })
}

function describe(cause: unknown): { name: string; message: string } {
  if (!(cause instanceof Error)) return { name: '', message: String(cause) }
  // node:sqlite: SQLITE_FULL is 13, also in the low byte of an extended code
  const errcode = 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : 0
  return { name: errcode === 13 ? 'SQLITE_FULL' : cause.name, message: cause.message || cause.name }
}
