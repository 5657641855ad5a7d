/**
 * Tells webhooks what has happened. The queue is in the store, written with the commits; what is held here is only
 * which lanes have something to tell. One lane is one webhook and one conversation: its events go one after the other,
 * and each until it was taken or given up. Lanes don't wait for each other, and servers don't either: each has so many
 * requests at a time, whatever the others do.
 */
import type { Asking } from './asking.ts'
import type { WebhookBook } from './book.ts'
import type { WebhookOptions } from './options.ts'
import type { PendingEvent, QueuedEvent, QueueLane, WebhookQueue } from './queue.ts'
import { TargetRefused } from './target.ts'

export interface DeliveriesOptions {
  queue: WebhookQueue
  book: Pick<WebhookBook, 'target'>
  asking: Pick<Asking, 'ask'>
  settings: WebhookOptions
  /** Null when the account is gone. */
  signingToken(accountSid: string): Promise<string | null>
  now(): number
  /** From 0, below 1. */
  random(): number
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  log: {
    info(details: object, message: string): void
    warn(details: object, message: string): void
    error(details: object, message: string): void
  }
}

/** Told events that are still in the store, at most, and the milliseconds that they may be. */
const TOLD = 100
const TOLD_FOR = 100
/** Failures of a server, one after the other, from which on it has one request at a time until it takes something. */
const FAILING = 3
/** Events that are given up until the oldest of too many go: finding them takes as long as they are many. */
const PRUNED = 1000
/** Milliseconds until the store is asked again that has failed. */
const STORE_RETRY = 1000

interface Lane extends QueueLane {
  /** Where its next request goes, as far as that is known: lanes to one server share its requests. */
  server: string
  /** Position of the last event that was told, which may still be in the store. */
  told: number
  state: 'ready' | 'telling' | 'waiting'
  /** Something was queued while it told. */
  hasMore: boolean
  /** Something older than what was told waits again. */
  isRewound: boolean
  cancel: () => void
}

export class Deliveries {
  readonly #options: DeliveriesOptions
  readonly #lanes = new Map<string, Lane>()
  /** By server, each in the order in which they became ready. */
  readonly #ready = new Map<string, Set<Lane>>()
  readonly #underWay = new Map<string, number>()
  readonly #failing = new Map<string, number>()
  readonly #telling = new Set<Promise<void>>()
  #told: number[] = []
  #flushing: Promise<void> = Promise.resolve()
  #cancelFlush: (() => void) | null = null
  #isStopped = false
  #buried = 0

  constructor(options: DeliveriesOptions) {
    this.#options = options
  }

  /** Takes up what an earlier run left. */
  async start(): Promise<void> {
    for (const lane of await this.#options.queue.lanes()) this.#wake(lane)
  }

  /** They are on disk. */
  queued(events: readonly QueuedEvent[]): void {
    for (const event of events) this.#wake(event)
  }

  /** Takes up again what was given up. Gives how many events. */
  async revive(accountSid: string | null, tokens: readonly string[] | null): Promise<number> {
    await this.#flush()
    const lanes = await this.#options.queue.revive(accountSid, tokens)
    // they are older than what was told meanwhile
    for (const { webhook, document } of lanes) {
      const lane = this.#lanes.get(keyOf({ webhook, document }))
      if (lane) lane.isRewound = true
    }
    for (const lane of lanes) this.#wake(lane)
    return lanes.length
  }

  /** Begins no more requests. Resolves when those under way have ended and are on record. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const lane of this.#lanes.values()) lane.cancel()
    await Promise.all(this.#telling)
    await this.#flush()
  }

  #wake({ webhook, document }: QueueLane): void {
    const key = keyOf({ webhook, document })
    const lane = this.#lanes.get(key)
    if (lane) {
      lane.hasMore = true
      return
    }
    const server = serverOf(this.#options.book.target(webhook)?.url)
    const made: Lane = {
      webhook,
      document,
      server,
      told: 0,
      state: 'ready',
      hasMore: false,
      isRewound: false,
      cancel: () => {},
    }
    this.#lanes.set(key, made)
    this.#isReady(made)
    this.#next()
  }

  /** Behind the others that go to its server. */
  #isReady(lane: Lane): void {
    lane.state = 'ready'
    const { server } = lane
    const before = this.#ready.get(server)
    if (before) before.add(lane)
    else this.#ready.set(server, new Set([lane]))
  }

