/** What webhooks keep in the store: events that are still to be told, and those that nobody would hear. */

/** One event for one webhook. Written in the transaction of the commit that it tells of. */
export interface QueuedEvent {
  /** `WH…` of a conversation's webhook; for a configuration the sid of its service or account. */
  webhook: string
  accountSid: string
  serviceSid: string
  /** The conversation's sid, or `user/<identity>`. */
  document: string
  /** The message that it is about: its text goes when the message is removed. */
  messageSid: string | null
  /** 32 hex digits, the same at each attempt. */
  token: string
  /** Where to, for when the webhook itself is gone by then. */
  url: string
  method: 'GET' | 'POST'
  fields: { readonly [name: string]: string }
  /** When it happened, milliseconds since the epoch. */
  at: number
}

export interface PendingEvent extends QueuedEvent {
  position: number
  /** Made so far. */
  attempts: number
  /** Not before this time. */
  due: number
}

export interface DeadEvent extends PendingEvent {
  /** When it was given up, and why. */
  deadAt: number
  error: string
}

/** Events of one webhook about one document go one after the other. */
export interface QueueLane {
  webhook: string
  document: string
}

export interface QueueCounts {
  pending: number
  dead: number
}

export interface WebhookQueue {
  /** All that have something to tell, the one that has waited longest first. */
  lanes(): Promise<QueueLane[]>
  /** The oldest event of a lane behind this position. */
  next(lane: QueueLane, after: number): Promise<PendingEvent | null>
  /** Queues events by themselves. */
  put(events: readonly QueuedEvent[]): Promise<void>
  /** They were told. */
  done(positions: readonly number[]): Promise<void>
  failed(position: number, attempts: number, due: number): Promise<void>
  /** Nobody would hear it. */
  bury(position: number, attempts: number, at: number, error: string): Promise<void>
  /** The oldest beyond so many that were given up go. */
  prune(most: number): Promise<void>
  /** Given up, the newest first; of one account, or of all. */
  dead(accountSid: string | null, limit: number): Promise<DeadEvent[]>
  /** Takes them up again, by their tokens, or all of them. Gives their lanes. */
  revive(accountSid: string | null, tokens: readonly string[] | null): Promise<QueueLane[]>
  /** The webhook was deleted by somebody: what waits for it is told to nobody. */
  forget(webhook: string): Promise<void>
  counts(): Promise<QueueCounts>
}
