/** What administrators did: written when it was done, read in order, and never changed. */

export interface AuditEntry {
  /** Milliseconds since the epoch. */
  at: number
  /** Whose account it was about; null for the relay as a whole. */
  accountSid: string | null
  /** Who did it: the sid of the account or key by which they asked, or `command:` and a user of the machine. */
  actor: string
  /** `POST Roles`, `accounts.rotate`. */
  act: string
  /** What it was done to: a path or a sid. */
  target: string
  /** The fields that were given, by name; their values may be secrets. */
  fields: readonly string[]
  /** The request's id, which logs have, too. */
  requestId: string | null
}

export interface AuditTrail {
  /** On disk when it resolves. */
  note(entry: AuditEntry): Promise<void>
  /** The newest first, those before a position; of one account, or of all. */
  list(
    accountSid: string | null,
    before: number,
    limit: number,
  ): Promise<(AuditEntry & { position: number })[]>
}
