import { ConfabError } from '@confab/core'

/** The name that browsers give to "no room left", and SQLite's code for it. */
const FULL = new Set(['QuotaExceededError', 'SQLITE_FULL'])

const NO_ROOM = 'the device has no room left'

/** Whether an error is what `storageError` makes of a device without room. */
export const isFull = (error: unknown): boolean => error instanceof Error && error.message.includes(NO_ROOM)

/** The 70501 that a failure of the platform's storage becomes; an error that is ours already is kept. */
export function storageError(doing: string, cause: unknown): ConfabError {
  if (cause instanceof ConfabError) return cause
  const { name, message } = describe(cause)
  const why = FULL.has(name) ? NO_ROOM : message
  return new ConfabError(70501, `Could not ${doing}: ${why}`, { cause })
}

function describe(cause: unknown): { name: string; message: string } {
  if (!(cause instanceof Error)) return { name: '', message: String(cause) }
  // node:sqlite: SQLITE_FULL is 13, also in the low byte of an extended code
  const errcode = 'errcode' in cause && typeof cause.errcode === 'number' ? cause.errcode & 0xff : 0
  return { name: errcode === 13 ? 'SQLITE_FULL' : cause.name, message: cause.message || cause.name }
}
