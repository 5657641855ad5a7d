/** Figures for Prometheus. Labels have few values, all of them known here: no sid, no name, no address is one. */
import { ERROR_CODES } from '@confab/core'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { ChannelType, SendResult } from '../channels/channel.ts'
import type { Engine } from '../engine.ts'
import type { MediaFigures } from '../media/media.ts'
import type { MediaUsage } from '../store/media.ts'
import type { DocumentCommit, Store } from '../store/store.ts'

/** What is asked when somebody looks. */
export interface MeasuredParts {
  engine: Pick<Engine, 'loaded'>
  store: Pick<Store, 'webhooks' | 'media'>
  connections(): number
  /** Null: there are none. */
  channels(): { depth: number } | null
}

/** Seconds of one transaction. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]

export class Metrics {
  readonly #registry = new Registry()
  readonly #registers = { registers: [this.#registry] }
  readonly #commits = new Counter({
    name: 'confab_commits_total',
    help: 'Commits of documents',
    ...this.#registers,
  })
  readonly #bytes = new Counter({
    name: 'confab_update_bytes_total',
    help: 'Bytes of Yjs updates that were committed for everybody',
    ...this.#registers,
  })
  readonly #messages = new Counter({
    name: 'confab_messages_written_total',
    help: 'Messages that were posted or changed',
    ...this.#registers,
  })
  readonly #transactions = new Histogram({
    name: 'confab_commit_seconds',
    help: 'Time of one transaction, which may hold commits of many documents',
    buckets: BUCKETS,
    ...this.#registers,
  })
  readonly #failures = new Counter({
    name: 'confab_commit_failures_total',
    help: 'Transactions that could not be stored',
    ...this.#registers,
  })
  readonly #refusals = new Counter({
    name: 'confab_refusals_total',
    help: 'Operations that were refused, by code',
    labelNames: ['code'] as const,
    ...this.#registers,
  })
  readonly #requests = new Counter({
    name: 'confab_rest_requests_total',
    help: 'Answered requests of the REST API',
    labelNames: ['resource', 'status'] as const,
    ...this.#registers,
  })
  readonly #sends = new Counter({
    name: 'confab_channel_sends_total',
    help: 'Messages that were handed to a channel, by what became of it',
    labelNames: ['channel', 'result'] as const,
    ...this.#registers,
  })
  readonly #asked = new Counter({
    name: 'confab_webhook_requests_total',
    help: 'Requests to webhooks',
    labelNames: ['kind', 'result'] as const,
    ...this.#registers,
  })

  readonly #taken = new Counter({
    name: 'confab_media_taken_total',
    help: 'Attachments that came whole, and were what their hash says',
    ...this.#registers,
  })
  readonly #takenBytes = new Counter({
    name: 'confab_media_taken_bytes_total',
    help: 'Their bytes',
    ...this.#registers,
  })
  readonly #given = new Counter({
    name: 'confab_media_given_total',
    help: 'Answers with content of attachments, or a part of it, that came to their end',
    ...this.#registers,
  })
  readonly #givenBytes = new Counter({
    name: 'confab_media_given_bytes_total',
    help: 'Their bytes',
    ...this.#registers,
  })
  readonly #mediaRefusals = new Counter({
    name: 'confab_media_refusals_total',
    help: 'Requests about attachments that were refused, by code',
    labelNames: ['code'] as const,
    ...this.#registers,
  })

  constructor() {
    collectDefaultMetrics({ register: this.#registry })
  }

  /** The store, with its commits counted. */
  measured(store: Store): Store {
    return {
      ...store,
      commit: async (commits) => {
        const end = this.#transactions.startTimer()
        try {
          const keys = await store.commit(commits)
          this.#committed(commits)
          return keys
        } catch (error) {
          this.#failures.inc()
          throw error
        } finally {
          end()
        }
      },
    }
  }

  /** Gauges are read when somebody looks. */
  watch({ engine, store, connections, channels }: MeasuredParts): void {
    this.#gauge('confab_connections', 'Connected WebSockets', connections)
    this.#gauge('confab_loaded_documents', 'Documents in memory', () => engine.loaded)
    this.#gauge('confab_channel_messages', 'Messages that wait for a channel', () => channels()?.depth ?? 0)
    new Gauge({
      name: 'confab_webhook_events',
      help: 'Events in the queue of webhooks: pending, or given up (dead)',
      labelNames: ['state'] as const,
      ...this.#registers,
      async collect() {
        const { pending, dead } = await store.webhooks.counts()
        this.set({ state: 'pending' }, pending)
        this.set({ state: 'dead' }, dead)
      },
    })
    const usage = (name: string, help: string, figure: keyof MediaUsage) =>
      this.#gauge(name, help, async () => (await store.media.usage())[figure])
    usage('confab_media_contents', 'Contents that are stored, each once', 'count')
    usage('confab_media_bytes', 'Bytes of them', 'bytes')
    usage('confab_media_uploads', 'Uploads that are on their way', 'uploads')
    usage('confab_media_upload_bytes', 'Bytes that these are to have', 'uploadBytes')
  }

  readonly media: MediaFigures = {
    taken: (bytes) => {
      this.#taken.inc()
      this.#takenBytes.inc(bytes)
    },
    given: (bytes) => {
      this.#given.inc()
      this.#givenBytes.inc(bytes)
    },
    refused: (code) => this.#mediaRefusals.inc({ code: labelOf(code) }),
  }

  /** @param resource of a route; null for a path that there isn't */
  answered(resource: string | null, status: number): void {
    this.#requests.inc({ resource: resource ?? 'none', status: `${Math.floor(status / 100)}xx` })
  }

  webhookAsked(kind: 'pre' | 'post', result: 'answered' | 'failed'): void {
    this.#asked.inc({ kind, result })
  }

  channelSent(channel: ChannelType, result: SendResult): void {
    this.#sends.inc({ channel, result })
  }

  async text(): Promise<{ type: string; body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() }
  }

  stop(): void {
    this.#registry.clear()
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      ...this.#registers,
      async collect() {
        this.set(await read())
      },
    })
  }

  #committed(commits: readonly DocumentCommit[]): void {
    this.#commits.inc(commits.length)
    for (const { entry, messages, decided } of commits) {
      this.#bytes.inc(entry.update.length)
      if (messages.put.length > 0) this.#messages.inc(messages.put.length)
      for (const { outcome } of decided) {
        if (outcome.verdict === 'refused') this.#refusals.inc({ code: labelOf(outcome.code) })
      }
    }
  }
}

/** Labels are few, whatever code an app refuses with. */
const labelOf = (code: number): string => (code in ERROR_CODES ? String(code) : 'other')
