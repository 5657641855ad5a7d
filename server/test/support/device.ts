/** A device with stock Yjs documents and no transport: it reads what the engine tells it, and uploads its outbox. */
import {
  conversationSid,
  type MessageRecord,
  type Operation,
  type OperationType,
  type Outcome,
  outboxName,
  type ParticipantRecord,
  type ResumePoint,
  SERVICE_USER,
} from '@confab/core'
import * as Y from 'yjs'
import type { Engine, News, OpenAnswer, Principal, Subscriber, UploadAnswer } from '../../src/engine.ts'

export const SERVICE = `IS${'5'.repeat(32)}`
const NOTHING: ResumePoint = { epoch: 0, commitsId: 0, clock: 0 }
const LOCAL = 'local'

let counter = 0
/** A fresh id of 32 hex digits. */
export const freshId = (): string => (++counter).toString(16).padStart(32, '0')

type Draft<Type extends OperationType> = Omit<
  Extract<Operation, { type: Type }>,
  'id' | 'type' | 'dateWritten'
>

export function operation<Type extends OperationType>(
  type: Type,
  draft: Draft<Type>,
  id = freshId(),
): Operation {
  return { id, type, dateWritten: 5, ...draft } as unknown as Operation
}

export const principalOf = (identity: string): Principal => ({
  accountSid: `AC${'a'.repeat(32)}`,
  serviceSid: SERVICE,
  identity,
  serviceRoleSid: SERVICE_USER,
})

export class Device implements Subscriber {
  readonly principal: Principal
  readonly engine: Engine
  readonly docs = new Map<string, Y.Doc>()
  readonly points = new Map<string, ResumePoint>()
  readonly outcomes = new Map<string, Outcome>()
  /** What was told, in order. */
  readonly told: string[] = []
  readonly presence: Uint8Array[] = []
  bytes = 0
  #waiting: (() => void)[] = []

  constructor(engine: Engine, identity: string) {
    this.engine = engine
    this.principal = principalOf(identity)
  }

  get identity(): string {
    return this.principal.identity
  }

  doc(document: string): Y.Doc {
    let doc = this.docs.get(document)
    if (!doc) {
      doc = new Y.Doc()
      this.docs.set(document, doc)
    }
    return doc
  }

  // ── told by the engine ──

  changes(document: string, news: News): void {
    this.#take(document, news)
    this.told.push(
      `changes ${news.updates.length} ${news.outcomes.map(({ verdict }) => verdict).join()}`.trim(),
    )
    this.#wake()
  }
  absent(document: string): void {
    this.told.push(`absent ${document}`)
    this.#wake()
  }
  replaced(document: string, news: News): void {
    this.docs.set(document, new Y.Doc())
    this.#take(document, news)
    this.told.push('replaced')
    this.#wake()
  }
  awareness(_document: string, update: Uint8Array): void {
    this.presence.push(update)
    this.#wake()
  }

  #take(document: string, { point, updates, outcomes }: News): void {
    const doc = this.doc(document)
    doc.transact(() => {
      for (const update of updates) {
        this.bytes += update.length
        Y.applyUpdate(doc, update)
      }
    })
    if (doc.store.pendingStructs || doc.store.pendingDs)
      throw new Error('an update that depends on what is not there')
    this.points.set(document, point)
    for (const outcome of outcomes) this.outcomes.set(outcome.id, outcome)
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Resolves once the condition holds; it is asked again whenever the engine told something. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resume) => this.#waiting.push(resume))
  }

  // ── asking the engine ──

  async open(document: string, pending = false): Promise<OpenAnswer> {
    const [answer] = await this.engine.open(this, [
      { document, pending, ...(this.points.get(document) ?? NOTHING) },
    ])
    if (answer?.status === 'snapshot' && answer.replace) this.docs.set(document, new Y.Doc())
    if (answer?.status === 'snapshot' || answer?.status === 'changes') this.#take(document, answer.news)
    return answer as OpenAnswer
  }

  /** Appends to the outbox, and gives the update that this made. */
  write(document: string, ...operations: unknown[]): Uint8Array {
    const doc = this.doc(document)
    const updates: Uint8Array[] = []
    const note = (update: Uint8Array, origin: unknown) => {
      if (origin === LOCAL) updates.push(update)
    }
    doc.on('update', note)
    doc.transact(() => doc.getArray(outboxName(this.identity)).push(operations), LOCAL)
    doc.off('update', note)
    return updates[0] as Uint8Array
  }

  async upload(document: string, update: Uint8Array): Promise<UploadAnswer> {
    const answer = await this.engine.upload(this, document, update)
    if (answer.kind === 'taken') for (const outcome of answer.outcomes) this.outcomes.set(outcome.id, outcome)
    if (answer.kind !== 'request') return answer
    return this.upload(document, Y.encodeStateAsUpdate(this.doc(document), answer.stateVector))
  }

  /** Writes and uploads, again where the document was replaced meanwhile; gives the outcomes in order. */
  async submit(document: string, ...operations: Operation[]): Promise<Outcome[]> {
    for (;;) {
      const doc = this.doc(document)
      const answer = await this.upload(document, this.write(document, ...operations))
      if (answer.kind === 'nack' && answer.error.code === 70603)
        await this.until(() => this.doc(document) !== doc)
      else if (answer.kind !== 'taken') throw new Error(`${answer.kind} ${JSON.stringify(answer)}`)
      const left = operations.filter(({ id }) => !this.outcomes.has(id))
      if (left.length === 0) return operations.map(({ id }) => this.outcomes.get(id) as Outcome)
      if (this.doc(document) === doc) throw new Error('operations were left without an outcome')
    }
  }

  /** Creates and joins a conversation, open on this device; gives its sid. */
  async create(...members: string[]): Promise<string> {
    const nonce = freshId()
    const sid = conversationSid(this.identity, nonce)
    await this.open(sid, true)
    const outcomes = await this.submit(
      sid,
      operation('conversation.create', { nonce }),
      operation('conversation.join', {}),
      ...members.map((identity) => operation('participant.add', { identity })),
    )
    for (const outcome of outcomes)
      if (outcome.verdict !== 'accepted') throw new Error(JSON.stringify(outcome))
    return sid
  }

  // ── read out of the Y.Doc ──

  messages(document: string): MessageRecord[] {
    const all = this.doc(document).getArray<MessageRecord>('messages').toArray()
    return [...all].sort((a, b) => a.index - b.index)
  }
  bodies(document: string): (string | undefined)[] {
    return this.messages(document).map(({ body }) => body)
  }
  participants(document: string): string[] {
    const all = [...this.doc(document).getMap<ParticipantRecord>('participants').values()]
    return all.map(({ identity }) => identity ?? '').sort()
  }
  outbox(document: string): unknown[] {
    return this.doc(document).getArray(outboxName(this.identity)).toArray()
  }
}

export const post = (body: string, id?: string): Operation => operation('message.post', { body }, id)
