/**
 * One document's way through the relay: what waits to be judged, what was judged and waits to be decided. A document's
 * commits come one after the other; documents don't wait for each other.
 */
import {
  type AdmissionKnowledge,
  type ClientOwner,
  type ConfabError,
  type DocumentKind,
  type Limits,
  outboxName,
} from '@confab/core'
import type { UploadAnswer } from '../engine.ts'
import type { DocumentModel } from './document.ts'
import type { PrivateChanges } from './private-changes.ts'
import type { Author, Work } from './work.ts'

/** An upload or a submission that nobody has looked at yet. */
export interface Job {
  readonly author: Author
  /** Null for a system actor's operation, which is in `work` from the start. */
  readonly update: Uint8Array | null
  work: Work | null
  /** Whether commits reach the author by the fan-out. */
  isReader(): boolean
  /** Called once. */
  answer(answer: UploadAnswer): void
  fail(error: ConfabError): void
}

/** What the relay changes by itself, in a commit of its own. */
export interface Change {
  /** Only while the document is what was read; null: whatever it is, and if there is none. */
  readonly read: { model: DocumentModel; epoch: number } | null
  /** False: there was nothing to change. When it throws before it has changed anything, nothing happens. */
  apply(model: DocumentModel, privately: PrivateChanges): boolean | Promise<boolean>
  done(changed: boolean): void
  fail(error: unknown): void
}

export class Lane {
  readonly key: string
  readonly serviceSid: string
  readonly document: string
  readonly kind: DocumentKind
  /** Null until it is loaded, and after a commit that failed. */
  model: DocumentModel | null = null
  readonly queue: Job[] = []
  /** Judged, in order; the first may be partly decided. */
  works: Job[] = []
  readonly changes: Change[] = []
  /** A hook is deciding. */
  isWaiting = false
  /** Takes part in the turn that runs: the model is ahead of the store. */
  inTurn = false
  /** Called at the end of the turn that runs. */
  readonly afterTurn: (() => void)[] = []
  epochDue = false
  /** No other epoch before this time; milliseconds since 1970. */
  nextEpochAt = 0
  lastUsed = 0
  /** No turn of its own before this time, because of how many are told of each; milliseconds since 1970. */
  nextTurnAt = 0
  /** Another life of the model: what was asked of a hook before is no longer wanted. */
  life = 0
  /** Client ids as they will stand once everything judged is decided. */
  readonly #judged = new Map<number, { identity: string; clock: number }>()

  constructor(key: string, serviceSid: string, document: string, kind: DocumentKind) {
    this.key = key
    this.serviceSid = serviceSid
    this.document = document
    this.kind = kind
  }

  get hasWork(): boolean {
    return this.queue.length > 0 || this.works.length > 0
  }

  get isIdle(): boolean {
    return !this.hasWork && !this.isWaiting && !this.inTurn && !this.epochDue && this.changes.length === 0
  }

  /** Something of this identity's is on its way. */
  hasWorkOf(identity: string): boolean {
    const own = (job: Job) => job.author.identity === identity
    return this.queue.some(own) || this.works.some(own)
  }

  /** @param boundTo whose a client id is by its presence (awareness) */
  knowledge(
    identity: string,
    limits: Limits,
    boundTo: (client: number) => string | undefined,
  ): AdmissionKnowledge {
    const model = this.model as DocumentModel
    const judged = this.#judged
    const ownerOf = (client: number): string | undefined =>
      judged.get(client)?.identity ?? model.outboxClient(client)?.identity ?? boundTo(client)
    return {
      outbox: outboxName(identity),
      clock: (client) => judged.get(client)?.clock ?? model.clock(client),
      owner(client): ClientOwner {
        if (model.isRelayId(client)) return 'relay'
        const owner = ownerOf(client)
        return owner === undefined ? null : owner === identity ? 'self' : 'other'
      },
      room: limits.pendingOperations,
      // an epoch clears them as soon as this is committed
      clientRoom: Math.max(0, 2 * limits.outboxClients - model.outboxSize(identity)),
    }
  }

  judged(identity: string, clients: readonly { client: number; clock: number }[]): void {
    for (const { client, clock } of clients) this.#judged.set(client, { identity, clock })
  }

  /** Forgets what was judged and not committed. */
  forgetJudged(): void {
    this.#judged.clear()
  }
}