  #next(): void {
    if (this.#isStopped) return
    const { concurrency, perTarget } = this.#options.settings
    for (const [server, lanes] of this.#ready) {
      const room = (this.#failing.get(server) ?? 0) >= FAILING ? 1 : perTarget
      for (const lane of lanes) {
        if (this.#telling.size >= concurrency) return
        if ((this.#underWay.get(server) ?? 0) >= room) break
        lanes.delete(lane)
        this.#begin(lane)
      }
      if (lanes.size === 0) this.#ready.delete(server)
    }
  }

  #begin(lane: Lane): void {
    const { server } = lane
    lane.state = 'telling'
    this.#underWay.set(server, (this.#underWay.get(server) ?? 0) + 1)
    const telling = this.#tellFirst(lane)
      .catch((error): number => {
        this.#options.log.error({ err: error, webhook: lane.webhook }, 'the queue of webhooks failed')
        return STORE_RETRY
      })
      .then((wait) => this.#ended(lane, server, wait))
      .finally(() => {
        this.#telling.delete(telling)
        this.#next()
      })
    this.#telling.add(telling)
  }

  /** @param wait milliseconds until the lane is due again; null: it had nothing */
  #ended(lane: Lane, server: string, wait: number | null): void {
    const left = (this.#underWay.get(server) ?? 1) - 1
    if (left > 0) this.#underWay.set(server, left)
    else this.#underWay.delete(server)
    if (this.#isStopped) return
    if (wait === null && !lane.hasMore) {
      this.#lanes.delete(keyOf(lane))
      return
    }
    if (wait === null || wait <= 0) {
      this.#isReady(lane)
      return
    }
    lane.state = 'waiting'
    lane.cancel = this.#options.after(wait, () => {
      this.#isReady(lane)
      this.#next()
    })
  }

  /** Tries the lane's first event. */
  async #tellFirst(lane: Lane): Promise<number | null> {
    const { queue, now, settings } = this.#options
    lane.hasMore = false
    if (lane.isRewound) {
      await this.#flush()
      lane.isRewound = false
      lane.told = 0
    }
    const event = await queue.next(lane, lane.told)
    if (!event) {
      // a lane that comes again begins at the start: nothing that was told may be there by then
      await this.#flush()
      return null
    }
    const wait = event.due - now()
    // longer than ever: the clock was set back
    if (wait > 0 && wait <= settings.longestRetry) return wait
    const failure = await this.#tell(lane, event)
    // cut off by us: the next run tells it
    if (failure !== null && this.#isStopped) return 0
    if (failure !== null) {
      this.#failing.set(lane.server, (this.#failing.get(lane.server) ?? 0) + 1)
      return this.#failed(event, failure)
    }
    this.#failing.delete(lane.server)
    lane.told = event.position
    this.#told.push(event.position)
    if (this.#told.length >= TOLD) await this.#flush()
    else this.#cancelFlush ??= this.#options.after(TOLD_FOR, () => void this.#flush())
    return 0
  }

  /** Null when it was taken. */
  async #tell(lane: Lane, event: PendingEvent): Promise<{ reason: string; isFinal: boolean } | null> {
    const { asking, book, settings, signingToken } = this.#options
    const { url, method } = book.target(event.webhook) ?? event
    lane.server = serverOf(url)
    try {
      const token = await signingToken(event.accountSid)
      if (token === null) return { reason: 'the account is gone', isFinal: true }
      const { status } = await asking.ask({
        url,
        method,
        fields: { ...event.fields, RetryCount: String(event.attempts) },
        token: event.token,
        signingToken: token,
        timeout: settings.timeout,
      })
      if (status >= 200 && status < 300) return null
      const isRedirect = status >= 300 && status < 400
      return {
        reason: `HTTP ${status}${isRedirect ? ': redirects are not followed' : ''}`,
        isFinal: isRedirect,
      }
    } catch (error) {
      return { reason: reasonOf(error), isFinal: isFinal(error) }
    }
  }

  /** Milliseconds until it is tried again, or until the next one is. */
  async #failed(event: PendingEvent, { reason, isFinal }: { reason: string; isFinal: boolean }) {
    const { queue, settings, now, log } = this.#options
    const attempts = event.attempts + 1
    const details = {
      webhook: event.webhook,
      event: event.token,
      type: event.fields.EventType,
      attempts,
      reason,
    }
    if (isFinal || attempts >= settings.attempts || now() - event.at > settings.expiry) {
      await queue.bury(event.position, attempts, now(), reason)
      if (++this.#buried % PRUNED === 0) await queue.prune(settings.mostDead)
      log.warn(details, 'an event was given up: confab webhooks lists it')
      return 0
    }
    const wait = this.#backoff(attempts)
    await queue.failed(event.position, attempts, now() + wait)
    log.info(details, 'a webhook did not take an event')
    return wait
  }

  /** Exponential, with full jitter above half: what failed together isn't tried again together. */
  #backoff(attempts: number): number {
    const { firstRetry, longestRetry } = this.#options.settings
    const most = Math.min(longestRetry, firstRetry * 2 ** (attempts - 1))
    return Math.ceil(most / 2 + (most / 2) * this.#options.random())
  }

  /** What was told leaves the store. When that fails it is told again, by the same token. */
  #flush(): Promise<void> {
    this.#cancelFlush?.()
    this.#cancelFlush = null
    const told = this.#told
    this.#told = []
    if (told.length === 0) return this.#flushing
    const { queue, log } = this.#options
    const done = () => queue.done(told)
    this.#flushing = this.#flushing.then(done).catch((error) => {
      log.error({ err: error }, 'what webhooks were told could not be recorded')
      this.#told.push(...told)
    })
    return this.#flushing
  }
}

const keyOf = ({ webhook, document }: QueueLane): string => `${webhook} ${document}`

const serverOf = (url: string | undefined): string => (url && URL.parse(url)?.host) ?? ''

const isFinal = (error: unknown): boolean => error instanceof TargetRefused

/** For people: what went wrong, and nothing that stood in the address. */
function reasonOf(error: unknown): string {
  if (error instanceof TargetRefused) return error.message
  const { name, code, message } = error as { name?: string; code?: string; message?: string }
  if (name === 'TimeoutError' || name === 'AbortError') return 'no answer in time'
  return code ?? message ?? 'unknown'
}
