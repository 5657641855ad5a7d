/** Webhooks of a relay, put together: asked before commits by the hooks' own path, and told of them by a queue. */
import { randomBytes } from 'node:crypto'
import { ConfabError, type MessageRecord } from '@confab/core'
import type { Accounts } from '../accounts/accounts.ts'
import type { LastWord } from '../commit/decide-work.ts'
import type { Listeners } from '../commit/options.ts'
import type { PostEvent, PreEvent } from '../events.ts'
import type { Awaitable, BeforeCommitAnswer, CommittedOperation, OperationRequest } from '../hooks.ts'
import type { Services } from '../services/services.ts'
import type { Store } from '../store/store.ts'
import { Asking } from './asking.ts'
import { scopeOf, type Target, WebhookBook } from './book.ts'
import { Deliveries } from './deliveries.ts'
import { type Fields, fieldsOf } from './fields.ts'
import type { WebhookOptions } from './options.ts'
import { answerOf } from './pre-events.ts'
import type { QueuedEvent } from './queue.ts'

interface Parts {
  store: Pick<Store, 'objects' | 'webhooks'>
  accounts: Pick<Accounts, 'signingToken'>
  services: Pick<Services, 'accountOf'>
  /** Told of each request. */
  asked?(kind: 'pre' | 'post', result: 'answered' | 'failed'): void
  /** What a system actor is called in `Source`; `API` and the like. */
  sourceOf(source: string): string
  now(): number
  /** Runs once after so many milliseconds; the result cancels. */
  after(milliseconds: number, run: () => void): () => void
  log: {
    info(details: object, message: string): void
    warn(details: object, message: string): void
    error(details: object, message: string): void
  }
}

/** Pre-events that one server is asked about at a time; who waits longer than the limit counts as not answered. */
const MOST_ASKED = 64
/** Milliseconds that a request may end later than it should. */
const GRACE = 1000

/** Milliseconds that requests under way have when the relay closes. */
const LAST_MOMENT = 1000

/** REST without `X-Twilio-Webhook-Enabled`. */
const SILENT = 'api-silent'

export class Webhooks implements Listeners {
  readonly book: WebhookBook
  readonly settings: WebhookOptions
  readonly #parts: Parts
  readonly #asking: Asking
  readonly #telling: Asking
  readonly #deliveries: Deliveries
  readonly #lastWord: LastWord

