/**
 * A device that is nothing but a transport and stock Yjs documents: it does what the events ask for, and waits for
 * them. The engine does more; the transport suite shows what it can rely on.
 */

import * as Y from 'yjs'
import type {
  Transport,
  TransportEvents,
  TransportFactory,
  Welcome,
} from '../../packages/client/src/transport/transport.ts'
import {
  type MessageRecord,
  type Operation,
  type Outcome,
  outboxName,
  type ResumePoint,
} from '../../packages/core/src/index.ts'

export type Told =
  | { type: 'connecting' }
  | { type: 'connected'; welcome: Welcome }
  | { type: 'disconnected'; code: number; permanent: boolean }
  | { type: 'tokenExpiring'; expiresAt: number }
  | { type: 'current' | 'received' | 'requested' | 'absent' | 'awareness'; document: string }
  | { type: 'nack'; document: string; code: number }

type TypeOf = Told['type']

const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }
const LOCAL = 'local'

export class Device {
  readonly identity: string
  readonly transport: Transport
  readonly told: Told[] = []
  readonly outcomes = new Map<string, Outcome>()
  readonly presence: Uint8Array[] = []
  readonly #docs = new Map<string, Y.Doc>()
  readonly #points = new Map<string, ResumePoint>()
  /** Documents that are opened again at every connection. */
  readonly #open = new Set<string>()
  #checks: (() => void)[] = []

  constructor(options: {
    identity: string
    factory: TransportFactory
    url: string
    token: () => Promise<string>
    /** Share of the longest wait between attempts; 0 by default. */
    random?: number
  }) {
    const { identity, factory, url, token, random = 0 } = options
    this.identity = identity
    this.transport = factory({ url, token, agent: 'test', random: () => random })
  }

  start(): this {
    this.transport.start(this.#events())
    return this
  }

  // ── doing ─────────────────────────────────────────────────────────────────────────────────────────

  open(...documents: string[]): void {
    for (const document of documents) this.#open.add(document)
    this.transport.open(documents.map((document) => this.#request(document)))
  }

  /** Appends operations to the outbox, which uploads them when connected. */
  push(document: string, ...operations: Operation[]): void {
    const doc = this.doc(document)
    Y.transact(doc, () => doc.getArray(outboxName(this.identity)).push(operations), LOCAL)
  }

  doc(document: string): Y.Doc {
    const known = this.#docs.get(document)
    if (known) return known
    const doc = new Y.Doc()
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === LOCAL) this.transport.update(document, update)
    })
    this.#docs.set(document, doc)
    return doc
  }

  bodies(document: string): (string | undefined)[] {
    const records = this.doc(document).getArray<MessageRecord>('messages').toArray()
    return records.sort((a, b) => a.index - b.index).map(({ body }) => body)
  }

  // ── waiting ───────────────────────────────────────────────────────────────────────────────────────

  /** Resolves when it holds, now or after an event. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) return
        this.#checks = this.#checks.filter((one) => one !== check)
        resolve()
      }
      this.#checks.push(check)
      check()
    })
  }

  /** The next event of this type, of those that come after now. */
  async next<Type extends TypeOf>(type: Type, document?: string): Promise<Extract<Told, { type: Type }>> {
    const from = this.told.length
    const find = () =>
      this.told
        .slice(from)
        .find((one) => one.type === type && (!document || ('document' in one && one.document === document)))
    await this.until(() => find() !== undefined)
    return find() as Extract<Told, { type: Type }>
  }

  async connected(): Promise<this> {
    await this.until(() => this.told.findLast(({ type }) => /connect/.test(type))?.type === 'connected')
    return this
  }

  async outcome(id: string): Promise<Outcome> {
    await this.until(() => this.outcomes.has(id))
    return this.outcomes.get(id) as Outcome
  }

  // ── being told ────────────────────────────────────────────────────────────────────────────────────

  #request(document: string) {
    return { document, point: this.#points.get(document) ?? NOTHING, pending: true }
  }

  #events(): TransportEvents {
    const tell = (told: Told) => {
      this.told.push(told)
      for (const check of [...this.#checks]) check()
    }
    return {
      connecting: () => tell({ type: 'connecting' }),
      connected: (welcome) => {
        if (this.#open.size > 0) this.open(...this.#open)
        tell({ type: 'connected', welcome })
      },
      disconnected: ({ code, permanent }) => tell({ type: 'disconnected', code, permanent }),
      // told with every pong
      clock: () => {},
      tokenExpiring: (expiresAt) => tell({ type: 'tokenExpiring', expiresAt }),
      current: (document) => tell({ type: 'current', document }),
      received: (document, { replace, point, updates, outcomes }) => {
        if (replace) this.#docs.delete(document)
        const doc = this.doc(document)
        Y.transact(doc, () => {
          for (const update of updates) Y.applyUpdate(doc, update)
        })
        if (point) this.#points.set(document, point)
        this.#decided(outcomes)
        tell({ type: 'received', document })
      },
      outcomes: (document, outcomes) => {
        this.#decided(outcomes)
        tell({ type: 'received', document })
      },
      requested: (document, stateVector) => {
        this.transport.update(document, Y.encodeStateAsUpdate(this.doc(document), stateVector))
        tell({ type: 'requested', document })
      },
      absent: (document) => tell({ type: 'absent', document }),
      awareness: (document, update) => {
        this.presence.push(update)
        tell({ type: 'awareness', document })
      },
      nack: (document, { code }) => tell({ type: 'nack', document, code }),
    }
  }

  #decided(outcomes: Outcome[]): void {
    for (const outcome of outcomes) this.outcomes.set(outcome.id, outcome)
  }
}
