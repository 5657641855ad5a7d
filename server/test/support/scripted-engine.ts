import type { Outcome } from '@confab/core'
import type { Engine, News, OpenAnswer, OpenQuery, Subscriber, UploadAnswer } from '../../src/engine.ts'

export const news = (clock = 1, outcomes: Outcome[] = []): News => ({
  point: { epoch: 0, commitsId: 7, clock },
  updates: [Uint8Array.of(0, clock)],
  outcomes,
})

/** An engine that answers as a test tells it, and remembers what it was asked: for what sessions do, alone. */
export class ScriptedEngine implements Engine {
  readonly loaded = 0
  isOnline = () => false
  reachabilityChanged = () => {}
  readonly calls: string[] = []
  readonly uploads: { document: string; update: Uint8Array }[] = []
  readonly openQueries: OpenQuery[][] = []
  subscriber: Subscriber | null = null

  onOpen: (query: OpenQuery) => OpenAnswer | Promise<OpenAnswer> = ({ document }) => ({
    document,
    status: 'current',
    request: null,
  })
  onUpload: (document: string, update: Uint8Array) => UploadAnswer | Promise<UploadAnswer> = () => ({
    kind: 'taken',
    outcomes: [],
  })
  onStateVector: (document: string) => Awaited<ReturnType<Engine['answerStateVector']>> = () => ({
    status: 'absent',
  })

  async open(subscriber: Subscriber, queries: OpenQuery[]): Promise<OpenAnswer[]> {
    this.subscriber = subscriber
    this.openQueries.push(queries)
    this.calls.push(`open ${queries.map(({ document }) => document).join(' ')}`)
    return Promise.all(queries.map((query) => this.onOpen(query)))
  }

  close(_subscriber: Subscriber, documents: string[]): void {
    this.calls.push(`close ${documents.join(' ')}`)
  }

  leave(): void {
    this.calls.push('leave')
  }

  async upload(subscriber: Subscriber, document: string, update: Uint8Array): Promise<UploadAnswer> {
    this.subscriber = subscriber
    this.calls.push(`upload ${document}`)
    this.uploads.push({ document, update })
    return this.onUpload(document, update)
  }

  async answerStateVector(subscriber: Subscriber, document: string) {
    this.subscriber = subscriber
    this.calls.push(`state vector ${document}`)
    return this.onStateVector(document)
  }

  awareness(_subscriber: Subscriber, document: string): void {
    this.calls.push(`awareness ${document}`)
  }

  onPage: (document: string, hash: string) => Uint8Array | null | Promise<Uint8Array | null> = () => null

  async page(_principal: unknown, document: string, hash: string): Promise<Uint8Array | null> {
    this.calls.push(`page ${document} ${hash}`)
    return this.onPage(document, hash)
  }

  async *readMessages(): AsyncIterable<never> {}

  async submit(): Promise<Outcome> {
    throw new Error('Sessions submit nothing')
  }

  async idle(): Promise<void> {}
  async drain(): Promise<void> {}
}