  constructor(settings: WebhookOptions, parts: Parts) {
    const { store, accounts, services, now, after, log } = parts
    this.settings = settings
    this.#parts = parts
    this.book = new WebhookBook(store.objects, services)
    const counted = (kind: 'pre' | 'post') => (result: 'answered' | 'failed') => parts.asked?.(kind, result)
    this.#asking = new Asking({ ...settings, perTarget: MOST_ASKED, asked: counted('pre') })
    this.#telling = new Asking({ ...settings, asked: counted('post') })
    this.#lastWord = {
      ask: (request) => this.#askAbout(request),
      // it ends by itself before
      deadline: settings.preTimeout + GRACE,
    }
    this.#deliveries = new Deliveries({
      queue: store.webhooks,
      book: this.book,
      asking: this.#telling,
      settings,
      signingToken: (accountSid) => accounts.signingToken(accountSid),
      now,
      random: Math.random,
      after,
      log,
    })
  }

  start(): Promise<void> {
    return this.#deliveries.start()
  }

  /** What is being told has a moment to be taken; what isn't is told by the next run. */
  async stop(): Promise<void> {
    const cancel = this.#parts.after(LAST_MOMENT, () => this.#telling.stop())
    await this.#deliveries.stop()
    cancel()
    this.#telling.stop()
    this.#asking.stop()
  }

  /** Takes up again what was given up; gives how many. `tokens` null: all. */
  retry(accountSid: string | null, tokens: readonly string[] | null): Promise<number> {
    return this.#deliveries.revive(accountSid, tokens)
  }

  /** A webhook was deleted: what waits for it is told to nobody. */
  forget(webhook: string): Promise<void> {
    return this.#parts.store.webhooks.forget(webhook)
  }

  // ── after ─────────────────────────────────────────────────────────────────────────────────────────

  eventsFor(committed: readonly CommittedOperation[]): QueuedEvent[] {
    const queued: QueuedEvent[] = []
    for (const one of committed) {
      if (one.source === SILENT) continue
      for (const event of one.events) this.#queue(one, event, queued)
    }
    return queued
  }

  stored(committed: readonly CommittedOperation[], queued: readonly QueuedEvent[]): void {
    for (const { serviceSid, conversationSid, events } of committed) {
      for (const { type } of events)
        if (type === 'onConversationRemoved') this.book.conversationGone(scopeOf(serviceSid, conversationSid))
    }
    if (queued.length > 0) this.#deliveries.queued(queued)
  }

  /**
   * Tells one webhook of messages that were there before it, from an index on.
   * @returns the index behind them
   */
  async replay(
    target: Target,
    of: { accountSid: string; serviceSid: string; conversationSid: string },
    messages: AsyncIterable<MessageRecord>,
    from: number,
  ): Promise<number> {
    const queued: QueuedEvent[] = []
    for await (const message of messages) {
      from = message.index + 1
      const event: PostEvent = { type: 'onMessageAdded', message }
      const fields = fieldsOf(event, { ...of, identity: null, source: 'REPLAY' })
      queued.push(this.#queuedEvent(event, target, of, fields))
    }
    await this.#parts.store.webhooks.put(queued)
    if (queued.length > 0) this.#deliveries.queued(queued)
    return from
  }

  #queue(committed: CommittedOperation, event: PostEvent, queued: QueuedEvent[]): void {
    const { serviceSid, conversationSid, principal } = committed
    const targets = this.book.told(serviceSid, conversationSid, event.type)
    if (targets.length === 0) return
    const accountSid = this.#parts.services.accountOf(serviceSid) ?? principal?.accountSid ?? ''
    const of = { accountSid, serviceSid, conversationSid }
    const fields = fieldsOf(event, { ...this.#causeOf(committed), accountSid })
    for (const target of targets) queued.push(this.#queuedEvent(event, target, of, fields))
  }

  #queuedEvent(
    event: PostEvent,
    target: Target,
    of: { accountSid: string; serviceSid: string; conversationSid: string },
    fields: Fields,
  ): QueuedEvent {
    return {
      ...target,
      accountSid: of.accountSid,
      serviceSid: of.serviceSid,
      document: 'user' in event ? `user/${event.user.identity}` : of.conversationSid,
      messageSid: 'message' in event ? event.message.sid : null,
      token: randomBytes(16).toString('hex'),
      fields: target.webhook.startsWith('WH') ? { ...fields, WebhookSid: target.webhook } : fields,
      at: this.#parts.now(),
    }
  }

  // ── before ────────────────────────────────────────────────────────────────────────────────────────

  get lastWord(): LastWord | null {
    return this.book.asksAnybody ? this.#lastWord : null
  }

  #askAbout(request: OperationRequest): Awaitable<BeforeCommitAnswer> {
    const { event, source, serviceSid } = request
    if (event === null || source === SILENT) return undefined
    const target = this.book.asked(serviceSid, event.type)
    return target ? this.#ask(target, request, event) : undefined
  }

  /** @throws ConfabError 70302 when there was no answer, and that is to refuse */
  async #ask(target: Target, request: OperationRequest, event: PreEvent): Promise<BeforeCommitAnswer> {
    const { serviceSid, principal } = request
    const accountSid = this.#parts.services.accountOf(serviceSid) ?? principal?.accountSid ?? ''
    try {
      const signingToken = await this.#parts.accounts.signingToken(accountSid)
      const reply = await this.#asking.ask({
        ...target,
        fields: fieldsOf(event, { ...this.#causeOf(request), accountSid }),
        token: randomBytes(16).toString('hex'),
        signingToken: signingToken ?? '',
        timeout: this.settings.preTimeout,
      })
      return answerOf(reply, request)
    } catch (error) {
      const { onTimeout } = this.settings
      const reason = error instanceof ConfabError ? error.message : (error as Error).name
      this.#parts.log.warn(
        { webhook: target.webhook, type: event.type, reason },
        `a pre-event webhook gave no answer (${onTimeout})`,
      )
      if (onTimeout === 'refuse') throw new ConfabError(70302)
      return undefined
    }
  }

  #causeOf({ serviceSid, conversationSid, principal, source }: OperationRequest | CommittedOperation) {
    return {
      serviceSid,
      conversationSid,
      identity: principal?.identity ?? null,
      source: source === null ? 'SDK' : this.#parts.sourceOf(source),
    }
  }
}
